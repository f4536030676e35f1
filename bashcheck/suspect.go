package bashcheck

import (
	"path"
	"slices"
	"strings"
)

// flow says that what the commands [from, to) print reaches the commands
// [into, end): by a pipe, or by a substitution in their words.
type flow struct {
	from, to, into, end int
	pipe                bool
}

// suspect adds the findings that are about several commands together or about
// what a command reaches. They look at the tree and at effects, never at text.
func (w *walker) suspect() {
	r := &w.rep
	for _, f := range w.flows {
		w.suspectFlow(f)
	}
	for i := range r.Commands {
		c := &r.Commands[i]
		asked, sends := false, false
		reaches := func() bool {
			if !asked {
				asked, sends = true, network(c)
			}
			return sends
		}
		for k := range c.Effects {
			switch e := &c.Effects[k]; e.Kind {
			case Read:
				if !e.kept && (e.ByShell || !e.Own && e.Extent != Anywhere) && reaches() {
					w.exfiltration(*e, c, c.Span, false)
				}
			case List:
			default:
				w.suspectEffect(*e)
			}
		}
		if c.vague() && reaches() && path.Base(short(c)) != "ssh" { // whose words are of the other machine
			w.namedSecrets(c, c)
		}
	}
	for _, e := range r.Loose {
		w.suspectEffect(e)
	}
	// The innermost command around a finding is the one it is about.
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Command != 0 || f.Span == spanAt(0, len(r.Source)) && len(r.Commands) != 1 || f.Span == (Span{}) {
			continue
		}
		best := -1
		for k, c := range r.Commands {
			if c.Span.Start <= f.Span.Start && f.Span.End <= c.Span.End && (best < 0 || c.Span.End-c.Span.Start < r.Commands[best].Span.End-r.Commands[best].Span.Start) {
				best = k
			}
		}
		f.Command = best + 1
	}
}

// network says that a command sends to a network: by its effects or, where it
// is not described, by its name.
func network(c *Command) bool {
	for i := range c.Effects {
		if e := &c.Effects[i]; e.Kind == Connect && !e.Own {
			return true
		}
	}
	if len(c.Argv) == 0 || !c.Argv[0].Static {
		return false
	}
	switch baseName(c.Argv[0].Text) {
	case "curl", "wget", "nc", "ncat", "netcat", "socat", "ssh", "scp", "sftp", "rsync", "ftp", "tftp", "telnet", "dig", "nslookup", "host", "ping",
		"http", "https", "xh", "aria2c", "lynx", "mail", "sendmail", "websocat", "rclone", "s3cmd", "gsutil":
		return true
	}
	return false
}

func (w *walker) suspectFlow(f flow) {
	r := &w.rep
	f.to, f.end = min(f.to, len(r.Commands)), min(f.end, len(r.Commands))
	if f.from >= f.to || f.into >= f.end {
		return
	}
	fetched := false
	for i := f.from; i < f.to && !f.pipe && !fetched; i++ {
		fetched = network(&r.Commands[i]) || decodes(&r.Commands[i])
	}
	for i := f.into; i < f.end; i++ {
		c := &r.Commands[i]
		if len(c.Argv) == 0 {
			continue
		}
		sends := network(c)
		switch {
		case f.pipe && readsProgram(c) && !c.Substituted:
			w.findAt(CodePipeToShell, Dangerous, c.Span, i+1, "what the pipe delivers is run as a program by %s", escape(baseName(c.Argv[0].Text)))
		case f.pipe && c.Class == Shell && c.Parent > 0 && r.Commands[c.Parent-1].Argv[0].Text == "xargs":
			w.findAt(CodePipeToShell, Dangerous, c.Span, i+1, "what the pipe delivers becomes part of a shell program")
		case f.pipe && sends && slices.ContainsFunc(r.Commands[f.from:f.to], func(c Command) bool { return c.Class == Shell && readsProgram(&c) }):
			w.findAt(CodeGivesControl, Suspicious, c.Span, i+1, "what a shell prints goes to the other end of a connection, which may be where its commands come from")
		case !f.pipe && fetched:
			if name := baseName(c.Argv[0].Text); c.Class == Shell || c.Class == Interpreter || name == "eval" || name == "source" || name == "." {
				w.findAt(CodePipeToShell, Dangerous, c.Span, i+1, "what another command fetches or decodes is run as a program by %s", escape(name))
			}
		}
		if sends {
			for k := f.from; k < f.to; k++ {
				for _, e := range r.Commands[k].Effects {
					w.exfiltration(e, c, c.Span, !f.pipe)
				}
				if r.Commands[k].vague() {
					w.namedSecrets(&r.Commands[k], c)
				}
			}
		}
	}
}

