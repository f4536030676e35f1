package examples

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/doc"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/bashcheck/checkedrun"
	"github.com/clearance-go/clearance/credstore"
	"github.com/clearance-go/clearance/mcptrust"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/scope"
	"github.com/clearance-go/clearance/scope/sandbox"
)

// adapts are the packages that exist to speak in the types of one dependency.
var adapts = map[string]string{"mcptrust/gosdk": "github.com/modelcontextprotocol/go-sdk/mcp"}

// TestExported: a type of a dependency is in no exported declaration, and every
// exported name is documented.
func TestExported(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("the go command is not on PATH: the packages cannot be listed")
	}
	type listed struct {
		ImportPath, Dir, Export string
		GoFiles                 []string
		Standard                bool
	}
	cmd := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles,Standard", module+"/...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err)
	all := map[string]listed{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var l listed
		require.NoError(t, dec.Decode(&l))
		all[l.ImportPath] = l
	}
	imp := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) { return os.Open(all[path].Export) })
	for rel := range allowed {
		l, ok := all[module+"/"+rel]
		require.True(t, ok, rel)
		pkg, err := imp.Import(l.ImportPath)
		require.NoError(t, err)
		foreign := func(p *types.Package) bool {
			return p != nil && !all[p.Path()].Standard && !strings.HasPrefix(p.Path(), module+"/") && p.Path() != adapts[rel]
		}
		for _, problem := range foreignTypes(pkg, foreign) {
			t.Errorf("%s: %s", rel, problem)
		}
		for _, name := range undocumented(t, l.Dir, l.GoFiles, l.ImportPath) {
			t.Errorf("%s: %s has no comment", rel, name)
		}
	}
	// The test sees what it looks for.
	pkg, err := imp.Import(module + "/mcptrust/gosdk")
	require.NoError(t, err)
	require.NotEmpty(t, foreignTypes(pkg, func(p *types.Package) bool { return p != nil && p.Path() == adapts["mcptrust/gosdk"] }))
}

// foreignTypes names the exported declarations of a package that mention a type
// of a foreign package.
func foreignTypes(pkg *types.Package, foreign func(*types.Package) bool) []string {
	var out []string
	seen := map[types.Type]bool{}
	var walk func(where string, t types.Type)
	fields := func(where string, s *types.Struct) {
		for f := range s.Fields() {
			if f.Exported() {
				walk(where+"."+f.Name(), f.Type())
			}
		}
	}
	walk = func(where string, t types.Type) {
		if seen[t] {
			return
		}
		seen[t] = true
		defer delete(seen, t)
		switch t := t.(type) {
		case interface{ Obj() *types.TypeName }: // a named type, an alias or a type parameter
			if foreign(t.Obj().Pkg()) {
				out = append(out, fmt.Sprintf("%s mentions %s", where, t.Obj()))
			}
			if n, ok := t.(*types.Named); ok {
				for a := range n.TypeArgs().Types() {
					walk(where, a)
				}
			}
		case interface{ Elem() types.Type }:
			walk(where, t.Elem())
			if m, ok := t.(*types.Map); ok {
				walk(where, m.Key())
			}
		case *types.Struct:
			fields(where, t)
		case *types.Signature:
			for v := range t.Params().Variables() {
				walk(where, v.Type())
			}
			for v := range t.Results().Variables() {
				walk(where, v.Type())
			}
		case *types.Interface:
			for m := range t.ExplicitMethods() {
				walk(where+"."+m.Name(), m.Type())
			}
			for e := range t.EmbeddedTypes() {
				walk(where, e)
			}
		}
	}
	for _, name := range pkg.Scope().Names() {
		obj := pkg.Scope().Lookup(name)
		if !obj.Exported() {
			continue
		}
		if _, ok := obj.(*types.TypeName); !ok {
			walk(name, obj.Type())
			continue
		}
		walk(name, obj.Type().Underlying())
		if n, ok := obj.Type().(*types.Named); ok {
			for m := range n.Methods() {
				if m.Exported() {
					walk(name+"."+m.Name(), m.Type())
				}
			}
		}
	}
	return out
}

