package toolset

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Limits of a call's input.
const (
	maxInput   = 16 << 20
	maxStrings = 1000
)

// readInput reads the top-level object of a call's input. A field that stands
// twice, or twice but for upper and lower case, is an error: the program that
// runs the call might read the other one.
func readInput(data json.RawMessage) (map[string]json.RawMessage, error) {
	if len(data) > maxInput {
		return nil, fmt.Errorf("the input is larger than %d bytes", maxInput)
	}
	if !utf8.Valid(data) {
		return nil, fmt.Errorf("the input is not valid UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	t, err := dec.Token()
	if err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("the input is not a JSON object")
	}
	out := map[string]json.RawMessage{}
	seen := map[string]bool{}
	for dec.More() {
		k, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("the input is not valid JSON")
		}
		name, _ := k.(string)
		folded := strings.ToLower(name)
		if seen[folded] {
			return nil, fmt.Errorf("the input field %q stands twice", name)
		}
		seen[folded] = true
		var v json.RawMessage
		if err := dec.Decode(&v); err != nil {
			return nil, fmt.Errorf("the input is not valid JSON")
		}
		out[name] = v
	}
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("the input is not valid JSON")
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("something follows the input object")
	}
	return out, nil
}

// text returns a required string field.
func text(in map[string]json.RawMessage, field string) (string, error) {
	v, ok := in[field]
	if !ok {
		return "", fmt.Errorf("the input field %q is missing", field)
	}
	var s string
	if err := json.Unmarshal(v, &s); err != nil {
		return "", fmt.Errorf("the input field %q is not a string", field)
	}
	return s, nil
}

// optionalText returns a string field, or "" where it is missing or null.
func optionalText(in map[string]json.RawMessage, field string) (string, error) {
	if v, ok := in[field]; !ok || string(v) == "null" {
		return "", nil
	}
	return text(in, field)
}

// params returns the scalar fields as literal text, without the named ones; nil
// where there are none.
func params(in map[string]json.RawMessage, without ...string) map[string]string {
	var out map[string]string
	set := func(name, value string) {
		if out == nil {
			out = map[string]string{}
		}
		out[name] = value
	}
	for name, raw := range in {
		skip := false
		for _, w := range without {
			skip = skip || w == name
		}
		if skip || len(raw) == 0 {
			continue
		}
		switch raw[0] {
		case '{', '[', 'n':
		case '"':
			var s string
			if json.Unmarshal(raw, &s) == nil {
				set(name, s)
			}
		default:
			set(name, string(raw))
		}
	}
	return out
}

// stringsIn collects every string anywhere in the input.
func stringsIn(in map[string]json.RawMessage) ([]string, error) {
	var out []string
	for _, raw := range in {
		dec := json.NewDecoder(bytes.NewReader(raw))
		for {
			t, err := dec.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				return nil, err
			}
			if s, ok := t.(string); ok && s != "" {
				if len(out) == maxStrings {
					return nil, fmt.Errorf("the input holds more than %d strings", maxStrings)
				}
				out = append(out, s)
			}
		}
	}
	return out, nil
}
