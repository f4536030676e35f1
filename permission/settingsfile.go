package permission

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// settingKind is what the value of a key has to be.
type settingKind uint8

const (
	settingObject  settingKind = iota
	settingFlag                // true or false
	settingText                // a string
	settingNumber              // a number
	settingTexts               // a list of strings
	settingEntries             // a list of objects
)

var settingKindNames = []string{"an object", "true or false", "a string", "a number", "a list of strings", "a list of objects"}

// setting is a key that decisions use.
type setting struct {
	name string // dotted, as the documents write it
	kind settingKind
	sub  map[string]*setting // by folded name, for objects and entries
}

// The keys that decisions use
// (https://code.claude.com/docs/en/settings-reference).
const (
	keyAllow           = "permissions.allow"
	keyAsk             = "permissions.ask"
	keyDeny            = "permissions.deny"
	keyDirectories     = "permissions.additionalDirectories"
	keyMode            = "permissions.defaultMode"
	keyDisableBypass   = "permissions.disableBypassPermissionsMode"
	keyDisableAuto     = "permissions.disableAutoMode"
	keyDenyPrompts     = "permissions.denyInsteadOfPrompting"
	keyBlockReads      = "permissions.blockReadsOutsideWorkingDirectories"
	keyBlockWrites     = "permissions.blockWritesOutsideWorkingDirectories"
	keyManagedRules    = "allowManagedPermissionRulesOnly"
	keyDisableAutoTop  = "disableAutoMode"
	keyEnabled         = "sandbox.enabled"
	keyFail            = "sandbox.failIfUnavailable"
	keyAutoAllow       = "sandbox.autoAllowBashIfSandboxed"
	keyExcluded        = "sandbox.excludedCommands"
	keyUnsandboxed     = "sandbox.allowUnsandboxedCommands"
	keyAllowWrite      = "sandbox.filesystem.allowWrite"
	keyDenyWrite       = "sandbox.filesystem.denyWrite"
	keyAllowRead       = "sandbox.filesystem.allowRead"
	keyDenyRead        = "sandbox.filesystem.denyRead"
	keyFilesDisabled   = "sandbox.filesystem.disabled"
	keyManagedReads    = "sandbox.filesystem.allowManagedReadPathsOnly"
	keyAllowedDomains  = "sandbox.network.allowedDomains"
	keyDeniedDomains   = "sandbox.network.deniedDomains"
	keyStrictList      = "sandbox.network.strictAllowlist"
	keyManagedDomains  = "sandbox.network.allowManagedDomainsOnly"
	keySockets         = "sandbox.network.allowUnixSockets"
	keyAllSockets      = "sandbox.network.allowAllUnixSockets"
	keyLocalBinding    = "sandbox.network.allowLocalBinding"
	keyHTTPProxy       = "sandbox.network.httpProxyPort"
	keySOCKSProxy      = "sandbox.network.socksProxyPort"
	keyCredentialFiles = "sandbox.credentials.files"
	keyCredentialVars  = "sandbox.credentials.envVars"
	keyManagedHooks    = "allowManagedHooksOnly"
	keyManagedServers  = "allowManagedMcpServersOnly"
	keyDisableHooks    = "disableAllHooks"
	keySkipWarning     = "skipDangerousModePermissionPrompt"
	keyConnectors      = "disableClaudeAiConnectors"
	keyAutoInPlan      = "useAutoModeDuringPlan"
	keyClassifyShell   = "autoMode.classifyAllShell"
)

