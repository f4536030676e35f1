// Package examples holds programs that wire the packages together, and the
// tests that concern all of them.
package examples

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/clearance-go/clearance"

// allowed is who may import whom inside the module, and which third-party
// modules a package may link. A package that is not named here may not exist.
var allowed = map[string]struct{ own, third []string }{
	"permission":           {},
	"permission/audit":     {own: []string{"permission"}},
	"permission/settings":  {own: []string{"permission"}, third: []string{"golang.org/x/sys"}},
	"permission/toolset":   {own: []string{"permission", "bashcheck", "scope"}, third: []string{"mvdan.cc/sh/v3", "golang.org/x/text", "golang.org/x/sys", "github.com/bmatcuk/doublestar/v4"}},
	"bashcheck":            {third: []string{"mvdan.cc/sh/v3"}},
	"bashcheck/checkedrun": {own: []string{"bashcheck"}, third: []string{"mvdan.cc/sh/v3", "golang.org/x/sys", "golang.org/x/term"}},
	"scope":                {third: []string{"golang.org/x/text", "golang.org/x/sys"}},
	"scope/sandbox":        {own: []string{"scope"}, third: []string{"golang.org/x/text", "golang.org/x/sys", "github.com/landlock-lsm/go-landlock", "github.com/bmatcuk/doublestar/v4", "kernel.org/pub/linux/libs/security/libcap/psx"}},
	"scope/scopetest":      {own: []string{"scope"}, third: []string{"golang.org/x/text", "golang.org/x/sys"}},
	"mcptrust":             {third: []string{"golang.org/x/sys"}},
	"mcptrust/gosdk":       {own: []string{"mcptrust"}, third: []string{"github.com/modelcontextprotocol/go-sdk", "github.com/google/jsonschema-go", "github.com/segmentio/asm", "github.com/segmentio/encoding", "github.com/yosida95/uritemplate/v3", "golang.org/x/oauth2", "golang.org/x/sync", "golang.org/x/sys", "golang.org/x/time"}},
	"credstore":            {third: []string{"golang.org/x/crypto", "golang.org/x/sys", "golang.org/x/text"}},
	"credstore/keyring":    {own: []string{"credstore"}, third: []string{"golang.org/x/crypto", "golang.org/x/sys", "golang.org/x/text", "github.com/zalando/go-keyring", "github.com/godbus/dbus/v5", "github.com/danieljoos/wincred"}},
	"credstore/agex":       {own: []string{"credstore"}, third: []string{"golang.org/x/crypto", "golang.org/x/sys", "golang.org/x/text", "filippo.io/age", "filippo.io/hpke"}},
}

type listed struct {
	ImportPath string
	Deps       []string
	Module     *struct{ Path string }
	Standard   bool
}

func list(t *testing.T, args ...string) []listed {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Deps,Module,Standard"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err)
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var l listed
		require.NoError(t, dec.Decode(&l))
		all = append(all, l)
	}
	return all
}

// TestImports holds the table of who may know whom.
func TestImports(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("the go command is not on PATH: the imports cannot be listed")
	}
	modules := map[string]string{}
	for _, l := range list(t, "-deps", module+"/...") {
		if l.Module != nil {
			modules[l.ImportPath] = l.Module.Path
		}
	}
	in := func(list []string, s string) bool {
		for _, x := range list {
			if x == s {
				return true
			}
		}
		return false
	}
	seen := map[string]bool{}
	for _, l := range list(t, module+"/...") {
		rel := strings.TrimPrefix(l.ImportPath, module+"/")
		if rel == "examples" || strings.HasPrefix(rel, "examples/") {
			continue
		}
		// An internal package belongs to what stands above it.
		owner, _, _ := strings.Cut(rel, "/internal")
		rule, ok := allowed[owner]
		require.True(t, ok, "%s is in no row of the table", rel)
		seen[owner] = true
		for _, dep := range l.Deps {
			mod := modules[dep]
			switch {
			case mod == "":
			case mod == module:
				other, _, _ := strings.Cut(strings.TrimPrefix(dep, module+"/"), "/internal")
				require.True(t, other == owner || in(rule.own, other) || indirect(rule.own, other), "%s imports %s", rel, dep)
			default:
				require.True(t, in(rule.third, mod), "%s links %s of %s", rel, dep, mod)
			}
		}
	}
	for _, leaf := range []string{"permission", "bashcheck", "scope", "mcptrust", "credstore"} {
		require.True(t, seen[leaf], "%s is missing", leaf)
	}
}

// indirect says whether one of the packages may itself know other.
func indirect(own []string, other string) bool {
	for _, o := range own {
		for _, x := range allowed[o].own {
			if x == other {
				return true
			}
		}
	}
	return false
}
