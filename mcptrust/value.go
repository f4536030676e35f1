package mcptrust

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
)

// Value is a text of a server definition: how it was written, and what it
// stands for. It prints as written, so that a value which the user's
// environment supplied does not leak into a log. The zero Value is empty.
type Value struct {
	parts []part
}

// part is literal text, one ${NAME} reference, or one ${cred:NAME}.
type part struct {
	literal  string
	name     string // variable name, or cred:NAME; empty for literal text
	fallback string // after :-
	hasFall  bool
	value    string // the expansion
}

// Literal returns a value that stands for itself.
func Literal(text string) Value {
	if text == "" {
		return Value{}
	}
	return Value{parts: []part{{literal: text}}}
}

// Literals returns one [Literal] for each text.
func Literals(texts ...string) []Value {
	out := make([]Value, len(texts))
	for i, t := range texts {
		out[i] = Literal(t)
	}
	return out
}

// UnsetError is a variable that is not set and has no default.
type UnsetError struct{ Name string }

// Error names the variable.
func (e *UnsetError) Error() string {
	return fmt.Sprintf("variable %s is not set and has no default", Escape(e.Name))
}

// Expand reads ${NAME} and ${NAME:-default} in template by the rules of
// .mcp.json. A nil lookup knows no variable. As in the shell, an empty variable
// takes the default. A "$" that does not start such a reference stands for
// itself. ${cred:NAME} names a credential that the host supplies when the server
// starts ([Server.Start]); until then it stands for itself. Errors:
// *[UnsetError].
func Expand(template string, lookup func(name string) (string, bool)) (Value, error) {
	return expand(template, lookup, false)
}

// expand also reads the ${env:NAME} of editors. There, another ${a:b} is an
// error: it stands for something that only the editor knows.
func expand(template string, lookup func(name string) (string, bool), editor bool) (Value, error) {
	var v Value
	var lit strings.Builder
	flush := func() {
		if lit.Len() > 0 {
			v.parts = append(v.parts, part{literal: lit.String()})
			lit.Reset()
		}
	}
	for i := 0; i < len(template); {
		if !strings.HasPrefix(template[i:], "${") {
			lit.WriteByte(template[i])
			i++
			continue
		}
		end := strings.IndexByte(template[i:], '}')
		if end < 0 {
			lit.WriteString(template[i:])
			break
		}
		name, fallback, hasFall := strings.Cut(template[i+2:i+end], ":-")
		if cred, ok := strings.CutPrefix(name, credPrefix); ok && !hasFall && isCredential(cred) {
			flush()
			v.parts = append(v.parts, part{name: name, value: template[i : i+end+1]})
			i += end + 1
			continue
		}
		variable := name
		if rest, ok := strings.CutPrefix(name, "env:"); ok && editor && isVariable(rest) {
			variable = rest
		} else if editor && strings.Contains(name, ":") {
			return Value{}, fmt.Errorf("${%s} is known to the editor only", Escape(name))
		}
		if !isVariable(variable) {
			lit.WriteString(template[i : i+2])
			i += 2
			continue
		}
		flush()
		p := part{name: name, fallback: fallback, hasFall: hasFall}
		var ok bool
		if lookup != nil {
			p.value, ok = lookup(variable)
		}
		if hasFall && p.value == "" {
			p.value, ok = fallback, true
		}
		if !ok {
			return Value{}, &UnsetError{Name: variable}
		}
		v.parts = append(v.parts, p)
		i += end + 1
	}
	flush()
	return v, nil
}

func isVariable(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c == '_' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || i > 0 && c >= '0' && c <= '9' {
			continue
		}
		return false
	}
	return s != ""
}

const credPrefix = "cred:"

// isCredential reports a name such as test/key.
func isCredential(s string) bool {
	return s != "" && len(s) <= MaxNameBytes && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./") == ""
}

// credentials lists the names of the ${cred:NAME} parts.
func (v Value) credentials() []string {
	var out []string
	for _, p := range v.parts {
		if c, ok := strings.CutPrefix(p.name, credPrefix); ok {
			out = append(out, c)
		}
	}
	return out
}

// supply returns the expansion with the credentials in place.
func (v Value) supply(ctx context.Context, resolve func(context.Context, string) (string, error)) (string, error) {
	var b strings.Builder
	for _, p := range v.parts {
		c, ok := strings.CutPrefix(p.name, credPrefix)
		switch {
		case p.name == "":
			b.WriteString(p.literal)
		case !ok:
			b.WriteString(p.value)
		case resolve == nil:
			return "", fmt.Errorf("mcptrust: nothing supplies ${cred:%s}: give a Resolve function", c)
		default:
			text, err := resolve(ctx, c)
			if err != nil {
				return "", fmt.Errorf("mcptrust: ${cred:%s}: %w", c, err)
			}
			b.WriteString(text)
		}
	}
	return b.String(), nil
}

// Template returns the text as written in the file.
func (v Value) Template() string { return v.render(func(p part) string { return p.source() }) }

// Expanded returns the text that is used. It may hold a secret.
func (v Value) Expanded() string { return v.render(func(p part) string { return p.value }) }

// display is the expansion, without the values of variables named like a secret.
func (v Value) display() string {
	return v.render(func(p part) string {
		if secretName(p.name) {
			return p.source()
		}
		return p.value
	})
}

func (v Value) render(variable func(part) string) string {
	if len(v.parts) == 1 && v.parts[0].name == "" {
		return v.parts[0].literal
	}
	var b strings.Builder
	for _, p := range v.parts {
		if p.name == "" {
			b.WriteString(p.literal)
		} else {
			b.WriteString(variable(p))
		}
	}
	return b.String()
}

func (p part) source() string {
	if p.hasFall {
		return "${" + p.name + ":-" + p.fallback + "}"
	}
	return "${" + p.name + "}"
}

// variables reports whether any part comes from outside the file.
func (v Value) variables() bool {
	for _, p := range v.parts {
		if p.name != "" {
			return true
		}
	}
	return false
}

// IsZero reports whether the value is empty as written.
func (v Value) IsZero() bool { return len(v.parts) == 0 }

// String returns the template.
func (v Value) String() string { return v.Template() }

// GoString returns the quoted template.
func (v Value) GoString() string { return fmt.Sprintf("%q", v.Template()) }

// LogValue returns the template.
func (v Value) LogValue() slog.Value { return slog.StringValue(v.Template()) }