// knownSettings is the tree of the keys.
var knownSettings = settingTree(map[string]settingKind{
	keyAllow: settingTexts, keyAsk: settingTexts, keyDeny: settingTexts, keyDirectories: settingTexts, keyMode: settingText,
	keyDisableBypass: settingText, keyDisableAuto: settingText, keyDenyPrompts: settingFlag, keyBlockReads: settingFlag, keyBlockWrites: settingFlag,
	keyManagedRules: settingFlag, keyDisableAutoTop: settingText,
	keyEnabled: settingFlag, keyFail: settingFlag, keyAutoAllow: settingFlag, keyExcluded: settingTexts, keyUnsandboxed: settingFlag,
	keyAllowWrite: settingTexts, keyDenyWrite: settingTexts, keyAllowRead: settingTexts, keyDenyRead: settingTexts, keyFilesDisabled: settingFlag, keyManagedReads: settingFlag,
	keyAllowedDomains: settingTexts, keyDeniedDomains: settingTexts, keyStrictList: settingFlag, keyManagedDomains: settingFlag,
	keySockets: settingTexts, keyAllSockets: settingFlag, keyLocalBinding: settingFlag, keyHTTPProxy: settingNumber, keySOCKSProxy: settingNumber,
	keyCredentialFiles: settingEntries, keyCredentialVars: settingEntries,
	keyManagedHooks: settingFlag, keyManagedServers: settingFlag, keyDisableHooks: settingFlag, keySkipWarning: settingFlag,
	keyConnectors: settingFlag, keyAutoInPlan: settingFlag, keyClassifyShell: settingFlag,
})

// entryFields are the fields of the objects in a list that decisions use.
var entryFields = map[string]*setting{
	"path": {name: "path", kind: settingText}, "name": {name: "name", kind: settingText},
	"mode": {name: "mode", kind: settingText}, foldPath("injectHosts"): {name: "injectHosts", kind: settingTexts},
}

func settingTree(leaves map[string]settingKind) *setting {
	root := &setting{sub: map[string]*setting{}}
	for name, kind := range leaves {
		at := root
		parts := strings.Split(name, ".")
		for i, part := range parts {
			next := at.sub[foldPath(part)]
			if next == nil {
				next = &setting{name: strings.Join(parts[:i+1], "."), sub: map[string]*setting{}}
				at.sub[foldPath(part)] = next
			}
			at = next
		}
		at.kind = kind
		if kind == settingEntries {
			at.sub = entryFields
		}
	}
	return root
}

// each yields the keys at and below a setting that hold values.
func (s *setting) each(yield func(*setting)) {
	if s.kind != settingObject {
		yield(s)
		return
	}
	for _, sub := range s.sub {
		sub.each(yield)
	}
}

// position is a place in a file; lines and byte columns count from 1.
type position struct{ line, column int }

// textAt is a string and where it stands.
type textAt struct {
	text string
	at   position
}

// settingEntry is an object in a list.
type settingEntry struct {
	at     position
	fields map[string]*settingValue
	broken bool
}

// settingValue is the value of one key in one file.
type settingValue struct {
	at      position
	set     bool // it has a value that can be read
	flag    bool
	text    string
	number  float64
	texts   []textAt
	entries []settingEntry
	// closed says that the key holds something that cannot be read, or stands
	// twice: it has the tightest value, whatever else stands here.
	closed bool
}

// settingsFile is what one layer says, by key.
type settingsFile map[string]*settingValue

// get returns the value of a key, never nil.
func (f settingsFile) get(key string) *settingValue {
	if v := f[key]; v != nil {
		return v
	}
	return &settingValue{}
}

// readSettings reads one layer strictly: no duplicate keys, bounded depth and
// size, valid UTF-8, nothing after the object. An error means that nothing of
// the layer can be used. In a managed layer a key that cannot be read is closed
// instead, and told in closed: one typing error of an administrator neither
// opens nor shuts everything else.
func readSettings(src Source) (f settingsFile, closed []*SettingsError, strays []Lint, err *SettingsError) {
	if src.Err != nil {
		return nil, nil, nil, &SettingsError{File: src.Name, Problem: src.Err.Error(), err: src.Err}
	}
	if len(src.Data) > MaxLayerBytes {
		return nil, nil, nil, &SettingsError{File: src.Name, Problem: fmt.Sprintf("larger than %d bytes", MaxLayerBytes)}
	}
	if !utf8.Valid(src.Data) {
		problem := "not valid UTF-8"
		if bytes.HasPrefix(src.Data, []byte("\xff\xfe")) || bytes.HasPrefix(src.Data, []byte("\xfe\xff")) {
			problem = "written in UTF-16: save it as UTF-8"
		}
		return nil, nil, nil, &SettingsError{File: src.Name, Problem: problem}
	}
	w := &settingsWalker{src: src, dec: json.NewDecoder(bytes.NewReader(src.Data)), out: settingsFile{}}
	tok, err := w.token()
	if err != nil {
		return nil, nil, nil, err
	}
	if tok != json.Delim('{') {
		return nil, nil, nil, w.fail("the settings are not a JSON object")
	}
	if err := w.object(knownSettings, 0, w.known); err != nil {
		return nil, nil, nil, err
	}
	if _, e := w.dec.Token(); e != io.EOF {
		return nil, nil, nil, w.fail("something follows the settings object")
	}
	return w.out, w.closed, w.strays, nil
}

