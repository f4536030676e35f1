package permission

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
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
	// Err says that there is such a layer and why it cannot be read. Its rules
	// are unknown then, whatever Data holds.
	Err error
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
	strays        []Lint       // keys that decide nothing
}

type locks struct {
	managedRulesOnly     bool
	disableBypass        bool
	disableAuto          bool
	denyInsteadOfPrompts bool
	blockReadsOutside    bool
	blockWritesOutside   bool
	managedDomainsOnly   bool
	host                 Locks
	sandbox              SandboxSettings
	excluded             []commandPattern
	allowedDomains       []hostPort
	deniedDomains        []hostPort
}

// SettingsError is a settings layer that cannot be read. Its rules are unknown,
// so every call asks as long as it stands.
type SettingsError struct {
	File         string
	Line, Column int // from 1; 0 where unknown
	Problem      string

	err error
}

// Unwrap returns [Source.Err], where that is the problem.
func (e *SettingsError) Unwrap() error { return e.err }

// Error names file, line, column and the problem.
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
// as "may match", an allow rule that cannot be read allows nothing. In a managed
// layer a key whose value has the wrong type or stands twice is closed by
// itself: its strictest value is in force, and the other keys count. So it is in
// every layer for a value of the right type that means nothing (a mode, a host,
// a path). The error (errors.Join of [*SettingsError] and [*RuleError]) names
// each of these.
func ParsePolicy(home string, layers ...Source) (*Policy, error) {
	p := &Policy{home: home, sources: layers}
	p.locks.sandbox.AutoAllowBash = true
	p.locks.sandbox.AllowUnsandboxed = true
	var errs []error
	var deny, ask, allow []Rule
	type parsed struct {
		src  Source
		file settingsFile
	}
	var files []parsed
	managedOnly, lockUnknown := false, false
	rules := 0
	box := sandboxMerge{p: p, home: home}
	for _, src := range layers {
		if len(bytes.TrimSpace(src.Data)) == 0 && src.Err == nil {
			continue
		}
		managed := src.Layer == LayerManaged
		file, closed, strays, err := readSettings(src)
		if err == nil {
			rules += len(file.get(keyAllow).texts) + len(file.get(keyAsk).texts) + len(file.get(keyDeny).texts)
			if rules > MaxRules {
				err = &SettingsError{File: src.Name, Problem: fmt.Sprintf("more than %d rules in all layers", MaxRules)}
			}
		}
		if err != nil {
			errs = append(errs, err)
			ask = append(ask, unreadable(RuleRef{Effect: Ask, Text: "*", Layer: src.Layer, File: src.Name, Line: max(err.Line, 1)}, err.Problem))
			// It may hold the lock; what others deny stays in force.
			lockUnknown = lockUnknown || managed
			continue
		}
		p.strays = append(p.strays, strays...)
		for _, e := range closed {
			errs = append(errs, e)
		}
		lock := func(key string) bool {
			v := file.get(key)
			return managed && (v.flag || v.closed)
		}
		managedOnly = managedOnly || lock(keyManagedRules)
		box.domainsOnly = box.domainsOnly || lock(keyManagedDomains)
		box.readsOnly = box.readsOnly || lock(keyManagedReads)
		files = append(files, parsed{src, file})
	}
	// What stands in a higher layer counts, whatever the order of the arguments.
	slices.SortStableFunc(files, func(a, b parsed) int { return cmp.Compare(a.src.Layer, b.src.Layer) })
	p.locks.managedRulesOnly = managedOnly || lockUnknown
	p.locks.managedDomainsOnly = box.domainsOnly || lockUnknown
	h := &p.locks.host
	h.ManagedReadsOnly = box.readsOnly || lockUnknown
	h.ManagedHooksOnly, h.ManagedServersOnly = lockUnknown, lockUnknown
	more := 0
	for i := range files {
		f := &files[i]
		loosens := !f.src.TightenOnly
		skip := managedOnly && f.src.Layer != LayerManaged
		add := func(effect Verdict, key string) {
			v := f.file.get(key)
			if v.closed && effect != Allow {
				ask = append(ask, unreadable(RuleRef{Effect: Ask, Text: "*", Layer: f.src.Layer, File: f.src.Name, Line: max(v.at.line, 1)}, key+" must be "+settingKindNames[settingTexts]))
			}
			for _, t := range v.texts {
				ref := RuleRef{Effect: effect, Text: t.text, Layer: f.src.Layer, File: f.src.Name, Line: t.at.line}
				if skip || effect == Allow && (!loosens || v.closed || p.locks.managedRulesOnly && f.src.Layer != LayerManaged) {
					p.inert = append(p.inert, ref)
					continue
				}
				rules, err := readRules(ref, home, f.src.Base)
				if err != nil {
					var re *RuleError
					if errors.As(err, &re) {
						re.Column = t.at.column
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
				for _, r := range rules {
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
		}
		add(Deny, keyDeny)
		add(Ask, keyAsk)
		add(Allow, keyAllow)

		set := func(dst *bool, key string) {
			if v := f.file.get(key); v.flag || v.closed {
				*dst = true
			}
		}
		set(&p.locks.denyInsteadOfPrompts, keyDenyPrompts)
		set(&p.locks.blockReadsOutside, keyBlockReads)
		set(&p.locks.blockWritesOutside, keyBlockWrites)
		disable := func(dst *bool, key string) {
			v := f.file.get(key)
			if v.set || v.closed {
				*dst = true
			}
			if v.set && !v.closed && v.text != "disable" {
				box.problem(&f.src, v.at, fmt.Sprintf("%s knows no value %q, so the mode is disabled: write \"disable\", or remove the key", key, shorten(v.text, 80)))
			}
		}
		disable(&p.locks.disableBypass, keyDisableBypass)
		disable(&p.locks.disableAuto, keyDisableAuto)
		disable(&p.locks.disableAuto, keyDisableAutoTop)
		box.layer(&f.src, f.file)
		p.locks.host.layer(&f.src, f.file)
		if !loosens {
			continue
		}
		if v := f.file.get(keyDirectories); !v.closed {
			for _, t := range v.texts {
				p.directories = append(p.directories, t.text)
				first, _, _ := strings.Cut(strings.ReplaceAll(t.text, `\`, "/"), "/")
				if isVariable(first) || strings.Contains(t.text, "*") || len(first) > 1 && first[0] == '~' {
					p.strays = append(p.strays, Lint{Code: LintMisplaced, Rule: RuleRef{Text: keyDirectories, Layer: f.src.Layer, File: f.src.Name, Line: t.at.line},
						Problem: fmt.Sprintf("%q is taken letter by letter: variables, wildcards and homes of others are not expanded", shorten(t.text, 80)), Fix: "write the absolute path, or ~/path"})
				}
			}
		}
		if v := f.file.get(keyMode); v.set || v.closed {
			m, err := ParseMode(v.text)
			switch {
			case v.closed:
				p.mode, p.modeSet = ModeDefault, true
			case err != nil:
				// It does not leave the choice to a weaker layer.
				box.problem(&f.src, v.at, err.Error()+"; the session starts in default")
				p.mode, p.modeSet = ModeDefault, true
			case m == ModeAuto && fromRepository(f.src.Layer):
				// Documented: auto is not taken from the repository.
			default:
				p.mode, p.modeSet = m, true
			}
		}
	}
	box.finish()
	errs = append(errs, box.errs...)
	if more > 0 {
		errs = append(errs, fmt.Errorf("permission: %d more rules cannot be read as written", more))
	}
	p.add(append(deny, ask...), allow)
	return p, errors.Join(errs...)
}

// readRules reads a text that may stand for several rules. Each refers to it.
func readRules(ref RuleRef, home, base string) ([]Rule, error) {
	texts := expand(ref.Effect, ref.Text)
	if len(texts) == 1 {
		r, err := ParseRule(ref, home, base)
		return []Rule{r}, err
	}
	var rules []Rule
	var first error
	for _, text := range texts {
		as := ref
		as.Text = text
		r, err := ParseRule(as, home, base)
		if first == nil {
			first = err
		}
		r.ref, r.shared = ref, &ref
		rules = append(rules, r)
	}
	var re *RuleError
	switch {
	case errors.As(first, &re):
		re.Rule = ref
	case strings.Contains(ref.Text, "{"):
		first = &RuleError{Rule: ref, Inert: true, Problem: "braces are letters of a name in a path pattern; honoured as " + strings.Join(texts, " and "), Fix: "write one rule for each name"}
	}
	return rules, first
}

// unreadable is the rule that stands for a layer whose rules are not known.
func unreadable(ref RuleRef, problem string) Rule {
	r := newRule(ref)
	r.shared, r.problem, r.whole = &ref, problem, true
	r.tool, r.toolParts, r.broken = "*", []string{"", ""}, true
	return r
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

// With returns a copy of the policy with further rules of one layer, for what
// a person approved for a session. Rules that cannot be read are an error and
// are not added. Where the settings take rules from managed files only, allow
// rules add nothing.
func (p *Policy) With(layer Layer, base string, effect Verdict, texts ...string) (*Policy, error) {
	var rules []Rule
	for _, text := range texts {
		some, err := readRules(RuleRef{Effect: effect, Text: text, Layer: layer}, p.home, base)
		if err != nil {
			return nil, err
		}
		rules = append(rules, some...)
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
