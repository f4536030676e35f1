package permission

import (
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"
)

// SandboxSettings are the sandbox switches of all layers
// (https://code.claude.com/docs/en/sandboxing), as plain data for the host's
// sandbox; package scope/sandbox makes a profile of such lists. Lists of all
// layers are joined. Of a switch the highest layer counts, but a managed layer
// and an untrusted workspace can only tighten. The zero value asks for no
// sandbox.
//
// This package decides by Enabled, AutoAllowBash, AllowUnsandboxed,
// ExcludedCommands and by the domains. Everything else is for the host.
type SandboxSettings struct {
	// Enabled wants shell commands to run inside a sandbox.
	Enabled bool `json:"enabled"`
	// FailIfUnavailable wants the host not to start without one.
	FailIfUnavailable bool `json:"failIfUnavailable"`
	// AutoAllowBash lets what runs inside the sandbox run unasked.
	AutoAllowBash bool `json:"autoAllowBashIfSandboxed"`
	// ExcludedCommands are command patterns that run outside of it, with the
	// whole call that holds them.
	ExcludedCommands []string `json:"excludedCommands,omitempty"`
	// AllowUnsandboxed lets a call ask to run outside of it.
	AllowUnsandboxed bool               `json:"allowUnsandboxedCommands"`
	Filesystem       SandboxFilesystem  `json:"filesystem"`
	Network          SandboxNetwork     `json:"network"`
	Credentials      SandboxCredentials `json:"credentials"`
}

// SandboxFilesystem lists absolute paths, with slashes. A path may hold
// wildcards as in gitignore(5); what they mean is the host's business, and
// where its sandbox knows none, an allowing one is to be left out and a denying
// one to be widened to the directory before the first wildcard.
type SandboxFilesystem struct {
	// Disabled leaves the file system open.
	Disabled   bool     `json:"disabled,omitempty"`
	AllowWrite []string `json:"allowWrite,omitempty"`
	DenyWrite  []string `json:"denyWrite,omitempty"`
	// AllowRead are exceptions from DenyRead: the more specific one counts.
	AllowRead []string `json:"allowRead,omitempty"`
	DenyRead  []string `json:"denyRead,omitempty"`
}

// SandboxNetwork says what commands inside the sandbox may reach. A domain is
// a host, *.host or *, with an optional :port; denied ones win.
type SandboxNetwork struct {
	AllowedDomains []string `json:"allowedDomains,omitempty"`
	DeniedDomains  []string `json:"deniedDomains,omitempty"`
	// StrictAllowlist refuses other hosts instead of asking for them.
	StrictAllowlist     bool     `json:"strictAllowlist,omitempty"`
	AllowUnixSockets    []string `json:"allowUnixSockets,omitempty"`
	AllowAllUnixSockets bool     `json:"allowAllUnixSockets,omitempty"`
	AllowLocalBinding   bool     `json:"allowLocalBinding,omitempty"`
	// HTTPProxyPort and SOCKSProxyPort are those of the host's own proxy on
	// this machine; 0 is none.
	HTTPProxyPort  int `json:"httpProxyPort,omitempty"`
	SOCKSProxyPort int `json:"socksProxyPort,omitempty"`
}

// SandboxCredentials are secrets that commands inside the sandbox do not see.
type SandboxCredentials struct {
	// Files are named by absolute path, EnvVars by name. The name "*" stands
	// for every variable.
	Files   []SandboxCredential `json:"files,omitempty"`
	EnvVars []SandboxCredential `json:"envVars,omitempty"`
}

// SandboxCredential is one secret. It is hidden, unless Mask shows the command
// a placeholder that a proxy replaces on the way to InjectHosts.
type SandboxCredential struct {
	Name        string   `json:"name"`
	Mask        bool     `json:"mask,omitempty"`
	InjectHosts []string `json:"injectHosts,omitempty"`
}