type settingsWalker struct {
	src    Source
	dec    *json.Decoder
	out    settingsFile
	closed []*SettingsError
	strays []Lint
	// at is where the last token stands. seen, line and start carry the line
	// count forward, so that a file is counted through once.
	at                position
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

func lineColumn(data []byte, offset int) (line, column int) {
	offset = min(offset, len(data))
	line = 1 + bytes.Count(data[:offset], []byte("\n"))
	column = offset - bytes.LastIndexByte(data[:offset], '\n')
	return line, column
}

func (w *settingsWalker) token() (json.Token, *SettingsError) {
	start := int(w.dec.InputOffset())
	for start < len(w.src.Data) && strings.IndexByte(" \t\r\n,:", w.src.Data[start]) >= 0 {
		start++
	}
	tok, err := w.dec.Token()
	if err != nil {
		return nil, w.fail(strings.TrimPrefix(err.Error(), "json: ") + w.remedy(err))
	}
	w.at = w.here(start)
	return tok, nil
}

// remedy says what to write instead of something that is no JSON, where it is one
// of the mistakes that people make by hand.
func (w *settingsWalker) remedy(err error) string {
	_, after, _ := strings.Cut(err.Error(), "invalid character '")
	before := bytes.TrimRight(w.src.Data[:min(int(w.dec.InputOffset()), len(w.src.Data))], " \t\r\n")
	switch {
	case bytes.HasPrefix(w.src.Data, []byte("\xef\xbb\xbf")):
		return ": the file starts with a byte order mark: save it without"
	case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
		return ": the file ends in the middle of a value"
	case after == "":
	case after[0] == '/' || after[0] == '#':
		return ": settings have no comments: remove it"
	case strings.HasPrefix(after, `\''`):
		return ": write strings in double quotes"
	case (after[0] == ']' || after[0] == '}') && bytes.HasSuffix(before, []byte(",")):
		return ": remove the comma before it"
	case after[0] == '"' && strings.Contains(after, "after "):
		return ": a comma is missing before it"
	}
	return ""
}

// stray notes a key that decides nothing and looks as if it should: a list of
// rules in the wrong place is gone without a word otherwise.
func (w *settingsWalker) stray(s *setting, name string) {
	permissions := knownSettings.sub["permissions"]
	folded, fix := foldPath(name), ""
	switch {
	case s == permissions && knownSettings.sub[folded] != nil:
		fix = "write it beside \"permissions\", not inside"
	case s == permissions && nearKey(permissions, folded) != "":
		fix = "write " + strconv.Quote(nearKey(permissions, folded))
	case s != knownSettings:
		return
	case permissions.sub[folded] != nil && knownSettings.sub[folded] == nil:
		fix = "write it inside of \"permissions\""
	case strings.HasPrefix(folded, "permissions.") || strings.HasPrefix(folded, "sandbox."):
		head, tail, _ := strings.Cut(name, ".")
		fix = fmt.Sprintf("write %q inside of %q", tail, head)
	case folded == "permission" || folded == "perms":
		fix = "write \"permissions\""
	default:
		return
	}
	if len(w.strays) < maxErrors {
		w.strays = append(w.strays, Lint{Code: LintMisplaced, Rule: RuleRef{Text: name, Layer: w.src.Layer, File: w.src.Name, Line: w.at.line},
			Problem: "settings have no such key here, and what it holds decides nothing", Fix: fix})
	}
}

// nearKey returns the list of rules that a key of "permissions" means in other
// words: denied, allowed, denyList, "allow " and the like.
func nearKey(permissions *setting, folded string) string {
	if permissions.sub[folded] != nil {
		return ""
	}
	switch f := strings.Trim(folded, " _-s"); {
	case strings.HasPrefix(f, "den"), strings.HasPrefix(f, "block") && !strings.Contains(f, "outside"), strings.HasPrefix(f, "disallow"):
		return "deny"
	case strings.HasPrefix(f, "allow"), strings.HasPrefix(f, "alow"), strings.HasPrefix(f, "permit"):
		return "allow"
	case strings.HasPrefix(f, "ask"), strings.HasPrefix(f, "prompt"), strings.HasPrefix(f, "confirm"):
		return "ask"
	case strings.HasPrefix(f, "additional") || strings.HasPrefix(f, "director"):
		return "additionalDirectories"
	case f == "mode":
		return "defaultMode"
	}
	return ""
}

// wrong tells of something that the reader does not take. Outside of managed
// files that is an error of the whole layer; there it closes the key s, which
// is nil for one that decisions do not use.
func (w *settingsWalker) wrong(s *setting, at position, problem string) *SettingsError {
	e := &SettingsError{File: w.src.Name, Line: at.line, Column: at.column, Problem: problem}
	if w.src.Layer != LayerManaged {
		return e
	}
	if s != nil {
		e.Problem += "; the strictest value is in force instead"
		s.each(func(leaf *setting) {
			v := w.value(leaf)
			v.closed = true
			if v.at.line == 0 {
				v.at = at
			}
		})
	}
	if len(w.closed) < maxErrors {
		w.closed = append(w.closed, e)
	}
	return nil
}

func (w *settingsWalker) value(s *setting) *settingValue {
	v := w.out[s.name]
	if v == nil {
		v = &settingValue{}
		w.out[s.name] = v
	}
	return v
}

// object reads the members of an object behind its brace; s is nil where the
// keys mean nothing here.
func (w *settingsWalker) object(s *setting, depth int, member func(s *setting, depth int) *SettingsError) *SettingsError {
	if depth > maxJSONDepth {
		return w.fail(fmt.Sprintf("nested deeper than %d", maxJSONDepth))
	}
	seen := map[string]bool{}
	for w.dec.More() {
		tok, err := w.token()
		if err != nil {
			return err
		}
		name, _ := tok.(string)
		// encoding/json takes keys without regard to case, and so may others
		// who read the file: two that differ in nothing else would be one.
		folded := foldPath(name)
		var sub *setting
		if s != nil {
			sub = s.sub[folded]
		}
		own := sub
		if sub != nil && !strings.HasSuffix("."+sub.name, "."+name) {
			_, last, _ := cutLast(sub.name, ".")
			if err := w.wrong(sub, w.at, fmt.Sprintf("the key %q is not known: write %q", name, last)); err != nil {
				return err
			}
			own = nil
		}
		if seen[folded] {
			if err := w.wrong(sub, w.at, fmt.Sprintf("the key %q stands twice", name)); err != nil {
				return err
			}
		}
		seen[folded] = true
		if sub == nil {
			w.stray(s, name)
		}
		if own == nil {
			if err := w.skipValue(depth + 1); err != nil {
				return err
			}
			continue
		}
		if err := member(own, depth+1); err != nil {
			return err
		}
	}
	_, err := w.token()
	return err
}

func cutLast(s, sep string) (before, after string, ok bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return "", s, false
}

// skipValue goes over a value that decisions do not use.
func (w *settingsWalker) skipValue(depth int) *SettingsError {
	tok, err := w.token()
	if err != nil {
		return err
	}
	return w.skip(tok, depth)
}

// skip goes over the rest of a value whose first token was read.
func (w *settingsWalker) skip(tok json.Token, depth int) *SettingsError {
	switch tok {
	case json.Delim('{'):
		return w.object(nil, depth, nil)
	case json.Delim('['):
		if depth > maxJSONDepth {
			return w.fail(fmt.Sprintf("nested deeper than %d", maxJSONDepth))
		}
		for w.dec.More() {
			if err := w.skipValue(depth + 1); err != nil {
				return err
			}
		}
		_, err := w.token()
		return err
	}
	return nil
}

// known reads the value of a key.
func (w *settingsWalker) known(s *setting, depth int) *SettingsError {
	if s.kind == settingObject {
		tok, err := w.token()
		switch {
		case err != nil:
			return err
		case tok == json.Delim('{'):
			return w.object(s, depth, w.known)
		}
		return w.mistyped(s, tok, depth)
	}
	return w.leaf(s, w.value(s), depth)
}

// mistyped takes a value of another type than the key's. null is no value,
// except where an administrator must have meant one.
func (w *settingsWalker) mistyped(s *setting, tok json.Token, depth int) *SettingsError {
	at := w.at
	if tok == nil && w.src.Layer != LayerManaged {
		return nil
	}
	if err := w.wrong(s, at, fmt.Sprintf("%s must be %s", s.name, settingKindNames[s.kind])); err != nil {
		return err
	}
	return w.skip(tok, depth)
}

func (w *settingsWalker) leaf(s *setting, v *settingValue, depth int) *SettingsError {
	tok, err := w.token()
	if err != nil {
		return err
	}
	if v.at.line == 0 {
		v.at = w.at
	}
	switch t := tok.(type) {
	case bool:
		if s.kind == settingFlag {
			v.flag, v.set = t, true
			return nil
		}
	case string:
		if s.kind == settingText {
			v.text, v.set = t, true
			return nil
		}
	case float64:
		if s.kind == settingNumber {
			v.number, v.set = t, true
			return nil
		}
	case json.Delim:
		if t == '[' && (s.kind == settingTexts || s.kind == settingEntries) {
			v.set = true
			return w.list(s, v, depth)
		}
	}
	return w.mistyped(s, tok, depth)
}

// list reads the items of a list behind its bracket.
func (w *settingsWalker) list(s *setting, v *settingValue, depth int) *SettingsError {
	for w.dec.More() {
		tok, err := w.token()
		if err != nil {
			return err
		}
		text, isText := tok.(string)
		if max(len(v.texts), len(v.entries)) > MaxRules {
			return w.fail(fmt.Sprintf("%s holds more than %d items", s.name, MaxRules))
		}
		switch {
		case isText && s.kind == settingTexts:
			v.texts = append(v.texts, textAt{text, w.at})
			continue
		case tok == json.Delim('{') && s.kind == settingEntries:
			if err := w.entry(s, v, depth+1); err != nil {
				return err
			}
			continue
		}
		if err := w.wrong(s, w.at, fmt.Sprintf("%s must be %s", s.name, settingKindNames[s.kind])); err != nil {
			return err
		}
		if err := w.skip(tok, depth+1); err != nil {
			return err
		}
	}
	_, err := w.token()
	return err
}

// entry reads one object of a list. What cannot be read in it is an error of
// that entry, not of the list: what it is about may still be clear.
func (w *settingsWalker) entry(s *setting, v *settingValue, depth int) *SettingsError {
	e := settingEntry{at: w.at, fields: map[string]*settingValue{}}
	inner := *w
	inner.out, inner.closed = settingsFile{}, nil
	err := inner.object(s, depth, func(field *setting, depth int) *SettingsError {
		return inner.leaf(field, inner.value(field), depth)
	})
	e.fields = inner.out
	e.broken = len(inner.closed) > 0
	w.closed = append(w.closed, inner.closed...)
	w.at, w.seen, w.line, w.start = inner.at, inner.seen, inner.line, inner.start
	if err == nil {
		v.entries = append(v.entries, e)
	}
	return err
}
