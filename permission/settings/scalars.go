package settings

import (
	"bytes"
	"encoding/json"

	"github.com/clearance-go/clearance/permission"
)

// overrideScalars makes a scalar of a later file of one layer win over the same
// key in an earlier one, while lists of all of them stay: the earlier member
// is overwritten with blanks, so that every line and column stays as it was.
// A file that cannot be read is left alone; it is reported where it is parsed.
func overrideScalars(files []permission.Source) {
	set := map[string]bool{}
	for i := len(files) - 1; i >= 0; i-- {
		members, ok := scalars(files[i].Data)
		if !ok {
			continue
		}
		data := bytes.Clone(files[i].Data)
		mine := map[string]bool{}
		for _, m := range members {
			if set[m.key] {
				for j := m.start; j < m.end; j++ {
					if data[j] != '\n' {
						data[j] = ' '
					}
				}
			}
			mine[m.key] = true
		}
		for k := range mine {
			set[k] = true
		}
		if fixCommas(data) && json.Valid(data) {
			files[i].Data = data
		}
	}
}

// member is a scalar in an object, with the bytes from its key to its value.
type member struct {
	key        string
	start, end int
}

// scalars finds the scalar members of a file, by dotted key. ok is false for
// what is not one JSON object.
func scalars(data []byte) (out []member, ok bool) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, false
	}
	var object func(prefix string, depth int) bool
	object = func(prefix string, depth int) bool {
		for dec.More() {
			before := int(dec.InputOffset())
			t, err := dec.Token()
			name, isKey := t.(string)
			if err != nil || !isKey || depth > 64 {
				return false
			}
			start := before + bytes.IndexByte(data[before:], '"')
			var raw json.RawMessage
			at := int(dec.InputOffset())
			// What follows the colon tells what kind of value it is.
			rest := bytes.TrimLeft(data[at:], " \t\r\n:")
			if len(rest) > 0 && rest[0] == '{' {
				if _, err := dec.Token(); err != nil || !object(prefix+name+".", depth+1) {
					return false
				}
				continue
			}
			if err := dec.Decode(&raw); err != nil {
				return false
			}
			if len(raw) > 0 && raw[0] != '[' {
				out = append(out, member{prefix + name, start, int(dec.InputOffset())})
			}
		}
		_, err := dec.Token()
		return err == nil
	}
	if !object("", 0) {
		return nil, false
	}
	return out, true
}

// fixCommas removes the commas that blanked members leave behind.
func fixCommas(data []byte) bool {
	last := -1      // a comma that nothing has followed yet
	value := false  // a value stands before
	quoted := false // inside a string
	for i := 0; i < len(data); i++ {
		c := data[i]
		switch {
		case quoted:
			if c == '\\' {
				i++
			} else if c == '"' {
				quoted = false
			}
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
		case c == ',':
			if !value || last >= 0 {
				data[i] = ' '
			} else {
				last = i
			}
		case c == '}' || c == ']':
			if last >= 0 {
				data[last] = ' '
			}
			last, value = -1, true
		case c == '{' || c == '[':
			last, value = -1, false
		case c == ':':
			value = false
		default:
			quoted = c == '"'
			last, value = -1, true
		}
	}
	return !quoted
}
