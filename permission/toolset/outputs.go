package toolset

import (
	"path"
	"strings"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/scope"
)

// A rule that allows a command covers what the command writes to ordinary files
// of the workspace, also where its form is not understood. A rule that denies
// editing must hold all the same. So the words of such a command are read once
// more, generously: a place in the text that names an output is a Write, which
// deny and ask rules see; an output that cannot be read (-o "$x") is one that
// may be anywhere; and a name in the text of a program, or among the operands of
// one that edits files, may be written where a rule speaks of it. Nothing here
// ever makes a rule allow more.
//
// It does not see what a program writes that no word of the command names: a
// script in a file does what it likes (of sed and awk it is read), and so does
// what a variable holds inside of a script. That takes a sandbox.

// longOutputs are the long flags, without their dashes, that name in nearly
// every program a file or a directory that is written. A unique beginning of one
// is the same flag to many programs.
var longOutputs = []string{
	"output", "out", "outfile", "out-file", "output-file", "outdir", "out-dir", "output-dir", "output-directory", "output-document", "output-path",
	"log-file", "logfile", "save", "report-file", "junitxml", "junit-xml", "append-output", "coverprofile", "cpuprofile", "memprofile", "blockprofile", "mutexprofile", "outputdir",
}

// programOutputs are the output flags of single programs: letters of short flags
// and long flags without their dashes.
var programOutputs = map[string]struct {
	letters string
	long    []string
}{
	"curl":       {"oDc", []string{"dump-header", "cookie-jar", "stderr", "trace", "trace-ascii", "libcurl", "etag-save", "alt-svc", "hsts"}},
	"wget":       {"OoaP", []string{"directory-prefix", "rejected-log", "warc-file", "hsts-file", "save-cookies"}},
	"sort":       {"o", nil},
	"shuf":       {"o", nil},
	"iconv":      {"o", nil},
	"less":       {"oO", []string{"LOG-FILE"}},
	"time":       {"o", nil},
	"strace":     {"o", nil},
	"ltrace":     {"o", nil},
	"perf":       {"o", nil},
	"patch":      {"or", []string{"reject-file"}},
	"openssl":    {"", []string{"out", "keyout", "writerand"}},
	"ssh-keygen": {"f", nil},
	"csplit":     {"f", []string{"prefix"}},
	"unzip":      {"d", nil},
	"gcc":        {"o", []string{"MF"}},
	"cc":         {"o", []string{"MF"}},
	"clang":      {"o", []string{"MF"}},
	"go":         {"o", []string{"o", "trace"}},
	"tcpdump":    {"w", nil},
	"psql":       {"oL", nil},
	"pg_dump":    {"f", []string{"file"}},
	"gpg":        {"o", nil},
	"cpio":       {"O", nil},
	"terraform":  {"", []string{"out"}},
	"javac":      {"d", nil},
	"mvn":        {"l", nil},
	"docker":     {"o", []string{"iidfile", "cidfile", "metadata-file"}},
	"pip":        {"", []string{"log"}},
	"git":        {"o", nil},
	"yq":         {"s", nil},
}

// launchers are programs whose first operands name another one, beside starters.
var launchers = map[string]bool{
	"npx": true, "bunx": true, "pnpm": true, "yarn": true, "uv": true, "uvx": true, "poetry": true, "pipenv": true, "bundle": true, "pipx": true, "hatch": true, "pdm": true, "npm": true,
}

// editors change the files that their operands name.
var editors = map[string]bool{
	"ed": true, "ex": true, "vi": true, "vim": true, "nvim": true, "nano": true, "emacs": true, "black": true, "isort": true, "rustfmt": true, "autopep8": true, "sponge": true,
	"7z": true, "7za": true, "xxd": true, "uniq": true, "objcopy": true, "strip": true, "ffmpeg": true, "convert": true, "magick": true, "sqlite3": true, "script": true, "csplit": true,
}

// changers change every operand, in every form. copiers change the last one.
var (
	changers = map[string]bool{"tee": true, "touch": true, "truncate": true, "rm": true, "rmdir": true, "mkdir": true, "unlink": true, "shred": true, "chmod": true, "chown": true, "chgrp": true}
	copiers  = map[string]bool{"cp": true, "mv": true, "ln": true, "install": true, "rsync": true, "scp": true}
)

