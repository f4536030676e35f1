package permission

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"unicode/utf8"
)

// Limits of one settings layer. What exceeds them is an error of the layer,
// which then asks for everything.
const (
	MaxLayerBytes = 8 << 20
	MaxRules      = 100_000
	maxJSONDepth  = 64
	maxErrors     = 100 // rules that one error names
)

// Source is one settings layer as bytes.
type Source struct {
	Layer Layer
	// Name is the file, for reasons and errors.
	Name string
	// Base is the absolute directory that "/" patterns of the layer start at.
	Base string
	// Data is a settings file in the documented JSON format; empty is none.
	Data []byte
	// TightenOnly takes only what restricts: deny and ask rules and locks.
	// Set for files of a workspace that is not trusted.
	TightenOnly bool
}

// Policy is the rules and switches of all layers. It is immutable and safe for
// concurrent use. The zero Policy has no rules.
type Policy struct {
	// strict holds deny and ask rules, allow the others; later tables are what
	// With added. Their rules all apply together.
	strict, allow []*ruleTable
	directories   []string
	mode          Mode
	modeSet       bool
	locks         locks
	home          string
	sources       []Source
	inert         []RuleRef
	unread        []*RuleError // allow rules that allow nothing
}

type locks struct {
	managedRulesOnly     bool
	disableBypass        bool
	disableAuto          bool
	denyInsteadOfPrompts bool
	blockReadsOutside    bool
	blockWritesOutside   bool
	sandbox              SandboxSettings
	excluded             []commandPattern
}

// SandboxSettings are the documented sandbox switches that decisions use.
type SandboxSettings struct {
	Enabled           bool     `json:"enabled"`
	AutoAllowBash     bool     `json:"autoAllowBashIfSandboxed"`
	ExcludedCommands  []string `json:"excludedCommands"`
	AllowUnsandboxed  bool     `json:"allowUnsandboxedCommands"`
	FailIfUnavailable bool     `json:"failIfUnavailable"`
}

// settingsFile is the part of a settings file that decisions use. Unknown keys
// are left alone.
type settingsFile struct {
	Permissions struct {
		Allow                 []string `json:"allow"`
		Ask                   []string `json:"ask"`
		Deny                  []string `json:"deny"`
		AdditionalDirectories []string `json:"additionalDirectories"`
		DefaultMode           *string  `json:"defaultMode"`
		DisableBypass         *string  `json:"disableBypassPermissionsMode"`
		DisableAuto           *string  `json:"disableAutoMode"`
		DenyInsteadOfPrompt   *bool    `json:"denyInsteadOfPrompting"`
		BlockReadsOutside     *bool    `json:"blockReadsOutsideWorkingDirectories"`
		BlockWritesOutside    *bool    `json:"blockWritesOutsideWorkingDirectories"`
	} `json:"permissions"`
	AllowManagedRulesOnly *bool   `json:"allowManagedPermissionRulesOnly"`
	DisableAutoMode       *string `json:"disableAutoMode"`
	Sandbox               *struct {
		Enabled           *bool    `json:"enabled"`
		AutoAllowBash     *bool    `json:"autoAllowBashIfSandboxed"`
		ExcludedCommands  []string `json:"excludedCommands"`
		AllowUnsandboxed  *bool    `json:"allowUnsandboxedCommands"`
		FailIfUnavailable *bool    `json:"failIfUnavailable"`
	} `json:"sandbox"`
}

// SettingsError is a settings layer that cannot be read. Its rules are unknown,
// so every call asks as long as it stands.
type SettingsError struct {
	File         string
	Line, Column int // from 1; 0 where unknown
	Problem      string
}

func (e *SettingsError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Problem)
	}
	return e.File + ": " + e.Problem
}

