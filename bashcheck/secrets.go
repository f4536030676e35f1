package bashcheck

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// secretWords are the words by which the name of a variable tells that it holds
// credentials; secretEnds the ones that a name ends with.
var (
	secretWords = [...]string{"TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "APIKEY", "API_KEY", "ACCESS_KEY", "PRIVATE", "CREDENTIAL"}
	secretEnds  = [...]string{"_KEY", "_PASS", "SSHPASS", "_PWD", "_DSN", "DATABASE_URL", "_PAT", "_AUTH", "_COOKIE", "_JWT", "CONNECTION_STRING", "AUTH_CONFIG"}
)

// secretName says that a variable is one that holds credentials, by its words.
func secretName(name string) bool {
	switch name {
	case "GOPRIVATE", "TOKENIZERS_PARALLELISM":
		return false
	}
	for _, s := range secretWords {
		for i := 0; i+len(s) <= len(name); i++ {
			if strings.EqualFold(name[i:i+len(s)], s) {
				return true
			}
		}
	}
	for _, s := range secretEnds {
		if len(name) >= len(s) && strings.EqualFold(name[len(name)-len(s):], s) {
			return true
		}
	}
	return false
}

// expands notes the expansion of a variable that comes out of the environment
// and by its name holds a credential. What the text itself gave a value before,
// and always, does not; nor does an expansion that leaves the value out.
func (w *walker) expands(x *syntax.ParamExp) {
	if x.Param == nil || x.Length || !secretName(x.Param.Value) || w.get(x.Param.Value).own {
		return
	}
	if x.Exp != nil && (x.Exp.Op == syntax.AlternateUnset || x.Exp.Op == syntax.AlternateUnsetOrNull) {
		return // ${X:+word} is the word
	}
	w.secrets = append(w.secrets, secret{Effect{Kind: Environment, Target: x.Param.Value, Extent: Exact, Dir: w.st.dir, Span: w.nodeSpan(x)}, w.subst})
}

// secret is the expansion of a credential.
type secret struct {
	effect Effect
	subst  int // in how many substitutions it stands
}

// unshown forgets the secrets since mark that stand right here: what a
// substitution inside makes of its own is shown all the same.
func (w *walker) unshown(mark int) {
	kept := w.secrets[:mark]
	for _, s := range w.secrets[mark:] {
		if s.subst > w.subst {
			kept = append(kept, s)
		}
	}
	w.secrets = kept
}

// shownAnyhow keeps unshown from forgetting the secrets since mark: the shell
// itself prints the word of ${x:?word} where x has no value.
func (w *walker) shownAnyhow(mark int) {
	for i := range w.secrets[mark:] {
		w.secrets[mark+i].subst++
	}
}

// secretsSince takes the secrets since mark.
func (w *walker) secretsSince(mark int) (out []Effect) {
	for _, s := range w.secrets[mark:] {
		out = append(out, s.effect)
	}
	w.secrets = w.secrets[:mark]
	return out
}

// showsSecrets says that a command with these words may show one of them, or
// something that depends on it. Tests for emptiness do not, nor does what
// ignores its words.
func showsSecrets(argv []word) bool {
	if !argv[0].Static {
		return true
	}
	args := argv[1:]
	switch argv[0].Text {
	case ":", "true", "false":
		return false
	case "[", "test":
		if n := len(args); argv[0].Text == "[" && n > 0 && args[n-1].Static && args[n-1].Text == "]" {
			args = args[:n-1]
		}
		if len(args) > 1 && args[0].Static && args[0].Text == "!" {
			args = args[1:]
		}
		if len(args) == 2 && args[0].Static && (args[0].Text == "-n" || args[0].Text == "-z") {
			args = args[1:]
		}
		return len(args) != 1 || args[0].fields
	}
	return true
}

// usesSecrets says that a command with these effects does not show the
// credentials that its words and redirections expand. A program that connects or
// runs others is given one in order to use it, and what it does stands in its
// other effects.
func usesSecrets(effects []Effect) bool {
	for i := range effects {
		switch effects[i].Kind {
		case Connect, Execute, Unknown:
			return true
		}
	}
	return false
}

// surely says that an assignment gives its variable a value whatever else
// holds: an error in arithmetic or in an expansion would leave it as it was, and
// bash goes on with the next line.
func surely(a *syntax.Assign) bool {
	if a.Append || a.Index != nil || a.Array != nil || a.Naked {
		return false
	}
	if a.Value == nil {
		return true
	}
	ok := true
	syntax.Walk(a.Value, func(n syntax.Node) bool {
		switch x := n.(type) {
		case *syntax.CmdSubst:
			return false // the value is what it prints, were it nothing
		case *syntax.ParamExp:
			ok = ok && x.Exp == nil && x.Index == nil && x.Slice == nil && x.Repl == nil
		case *syntax.ArithmExp, *syntax.ProcSubst, *syntax.ExtGlob:
			ok = false
		}
		return ok
	})
	return ok
}

// readInto notes that read, where it succeeded as the condition of a loop, gave
// values to the variables that it names. Elsewhere it may have failed and left
// them as they were, and so may it with a flag that makes it look only (-t 0).
func (w *walker) readInto(cond []*syntax.Stmt) {
	if len(cond) != 1 || cond[0].Negated || cond[0].Background {
		return
	}
	c, ok := cond[0].Cmd.(*syntax.CallExpr)
	if !ok || len(c.Args) == 0 || c.Args[0].Lit() != "read" {
		return
	}
	for _, a := range c.Args[1:] {
		if t := a.Lit(); t != "-r" && !syntax.ValidName(t) {
			return
		}
	}
	for _, a := range c.Args[1:] {
		if t := a.Lit(); secretName(t) {
			w.set(t, value{own: true})
		}
	}
}