// outputs collects what a command that is not understood names for its output.
type outputs struct {
	b     *builder
	c     *bashcheck.Command
	of    int
	names []string // of the programs that it may be
	// dirs are the folders that relative names may start at (go build -C, curl
	// --output-dir).
	dirs []string
	// unread says that an output was told of which cannot be read.
	unread bool
}

// programs sets which programs the command may be, and says whether it changes
// the files among its operands.
func (o *outputs) programs() (edits bool) {
	if len(o.c.Argv) == 0 {
		return false
	}
	name := program(o.c)
	o.names = append(o.names, name)
	if starters[name] || launchers[name] {
		for _, w := range o.c.Argv[1:min(len(o.c.Argv), 9)] {
			o.names = append(o.names, path.Base(w.Text))
		}
	}
	return o.inPlace()
}

// find adds what the command may write, as far as that is protected or a rule
// over editing speaks of it.
func (o *outputs) find() {
	c := o.c
	if len(c.Argv) == 0 {
		return
	}
	for i, w := range c.Argv {
		flag, v, has := strings.Cut(w.Text, "=")
		switch flag {
		case "-C", "--directory", "--output-dir", "--prefix", "--cwd":
			if !has && i+1 < len(c.Argv) && c.Argv[i+1].Static {
				v = c.Argv[i+1].Text
			}
			if w.Static && v != "" && len(o.dirs) < 4 && program(c) != "git" {
				o.dirs = append(o.dirs, v)
			}
		}
	}
	o.flags()
	for _, n := range o.names {
		switch n {
		case "sed", "gsed":
			o.sed()
		case "awk", "gawk", "mawk", "nawk", "original-awk", "busybox":
			o.awk()
		case "find":
			o.after("-fprint", "-fprint0", "-fls", "-fprintf")
		case "dd":
			o.assigned("of=")
		case "tar", "bsdtar", "gtar":
			o.tar()
		case "curl":
			o.upload()
			if o.remoteName() {
				o.downloads(false)
			}
		case "wget":
			o.downloads(true)
		case "git":
			if i := o.word("bundle"); i > 0 && o.word("create") == i+1 {
				o.at(i + 2)
			}
		case "script":
			o.at(len(c.Argv) - 1)
		}
		if copiers[n] && len(c.Argv) > 2 {
			o.at(len(c.Argv) - 1)
		}
	}
}

// word is the place of a word, or -1.
func (o *outputs) word(text string) int {
	for i, w := range o.c.Argv {
		if i > 0 && w.Static && w.Text == text {
			return i
		}
	}
	return -1
}

// at takes word i for an output, unless it is a flag.
func (o *outputs) at(i int) {
	if i < 1 || i >= len(o.c.Argv) {
		return
	}
	w := o.c.Argv[i]
	switch {
	case !w.Static || w.Glob:
		o.unknown(w)
	case !strings.HasPrefix(w.Text, "-"):
		o.writes(w.Text, w)
	}
}

func (o *outputs) after(flags ...string) {
	for _, f := range flags {
		for i, w := range o.c.Argv {
			if w.Static && w.Text == f {
				o.at(i + 1)
			}
		}
	}
}

func (o *outputs) assigned(prefix string) {
	for _, w := range o.c.Argv[1:] {
		if v, ok := strings.CutPrefix(w.Text, prefix); ok && w.Static {
			o.writes(v, w)
		} else if ok {
			o.unknown(w)
		}
	}
}

// long says that a flag, without its dashes, names an output. whole wants its
// whole name.
func (o *outputs) long(name string, whole bool) bool {
	is := func(flag string) bool {
		return flag == name || !whole && strings.HasPrefix(flag, name) && (len(name) > 2 || name[0] == 'o')
	}
	if name == "" {
		return false
	}
	for _, f := range longOutputs {
		if is(f) {
			return true
		}
	}
	for _, n := range o.names {
		for _, f := range programOutputs[n].long {
			if is(f) {
				return true
			}
		}
	}
	return strings.HasSuffix(name, "_out") // protoc --go_out=
}

func (o *outputs) letter(c byte) bool {
	for _, n := range o.names {
		if strings.IndexByte(programOutputs[n].letters, c) >= 0 {
			return true
		}
	}
	return false
}