// Sandbox returns the sandbox settings for a session that starts in dir, with
// what the documents derive from rules: Edit and Read rules become paths, and
// WebFetch rules become domains. Rules that ask, and rules that cannot be read,
// become nothing: the calls that they mean are asked about.
func (p *Policy) Sandbox(dir string) SandboxSettings {
	s := p.locks.sandbox
	s.ExcludedCommands = slices.Clone(s.ExcludedCommands)
	fs := &s.Filesystem
	fs.AllowWrite, fs.DenyWrite = slices.Clone(fs.AllowWrite), slices.Clone(fs.DenyWrite)
	fs.AllowRead, fs.DenyRead = slices.Clone(fs.AllowRead), slices.Clone(fs.DenyRead)
	net := &s.Network
	net.AllowedDomains, net.DeniedDomains = slices.Clone(net.AllowedDomains), slices.Clone(net.DeniedDomains)
	net.AllowUnixSockets = slices.Clone(net.AllowUnixSockets)
	s.Credentials.Files, s.Credentials.EnvVars = cloneCredentials(s.Credentials.Files), cloneCredentials(s.Credentials.EnvVars)
	for r := range p.each() {
		switch {
		case r.broken || r.ref.Effect == Ask:
		case r.kind == ruleHost && r.ref.Effect == Deny:
			net.DeniedDomains = appendOnce(net.DeniedDomains, r.host.String())
		case r.kind == ruleHost && p.feedsDomains(r):
			net.AllowedDomains = appendOnce(net.AllowedDomains, r.host.String())
		case r.kind == ruleHost, !r.hasPath():
		case r.ref.Effect == Deny:
			where := r.path.place(dir, false)
			if where == "" {
				break
			}
			if r.family == "Read" {
				fs.DenyRead = appendOnce(fs.DenyRead, where)
			}
			fs.DenyWrite = appendOnce(fs.DenyWrite, where)
		case r.family == "Edit" && r.bound == nil:
			if where := r.path.place(dir, true); where != "" {
				fs.AllowWrite = appendOnce(fs.AllowWrite, where)
			}
		}
	}
	return s
}

// feedsDomains says whether an allow rule for a host counts for the sandbox.
func (p *Policy) feedsDomains(r *Rule) bool {
	return !p.locks.managedDomainsOnly || r.ref.Layer == LayerManaged
}

func cloneCredentials(list []SandboxCredential) []SandboxCredential {
	out := slices.Clone(list)
	for i := range out {
		out[i].InjectHosts = slices.Clone(out[i].InjectHosts)
	}
	return out
}