// ParsePolicy reads the layers. home is the directory of "~/" patterns.
//
// The Policy is always usable and always safe: a layer that cannot be read
// makes every call ask, a deny or ask rule that cannot be read stays in force
// as "may match", an allow rule that cannot be read allows nothing. The error
// (errors.Join of [*SettingsError] and [*RuleError]) names each of these.
func ParsePolicy(home string, layers ...Source) (*Policy, error) {
	p := &Policy{home: home, sources: layers}
	p.locks.sandbox.AutoAllowBash = true
	p.locks.sandbox.AllowUnsandboxed = true
	var errs []error
	var deny, ask, allow []Rule
	type parsed struct {
		src  Source
		file settingsFile
		at   map[string][]position
	}
	var files []parsed
	managedOnly, lockUnknown := false, false
	rules := 0
	for _, src := range layers {
		if len(bytes.TrimSpace(src.Data)) == 0 {
			continue
		}
		f := parsed{src: src}
		at, err := readSettings(src, &f.file)
		f.at = at
		if err != nil {
			errs = append(errs, err)
			ask = append(ask, unreadable(RuleRef{Effect: Ask, Text: "*", Layer: src.Layer, File: src.Name, Line: max(err.Line, 1)}))
			if src.Layer == LayerManaged {
				// It may hold the lock; what others deny stays in force.
				lockUnknown = true
			}
			continue
		}
		rules += len(f.file.Permissions.Allow) + len(f.file.Permissions.Ask) + len(f.file.Permissions.Deny)
		if rules > MaxRules {
			err := &SettingsError{File: src.Name, Problem: fmt.Sprintf("more than %d rules in all layers", MaxRules)}
			errs = append(errs, err)
			ask = append(ask, unreadable(RuleRef{Effect: Ask, Text: "*", Layer: src.Layer, File: src.Name, Line: 1}))
			lockUnknown = lockUnknown || src.Layer == LayerManaged
			continue
		}
		if src.Layer == LayerManaged && f.file.AllowManagedRulesOnly != nil && *f.file.AllowManagedRulesOnly {
			managedOnly = true
		}
		files = append(files, f)
	}
	p.locks.managedRulesOnly = managedOnly || lockUnknown
	more := 0
	for _, f := range files {
		perm := &f.file.Permissions
		loosens := !f.src.TightenOnly
		skip := managedOnly && f.src.Layer != LayerManaged
		add := func(effect Verdict, key string, texts []string) {
			for i, text := range texts {
				ref := RuleRef{Effect: effect, Text: text, Layer: f.src.Layer, File: f.src.Name}
				col := 0
				if ps := f.at["permissions\x00"+key]; i < len(ps) {
					ref.Line, col = ps[i].line, ps[i].column
				}
				if skip || effect == Allow && (!loosens || p.locks.managedRulesOnly && f.src.Layer != LayerManaged) {
					p.inert = append(p.inert, ref)
					continue
				}
				r, err := ParseRule(ref, home, f.src.Base)
				if err != nil {
					var re *RuleError
					if errors.As(err, &re) {
						re.Column = col
						if effect == Allow && len(p.unread) < maxLints {
							p.unread = append(p.unread, re)
						}
					}
					if len(errs) < maxErrors {
						errs = append(errs, err)
					} else {
						more++
					}
				}
				switch effect {
				case Deny:
					deny = append(deny, r)
				case Ask:
					ask = append(ask, r)
				case Allow:
					if r.kind != ruleInert {
						allow = append(allow, r)
					}
				}
			}
		}
		add(Deny, "deny", perm.Deny)
		add(Ask, "ask", perm.Ask)
		add(Allow, "allow", perm.Allow)

		set := func(dst *bool, v *bool) {
			if v != nil && *v {
				*dst = true
			}
		}
		set(&p.locks.denyInsteadOfPrompts, perm.DenyInsteadOfPrompt)
		set(&p.locks.blockReadsOutside, perm.BlockReadsOutside)
		set(&p.locks.blockWritesOutside, perm.BlockWritesOutside)
		if perm.DisableBypass != nil {
			p.locks.disableBypass = true
		}
		if perm.DisableAuto != nil || f.file.DisableAutoMode != nil {
			p.locks.disableAuto = true
		}
		if s := f.file.Sandbox; s != nil {
			// Turning the sandbox on tightens; the rest loosens.
			if s.Enabled != nil && (*s.Enabled || loosens) {
				p.locks.sandbox.Enabled = *s.Enabled || p.locks.sandbox.Enabled && f.src.Layer < LayerManaged
			}
			if s.AutoAllowBash != nil && (loosens || !*s.AutoAllowBash) {
				p.locks.sandbox.AutoAllowBash = *s.AutoAllowBash
			}
			if s.AllowUnsandboxed != nil && (loosens || !*s.AllowUnsandboxed) {
				p.locks.sandbox.AllowUnsandboxed = *s.AllowUnsandboxed
			}
			if s.FailIfUnavailable != nil && (loosens || *s.FailIfUnavailable) {
				p.locks.sandbox.FailIfUnavailable = *s.FailIfUnavailable
			}
			if loosens {
				p.locks.sandbox.ExcludedCommands = append(p.locks.sandbox.ExcludedCommands, s.ExcludedCommands...)
				for _, text := range s.ExcludedCommands {
					p.locks.excluded = append(p.locks.excluded, compileCommandPattern(text))
				}
			}
		}
		if !loosens {
			continue
		}
		p.directories = append(p.directories, perm.AdditionalDirectories...)
		if perm.DefaultMode != nil {
			m, err := ParseMode(*perm.DefaultMode)
			line := 0
			if ps := f.at["permissions\x00defaultMode"]; len(ps) > 0 {
				line = ps[0].line
			}
			switch {
			case err != nil:
				errs = append(errs, &SettingsError{File: f.src.Name, Line: line, Column: 1, Problem: err.Error()})
			case m == ModeAuto && (f.src.Layer == LayerProject || f.src.Layer == LayerLocal):
				// Documented: auto is not taken from the repository.
			default:
				p.mode, p.modeSet = m, true
			}
		}
	}
	if more > 0 {
		errs = append(errs, fmt.Errorf("permission: %d more rules cannot be read as written", more))
	}
	p.add(append(deny, ask...), allow)
	return p, errors.Join(errs...)
}

