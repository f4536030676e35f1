package toolset

import (
	"reflect"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/permission"
)

// setSimple gives a field of a simple kind a value of its own. It is false for
// other kinds.
func setSimple(v reflect.Value, i int) bool {
	switch f := v.Field(i); f.Kind() {
	case reflect.String:
		f.SetString(v.Type().Field(i).Name)
	case reflect.Bool:
		f.SetBool(true)
	case reflect.Uint8, reflect.Uint16:
		f.SetUint(1)
	case reflect.Int:
		f.SetInt(int64(i + 1))
	default:
		return false
	}
	return true
}

// TestSetPath: every field of a path is copied, over an empty one and over one
// that is not.
func TestSetPath(t *testing.T) {
	var full permission.Path
	v := reflect.ValueOf(&full).Elem()
	for i := range v.NumField() {
		if !setSimple(v, i) {
			require.Equal(t, reflect.Pointer, v.Field(i).Kind(), v.Type().Field(i).Name)
			v.Field(i).Set(reflect.ValueOf(&permission.PathDetails{Also: []string{"also"}}))
		}
		require.False(t, v.Field(i).IsZero())
	}
	for i := range v.NumField() {
		var one permission.Path
		reflect.ValueOf(&one).Elem().Field(i).Set(v.Field(i))
		var to permission.Path
		setPath(&to, &one)
		require.Equal(t, one, to, v.Type().Field(i).Name)
		to = full
		setPath(&to, &one)
		require.Equal(t, one, to, v.Type().Field(i).Name)
		to = one
		setPath(&to, &permission.Path{})
		require.Zero(t, to, v.Type().Field(i).Name)
	}
}

// TestSetReport: every field of a report is copied.
func TestSetReport(t *testing.T) {
	var full bashcheck.Report
	v := reflect.ValueOf(&full).Elem()
	for i := range v.NumField() {
		if !setSimple(v, i) {
			v.Field(i).Set(reflect.MakeSlice(v.Field(i).Type(), 1, 1))
		}
		require.False(t, v.Field(i).IsZero())
		var one, to bashcheck.Report
		reflect.ValueOf(&one).Elem().Field(i).Set(v.Field(i))
		setReport(&to, &one)
		require.Equal(t, one, to, v.Type().Field(i).Name)
	}
}

// TestSetLike: every field of an action is copied, but for its path and its
// command.
func TestSetLike(t *testing.T) {
	var of permission.Action
	v := reflect.ValueOf(&of).Elem()
	for i := range v.NumField() {
		if !setSimple(v, i) {
			switch name := v.Type().Field(i).Name; name {
			case "Path", "Command":
				continue
			case "Span":
				of.Span = permission.Span{Start: 1, End: 2}
			default:
				t.Fatalf("the field %s", name)
			}
		}
		require.False(t, v.Field(i).IsZero())
		var one, a permission.Action
		reflect.ValueOf(&one).Elem().Field(i).Set(v.Field(i))
		setLike(&a, &one)
		require.Equal(t, one, a, v.Type().Field(i).Name)
	}
	var a permission.Action
	setLike(&a, &of)
	require.Equal(t, of, a)
}

// TestRoomSizes: what is told of a short text fills a size that the runtime
// allocates.
func TestRoomSizes(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("the sizes are those of 64 bits")
	}
	const header = 8 // of what holds pointers and is larger than 512 bytes
	require.LessOrEqual(t, unsafe.Sizeof(oneRun{}), uintptr(512))
	require.LessOrEqual(t, unsafe.Sizeof(busyRun{}), uintptr(256))
	require.LessOrEqual(t, unsafe.Sizeof(fewRuns{})+header, uintptr(1408))
}
