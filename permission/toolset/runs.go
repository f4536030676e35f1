package toolset

import (
	"fmt"
	"path"
	"strings"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/scope"
)

// inert says whether an assignment changes no more than how a program talks:
// those that the analyzer knows, and variables that build tools read for the
// name of a profile or a platform, with a plain value.
func inert(a *bashcheck.Assignment) bool {
	if a.Inert {
		return true
	}
	switch a.Name {
	case "NODE_ENV", "GOOS", "GOARCH", "RUST_BACKTRACE", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE":
	default:
		return false
	}
	if !a.Value.Static || a.Value.Glob {
		return false
	}
	for i := 0; i < len(a.Value.Text); i++ {
		if c := a.Value.Text[i] | 0x20; !(c >= 'a' && c <= 'z') && !(a.Value.Text[i] >= '0' && a.Value.Text[i] <= '9') {
			return false
		}
	}
	return true
}

// withoutInert returns the text of a command without its inert assignments, or
// "" where it has others.
func withoutInert(c *bashcheck.Command) string {
	text := c.Text
	for i := range c.Assignments {
		a := &c.Assignments[i]
		if a.Inert {
			continue
		}
		rest, ok := strings.CutPrefix(text, a.Name+"="+a.Value.Text+" ")
		if !inert(a) || !ok {
			return ""
		}
		text = rest
	}
	return text
}

// starters are programs that run what their operands say, for commands whose
// form is not understood. Deny and ask rules see every word of theirs as the
// beginning of a command.
var starters = map[string]bool{
	"busybox": true, "toybox": true, "sudo": true, "doas": true, "su": true, "runuser": true, "setpriv": true, "capsh": true, "env": true,
	"nice": true, "ionice": true, "chrt": true, "taskset": true, "timeout": true, "time": true, "nohup": true, "stdbuf": true,
	"setsid": true, "watch": true, "flock": true, "xargs": true, "parallel": true, "script": true, "unbuffer": true, "chronic": true,
	"firejail": true, "bwrap": true, "unshare": true, "nsenter": true, "chroot": true, "proot": true, "fakeroot": true, "strace": true,
	"ltrace": true, "gdb": true, "valgrind": true, "perf": true, "systemd-run": true, "proxychains": true, "proxychains4": true, "torsocks": true,
	"caffeinate": true, "arch": true, "setarch": true, "linux32": true, "linux64": true, "prlimit": true, "cgexec": true, "numactl": true,
	"catchsegv": true, "exec": true, "command": true, "builtin": true, "direnv": true, "devbox": true, "mise": true, "nocorrect": true,
	"ssh-agent": true, "dbus-run-session": true, "entr": true, "at": true, "batch": true, "tsp": true, "rlwrap": true, "socat": true, "dumb-init": true, "tini": true,
}

// addRun adds an action for a Run, with an empty command to be filled in.
func (b *builder) addRun(c *permission.Command) *permission.Action {
	a := b.slot()
	a.Kind, a.Origin, a.Command = permission.Run, permission.Tool, c
	return a
}

