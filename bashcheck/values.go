package bashcheck

import (
	"cmp"
	"path"
	"strconv"
	"strings"
)

// useValue adds what a flag's value or an operand does, and says whether it is
// understood.
func (w *walker) useValue(v valueSpec, o word, j *judged) bool {
	switch v.kind {
	case vText:
		return v.narrow == 0 || v.fits(&o)
	case vPath:
		if v.narrow != 0 && !v.fits(&o) {
			return false
		}
		if v.kept {
			return w.kept(v, o, j)
		}
		return w.usePath(v, o, j)
	case vRemote:
		return w.remote(v, o, j)
	case vUpload:
		return w.upload(o, j)
	case vPacked:
		return w.packed(o, j)
	case vStart:
		return w.startAt(o, j)
	case vHost:
		e := Effect{Kind: Connect, Dir: w.st.dir, Span: o.Span}
		if o.Static && !o.Glob {
			e.Target, e.Extent = o.Text, Exact
		}
		j.effects = append(j.effects, e)
		return true
	case vURL:
		e := Effect{Kind: Connect, Dir: w.st.dir, Span: o.Span}
		if o.Static && !o.Glob {
			e.Target, e.Port = hostOf(o.Text)
			if e.Target != "" {
				e.Extent = Exact
			}
		}
		j.effects = append(j.effects, e)
		return true
	case vShell:
		j.shells = append(j.shells, o)
		return true
	case vDD:
		return w.ddOperand(o, j)
	case vAssign:
		w.environmentSet(o, j)
		return true
	case vEnvName:
		switch o.Text {
		case "PATH", "HOME", "USER", "SHELL", "PWD", "LANG", "TERM", "TZ", "LOGNAME", "HOSTNAME", "EDITOR", "GOPATH", "GOROOT", "VIRTUAL_ENV", "JAVA_HOME":
			return o.Static
		}
		j.effects = append(j.effects, Effect{Kind: Environment, Target: o.Text, Extent: Exact, Dir: w.st.dir, Span: o.Span})
		return true
	case vVarName:
		return w.variable(o, j)
	case vFileMode:
		if setsUser(o.Text) {
			j.warnings = append(j.warnings, &runsAsOwner)
		}
		return true
	case vPrintf:
		return w.printfFormat(o, j)
	case vSSFilter:
		return o.Static && !o.Glob && ssFilter(o.Text, &j.socket)
	case vReplace:
		j.replace = o.Text
		return o.Static && o.Text != ""
	case vUserName:
		w.plainUser(&o)
		return o.Static && !o.Glob || !o.mayBeFlag()
	case vAwkVar:
		if o.Static && !o.Glob || !awkAssignment(o.guessed().prefix) || o.Span.Start < 0 || int(o.Span.End) > len(w.rep.Source) || o.Span.Start >= o.Span.End {
			return o.Static && !o.Glob
		}
		return !strings.ContainsAny(w.rep.Source[o.Span.Start:o.Span.End], "(`") // a variable, not what a command prints
	}
	if v.kind >= firstFileKind {
		return w.useFile(v.kind, o, j)
	}
	return understood(v.kind, &o)
}

// useFile is useValue for the kinds of files that one program alone takes.
func (w *walker) useFile(kind valueKind, o word, j *judged) bool {
	spelled := o.Static && !o.Glob
	switch kind {
	case vZipFile:
		return w.zipFile(o, j)
	case vGzipFile:
		return w.gzipFile(o, j)
	case vSource:
		return w.source(o, j)
	case vAwkFile:
		return spelled && awkAssignment(o.Text) || !mayBeInet(o) && w.usePath(pathOf(Read, Exact), o, j)
	case vCharset:
		// iconv of glibc takes a name with a slash for a file (charmap(5)).
		return spelled && !strings.Contains(o.Text, "/") || w.usePath(pathOf(Read, Exact), o, j)
	case vChart:
		// What begins with a dot or a slash is a path or an error (helm's
		// LocateChart); of other words the repositories are asked.
		return spelled && (o.Text == "." || o.Text == ".." || strings.HasPrefix(o.Text, "./") || strings.HasPrefix(o.Text, "../") || strings.HasPrefix(o.Text, "/")) &&
			w.usePath(pathOf(Read, Tree), o, j)
	case vGitObject:
		w.gitObject(o, j)
		return true
	case vUnpacked:
		return w.unpacked(o, j)
	case vUsedFile:
		return spelled && !strings.Contains(o.Text, ",") && w.usePath(pathOf(List, Exact), o, j)
	case vOutput:
		return o.Static && o.Text == "-" || w.usePath(pathOf(Write, Exact), o, j)
	case vComposeFile:
		// Anything else may be the address of a repository or an image.
		return spelled && o.Text != "-" && !strings.ContainsAny(o.Text, ":#") && !strings.HasPrefix(o.Text, "github.com/") &&
			w.kept(pathOf(Read, Exact), o, j)
	}
	return false
}

