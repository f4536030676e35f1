//go:build linux || darwin

package confine

import (
	"math"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

// fill gives every field of a value something that is not its zero.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("text\x00\n")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(math.MaxInt64)
	case reflect.Uint8:
		v.SetUint(2)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0))
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	default:
		panic(v.Type())
	}
}

// No field of a plan is forgotten on the way, and what is not whole is refused.
func TestPlan(t *testing.T) {
	var full, none, back Plan
	fill(reflect.ValueOf(&full).Elem())
	require.NoError(t, back.Unmarshal(full.Marshal()))
	require.Equal(t, full, back)
	back = full
	require.NoError(t, back.Unmarshal(none.Marshal()))
	require.Equal(t, none, back, "nil stays nil")
	full.Families = []int{}
	require.NoError(t, back.Unmarshal(full.Marshal()))
	require.NotNil(t, back.Families, "an empty filter is a filter")

	data := full.Marshal()
	for n := range data {
		require.Error(t, new(Plan).Unmarshal(data[:n]), n)
	}
	require.Error(t, new(Plan).Unmarshal(append(data, 0)))
}

func FuzzPlan(f *testing.F) {
	var full Plan
	fill(reflect.ValueOf(&full).Elem())
	f.Add(full.Marshal())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		var p, q Plan
		if p.Unmarshal(data) == nil {
			require.NoError(t, q.Unmarshal(p.Marshal()))
			require.Equal(t, p, q)
		}
	})
}