// run describes a command to the rules. It keeps the texts for allow rules in
// room, an empty slice, and returns what is left of that.
func (b *builder) run(rep *bashcheck.Report, c *bashcheck.Command, at *part, room []string, run *permission.Action) []string {
	run.Span = span(c.Span)
	out := run.Command
	out.Closed, out.ExactOnly, out.Opaque, out.Dynamic = c.Described, c.ExactOnly, at.opaque, c.Dynamic
	out.Edits, out.Prefix, out.Runner = c.Edits, c.Prefix, c.Class == bashcheck.Runner
	if digest, inputs := b.content(c); digest != "" {
		out.Describe(permission.CommandDetails{Digest: digest, Inputs: inputs})
	}
	elsewhere := b.elsewhere(c)
	if elsewhere != "" {
		run.Note = fmt.Sprintf("What it runs lies in %s, outside the working directories, and a rule for it means what this workspace holds.", elsewhere)
	}
	if !at.opaque && elsewhere == "" {
		verbatim := ""
		if c.Span.Start >= 0 && c.Span.Start < c.Span.End && int(c.Span.End) <= len(rep.Source) && !redirected(c) {
			verbatim = rep.Source[c.Span.Start:c.Span.End]
		}
		if len(c.Plain) > 0 && c.Plain[0] == c.Text && len(c.Assignments) == 0 && c.Text != "" && (verbatim == "" || verbatim == c.Text) {
			// The usual case: the text is spelled one way.
			out.Allow = c.Plain[:1:1]
		} else {
			if room == nil {
				room = make([]string, 0, len(rep.Commands)+2)
			}
			out.Allow = appendNew(room, c.Text)
			out.Allow = appendNew(out.Allow, withoutInert(c))
			out.Allow = appendNew(out.Allow, verbatim)
			n := len(out.Allow)
			if room = out.Allow[n:]; n == 0 {
				out.Allow = nil
			}
			out.Allow = out.Allow[:n:n]
		}
		if at.fed {
			// A rule without a wildcard does not speak of the words to come.
			more := make([]string, len(out.Allow))
			for i, text := range out.Allow {
				more[i] = text + " " + permission.DynamicWord
			}
			out.Allow = more
		}
	}
	dynamic := c.Dynamic
	for i := range c.Argv {
		dynamic = dynamic || !c.Argv[i].Static || c.Argv[i].Glob
	}
	out.Dynamic = dynamic
	starts := !c.Described && (c.Class == bashcheck.Wrapper || starters[at.program])
	if !dynamic && !starts && len(c.Plain) == 1 && c.Plain[0] != "" && plainly(c) && !optionsFirst(c) {
		out.Deny = c.Plain[:1:1]
	} else {
		out.Deny = denied(c, dynamic, starts)
	}
	if paths := c.Dir.Paths(); len(paths) == 1 {
		out.Dir = b.at(paths[0])
	}
	return room
}

// elsewhere returns the directory outside of all zones in which a command runs
// what lies there (make, ./x, python3 x.py), "" where it does not: cd changes what
// such a command means.
func (b *builder) elsewhere(c *bashcheck.Command) string {
	switch c.Class {
	case bashcheck.Runner, bashcheck.Shell, bashcheck.Interpreter:
	default:
		if w := &c.Argv; len(*w) == 0 || strings.HasPrefix((*w)[0].Text, "/") || !strings.Contains((*w)[0].Text, "/") {
			return ""
		}
	}
	for _, p := range c.Dir.Paths() {
		if dir := b.at(p); dir != b.dir && b.look("/", dir, scope.List).path.Zone == permission.Outside {
			return dir
		}
	}
	return ""
}

// plainly says that joining the words of a command gives its plain form, and
// that its program has no other spelling.
func plainly(c *bashcheck.Command) bool {
	rest := c.Plain[0]
	for i := range c.Argv {
		w := c.Argv[i].Text
		if i == 0 {
			for j := 0; j < len(w); j++ {
				if c := w[j]; c == '/' || c >= 'A' && c <= 'Z' || c >= 0x80 {
					return false
				}
			}
		} else {
			if rest == "" || rest[0] != ' ' {
				return false
			}
			rest = rest[1:]
		}
		if !strings.HasPrefix(rest, w) {
			return false
		}
		rest = rest[len(w):]
	}
	return rest == "" && len(c.Argv) > 0 && c.Argv[0].Text != ""
}

// denied are the texts of a command for deny and ask rules. starts says that
// any of its words may be a program that it starts.
func denied(c *bashcheck.Command, dynamic, starts bool) []string {
	var out []string
	if !dynamic {
		for _, p := range c.Plain {
			out = appendNew(out, p)
		}
	}
	words := make([]string, len(c.Argv))
	for i := range c.Argv {
		if w := &c.Argv[i]; w.Static && !w.Glob {
			words[i] = w.Text
		} else {
			words[i] = permission.DynamicWord
		}
	}
	if len(words) > 0 {
		out = appendNew(out, strings.Join(words, " "))
		if base := path.Base(words[0]); base != words[0] {
			words[0] = base
			out = appendNew(out, strings.Join(words, " "))
		}
		// Programs are found without regard to case on some file systems.
		if lower := strings.ToLower(words[0]); lower != words[0] {
			words[0] = lower
			out = appendNew(out, strings.Join(words, " "))
		}
	}
	if optionsFirst(c) {
		out = withoutOptions(words, out)
	}
	if starts {
		// Which word is the program that it starts is not known: each may be.
		for i := 1; i < len(words) && len(out) < 64; i++ {
			if w := words[i]; strings.HasPrefix(w, "-") {
				continue
			}
			rest := append([]string{path.Base(words[i])}, words[i+1:]...)
			out = appendNew(out, strings.Join(words[i:], " "))
			out = appendNew(out, strings.Join(rest, " "))
		}
	}
	if len(out) == 0 {
		return []string{permission.DynamicWord}
	}
	return out
}