// understood says that a value which does nothing by itself is one of those that
// the program is known to take.
func understood(kind valueKind, o *word) bool {
	spelled := o.Static && !o.Glob
	switch kind {
	case vPattern, vPIDs:
		return true
	case vNumber:
		return !o.Static || number(o.Text)
	case vDateFormat:
		return o.Static && strings.HasPrefix(o.Text, "+")
	case vFormat:
		return o.Static && !checksSignature(o.Text)
	case vGitKey:
		// Of the words that git config takes instead of the name of a setting
		// (edit, from 2.46) none has a dot.
		return spelled && strings.IndexByte(o.Text, '.') > 0
	case vGitSort:
		return o.Static && !strings.Contains(o.Text, "signature")
	case vRevision:
		switch o.Text {
		case "expire", "delete", "drop", "write":
			return false
		}
		return o.Static
	case vKubeOutput:
		// go-template-file, jsonpath-file, custom-columns-file and templatefile
		// print what is in a file.
		name, _, _ := strings.Cut(o.Text, "=")
		return o.Static && !strings.Contains(name, "file")
	case vSetOption:
		switch o.Text {
		case "errexit", "nounset", "pipefail", "errtrace", "functrace", "noclobber":
			return o.Static
		}
		return false
	case vPSLetters:
		return o.Static && strings.Trim(strings.TrimSuffix(o.Text, "o"), "auxfwlj") == "" // o: the columns follow
	case vPSFormat:
		return o.Static && psColumns(o.Text)
	case vSysctlName:
		return o.Static && strings.Contains(o.Text, ".") && !strings.ContainsAny(o.Text, "=/")
	case vInet: // :$port
		like := o.guessed().like
		return (spelled || like != "") && socketFilter(cmp.Or(like, o.Text))
	case vPcapFilter:
		return spelled && pcapFilter(o.Text)
	case vSed:
		like := o.guessed().like
		return (spelled || like != "") && sedOnlyPrints(cmp.Or(like, o.Text))
	case vAwk:
		like := o.guessed().like
		return (spelled || like != "") && awkOnlyPrints(cmp.Or(like, o.Text))
	case vJq:
		return spelled && jqOnlyReads(o.Text)
	}
	return false
}

// upload adds the file that a text of what is sent names: @FILE, NAME=@FILE.
func (w *walker) upload(o word, j *judged) bool {
	file, at := strings.CutPrefix(o.Text, "@")
	if _, v, ok := strings.Cut(o.Text, "=@"); ok && !at {
		file, at = v, true
	} else if _, v, ok := strings.Cut(o.Text, "=<"); ok && !at {
		file, at = v, true
	}
	switch {
	case !o.Static:
		if strings.Contains(o.Text, "@") || o.lead == 0 {
			j.effects = append(j.effects, Effect{Kind: Read, Dir: w.st.dir, Span: o.Span})
		}
	case at && file != "-":
		file, _, _ = strings.Cut(file, ";")
		return w.usePath(pathOf(Read, Exact), word{Word: Word{Text: file, Static: true, Span: o.Span}}, j)
	}
	return true
}

// environmentSet adds an assignment for the command that a wrapper runs.
func (w *walker) environmentSet(o word, j *judged) {
	name, val, _ := strings.Cut(o.Text, "=")
	if !o.Static {
		name = ""
	}
	vw := o
	vw.Text = val
	a := Assignment{Name: name, Value: vw.Word, Inert: inertAssign(name, vw)}
	j.assigns = append(j.assigns, a)
	if a.Inert {
		return
	}
	e := Effect{Kind: Environment, Target: name, Dir: w.st.dir, Span: o.Span}
	if name != "" {
		e.Extent = Exact
	}
	j.effects = append(j.effects, e)
}

// variable forgets the value of a shell variable that is assigned.
func (w *walker) variable(o word, j *judged) bool {
	if !o.Static || o.Glob {
		return false
	}
	w.set(o.Text, value{})
	if !w.safeName(o.Text) {
		j.effects = append(j.effects, Effect{Kind: Environment, Target: o.Text, Extent: Exact, Dir: w.st.dir, Span: o.Span})
	}
	return strings.IndexByte(o.Text, '[') < 0
}

// zipFile adds the archive that unzip reads. It looks for NAME.zip where there is
// no NAME, and takes patterns (unzip(1)).
func (w *walker) zipFile(o word, j *judged) bool {
	if !o.Static || o.Glob || o.Text == "-" || strings.ContainsAny(o.Text, "*?[") {
		return false
	}
	read := pathOf(Read, Exact)
	switch path.Ext(o.Text) {
	case ".zip", ".jar", ".war", ".ear", ".aar", ".apk", ".ipa", ".whl", ".egg", ".epub", ".docx", ".xlsx", ".pptx", ".odt", ".xpi", ".crx", ".vsix", ".nupkg":
	default:
		for _, ext := range []string{".zip", ".ZIP"} {
			named := o
			named.Text += ext
			w.usePath(read, named, j)
		}
	}
	return w.usePath(read, o, j)
}

