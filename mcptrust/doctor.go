package mcptrust

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Codes of a [Problem], beside those of [StoreError].
const (
	CodePolicyLabel    Code = "POLICY_NAME_ONLY"
	CodePolicyDead     Code = "POLICY_ENTRY_WITHOUT_EFFECT"
	CodePolicyWide     Code = "POLICY_ENTRY_TOO_WIDE"
	CodePolicyFloating Code = "POLICY_FLOATING_PACKAGE"
	CodePolicyIgnored  Code = "POLICY_SOURCE_IGNORED"
	CodeHistoryBroken  Code = "HISTORY_BROKEN"
	CodeProjectGone    Code = "PROJECT_GONE"
	CodeStoreMode      Code = "STORE_READABLE"
)

// Problem is something that a person should repair.
type Problem struct {
	Code  Code
	Where string // file, and line where known
	Text  string
	Fix   string
}

// Doctor names what does not protect as its author may think: policy entries
// that bind to a name or match too much, store files that cannot be used, a
// history that does not hold together, decisions about projects that are gone.
// It changes nothing. The error is that of ctx.
func (r *Registry) Doctor(ctx context.Context) ([]Problem, error) {
	out := r.policy.problems()
	add := func(code Code, where, text, fix string) {
		out = append(out, Problem{code, Escape(where), text, fix})
	}
	names, err := r.store.files()
	if err != nil {
		add(CodeStoreIO, r.store.dir, Escape(err.Error()), "make the folder readable")
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		f, err := r.store.read(name)
		var se *StoreError
		if errors.As(err, &se) {
			add(se.Code, se.Path, se.Msg, se.Fix)
			continue
		}
		if err != nil {
			add(CodeStoreIO, filepath.Join(r.store.dir, name), Escape(err.Error()), "")
			continue
		}
		if f.Path == "" {
			continue
		}
		if name != projectFile(f.Path) {
			add(CodeStoreCorrupt, filepath.Join(r.store.dir, name), "the file's name does not fit its project", "move it away and approve again")
		}
		if _, err := os.Stat(f.Path); errors.Is(err, os.ErrNotExist) {
			add(CodeProjectGone, f.Path, "there are decisions about a folder that is gone; a new one at this path would meet them", "forget its servers")
		}
	}
	if info, err := os.Stat(r.store.dir); err == nil && info.Mode().Perm()&0o077 != 0 && unsafeInfo(info) == "" {
		add(CodeStoreMode, r.store.dir, "other users can read the store", "chmod 700 "+r.store.dir)
	}
	var he *HistoryError
	if _, err := r.History(ctx); errors.As(err, &he) {
		add(CodeHistoryBroken, fmt.Sprintf("%s:%d", he.File, he.Line), he.Msg, "look at the decisions with List, then move the history files away")
	} else if err != nil && ctx.Err() == nil {
		add(CodeHistoryBroken, filepath.Join(r.store.dir, historyFile), Escape(err.Error()), "")
	}
	return out, ctx.Err()
}

func (p *Policy) problems() []Problem {
	if p == nil {
		return nil
	}
	var out []Problem
	add := func(e *policyEntry, code Code, text, fix string) {
		out = append(out, Problem{code, e.at(), text, fix})
	}
	if p.denyBroken != nil {
		out = append(out, Problem{CodePolicyInvalidDeny, Escape(p.denyBroken.File), "a deny list that cannot be read blocks every server", "correct the file"})
	}
	if p.ignored != nil {
		out = append(out, Problem{CodePolicyIgnored, Escape(p.ignored.File), "allowedMcpServers counts only in the organisation's file here", "move the entries there, or remove them"})
	}
	commands, urls := false, false
	for i := range p.allow {
		commands = commands || p.allow[i].command != nil
		urls = urls || p.allow[i].url != ""
	}
	for i := range p.allow {
		e := &p.allow[i]
		switch {
		case e.name != "" && commands && urls:
			add(e, CodePolicyDead, "a name has no effect while the list holds commands and URLs", "remove it")
		case e.name != "":
			add(e, CodePolicyLabel, "a name is a label: any definition that calls itself so is allowed", "use serverCommand or serverUrl")
		case e.command != nil:
			var found []string
			commandShape(e.command, func(code Code, _, text string) {
				if code == CodeUnpinnedPackage || code == CodeFloatingImage || code == CodeShellCommand || code == CodeInlineCode {
					found = append(found, text)
				}
			}, 0)
			if len(found) > 0 {
				add(e, CodePolicyFloating, "what this command runs can change under the same words: "+found[0], "pin an exact version or digest")
			}
		default:
			pat, err := parsePattern(e.url)
			if err != nil {
				continue
			}
			host := pat.host
			switch {
			case host == "*" || strings.HasPrefix(host, "*") && !strings.HasPrefix(host, "*."):
				add(e, CodePolicyWide, "the host also matches names that others can register: "+quote(host), "write *."+strings.TrimLeft(host, "*."))
			case strings.HasSuffix(host, "*"):
				add(e, CodePolicyWide, "the host has an open end: "+quote(host), "write the whole host")
			case strings.HasPrefix(host, "*.") && !strings.Contains(strings.TrimPrefix(host, "*."), "."):
				add(e, CodePolicyWide, "the host matches a whole top-level domain: "+quote(host), "write *.example.com")
			}
			if pat.scheme == "http" || pat.scheme == "*" || pat.scheme == "ws" || strings.Contains(pat.scheme, "*") {
				add(e, CodePolicyWide, "the scheme allows connections that are not encrypted", "write https")
			}
		}
	}
	for i := range p.deny {
		e := &p.deny[i]
		if e.name != "" {
			add(e, CodePolicyLabel, "a denied name stops nobody who takes another name", "deny by serverCommand or serverUrl")
		}
		if pat, err := parsePattern(e.url); err == nil && e.url != "" && oddHost(strings.ReplaceAll(pat.host, "*", "x")) {
			add(e, CodePolicyDead, "the host has letters outside a to z, or is a number: it matches this spelling only", "write it as xn--…, or as a plain address")
		}
		if e.command != nil {
			add(e, CodePolicyLabel, "a denied command stops only this exact spelling", "use a list of what is allowed")
		}
	}
	return out
}