// decodes says that the output of a command is nothing a person reads.
func decodes(c *Command) bool {
	if len(c.Argv) == 0 {
		return false
	}
	switch path.Base(c.Argv[0].Text) {
	case "base64", "base32", "xxd", "openssl", "uudecode", "gunzip", "zcat":
		return true
	}
	return false
}

// readsProgram says that a shell or an interpreter takes its program from its
// input.
func readsProgram(c *Command) bool {
	if c.Class != Shell && c.Class != Interpreter {
		return false
	}
	switch path.Base(c.Argv[0].Text) {
	case "eval", "source", ".", "awk", "gawk", "mawk", "nawk":
		return false
	}
	for _, a := range c.Argv[1:] {
		if a.Text == "-" || a.Text == "-s" || a.Text == "/dev/stdin" {
			return true
		}
		if !strings.HasPrefix(a.Text, "-") || c.Class == Interpreter || strings.HasPrefix(a.Text, "-c") || a.Text == "--version" {
			return false
		}
	}
	return true
}

// exfiltration reports what a command reads and another, or itself, sends.
func (w *walker) exfiltration(e Effect, c *Command, s Span, inWords bool) {
	what, sev := "", Notice
	switch {
	case e.Kind == Environment && (e.Target == "" || secretName(e.Target)) && !e.ByShell:
		what, sev = "the environment", Dangerous
	case e.Kind == Read && secretPath(w.spelled(e)):
		what, sev = "the secret file "+escape(w.spelled(e)), Dangerous
	case e.Kind == Read && e.Extent == Anywhere:
		what = "a file that the text does not name"
	case e.Kind == Read && e.readsEnvironment():
		what, sev = "the environment", Dangerous
	case e.Kind == Read && secretPath(e.Target):
		what, sev = "the secret file "+escape(e.Target), Dangerous
	case e.Kind == Read && !e.Own:
		what = "the file " + escape(e.Target)
	default:
		return
	}
	if inWords && sev < Suspicious {
		sev = Suspicious
	}
	to := ""
	for _, x := range c.Effects {
		if x.Kind == Connect && len(x.Target) > 1 {
			to = " to " + escape(x.Target)
			break
		}
	}
	w.findAt(CodeExfiltration, sev, s, 0, "%s is sent over the network by %s%s", what, escape(short(c)), to)
}

// vague says that a command may read files that its effects do not name.
func (c *Command) vague() bool {
	if !c.Described {
		return true
	}
	for i := range c.Effects {
		if e := &c.Effects[i]; e.Extent == Anywhere && !e.ByShell && (e.Kind == Unknown || e.Kind == Read || e.Kind == Write || e.Kind == Execute) {
			return true
		}
	}
	return false
}

