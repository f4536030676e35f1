package bashcheck

import (
	"path"
	"slices"
	"strings"
)

// dirs are where the shell stands after success and after failure.
type dirs struct{ ok, fail Dir }

func union(a, b Dir) Dir {
	if !a.Known() || !b.Known() {
		return Dir{}
	}
	if sameDir(a, b) {
		return a
	}
	out := slices.Clone(a.Paths())
	for _, p := range b.Paths() {
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	if len(out) > 16 {
		return Dir{}
	}
	return Dir{&out}
}

func (d dirs) any() Dir { return union(d.ok, d.fail) }

func sameDir(a, b Dir) bool {
	return a.paths == b.paths || a.Known() && b.Known() && slices.Equal(a.Paths(), b.Paths())
}

// gitDir follows `git -C dir`, which is cd for this one command.
func (w *walker) gitDir(c *Command, argv []word) ([]word, []Effect) {
	if len(argv) < 4 || argv[1].Text != "-C" || !argv[1].Static || !argv[2].Static || argv[2].Glob || argv[2].Text == "" || argv[2].Text[0] == '-' {
		return argv, nil
	}
	from := w.st.dir
	d := enterDir(from, argv[2].Text)
	w.st.dir, c.Dir = d, d
	list := Effect{Kind: List, Target: argv[2].Text, Extent: Exact, Dir: from, Span: argv[2].Span}
	return append([]word{argv[0]}, argv[3:]...), []Effect{list}
}

// enterDir is where a change to the directory leads.
func enterDir(from Dir, to string) Dir {
	if strings.HasPrefix(to, "/") {
		return newDir(path.Clean(to))
	}
	if !from.Known() {
		return Dir{}
	}
	var out []string
	for _, p := range from.Paths() {
		if q := path.Join(p, to); !slices.Contains(out, q) {
			out = append(out, q)
		}
	}
	return Dir{&out}
}

// cd follows a change of directory.
func (w *walker) cd(c *Command, argv []word, redirected []Effect) dirs {
	before := w.st.dir
	c.Class, c.Prefix, c.Summary = Plain, argv[0].Text, "goes back to the folder before"
	if len(argv) == 1 && argv[0].Text == "cd" {
		c.Summary = "goes"
	}
	if argv[0].Text != "popd" && len(argv) > 1 {
		c.Summary = "goes"
		if argv[1].Text == "-" {
			c.Summary = "goes back to the folder before"
		}
	}
	args := argv[1:]
	for len(args) > 0 && args[0].Static && (args[0].Text == "-L" || args[0].Text == "-P" || args[0].Text == "--") {
		if args[0].Text == "-P" {
			before = Dir{}
		}
		args = args[1:]
	}
	target, known := "", false
	switch {
	case argv[0].Text == "popd" && len(args) == 0:
		c.Described = true // back to where nothing in this text tells
	case argv[0].Text == "cd" && len(args) == 1 && args[0].Static && args[0].Text == "-":
		c.Described = true // to $OLDPWD
	case argv[0].Text == "popd" || len(args) > 1 || argv[0].Text == "pushd" && (len(args) == 0 || strings.HasPrefix(args[0].Text, "+")):
	case len(args) == 0:
		home := w.get("HOME")
		target, known = home.text, home.known && strings.HasPrefix(home.text, "/")
		c.Described = true
	case (w.d == Zsh || w.d == Any) && strings.HasPrefix(args[0].Text, "+"): // to zsh an entry of the stack that pushd keeps
	case args[0].Static && !args[0].Glob && args[0].Text != "-" && args[0].Text != "" && !strings.HasPrefix(args[0].Text, "-"):
		target, known = args[0].Text, true
		c.Described = true
	case !args[0].mayBeFlag(), args[0].lead == '/': // several words are an error
		c.Described = true
	}
	after := Dir{}
	e := Effect{Kind: List, Dir: c.Dir, Span: c.Span}
	if known {
		e.Target, e.Extent = target, Exact
		if !strings.HasPrefix(target, "/") && !strings.HasPrefix(target, ".") {
			w.assume(AssumeNoCDPATH)
		}
		after = enterDir(before, target)
	}
	c.Effects = redirected
	if argv[0].Text != "popd" || !c.Described { // to a folder that pushd has reported
		c.Effects = append([]Effect{e}, redirected...)
	}
	if !c.Described {
		c.Effects = append(c.Effects, Effect{Kind: Unknown, Dir: c.Dir, Span: c.Span})
	}
	for _, a := range c.Assignments {
		if !a.Inert {
			c.Effects = append(c.Effects, Effect{Kind: Environment, Target: a.Name, Extent: Exact, Span: a.Value.Span})
			after = Dir{}
		}
	}
	w.add()
	return dirs{after, w.st.dir}
}