// flags reads the flags that name an output: --output=f, --output f, a beginning
// of it, -o f, -of, -o=f and -xof.
func (o *outputs) flags() {
	for i, w := range o.c.Argv {
		t := w.Text
		if i == 0 || len(t) < 2 || t[0] != '-' {
			continue
		}
		if !w.Static {
			// What stands before the part that is not known.
			t = strings.NewReplacer(`"`, "", `'`, "").Replace(t)
			if k := strings.IndexAny(t, "$`<>("); k >= 0 {
				t = t[:k]
			}
			if len(t) < 2 {
				continue
			}
		}
		name, value, has := strings.Cut(strings.TrimLeft(t, "-"), "=")
		if o.long(name, t[:2] != "--") && (t[:2] == "--" || len(name) > 1) {
			o.value(i, value, has)
			continue
		}
		if t[:2] == "--" {
			continue
		}
		for k := 1; k < len(t); k++ {
			c := t[k]
			if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
				break
			}
			if c != 'o' && !o.letter(c) {
				continue
			}
			rest := t[k+1:]
			if k > 1 && !o.letter(c) {
				// Among other letters of a program that is not known here.
				if rest != "" {
					o.may(rest, w)
				} else if i+1 < len(o.c.Argv) && o.c.Argv[i+1].Static {
					o.may(o.c.Argv[i+1].Text, o.c.Argv[i+1])
				}
				break
			}
			if v, ok := strings.CutPrefix(rest, "="); ok {
				o.value(i, v, true)
			}
			o.value(i, rest, rest != "")
			break
		}
	}
}

// value takes the value of a flag in word i for an output: the one that is
// attached, or the next word.
func (o *outputs) value(i int, value string, attached bool) {
	w := o.c.Argv[i]
	switch {
	case !w.Static || attached && w.Glob:
		o.unknown(w)
	case attached:
		o.writes(value, w)
	default:
		o.at(i + 1)
	}
}

// tar writes its archive where it makes one.
func (o *outputs) tar() {
	makes := false
	for i, w := range o.c.Argv[1:] {
		switch t := w.Text; {
		case t == "--create" || t == "--append" || t == "--update" || t == "--concatenate" || t == "--catenate",
			(i == 0 || len(t) > 1 && t[0] == '-' && t[1] != '-') && strings.ContainsAny(t, "cruA") && !strings.ContainsAny(t, "=/."):
			makes = true
		case len(t) > 3 && strings.HasPrefix("--create", t):
			makes = true
		}
	}
	if !makes {
		return
	}
	for i := 1; i < len(o.c.Argv); i++ {
		t := o.c.Argv[i].Text
		name, value, has := strings.Cut(t, "=")
		switch {
		case len(name) > 4 && strings.HasPrefix("--file", name):
			o.value(i, value, has)
		case strings.HasPrefix(t, "--"):
		case i == 1 && !strings.HasPrefix(t, "-"):
			if strings.Contains(t, "f") {
				o.at(i + 1)
			}
		case strings.HasPrefix(t, "-"):
			if k := strings.IndexByte(t, 'f'); k > 0 {
				o.value(i, t[k+1:], k+1 < len(t))
			}
		}
	}
}

// upload: curl -T writes what a file: URL names.
func (o *outputs) upload() {
	uploads := false
	for _, w := range o.c.Argv[1:] {
		uploads = uploads || strings.HasPrefix(w.Text, "-T") || strings.HasPrefix(w.Text, "--upload")
	}
	for _, w := range o.c.Argv[1:] {
		if _, rest, ok := strings.Cut(w.Text, "file:"); ok && uploads {
			if !w.Static {
				o.unknown(w)
				continue
			}
			rest = strings.TrimPrefix(strings.TrimPrefix(rest, "//"), "localhost")
			o.writes(rest, w)
		}
	}
}

// remoteName says that curl names its output as the URL does.
func (o *outputs) remoteName() bool {
	for _, w := range o.c.Argv[1:] {
		t := w.Text
		if strings.HasPrefix(t, "--remote-n") || len(t) > 1 && t[0] == '-' && t[1] != '-' && strings.Contains(t, "O") {
			return true
		}
	}
	return false
}

// downloads adds what is named after the last part of a URL.
func (o *outputs) downloads(maybe bool) {
	for _, w := range o.c.Argv[1:] {
		t := w.Text
		if strings.HasPrefix(t, "-") || !strings.Contains(t, "/") {
			continue
		}
		t, _, _ = strings.Cut(t, "?")
		t, _, _ = strings.Cut(t, "#")
		t = t[strings.LastIndexByte(t, '/')+1:]
		switch {
		case !w.Static && (t == "" || strings.ContainsAny(t, "$`\"'")):
			if !maybe {
				o.unknown(w)
			}
		case t != "":
			o.place(t, w, maybe)
		}
	}
}

