package mcptrust

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// LockName is the usual name of a lock file. A file of this name in a checkout
// is mentioned in the prompt and has no other effect.
const LockName = "mcptrust.lock"

// Codes of [ConfigError] about lock files.
const (
	CodeLockInvalid Code = "LOCK_FILE_INVALID"
	CodeLockSecret  Code = "LOCK_FILE_SECRET"
)

// Lock is a list of reviewed definitions of servers and their tools. It holds
// the definitions as text, so that a review sees them, values of variables by
// their template only, and no secret. It is immutable.
type Lock struct {
	servers map[string]*lockedServer
}

type lockedServer struct {
	definition string // canonical
	items      map[string]lockedItem
}

type lockedItem struct {
	text string // canonical
	raw  bool
}

type lockFile struct {
	Version int                        `json:"mcptrust.lock"`
	Servers map[string]*lockFileServer `json:"servers"`
}

type lockFileServer struct {
	Definition json.RawMessage          `json:"definition"`
	Items      map[string]*lockFileItem `json:"items,omitempty"`
}

type lockFileItem struct {
	Raw        bool            `json:"raw,omitempty"`
	Definition json.RawMessage `json:"definition"`
}

func (l *Lock) server(name string) *lockedServer {
	if l == nil {
		return nil
	}
	return l.servers[name]
}

func (l *lockedServer) matches(s *Server, start string) bool {
	pin, err := portablePin(s, start)
	return err == nil && string(pin) == l.definition
}

// ReadLock reads a lock file of at most [MaxStoreBytes]. Errors: *[ConfigError]
// and those of the file. A lock file that is not exactly understood is an error
// and never a partial list.
func ReadLock(path string) (*Lock, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, fmt.Errorf("mcptrust: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, &ConfigError{File: path, Code: CodeLockInvalid, Msg: "not a regular file", Fix: "give a plain file"}
	}
	var buf bytes.Buffer
	if _, err := buf.ReadFrom(&limitedFile{f, MaxStoreBytes + 1}); err != nil || buf.Len() > MaxStoreBytes {
		return nil, &ConfigError{File: path, Code: CodeTooBig, Msg: fmt.Sprintf("cannot read it, or more than %d bytes", MaxStoreBytes), Fix: "lock fewer servers"}
	}
	return ParseLock(path, buf.Bytes())
}

// ParseLock is [ReadLock] for bytes; file is only for messages.
func ParseLock(file string, data []byte) (*Lock, error) {
	fail := func(msg string) (*Lock, error) {
		return nil, &ConfigError{File: file, Code: CodeLockInvalid, Msg: msg, Fix: "write the file again with Registry.ExportLock"}
	}
	n, err := parseJSON(data, false)
	if err != nil {
		return nil, syntaxConfigError(file, data, err)
	}
	var lf lockFile
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if n.kind != kindObject || dec.Decode(&lf) != nil || lf.Version != 1 {
		return fail("not a lock file of version 1")
	}
	l := &Lock{servers: map[string]*lockedServer{}}
	for name, s := range lf.Servers {
		if s == nil || len(s.Definition) == 0 {
			return fail("a server without definition")
		}
		def, err := canonicalJSON(s.Definition)
		if err != nil {
			return fail(err.Error())
		}
		ls := &lockedServer{definition: string(def), items: map[string]lockedItem{}}
		for key, it := range s.Items {
			if it == nil || len(it.Definition) == 0 {
				return fail("an item without definition")
			}
			text, err := canonicalJSON(it.Definition)
			if err != nil {
				return fail(err.Error())
			}
			ls.items[key] = lockedItem{string(text), it.Raw}
		}
		l.servers[name] = ls
	}
	return l, nil
}