// namedSecrets reports the secret files among the words of from, a vague
// command, which to may send. What a flag of keys.txt names is used.
func (w *walker) namedSecrets(from, to *Command) {
	for i, a := range from.Argv[min(1, len(from.Argv)):] {
		flag, text := from.Argv[i].Text, a.Text
		if at := strings.LastIndexAny(text, "@="); at >= 0 { // --post-file=.env, -F file=@.env
			if strings.HasPrefix(text, "-") {
				flag, _, _ = strings.Cut(text, "=")
			}
			text = text[at+1:]
		}
		if w.a.keys()[flag] && !strings.Contains(a.Text, "@") {
			continue
		}
		if before, _, remote := strings.Cut(text, ":"); remote && !strings.Contains(before, "/") || strings.HasPrefix(text, "-") || !secretPath(text) {
			continue // HOST:PATH is a file there
		}
		if slices.ContainsFunc(from.Effects, func(e Effect) bool { return e.kept && a.Span.Start <= e.Span.Start && e.Span.End <= a.Span.End }) {
			continue
		}
		w.findAt(CodeExfiltration, Dangerous, to.Span, 0, "the secret file %s may be sent over the network by %s", escape(text), escape(short(to)))
	}
}

// spelled is the path of an effect as the text spells it where the home
// directory that it begins with is not known; empty otherwise.
func (w *walker) spelled(e Effect) string {
	if e.Target != "" || e.Span.Start < 0 || int(e.Span.End) > len(w.rep.Source) || e.Span.Start >= e.Span.End {
		return ""
	}
	text := strings.ReplaceAll(w.rep.Source[e.Span.Start:e.Span.End], `"`, "")
	if e.ByShell {
		text = strings.TrimLeft(text, "0123456789<>&| \t")
	}
	if _, ok := belowHome(text); !ok && !strings.HasPrefix(text, "~") {
		return ""
	}
	return text
}

// belowHome is the path below the home directory of a text that begins with it,
// cleaned and with a slash before it.
func belowHome(text string) (string, bool) {
	for _, home := range []string{"~", "$HOME", "${HOME}"} {
		if rest, ok := strings.CutPrefix(text, home); ok && (rest == "" || rest[0] == '/') {
			return path.Clean("/" + rest), true
		}
	}
	return "", false
}

// secretPath says that a file is one that holds credentials, by its name.
func secretPath(p string) bool {
	base := path.Base(p)
	switch base {
	case ".netrc", "_netrc", ".npmrc", ".pypirc", ".git-credentials", ".pgpass", "credentials", "credentials.json", "shadow", "gshadow", "master.passwd",
		"id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", ".htpasswd", "kubeconfig", ".bash_history", ".zsh_history", "secrets.yml", "secrets.yaml", "secrets.json":
		return true
	}
	if strings.HasPrefix(base, ".env") && base != ".env.example" && base != ".env.sample" && base != ".env.template" {
		return true
	}
	switch path.Ext(base) {
	case ".pem", ".key", ".p12", ".pfx", ".keystore", ".jks", ".kdbx":
		return true
	}
	for part := range strings.SplitSeq(p, "/") {
		switch part {
		case ".ssh", ".aws", ".gnupg", ".kube", ".docker", ".azure", ".password-store":
			return true
		}
	}
	return false
}

func (w *walker) suspectEffect(e Effect) {
	at := e.Span
	switch e.Kind {
	case Privilege:
		w.findAt(CodePrivilege, Notice, at, 0, "it runs with other rights")
	case Delete, Change:
		if e.Extent == Exact || e.Own {
			return
		}
		if what := w.vital(e); what != "" {
			verb := "deletes"
			if e.Kind == Change {
				verb = "changes the rights of"
			}
			w.findAt(CodeDestructive, Dangerous, at, 0, "it %s %s", verb, what)
		}
	case Write:
		if device(e.Target) {
			w.findAt(CodeDestructive, Dangerous, at, 0, "it writes to the device %s", escape(e.Target))
			return
		}
		if e.Target == "" {
			e.Target = w.spelled(e)
		}
		if what := startsLater(e); what != "" {
			w.findAt(CodePersistence, Suspicious, at, 0, "it writes %s, %s", escape(e.Target), what)
		}
	}
}