// inPlace says that the command changes the files among its operands.
func (o *outputs) inPlace() bool {
	for _, n := range o.names {
		if editors[n] || writers[n] && n != "sed" {
			return true
		}
	}
	for _, w := range o.c.Argv[1:] {
		t := w.Text
		switch {
		case t == "inplace" || strings.HasSuffix(t, "=inplace") || t == "-iinplace": // gawk
			return true
		case !strings.HasPrefix(t, "-"):
		case strings.HasPrefix(t, "--in-p"), strings.HasPrefix(t, "--inp"), t == "--write", t == "--fix", strings.HasPrefix(t, "--fix="):
			return true
		case t[:min(2, len(t))] == "--":
		default:
			for _, n := range o.names {
				switch n {
				case "perl", "ruby":
					if strings.Contains(t, "i") {
						return true
					}
				case "yq", "clang-format", "sed", "gsed":
					if strings.HasPrefix(t, "-i") {
						return true
					}
				case "gofmt", "goimports", "gofumpt", "shfmt", "prettier", "misspell":
					if t == "-w" {
						return true
					}
				}
			}
		}
	}
	return false
}

// writes adds an output that the text names.
func (o *outputs) writes(name string, w bashcheck.Word) { o.place(name, w, false) }

// may adds a name that may be an output, where a rule over editing speaks of it.
func (o *outputs) may(name string, w bashcheck.Word) { o.place(name, w, true) }

func (o *outputs) place(name string, w bashcheck.Word, maybe bool) {
	if name == "" || len(name) > 4096 || strings.ContainsRune(name, 0) || device(name, true) {
		return
	}
	b := o.b
	a := permission.Action{Kind: permission.Write, Of: o.of, Origin: permission.Operand, Span: span(w.Span)}
	dirs := b.places(o.c.Dir)
	for _, in := range o.dirs {
		for _, d := range dirs {
			dirs = append(dirs[:len(dirs):len(dirs)], absolute(d, in))
		}
	}
	for _, d := range dirs {
		p := b.resolve(d, name, scope.Write)
		a.Path = p
		a.Path.Extent = permission.Exact
		switch {
		case !maybe && (p.Class == permission.Protected || p.Class == permission.Forbidden || p.Class == permission.Sensitive):
			b.addOnce(a)
		case b.namedForWriting(&p):
			b.addMaybe(a, maybe)
		default:
			// A rule for everything in a directory means what is made in it.
			if p = b.resolve(d, strings.TrimSuffix(name, "/")+"/\u2026", scope.Write); b.namedForWriting(&p) {
				a.Path = p
				a.Path.Extent = permission.Exact
				b.addMaybe(a, maybe)
			}
		}
	}
}

// addMaybe adds an action, as one that may happen where maybe is set. Such a one
// has no class: nothing but rules judges it.
func (b *builder) addMaybe(a permission.Action, maybe bool) {
	if a.Maybe = maybe; maybe {
		a.Path.Class, a.Path.ClassName, a.Path.Secret = permission.Unclassified, "", ""
	}
	b.addOnce(a)
}

// unknown adds an output of which the text does not tell where it is.
func (o *outputs) unknown(w bashcheck.Word) {
	if o.unread {
		return
	}
	o.unread = true
	o.b.add(permission.Action{Kind: permission.Write, Of: o.of, Origin: permission.Operand, Maybe: true, Path: permission.Path{Extent: permission.Anywhere}, Span: span(w.Span),
		Note: "Where the command writes its output is not known before it runs."})
}

// namedForWriting says that a deny or ask rule speaks of writing the path.
func (b *builder) namedForWriting(p *permission.Path) bool {
	if _, ok := b.rules.(writeLookout); !ok || p.Clean == "" {
		return false
	}
	if _, ok := b.deniesWriting(p.Clean); ok {
		return true
	}
	if p.Real != p.Clean && p.Real != "" {
		if _, ok := b.deniesWriting(p.Real); ok {
			return true
		}
	}
	for _, also := range p.Also {
		if _, ok := b.deniesWriting(also); ok {
			return true
		}
	}
	return false
}