// ExportLock returns a lock file with the given servers of a project and what is
// approved of them. Every server must be Trusted now. A definition with a
// credential written into it is refused: a lock file is shared.
//
// Errors: *[ConfigError] with [CodeLockSecret], *[NotTrustedError], and those of
// [Registry.Check].
func (r *Registry) ExportLock(ctx context.Context, project string, servers []Server) ([]byte, error) {
	lf := lockFile{Version: 1, Servers: map[string]*lockFileServer{}}
	for _, s := range servers {
		c, st, err := r.check(ctx, project, s)
		if err != nil {
			return nil, err
		}
		if c.Status != Trusted {
			return nil, &NotTrustedError{Check: c}
		}
		pin, err := portablePin(&s, st.start)
		if err != nil {
			return nil, err
		}
		out := &lockFileServer{Definition: pin, Items: map[string]*lockFileItem{}}
		if st.locked != nil {
			for key, it := range st.locked.items {
				out.Items[key] = &lockFileItem{Raw: it.raw, Definition: json.RawMessage(it.text)}
			}
		}
		if st.rec != nil {
			for key, it := range st.rec.Items {
				switch it.Status {
				case wordTrusted:
					out.Items[key] = &lockFileItem{Raw: it.Raw, Definition: json.RawMessage(it.Text)}
				case wordRevoked:
					delete(out.Items, key)
				}
			}
		}
		lf.Servers[s.Name] = out
	}
	b, err := json.MarshalIndent(lf, "", "  ")
	return append(b, '\n'), err
}

// portablePin is the identity of a server for other machines: templates in
// place of values, no path of this machine, and no secret.
func portablePin(s *Server, start string) (json.RawMessage, error) {
	for field, v := range s.values() {
		name := field[strings.IndexByte(field, '.')+1:]
		named := strings.HasPrefix(field, "env.") || strings.HasPrefix(field, "headers.")
		if secretLooking(v) || named && secretName(name) && !v.variables() {
			return nil, &ConfigError{File: s.Source.File, Line: s.Source.Line, Server: s.Name, Code: CodeLockSecret, Msg: Escape(field) + " holds a credential", Fix: "write ${NAME} in its place"}
		}
	}
	for i, v := range s.Args {
		if i > 0 && strings.HasPrefix(s.Args[i-1].Template(), "-") && secretName(s.Args[i-1].Template()) && !v.variables() && !strings.HasPrefix(v.Template(), "-") {
			return nil, &ConfigError{File: s.Source.File, Line: s.Source.Line, Server: s.Name, Code: CodeLockSecret, Msg: fmt.Sprintf("args[%d] holds a credential", i), Fix: "write ${NAME} in its place"}
		}
	}
	pin := map[string]any{"type": string(s.Transport), "source": s.Source.String()}
	if start != "" {
		pin["start"] = start
	}
	var args []string
	for field, v := range s.values() {
		switch {
		case strings.HasPrefix(field, "args["):
			args = append(args, v.Template())
		case field == "url" && !v.variables():
			u, err := parseServerURL(v.Expanded(), s.Transport)
			if err != nil {
				return nil, err
			}
			pin[field] = normalURL(u)
		case strings.HasPrefix(field, "headers."):
			pin["headers."+strings.ToLower(strings.TrimPrefix(field, "headers."))] = v.Template()
		default:
			pin[field] = v.Template()
		}
	}
	if args != nil {
		pin["args"] = args
	}
	if s.OAuth != nil {
		pin["oauth"] = s.OAuth
	}
	extra := map[string]json.RawMessage{}
	for _, k := range slices.Sorted(maps.Keys(s.Extra)) {
		if !operational(k) {
			extra[k] = s.Extra[k]
		}
	}
	for k, raw := range maps.All(extra) {
		n, err := parseJSON(raw, false)
		if err != nil {
			return nil, err
		}
		if secretName(k) || secretNode(&n) {
			return nil, &ConfigError{File: s.Source.File, Line: s.Source.Line, Server: s.Name, Code: CodeLockSecret, Msg: Escape(k) + " holds a credential", Fix: "move it into env or headers as ${NAME}"}
		}
	}
	if len(extra) > 0 {
		pin["extra"] = extra
	}
	if e := s.Evidence; e.Image != "" || len(e.Files) > 0 {
		pin["evidence"] = map[string]any{"image": e.Image, "files": e.Files}
	}
	b, err := json.Marshal(pin)
	if err != nil {
		return nil, err
	}
	return canonicalJSON(b)
}

// NotTrustedError is a server that must not start. Its check says why, and
// holds the prompt and the token.
type NotTrustedError struct{ Check ServerCheck }

// Error names the server, its status and the first reason.
func (e *NotTrustedError) Error() string {
	s := fmt.Sprintf("mcptrust: server %s is %s", quote(e.Check.Server.Name), e.Check.Status)
	if len(e.Check.Reasons) > 0 {
		s += ": " + e.Check.Reasons[0].Text
	}
	return s
}

// Is makes errors.Is(err, ErrBlocked) true for what cannot be approved.
func (e *NotTrustedError) Is(target error) bool {
	return target == ErrBlocked && e.Check.Status == Blocked
}