// vital names what is lost with the target of a removal, or is empty.
func (w *walker) vital(e Effect) string {
	t := path.Clean(e.Target)
	if e.Target == "" {
		if below, ok := belowHome(w.spelled(e)); ok && (below == "/" || path.Dir(below) == "/" && strings.Trim(below, "/*.?") == "") {
			return "the home directory"
		}
		return ""
	}
	if e.Extent == Glob {
		if base := path.Base(t); strings.Trim(base, "*.?") != "" {
			return ""
		}
		t = path.Dir(t)
		if t == "." && !strings.HasPrefix(e.Target, "/") {
			return ""
		}
	}
	switch t {
	case "/":
		return "the whole file system"
	case "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/opt", "/proc", "/root", "/sbin", "/srv", "/sys", "/usr", "/var",
		"/Users", "/System", "/Library", "/Applications", "/usr/bin", "/usr/lib", "/usr/local", "/var/lib":
		return "the system folder " + t
	}
	if t == ".." || strings.HasSuffix(t, "/..") || strings.HasPrefix(t, "../") && strings.Trim(t, "./") == "" {
		return "the folder above"
	}
	if home := w.a.opts.Home; home != "" && t == path.Clean(home) {
		return "the home directory " + escape(t)
	}
	if rest, ok := cutAny(t, "/home/", "/Users/"); ok && !strings.Contains(rest, "/") {
		return "the home directory " + escape(t)
	}
	return ""
}

// device says that a path is a disk or the memory.
func device(t string) bool {
	rest, ok := strings.CutPrefix(path.Clean(t), "/dev/")
	if !ok {
		return false
	}
	for _, p := range []string{"sd", "hd", "vd", "nvme", "disk", "rdisk", "mmcblk", "mapper/", "dm-", "md", "mem", "kmem", "port"} {
		if strings.HasPrefix(rest, p) {
			return true
		}
	}
	return false
}

// startsLater says when what is written to a path would run by itself.
func startsLater(e Effect) string {
	if e.Own || e.Target == "" {
		return ""
	}
	t := path.Clean(e.Target)
	switch path.Base(t) {
	case ".bashrc", ".bash_profile", ".bash_login", ".profile", ".zshrc", ".zshenv", ".zprofile", ".zlogin", ".kshrc", ".cshrc", "config.fish", ".bash_logout", ".inputrc", ".vimrc", ".xinitrc", ".xprofile":
		return "which shells or programs run when they start"
	case "authorized_keys", "authorized_keys2":
		return "which decides who may log in"
	case "crontab":
		return "which runs at set times"
	}
	s := "/" + t + "/"
	for _, p := range []struct{ dir, why string }{
		{"/.git/hooks/", "which git runs"}, {"/cron.d/", "which runs at set times"}, {"/cron.daily/", "which runs at set times"},
		{"/cron.hourly/", "which runs at set times"}, {"/spool/cron/", "which runs at set times"}, {"/systemd/system/", "which the system starts"},
		{"/systemd/user/", "which the system starts"}, {"/LaunchAgents/", "which the system starts"}, {"/LaunchDaemons/", "which the system starts"},
		{"/.config/autostart/", "which the desktop starts"}, {"/etc/profile.d/", "which shells run when they start"}, {"/init.d/", "which the system starts"},
	} {
		if strings.Contains(s, p.dir) {
			return p.why
		}
	}
	return ""
}

// findAt adds a finding about a command, once.
func (w *walker) findAt(code string, sev Severity, s Span, command int, format string, args ...any) {
	n := len(w.rep.Findings)
	w.find(code, sev, false, s, format, args...)
	if len(w.rep.Findings) == n {
		return
	}
	f := &w.rep.Findings[n]
	f.Command = command
	for _, old := range w.rep.Findings[:n] {
		if old.Code == f.Code && old.Text == f.Text && old.Span == f.Span {
			w.rep.Findings = w.rep.Findings[:n]
			return
		}
	}
}
