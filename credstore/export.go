package credstore

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// ExportFormat is the form of exported credentials.
type ExportFormat int

// The formats.
const (
	// ExportJSON: {"entries":[{"name","value","refresh"?,"label"?,"hosts"?,"env"?,"commands"?,"expires"?}]}, sorted by name. A
	// value that is no UTF-8 stands in "base64" in place of "value". Import reads it back.
	ExportJSON ExportFormat = iota
	// ExportDotenv: NAME='value' a line. The variable is Meta.Env, or the name in upper case with _ for what is no letter or
	// digit. Metadata and refresh tokens are left out. It can be read by a shell and by dotenv libraries.
	ExportDotenv
)

// exported is one entry of ExportJSON.
type exported struct {
	Name    string          `json:"name"`
	Value   json.RawMessage `json:"value,omitempty"`
	Base64  []byte          `json:"base64,omitempty"`
	Refresh json.RawMessage `json:"refresh,omitempty"`
	Again   []byte          `json:"refreshBase64,omitempty"`
	Meta
}

// Export writes values in the CLEAR to w: the named entries, or all of them if no name is given. For a file that may lie
// around use agex.Export, which encrypts. It is recorded in the audit log. Errors: ErrNotFound, ErrBadValue for a value that
// the format cannot hold, ErrExpired never: what is stored is exported as it is; those of Get and of w.
func (s *Store) Export(ctx context.Context, w io.Writer, format ExportFormat, names ...string) error {
	var out []byte
	defer func() { clear(out) }()
	err := s.see(ctx, func(snap *snapshot) (err error) {
		for _, name := range names {
			if err := checkName(name); err != nil {
				return err
			}
			if snap.body.Entries[name] == nil {
				return fmt.Errorf("credstore: %q: %w", name, ErrNotFound)
			}
		}
		if names == nil {
			names = slices.Sorted(maps.Keys(snap.body.Entries))
		}
		if err := s.auditUse(snap, "export", "", "", Secret{}); err != nil {
			return err
		}
		out, err = s.export(snap, format, names)
		return err
	})
	if err != nil {
		return err
	}
	_, err = w.Write(out)
	return err
}

func (s *Store) export(snap *snapshot, format ExportFormat, names []string) ([]byte, error) {
	size := 64
	for _, name := range names {
		size += 8*len(snap.body.Entries[name].Value) + 8*len(snap.body.Entries[name].Refresh) + 4*len(snap.body.Entries[name].Meta) + 8*len(name) + 64
	}
	out := make([]byte, 0, size) // large enough, so that it does not grow and leave copies
	variables := map[string]string{}
	if format == ExportJSON {
		out = append(out, `{"entries":[`...)
	}
	for i, name := range names {
		value, err := s.open(snap.body, s.dek, name)
		if err != nil {
			return out, err
		}
		meta, err := snap.meta(name)
		if err != nil {
			return out, err
		}
		refresh, err := s.openRefresh(snap.body, name)
		if err != nil {
			return out, err
		}
		switch format {
		case ExportJSON:
			if i > 0 {
				out = append(out, ',')
			}
			if out, err = appendEntry(out, name, value, refresh, meta.Meta); err != nil {
				return out, err
			}
		case ExportDotenv:
			variable := meta.Env
			if variable == "" {
				variable = variableFor(name)
			}
			if other, taken := variables[variable]; taken {
				return out, fmt.Errorf("credstore: %q and %q would both be %s: %w: set Meta.Env", other, name, variable, ErrBadValue)
			}
			variables[variable] = name
			err = value.view(func(b []byte) error {
				if bytes.ContainsAny(b, "'\x00\r\n") {
					return fmt.Errorf("credstore: %q: %w: a dotenv file cannot hold quotes, line breaks and NUL; export as JSON", name, ErrBadValue)
				}
				out = append(append(append(out, variable...), "='"...), b...)
				out = append(out, "'\n"...)
				return nil
			})
			if err != nil {
				return out, err
			}
		default:
			return out, fmt.Errorf("credstore: %w: unknown export format", ErrImport)
		}
		value.Clear()
		refresh.Clear()
	}
	if format == ExportJSON {
		out = append(out, "]}\n"...)
	}
	return out, nil
}

func appendEntry(out []byte, name string, value, refresh Secret, meta Meta) ([]byte, error) {
	plain, err := json.Marshal(exported{Name: name, Meta: meta})
	if err != nil {
		return out, err
	}
	out = append(out, plain[:len(plain)-1]...)
	put := func(key string, secret Secret) {
		_ = secret.view(func(b []byte) error {
			if !utf8.Valid(b) {
				raw, _ := json.Marshal(b) // base64
				out = append(append(append(out, `,"`...), map[string]string{"value": "base64", "refresh": "refreshBase64"}[key]...), `":`...)
				out = append(out, raw...)
				clear(raw)
				return nil
			}
			out = append(append(append(out, `,"`...), key...), `":"`...)
			out = append(appendJSON(out, b), '"')
			return nil
		})
	}
	put("value", value)
	if refresh.Len() > 0 {
		put("refresh", refresh)
	}
	return append(out, '}'), nil
}

// variableFor makes a variable's name of an entry's.
func variableFor(name string) string {
	out := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, name)
	if out[0] >= '0' && out[0] <= '9' {
		out = "_" + out
	}
	return out
}