// gitObject adds what an operand reads that may be a revision, REVISION:PATH,
// :PATH (the index) or a path. Paths in the working tree are covered by the
// effects of the sub-command; those that lead out of it are not (git diff shows
// any two files when one of them lies outside: git-diff(1), --no-index).
func (w *walker) gitObject(o word, j *judged) {
	read := func(target string) {
		j.effects = append(j.effects, Effect{Kind: Read, Target: target, Extent: Tree, Dir: w.st.dir, Span: o.Span})
	}
	if !o.Static {
		if o.lead == '/' || o.lead == 0 || o.lead == '.' || o.lead == leadObject {
			j.effects = append(j.effects, Effect{Kind: Read, Dir: w.st.dir, Span: o.Span})
		}
		return
	}
	t := o.Text
	for i := strings.IndexByte(t, ':'); i >= 0; {
		file := strings.TrimPrefix(t[i+1:], "./")
		if len(file) > 2 && (file[0] >= '0' && file[0] <= '3') && file[1] == ':' {
			file = file[2:]
		}
		if file != "" && file[0] != '/' && file[0] != '(' && file[0] != '!' && file[0] != '^' {
			read(file)
		}
		next := strings.IndexByte(t[i+1:], ':')
		if next < 0 {
			break
		}
		i += 1 + next
	}
	if clean := path.Clean(t); strings.HasPrefix(clean, "/") || clean == ".." || strings.HasPrefix(clean, "../") {
		read(clean)
	}
}

// checksSignature says that a git format starts the program that verifies
// signatures: %G? and its like, which a sign may precede (%+G?, git-log(1)), and
// the field signature of references.
func checksSignature(format string) bool {
	for rest := format; ; {
		_, after, found := strings.Cut(rest, "%")
		if !found {
			return strings.Contains(format, "%(signature") || strings.Contains(format, "%(*signature")
		}
		if strings.HasPrefix(strings.TrimLeft(after, "+- "), "G") {
			return true
		}
		rest = after
	}
}

func number(s string) bool {
	s = strings.TrimLeft(s, "+-")
	if s == "" || len(s) > 20 {
		return false
	}
	if hex, ok := strings.CutPrefix(s, "0x"); ok {
		return hex != "" && strings.Trim(hex, "0123456789abcdefABCDEF") == ""
	}
	digits := 0
	for digits < len(s) && (s[digits] >= '0' && s[digits] <= '9' || s[digits] == '.' || s[digits] == ',') {
		digits++
	}
	return digits > 0 && len(s)-digits <= 3 && strings.Trim(s[digits:], "bcwkKmMgGtTpPiBshd") == "" || s == "inf" || s == "infinity"
}

// usePath adds the effect on a path.
func (w *walker) usePath(v valueSpec, o word, j *judged) bool {
	if o.proc && (v.effect == Read || v.effect == List || v.effect == Write) {
		return true
	}
	if o.Static && o.Text == "-" && (v.effect == Read || v.effect == List) {
		return true
	}
	e := Effect{Kind: v.effect, Extent: v.extent, Dir: w.st.dir, Span: o.Span}
	switch {
	case o.Static && !o.Glob:
		e.Target = o.Text
		if o.Text == "" {
			return false
		}
		if v.extent == Within {
			// The target itself, where it is no directory.
			x := e
			x.Extent = Exact
			j.effects = append(j.effects, x)
		}
	case o.Static && o.Glob:
		e.Target = o.Text
		switch {
		case v.extent == Exact, e.Kind == List:
			e.Extent, e.Below = Glob, j.globBelow && e.Kind == Delete
		case e.Kind == Delete || e.Kind == Change:
			e.Extent, e.Below = Glob, true
		default:
			// Everything below the folder in which the pattern begins.
			e.Target, e.Extent = globBase(o.Text), Tree
		}
	case o.guess != nil && len(o.guess.one) > 0:
		for _, item := range o.guess.one {
			item.Span = o.Span
			if !w.usePath(v, word{Word: item}, j) {
				return false
			}
		}
		return true
	case o.guess != nil && len(o.guess.below) > 0:
		for _, p := range o.guess.below {
			if e.Target, e.Extent = p.Target, p.Extent; e.Extent == Glob {
				e.Target, e.Extent = globBase(p.Target), Tree
			}
			if e.Kind != Read && e.Kind != List && e.Extent == Tree {
				e.Extent = Within // what find finds below
			}
			if e.Listed = 0; o.guess.feed != nil {
				e.Plain = !o.guess.feed.nul
				if v.extent == Exact { // one that goes on below a folder reads what was not named
					e.Listed = int32(o.guess.feed.command)
				}
			}
			j.effects = append(j.effects, e)
		}
		return true
	default:
		e.Extent = Anywhere
		known := e // where nothing but numbers is unknown: /proc/$$/status
		known.Target, known.Extent = o.guessed().like, Exact
		if e.Kind == Read && (strings.Contains(o.Text, "proc") || strings.Contains(o.Text, "environ")) && (known.Target == "" || known.readsEnvironment()) {
			j.effects = append(j.effects, Effect{Kind: Environment, Dir: e.Dir, Span: o.Span})
		}
	}
	if e.Kind == Write && e.Extent == Exact && e.Target == "/dev/null" {
		return true
	}
	j.effects = append(j.effects, e)
	return true
}

