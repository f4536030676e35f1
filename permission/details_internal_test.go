package permission

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPathDetails: the details are part of the JSON form and of the digest as if
// they were fields, and describing a copy leaves the path it came from alone.
func TestPathDetails(t *testing.T) {
	p := Path{Clean: "/a", Real: "/b", Extent: Exact}
	require.Zero(t, p.Details())
	require.Empty(t, p.Also())
	plain, err := json.Marshal(p)
	require.NoError(t, err)
	p.Describe(PathDetails{})
	require.Nil(t, p.PathDetails)
	q := p
	q.Describe(PathDetails{Also: []string{"/c"}, ClassName: "k", Secret: "/b"})
	data, err := json.Marshal(q)
	require.NoError(t, err)
	require.Equal(t, `{"clean":"/a","real":"/b","also":["/c"],"className":"k","secret":"/b",`+string(plain[len(`{"clean":"/a","real":"/b",`):]), string(data))
	var back Path
	require.NoError(t, json.Unmarshal(data, &back))
	require.Equal(t, q, back)
	same := q
	same.Describe(q.Details())
	require.Equal(t, fmt.Sprintf("%#v", q), fmt.Sprintf("%#v", same), "no addresses")
	for _, other := range []PathDetails{{}, {Also: []string{"/d"}, ClassName: "k", Secret: "/b"}, {Also: []string{"/c"}, Secret: "/b"}, {Also: []string{"/c"}, ClassName: "k"}} {
		r := q
		r.Describe(other)
		require.NotEqual(t, digest(Call{}, Inspection{Actions: []Action{{Path: q}}}), digest(Call{}, Inspection{Actions: []Action{{Path: r}}}))
	}
	r := q
	r.Clean = "/z"
	require.NotEqual(t, digest(Call{}, Inspection{Actions: []Action{{Path: q}}}), digest(Call{}, Inspection{Actions: []Action{{Path: r}}}))
	require.Equal(t, "k", q.ClassName())
	require.Nil(t, p.PathDetails)
}