// unreadable is the rule that stands for a layer whose rules are not known.
func unreadable(ref RuleRef) Rule {
	return Rule{ref: ref, shared: &ref, tool: "*", toolParts: []string{"", ""}, broken: true}
}

// add puts further tables of rules into the policy.
func (p *Policy) add(strict, allow []Rule) {
	if t := newRuleTable(strict); t != nil {
		p.strict = append(p.strict[:len(p.strict):len(p.strict)], t)
	}
	if t := newRuleTable(allow); t != nil {
		p.allow = append(p.allow[:len(p.allow):len(p.allow)], t)
	}
}

type position struct{ line, column int }

// readSettings decodes strictly: no duplicate keys, bounded depth and size,
// valid UTF-8, nothing after the object. It returns where each string of each
// array stands, by dotted key.
func readSettings(src Source, into *settingsFile) (map[string][]position, *SettingsError) {
	if len(src.Data) > MaxLayerBytes {
		return nil, &SettingsError{File: src.Name, Problem: fmt.Sprintf("larger than %d bytes", MaxLayerBytes)}
	}
	if !utf8.Valid(src.Data) {
		return nil, &SettingsError{File: src.Name, Problem: "not valid UTF-8"}
	}
	w := &settingsWalker{src: src, dec: json.NewDecoder(bytes.NewReader(src.Data)), at: map[string][]position{}}
	if err := w.value("", 0); err != nil {
		return nil, err
	}
	if _, err := w.dec.Token(); err != io.EOF {
		return nil, w.fail("something follows the settings object")
	}
	if err := json.Unmarshal(src.Data, into); err != nil {
		e := w.fail(err.Error())
		var te *json.UnmarshalTypeError
		if errors.As(err, &te) {
			e.Line, e.Column = lineColumn(src.Data, int(te.Offset))
			e.Problem = fmt.Sprintf("%s must not be a JSON %s", te.Field, te.Value)
		}
		return nil, e
	}
	return w.at, nil
}

// settingsKeys are the keys that decisions use, by their object, from the
// folded name to the name.
var settingsKeys = map[string]map[string]string{
	"": foldedKeys("permissions", "allowManagedPermissionRulesOnly", "disableAutoMode", "sandbox"),
	"permissions": foldedKeys("allow", "ask", "deny", "additionalDirectories", "defaultMode", "disableBypassPermissionsMode", "disableAutoMode",
		"denyInsteadOfPrompting", "blockReadsOutsideWorkingDirectories", "blockWritesOutsideWorkingDirectories"),
	"sandbox": foldedKeys("enabled", "autoAllowBashIfSandboxed", "excludedCommands", "allowUnsandboxedCommands", "failIfUnavailable"),
}

func foldedKeys(names ...string) map[string]string {
	m := map[string]string{}
	for _, n := range names {
		m[foldPath(n)] = n
	}
	return m
}

type settingsWalker struct {
	src Source
	dec *json.Decoder
	at  map[string][]position
	// seen, line and start carry the line count forward, so that a file is
	// counted through once.
	seen, line, start int
}

// here returns the line and column of an offset that never goes back.
func (w *settingsWalker) here(offset int) position {
	offset = min(offset, len(w.src.Data))
	for ; w.seen < offset; w.seen++ {
		if w.src.Data[w.seen] == '\n' {
			w.line++
			w.start = w.seen + 1
		}
	}
	return position{w.line + 1, offset - w.start + 1}
}