// undocumented names what is exported without a comment. A group of constants or
// variables may have one for all.
func undocumented(t *testing.T, dir string, names []string, path string) []string {
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		f, err := parser.ParseFile(fset, filepath.Join(dir, name), nil, parser.ParseComments)
		require.NoError(t, err)
		files = append(files, f)
	}
	pkg, err := doc.NewFromFiles(fset, files, path)
	require.NoError(t, err)
	var out []string
	check := func(name, comment string) {
		if strings.TrimSpace(comment) == "" {
			out = append(out, name)
		}
	}
	values := func(list []*doc.Value) {
		for _, v := range list {
			for _, s := range v.Decl.Specs {
				if s := s.(*ast.ValueSpec); v.Doc == "" && s.Doc.Text() == "" && s.Comment.Text() == "" {
					check(s.Names[0].Name, "")
				}
			}
		}
	}
	funcs := func(of string, list []*doc.Func) {
		for _, f := range list {
			check(of+f.Name, f.Doc)
		}
	}
	check("package", pkg.Doc)
	values(pkg.Consts)
	values(pkg.Vars)
	funcs("", pkg.Funcs)
	for _, typ := range pkg.Types {
		check(typ.Name, typ.Doc)
		values(typ.Consts)
		values(typ.Vars)
		funcs("", typ.Funcs)
		funcs(typ.Name+".", typ.Methods)
	}
	return out
}

// TestZeroValuesRefuse: a value that nobody set is the strict one.
func TestZeroValuesRefuse(t *testing.T) {
	for want, zero := range map[fmt.Stringer]fmt.Stringer{
		permission.Deny:                permission.Verdict(0),
		permission.No:                  permission.Choice(0),
		permission.ConfinementRequired: permission.Confinement(0),
		permission.Outside:             permission.Zone(0),
		permission.Unclassified:        permission.Class(0),
		permission.Anywhere:            permission.Extent(0),
		permission.KindUnknown:         permission.Kind(0),
		permission.OriginUnknown:       permission.Origin(0),
		permission.RiskHigh:            permission.Risk(0),
		permission.FromUnknown:         permission.OpinionSource(0),
		permission.LayerUnknown:        permission.Layer(0),
		permission.ModeDefault:         permission.Mode(0),
		permission.ProvenanceAsk:       permission.Provenance(0),
		bashcheck.Unknown:              bashcheck.Kind(0),
		bashcheck.RiskHigh:             bashcheck.Risk(0),
		bashcheck.Anywhere:             bashcheck.Extent(0),
		bashcheck.UnknownClass:         bashcheck.Class(0),
		checkedrun.None:                checkedrun.Level(0),
		scope.Outside:                  scope.Zone(0),
		scope.Unclassified:             scope.Class(0),
		scope.OpUnknown:                scope.Op(0),
		sandbox.Hidden:                 sandbox.Access(0),
		sandbox.Off:                    sandbox.Reach(0),
		sandbox.None:                   sandbox.Level(0),
		mcptrust.Unknown:               mcptrust.Status(0),
		mcptrust.ScopeProject:          mcptrust.Scope(0),
		credstore.NoProtection:         credstore.Protection(0),
	} {
		assert.Equal(t, want, zero)
	}
	var grant *permission.Grant
	assert.True(t, grant.Confined())
	assert.False(t, grant.Permits(permission.Read, "/x"))
	assert.Equal(t, permission.Deny, permission.Decision{}.Verdict)
	assert.False(t, bashcheck.Report{}.ReadOnly())
	assert.Equal(t, mcptrust.Unknown, mcptrust.ServerCheck{}.Status)
	assert.Equal(t, sandbox.Hidden, sandbox.Profile{}.Access("/"))
	_, err := checkedrun.Run(t.Context(), bashcheck.Report{}, checkedrun.Options{})
	require.Error(t, err)
	_, err = permission.NewGate(nil, permission.GateOptions{}).Session(permission.SessionOptions{}).Authorize(t.Context(), permission.Call{})
	require.Error(t, err)
	_, err = mcptrust.Open(mcptrust.Options{})
	require.Error(t, err)
	_, err = scope.New("", scope.Options{})
	require.Error(t, err)
	_, err = sandbox.New(sandbox.Helper{}, sandbox.Options{})
	require.ErrorIs(t, err, sandbox.ErrNoHelper)
}
