package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/clearance-go/clearance/permission"
)

func parse(t *testing.T, data []byte) map[string]any {
	var v map[string]any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	return v
}

// FuzzAddAllow: after rules were added, the file says what it said before, and
// the rules stand at the end of permissions.allow.
func FuzzAddAllow(f *testing.F) {
	for _, s := range []string{"", " ", "{}", `{"permissions":{}}`, `{"permissions":{"allow":[]}}`, `{"permissions":{"allow":["a"]},"b":[1]}`, `{"a":{"permissions":{"allow":[]}}}`,
		`{"permissions":{"deny":["x"]}}`, "{ \"x\" : null , \"permissions\" : { \"allow\" : [ \"\\u0061\" , \"b\" ] } }", `{"permissions":{"allow":[],"allow":[]}}`, `{"permissions":[]}`, `[]`} {
		f.Add([]byte(s), "Bash(x *)", `Bash(a "b" \c)`)
	}
	f.Fuzz(func(t *testing.T, data []byte, a, b string) {
		var src settingsShape
		if readStrict(data, &src) != nil {
			t.Skip("not a settings file that can be read: nothing is added to it")
		}
		before := append([]byte(nil), data...)
		out, err := addAllow(data, []string{a, b, a})
		if err != nil {
			return
		}
		if string(before) != string(data) {
			t.Fatal("the input was changed")
		}
		was := map[string]any{}
		if len(bytes.TrimSpace(before)) > 0 {
			was = parse(t, before)
		}
		now := parse(t, out)
		perm, _ := now["permissions"].(map[string]any)
		list, _ := perm["allow"].([]any)
		var old []any
		if p, ok := was["permissions"].(map[string]any); ok {
			old, _ = p["allow"].([]any)
			p["allow"] = list
			was["permissions"] = p
		} else {
			was["permissions"] = map[string]any{"allow": list}
		}
		if !reflect.DeepEqual(was, now) {
			t.Fatalf("something else changed:\n%s\n%s", before, out)
		}
		if len(list) < len(old) || !reflect.DeepEqual(append([]any{}, old...), append([]any{}, list[:len(old)]...)) {
			t.Fatalf("the rules of before are not at the start:\n%s\n%s", before, out)
		}
		for _, r := range []string{a, b} {
			valid, _ := json.Marshal(r)
			var want string
			_ = json.Unmarshal(valid, &want)
			found := false
			for _, x := range list {
				found = found || x == want
			}
			if !found {
				t.Fatalf("%q is missing:\n%s", r, out)
			}
		}
	})
}

type settingsShape struct{}

func asError(err error, target any) bool { return err != nil && errors.As(err, target) }

// readStrict says whether the file is one that Load would accept.
func readStrict(data []byte, _ *settingsShape) error {
	_, err := permission.ParsePolicy("/h", permission.Source{Layer: permission.LayerUser, Name: "x", Base: "/h", Data: data})
	var broken *permission.SettingsError
	if asError(err, &broken) {
		return err
	}
	return nil
}