func (w *settingsWalker) fail(problem string) *SettingsError {
	e := &SettingsError{File: w.src.Name, Problem: problem}
	e.Line, e.Column = lineColumn(w.src.Data, int(w.dec.InputOffset()))
	return e
}

func (w *settingsWalker) value(key string, depth int) *SettingsError {
	if depth > maxJSONDepth {
		return w.fail(fmt.Sprintf("nested deeper than %d", maxJSONDepth))
	}
	start := int(w.dec.InputOffset())
	for start < len(w.src.Data) && strings.IndexByte(" \t\r\n,:", w.src.Data[start]) >= 0 {
		start++
	}
	tok, err := w.dec.Token()
	if err != nil {
		return w.fail(strings.TrimPrefix(err.Error(), "json: "))
	}
	if depth == 0 && tok != json.Delim('{') {
		return w.fail("the settings are not a JSON object")
	}
	switch t := tok.(type) {
	case json.Delim:
		switch t {
		case '{':
			seen := map[string]bool{}
			for w.dec.More() {
				k, err := w.dec.Token()
				if err != nil {
					return w.fail(err.Error())
				}
				name, _ := k.(string)
				// encoding/json takes keys without regard to case, so two that
				// differ in nothing else would be one.
				folded := foldPath(name)
				if seen[folded] {
					return w.fail(fmt.Sprintf("the key %q stands twice", name))
				}
				seen[folded] = true
				if want := settingsKeys[key][folded]; want != "" && want != name {
					return w.fail(fmt.Sprintf("the key %q is not known: write %q", name, want))
				}
				sub := name
				if key != "" {
					sub = key + "\x00" + name
				}
				if err := w.value(sub, depth+1); err != nil {
					return err
				}
			}
		case '[':
			for w.dec.More() {
				if err := w.value(key, depth+1); err != nil {
					return err
				}
			}
		}
		if _, err := w.dec.Token(); err != nil {
			return w.fail(err.Error())
		}
	case string:
		w.at[key] = append(w.at[key], w.here(start))
	}
	return nil
}

func lineColumn(data []byte, offset int) (line, column int) {
	offset = min(offset, len(data))
	line = 1 + bytes.Count(data[:offset], []byte("\n"))
	column = offset - bytes.LastIndexByte(data[:offset], '\n')
	return line, column
}

// Directories are the additional working directories that the layers name, in
// the order of the layers and as written.
func (p *Policy) Directories() []string { return append([]string(nil), p.directories...) }

// DefaultMode is the mode that a session starts in.
func (p *Policy) DefaultMode() Mode {
	if p.modeSet {
		return p.mode
	}
	return ModeDefault
}

// Rules returns every rule that is in force, deny first.
func (p *Policy) Rules() []RuleRef {
	var out []RuleRef
	for _, effect := range []Verdict{Deny, Ask, Allow} {
		for r := range p.each() {
			if r.ref.Effect == effect {
				out = append(out, r.ref)
			}
		}
	}
	return out
}

// each yields every rule in force.
func (p *Policy) each() iter.Seq[*Rule] {
	return func(yield func(*Rule) bool) {
		for _, tables := range [][]*ruleTable{p.strict, p.allow} {
			for _, t := range tables {
				for i := range t.rules {
					if !yield(&t.rules[i]) {
						return
					}
				}
			}
		}
	}
}

// Inert returns the rules that are held back: allow rules of files that may
// only tighten, and rules beside a managed lock.
func (p *Policy) Inert() []RuleRef { return append([]RuleRef(nil), p.inert...) }

// Sandbox returns the sandbox switches.
func (p *Policy) Sandbox() SandboxSettings {
	s := p.locks.sandbox
	s.ExcludedCommands = append([]string(nil), s.ExcludedCommands...)
	return s
}

// With returns a copy of the policy with further rules of one layer, for what
// a person approved for a session. Rules that cannot be read are an error and
// are not added. Where the settings take rules from managed files only, allow
// rules add nothing.
func (p *Policy) With(layer Layer, base string, effect Verdict, texts ...string) (*Policy, error) {
	var rules []Rule
	for _, text := range texts {
		r, err := ParseRule(RuleRef{Effect: effect, Text: text, Layer: layer}, p.home, base)
		if err != nil {
			return nil, err
		}
		rules = append(rules, r)
	}
	return p.withRules(effect, rules), nil
}

func (p *Policy) withRules(effect Verdict, rules []Rule) *Policy {
	q := *p
	switch {
	case effect != Allow:
		q.add(rules, nil)
	case !p.locks.managedRulesOnly:
		q.add(nil, rules)
	}
	return &q
}