// optionsFirst says that options stand before the sub-command of a program that
// has some. A rule for git push means git -C . push and git -c a.b=c push too.
func optionsFirst(c *bashcheck.Command) bool {
	if len(c.Argv) < 3 || c.Argv[1].Static && !strings.HasPrefix(c.Argv[1].Text, "-") {
		return false
	}
	switch program(c) {
	case "git", "gh", "glab", "hg", "svn", "docker", "podman", "nerdctl", "docker-compose", "kubectl", "oc", "helm", "npm", "pnpm", "yarn", "bun", "deno", "cargo", "go", "pip", "pip3", "uv", "poetry", "gem", "bundle", "composer",
		"mvn", "gradle", "make", "aws", "gcloud", "az", "terraform", "tofu", "pulumi", "ansible", "systemctl", "apt", "apt-get", "dnf", "yum", "brew", "snap", "flatpak", "vagrant", "heroku", "fly", "vercel", "firebase", "dotnet", "openssl", "ip":
		return true
	}
	return false
}

// withoutOptions adds the texts of a command without the options that stand
// before its sub-command. Which of these take the next word is not known.
func withoutOptions(words, out []string) []string {
	for i, option := 1, false; i < len(words) && len(out) < 64; i++ {
		if strings.HasPrefix(words[i], "-") {
			switch words[i] {
			case "--no-pager", "-P", "-p", "--paginate", "--no-optional-locks", "--bare", "--silent", "-s", "--debug", "--verbose", "-v", "-q", "--quiet", "-y", "--yes":
				option = false
			default:
				option = !strings.Contains(words[i], "=")
			}
			continue
		}
		out = appendNew(out, words[0]+" "+strings.Join(words[i:], " "))
		if !option {
			break // the sub-command
		}
		option = false
	}
	return out
}

// repeats says that a program may start several commands of the text again and
// again (find -exec A -exec B, xargs sh -c 'A; B'), so that each runs before
// and after the others.
func (s *shellCall) repeats() bool {
	for i := range s.rep.Commands {
		switch s.parts[i].program {
		case "find", "fd", "fdfind", "xargs", "gxargs", "parallel", "watch", "entr", "watchexec", "nodemon", "inotifywait":
			if s.parts[i].parent && len(s.rep.Commands) > 2 {
				return true
			}
		}
	}
	return false
}

func redirected(c *bashcheck.Command) bool {
	for i := range c.Effects {
		if c.Effects[i].ByShell {
			return true
		}
	}
	return false
}

func appendNew(list []string, s string) []string {
	if s == "" {
		return list
	}
	for _, x := range list {
		if x == s {
			return list
		}
	}
	return append(list, s)
}

// closed says whether every effect of a described command becomes an action.
func closed(c *bashcheck.Command, hasChild bool) bool {
	switch c.Class {
	case bashcheck.Plain, bashcheck.Wrapper, bashcheck.Interpreter:
	default:
		// A shell runs what it reads, a runner what the workspace defines.
		return false
	}
	for i := range c.Effects {
		e := &c.Effects[i]
		switch e.Kind {
		case bashcheck.Unknown:
			return false
		case bashcheck.Execute:
			if !hasChild || e.Target != "" {
				return false
			}
		}
	}
	return true
}

// program is the base name of the program of a command, or "".
func program(c *bashcheck.Command) string {
	if c == nil || len(c.Argv) == 0 || !c.Argv[0].Static || c.Argv[0].Glob {
		return ""
	}
	name := c.Argv[0].Text
	if name != "" && strings.IndexByte(name, '/') < 0 {
		return name
	}
	return path.Base(name)
}
