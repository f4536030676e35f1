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
	maxFields  = 16 // that are read without a map
)

// field is one field of a call's input.
type field struct {
	name string
	raw  json.RawMessage
	// text is the value of a field that is a string.
	text   string
	isText bool
}

// fields are the top-level fields of a call's input, in their order.
type fields []field

func (in fields) get(name string) (*field, bool) {
	for i := range in {
		if in[i].name == name {
			return &in[i], true
		}
	}
	return nil, false
}

func newField(name string, raw json.RawMessage) field {
	f := field{name: name, raw: raw}
	if len(raw) > 0 && raw[0] == '"' {
		f.text, f.isText = unquote(raw)
	}
	return f
}

// unquote returns the value of a valid JSON string.
func unquote(raw []byte) (string, bool) {
	if len(raw) >= 2 && bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1]), true
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err == nil
}

// readInput reads the top-level object of a call's input. A field that stands
// twice, or twice but for upper and lower case, is an error: the program that
// runs the call might read the other one.
func readInput(data json.RawMessage) (fields, error) {
	if len(data) > maxInput {
		return nil, fmt.Errorf("the input is larger than %d bytes", maxInput)
	}
	if !utf8.Valid(data) {
		return nil, fmt.Errorf("the input is not valid UTF-8")
	}
	if json.Valid(data) {
		if in, ok := split(data); ok {
			return in, nil
		}
	}
	return readAny(data)
}

// split cuts valid JSON into the fields of an object. ok is false for what is
// not as usual: no object, many fields, names that are not in ASCII or that
// stand twice.
func split(data []byte) (in fields, ok bool) {
	at := 0
	blanks := func() byte {
		for at < len(data) && (data[at] == ' ' || data[at] == '\t' || data[at] == '\n' || data[at] == '\r') {
			at++
		}
		if at == len(data) {
			return 0
		}
		return data[at]
	}
	if blanks() != '{' {
		return nil, false
	}
	in = make(fields, 0, 4)
	for {
		at++ // the brace or the comma
		if blanks() != '"' {
			return in, len(in) == 0 && at < len(data) && data[at] == '}'
		}
		start := at
		at = value(data, at)
		name, ok := unquote(data[start:at])
		if !ok || len(in) == maxFields || !ascii(name) {
			return nil, false
		}
		for i := range in {
			if strings.EqualFold(in[i].name, name) {
				return nil, false
			}
		}
		if blanks() != ':' {
			return nil, false
		}
		at++
		blanks()
		start = at
		at = value(data, at)
		in = append(in, newField(name, data[start:at]))
		switch blanks() {
		case ',':
		case '}':
			return in, true
		default:
			return nil, false
		}
	}
}

// value returns the end of the value that starts at a place in valid JSON.
func value(data []byte, at int) int {
	depth := 0
	for ; at < len(data); at++ {
		switch data[at] {
		case '"':
			for at++; at < len(data) && data[at] != '"'; at++ {
				if data[at] == '\\' {
					at++
				}
			}
			if depth == 0 {
				return min(at+1, len(data))
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return at // the end of a number before it
			}
			if depth--; depth == 0 {
				return at + 1
			}
		case ',', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return at
			}
		}
	}
	return at
}

func ascii(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// readAny is readInput for any data; it tells what is wrong.
func readAny(data []byte) (fields, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	t, err := dec.Token()
	if err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("the input is not a JSON object")
	}
	var out fields
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
		out = append(out, newField(name, v))
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
func text(in fields, name string) (string, error) {
	f, ok := in.get(name)
	if !ok {
		return "", fmt.Errorf("the input field %q is missing", name)
	}
	if !f.isText {
		if string(f.raw) == "null" {
			return "", nil
		}
		return "", fmt.Errorf("the input field %q is not a string", name)
	}
	return f.text, nil
}

// optionalText returns a string field, or "" where it is missing or null.
func optionalText(in fields, name string) (string, error) {
	if _, ok := in.get(name); !ok {
		return "", nil
	}
	return text(in, name)
}

// params returns the scalar fields as literal text, without the named ones; nil
// where there are none.
func params(in fields, without ...string) map[string]string {
	var out map[string]string
	set := func(name, value string) {
		if out == nil {
			out = map[string]string{}
		}
		out[name] = value
	}
	for i := range in {
		f := &in[i]
		skip := false
		for _, w := range without {
			skip = skip || w == f.name
		}
		if skip || len(f.raw) == 0 {
			continue
		}
		switch f.raw[0] {
		case '{', '[', 'n':
		case '"':
			if f.isText {
				set(f.name, f.text)
			}
		default:
			set(f.name, string(f.raw))
		}
	}
	return out
}

// stringsIn collects every string anywhere in the input.
func stringsIn(in fields) ([]string, error) {
	var out []string
	for i := range in {
		dec := json.NewDecoder(bytes.NewReader(in[i].raw))
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