func appendOnce(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// place writes the rule as an absolute path or pattern. A directory with
// everything below it is the directory; where that would be more than an allow
// rule says, the pattern stays.
func (r *pathRule) place(dir string, allow bool) string {
	base := r.base
	if base == "" {
		base = dir
	}
	if base == "" {
		return ""
	}
	text := strings.TrimSuffix(r.text, "/")
	if !strings.Contains(text, "/") {
		text = "**/" + text // a bare name is any depth
	}
	text = strings.TrimPrefix(text, "/")
	text = strings.TrimSuffix(text, "/**")
	if text == "**" {
		text = ""
	}
	return path.Join("/", escapePattern(base), text)
}

// hostPort is a domain of the sandbox settings.
type hostPort struct {
	host hostPattern
	port uint16 // 0 is every port
}

func compileHostPort(s string) (hostPort, error) {
	var out hostPort
	host, port := strings.TrimSpace(s), ""
	switch {
	case strings.HasPrefix(host, "["):
		inside, rest, ok := strings.Cut(host[1:], "]")
		if !ok || rest != "" && rest[0] != ':' {
			return out, errHost
		}
		host, port = inside, strings.TrimPrefix(rest, ":")
		if rest == ":" {
			return out, errHost
		}
	case strings.Count(host, ":") == 1:
		var ok bool
		if host, port, ok = strings.Cut(host, ":"); ok && port == "" {
			return out, errHost
		}
	}
	if port != "" {
		n := 0
		for i := 0; i < len(port); i++ {
			if port[i] < '0' || port[i] > '9' || n > 65535 {
				return out, errors.New("the port is not a number from 1 to 65535")
			}
			n = n*10 + int(port[i]-'0')
		}
		if n < 1 || n > 65535 {
			return out, errors.New("the port is not a number from 1 to 65535")
		}
		out.port = uint16(n)
	}
	var err error
	out.host, err = compileHostPattern(host)
	return out, err
}

// covers says whether a connection to the host and port is meant; a port that
// is not known may be.
func (p *hostPort) covers(host string, port uint16) match {
	switch {
	case !p.host.matches(host):
		return matchNo
	case p.port == 0 || p.port == port:
		return matchYes
	case port == 0:
		return matchMay
	}
	return matchNo
}

// sandboxPath reads a path of the sandbox settings, whose anchors are not those
// of rules: /abs and //abs are absolute, ~/ is home, everything else starts at
// the directory of the settings.
func sandboxPath(s, home, base string) (string, error) {
	switch {
	case strings.TrimSpace(s) == "":
		return "", errors.New("the path is empty")
	case strings.ContainsRune(s, 0):
		return "", errors.New("the path holds a NUL byte")
	case isDrive(s):
		return strings.ReplaceAll(s, `\`, "/"), nil
	case strings.HasPrefix(s, "/"):
		return path.Clean("/" + strings.TrimLeft(s, "/")), nil
	case s == "~" || strings.HasPrefix(s, "~/"):
		if home == "" {
			return "", errNoHome
		}
		return path.Join(home, s[1:]), nil
	case strings.HasPrefix(s, "~"):
		return "", errors.New("only ~/ is expanded: write the absolute path")
	case base == "":
		return "", errNoBase
	}
	return path.Join(base, s), nil
}

// sandboxMerge puts the sandbox keys of the layers together, weakest first.
type sandboxMerge struct {
	p    *Policy
	home string
	// the locks of managed files
	domainsOnly, readsOnly bool
	errs                   []error
}

func (m *sandboxMerge) problem(src *Source, at position, text string) {
	if len(m.errs) < maxErrors {
		m.errs = append(m.errs, &SettingsError{File: src.Name, Line: at.line, Column: at.column, Problem: text})
	}
}

// flag takes a switch. tight is its strict value: every layer may set that, the
// other one only a trusted layer that is not managed, and not one of the
// repository where own says that the key is the user's.
func (m *sandboxMerge) flag(src *Source, f settingsFile, key string, dst *bool, tight, own bool) {
	v := f.get(key)
	value, ok := v.flag, v.set
	if v.closed {
		value, ok = tight, true
	}
	if ok && (value == tight || !src.TightenOnly && src.Layer != LayerManaged && !(own && fromRepository(src.Layer))) {
		*dst = value
	}
}

func fromRepository(l Layer) bool { return l == LayerProject || l == LayerLocal }

// list takes a list of texts through read, which reports what is wrong with
// one. strict lists count in every layer; where something in one cannot be
// read, all stands for everything.
func (m *sandboxMerge) list(src *Source, f settingsFile, key string, dst *[]string, strict bool, all string, read func(string) (string, error)) {
	if !strict && src.TightenOnly {
		return
	}
	v := f.get(key)
	closed := v.closed
	if !closed || strict {
		for _, t := range v.texts {
			s, err := read(t.text)
			if err != nil {
				m.problem(src, t.at, fmt.Sprintf("%s: %q: %s", key, shorten(t.text, 80), err))
				closed = true
				continue
			}
			*dst = appendOnce(*dst, s)
		}
	}
	if closed && strict {
		*dst = appendOnce(*dst, all)
	}
}

// layer takes the sandbox keys of one layer.
func (m *sandboxMerge) layer(src *Source, f settingsFile) {
	l := &m.p.locks
	s := &l.sandbox
	m.flag(src, f, keyEnabled, &s.Enabled, true, false)
	m.flag(src, f, keyFail, &s.FailIfUnavailable, true, false)
	m.flag(src, f, keyAutoAllow, &s.AutoAllowBash, false, false)
	m.flag(src, f, keyUnsandboxed, &s.AllowUnsandboxed, false, false)
	m.flag(src, f, keyFilesDisabled, &s.Filesystem.Disabled, false, true)
	m.flag(src, f, keyStrictList, &s.Network.StrictAllowlist, true, true)
	m.flag(src, f, keyAllSockets, &s.Network.AllowAllUnixSockets, false, false)
	m.flag(src, f, keyLocalBinding, &s.Network.AllowLocalBinding, false, false)

	m.list(src, f, keyExcluded, &s.ExcludedCommands, false, "", func(t string) (string, error) {
		if strings.TrimSpace(t) == "" || len(t) > maxRuleBytes {
			return "", errors.New("not a command pattern")
		}
		return t, nil
	})
	where := func(t string) (string, error) { return sandboxPath(t, m.home, src.Base) }
	m.list(src, f, keyAllowWrite, &s.Filesystem.AllowWrite, false, "", where)
	m.list(src, f, keyDenyWrite, &s.Filesystem.DenyWrite, true, "/", where)
	if !m.readsOnly || src.Layer == LayerManaged {
		m.list(src, f, keyAllowRead, &s.Filesystem.AllowRead, false, "", where)
	}
	m.list(src, f, keyDenyRead, &s.Filesystem.DenyRead, true, "/", where)
	m.list(src, f, keySockets, &s.Network.AllowUnixSockets, false, "", where)
	domain := func(t string) (string, error) {
		_, err := compileHostPort(t)
		return strings.TrimSpace(t), err
	}
	if !m.domainsOnly || src.Layer == LayerManaged {
		m.list(src, f, keyAllowedDomains, &s.Network.AllowedDomains, false, "", domain)
	}
	m.list(src, f, keyDeniedDomains, &s.Network.DeniedDomains, true, "*", domain)
	m.port(src, f, keyHTTPProxy, &s.Network.HTTPProxyPort)
	m.port(src, f, keySOCKSProxy, &s.Network.SOCKSProxyPort)

	m.credentials(src, f, keyCredentialFiles, &s.Credentials.Files, "path", m.home, where)
	m.credentials(src, f, keyCredentialVars, &s.Credentials.EnvVars, "name", "*", func(t string) (string, error) {
		if t == "" || strings.ContainsAny(t, "=\x00") {
			return "", errors.New("not the name of a variable")
		}
		return t, nil
	})
}

// port takes the port of a proxy. Traffic that was to go through a proxy that
// cannot be told goes nowhere.
func (m *sandboxMerge) port(src *Source, f settingsFile, key string, dst *int) {
	if src.TightenOnly {
		return
	}
	v := f.get(key)
	bad := v.closed
	if v.set && !bad {
		if v.number != math.Trunc(v.number) || v.number < 1 || v.number > 65535 {
			m.problem(src, v.at, key+" is not a port from 1 to 65535")
			bad = true
		} else {
			*dst = int(v.number)
		}
	}
	if bad {
		*dst = 0
		m.p.locks.sandbox.Network.DeniedDomains = appendOnce(m.p.locks.sandbox.Network.DeniedDomains, "*")
	}
}

// credentials takes a list of secrets. An entry whose mode cannot be read, or
// that a repository wants masked, is hidden; where it cannot be told what an
// entry is about, all is.
func (m *sandboxMerge) credentials(src *Source, f settingsFile, key string, dst *[]SandboxCredential, field, all string, read func(string) (string, error)) {
	v := f.get(key)
	closed := v.closed
	for _, e := range v.entries {
		text := e.fields[field]
		if text == nil || !text.set || text.closed {
			m.problem(src, e.at, fmt.Sprintf("%s: an entry has no %s", key, field))
			closed = true
			continue
		}
		name, err := read(text.text)
		if err != nil {
			m.problem(src, e.at, fmt.Sprintf("%s: %q: %s", key, shorten(text.text, 80), err))
			closed = true
			continue
		}
		c := SandboxCredential{Name: name}
		mode := e.fields["mode"]
		switch {
		case e.broken || mode == nil || mode.closed || mode.text != "deny" && mode.text != "mask":
			m.problem(src, e.at, fmt.Sprintf("%s: the mode of %q is neither deny nor mask; it is denied", key, shorten(text.text, 80)))
		case mode.text == "mask" && !src.TightenOnly && !fromRepository(src.Layer):
			c.Mask = true
			if hosts := e.fields["injectHosts"]; hosts != nil {
				for _, h := range hosts.texts {
					if _, err := compileHostPort(h.text); err != nil {
						m.problem(src, h.at, fmt.Sprintf("%s: injectHosts: %q: %s", key, shorten(h.text, 80), err))
						continue
					}
					c.InjectHosts = appendOnce(c.InjectHosts, h.text)
				}
			}
		}
		i := slices.IndexFunc(*dst, func(o SandboxCredential) bool { return o.Name == c.Name })
		switch {
		case i < 0:
			*dst = append(*dst, c)
		case (*dst)[i].Mask:
			// What any layer denies stays denied.
			(*dst)[i] = c
		}
	}
	if closed && all != "" && !slices.ContainsFunc(*dst, func(o SandboxCredential) bool { return o.Name == all && !o.Mask }) {
		*dst = append(*dst, SandboxCredential{Name: all})
	}
}

// finish compiles what decisions use.
func (m *sandboxMerge) finish() {
	l := &m.p.locks
	for _, text := range l.sandbox.ExcludedCommands {
		l.excluded = append(l.excluded, *compileCommandPattern(text))
	}
	for _, d := range []struct {
		from []string
		to   *[]hostPort
	}{{l.sandbox.Network.AllowedDomains, &l.allowedDomains}, {l.sandbox.Network.DeniedDomains, &l.deniedDomains}} {
		for _, text := range d.from {
			if h, err := compileHostPort(text); err == nil {
				*d.to = append(*d.to, h)
			}
		}
	}
}

// sandboxed says how the sandbox's domains settle a connection of a shell
// command: denied, allowed for certain, or neither.
func (d *decider) sandboxed(a *Action) (denied, allowed match) {
	l := &d.p.locks
	for i := range l.deniedDomains {
		denied = max(denied, l.deniedDomains[i].covers(a.Host, a.Port))
	}
	if a.Host == "" {
		if len(l.deniedDomains) > 0 {
			denied = matchMay
		}
		return denied, matchNo
	}
	for i := range l.allowedDomains {
		if l.allowedDomains[i].covers(a.Host, a.Port) == matchYes {
			return denied, matchYes
		}
	}
	for _, t := range d.p.allow {
		t.eachHost(a.Host, func(n int32) {
			if r := &t.rules[n]; r.host.matches(a.Host) && d.p.feedsDomains(r) {
				allowed = matchYes
			}
		})
	}
	return denied, allowed
}

// opens says whether the sandbox lets anything out by itself.
func (d *decider) opens() bool {
	l := &d.p.locks
	if len(l.allowedDomains) > 0 || l.sandbox.Network.AllowAllUnixSockets || len(l.sandbox.Network.AllowUnixSockets) > 0 {
		return true
	}
	for _, t := range d.p.allow {
		for _, i := range t.allHosts {
			if d.p.feedsDomains(&t.rules[i]) {
				return true
			}
		}
	}
	return false
}