// kept adds the effect on a path whose content is not sent or not lost.
func (w *walker) kept(v valueSpec, o word, j *judged) bool {
	at := len(j.effects)
	ok := w.usePath(v, o, j)
	for i := at; i < len(j.effects); i++ {
		j.effects[i].kept = true
	}
	return ok
}

// globBase is the folder in which the names that a pattern matches lie.
func globBase(pattern string) string {
	if i := strings.IndexAny(pattern, "*?[\\"); i >= 0 {
		pattern = pattern[:i]
	}
	switch i := strings.LastIndexByte(pattern, '/'); {
	case i > 0:
		return pattern[:i]
	case i == 0:
		return "/"
	}
	return "."
}

func hostOf(u string) (host string, port uint16) {
	rest := u
	if i := strings.Index(rest, "://"); i >= 0 {
		rest = rest[i+3:]
	}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	if strings.ContainsAny(rest, "{}[]*\\ ") {
		return "", 0
	}
	if h, p, ok := strings.Cut(rest, ":"); ok {
		n, err := strconv.Atoi(p)
		if err != nil || n < 1 || n > 65535 {
			return "", 0
		}
		return strings.ToLower(h), uint16(n)
	}
	return strings.ToLower(rest), 0
}

// psColumns says whether the text names only columns of ps that tell of a
// process without its environment (procps-ng 4, macOS).
func psColumns(text string) bool {
	for _, c := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		name, _, _ := strings.Cut(c, "=")
		name, _, _ = strings.Cut(name, ":")
		switch name {
		case "pid", "ppid", "pgid", "pgrp", "sid", "sess", "tid", "lwp", "spid", "nlwp", "thcount", "tgid", "tpgid",
			"user", "euser", "ruser", "suser", "uid", "euid", "ruid", "uname", "group", "egroup", "gid", "egid", "rgid", "rgroup",
			"comm", "ucmd", "ucomm", "cmd", "args", "command", "exe", "fname",
			"%cpu", "pcpu", "c", "cp", "%mem", "pmem", "rss", "rssize", "rsz", "vsz", "vsize", "size", "sz", "drs", "trs", "pss", "uss",
			"stat", "state", "s", "pri", "ni", "nice", "cls", "class", "rtprio", "policy", "psr", "wchan", "flags", "f",
			"start", "lstart", "bsdstart", "start_time", "stime", "etime", "etimes", "time", "bsdtime", "cputime", "cputimes", "times",
			"tty", "tt", "tname", "maj_flt", "min_flt", "cgroup", "label", "unit", "slice", "numa":
		default:
			return false
		}
	}
	return true
}

// runsAsOwner warns of rights that let a program run as its owner.
var runsAsOwner = warning{text: "whoever runs the file does it with the rights of its owner", control: true}

// setsUser says that a mode of chmod gives a file its owner's rights when it runs:
// 4755, u+s, a=rs. That of the group is for folders and does less.
func setsUser(mode string) bool {
	if strings.Trim(mode, "01234567") == "" {
		n, err := strconv.ParseUint(mode, 8, 32)
		return err == nil && n&0o4000 != 0
	}
	for clause := range strings.SplitSeq(mode, ",") {
		who, rights := clause, ""
		if at := strings.IndexAny(clause, "+=-"); at >= 0 {
			who, rights = clause[:at], clause[at:]
		}
		if who != "" && !strings.ContainsAny(who, "ua") {
			continue
		}
		adds := false
		for _, c := range rights {
			switch c {
			case '+', '=':
				adds = true
			case '-':
				adds = false
			case 's':
				if adds {
					return true
				}
			}
		}
		if at := strings.LastIndexAny(clause, "+="); at >= 0 && clause[at+1:] != "" && strings.Trim(clause[at+1:], "01234567") == "" && setsUser(clause[at+1:]) {
			return true // GNU: u=4755
		}
	}
	return false
}
