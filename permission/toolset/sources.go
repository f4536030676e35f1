package toolset

import (
	"slices"
	"strings"
	"sync"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/permission"
)

// source is a program whose output, or what it leaves behind, is a source of
// untrusted text or of secrets. Words are sub-commands or flags of which one
// has to stand first behind it; none is always.
type source struct {
	program string
	words   string
	brings  permission.Labels
	why     string
	yes, no string // examples
}

// sources are told apart by their names, which is all that is needed: a label
// too many asks once more, and connections label by themselves.
var sources = []source{
	{"env", "", permission.SensitiveData, "prints the environment", "env", "env FOO=1 ls"},
	{"printenv", "", permission.SensitiveData, "prints the environment", "printenv", "echo printenv"},
	{"export", "-p", permission.SensitiveData, "prints the environment", "export -p", "export A=b"},
	{"declare", "-x -p -px -xp", permission.SensitiveData, "prints variables", "declare -p", "declare -i n"},
	{"typeset", "-x -p -px -xp", permission.SensitiveData, "prints variables", "typeset -x", "typeset -i n"},
	{"set", "", permission.SensitiveData, "prints variables", "set", "set -e"},
	{"pass", "show", permission.SensitiveData, "prints a password", "pass show x", "pass ls"},
	{"op", "read", permission.SensitiveData, "prints a secret", "op read op://a/b", "op whoami"},
	{"security", "find-generic-password find-internet-password dump-keychain", permission.SensitiveData, "prints a password", "security find-generic-password -w", "security list-keychains"},
	{"secret-tool", "lookup", permission.SensitiveData, "prints a secret", "secret-tool lookup a b", "secret-tool clear a b"},
	{"gpg", "-d --decrypt --export-secret-keys", permission.SensitiveData, "prints what was encrypted", "gpg -d x", "gpg --list-keys"},
	{"gh", "auth", permission.SensitiveData, "handles credentials", "gh auth token", "gh pr list"},
	{"gcloud", "auth", permission.SensitiveData, "handles credentials", "gcloud auth print-access-token", "gcloud info"},
	{"tar", "", permission.Untrusted, "unpacks files of somebody else", "tar xf a.tgz", "tar cf a.tgz src"},
	{"bsdtar", "", permission.Untrusted, "unpacks files of somebody else", "bsdtar -x -f a.zip", "bsdtar -c -f a.zip src"},
	{"unzip", "", permission.Untrusted, "unpacks files of somebody else", "unzip a.zip", "zip a.zip src"},
	{"7z", "x e", permission.Untrusted, "unpacks files of somebody else", "7z x a.7z", "7z a b.7z src"},
	{"cpio", "", permission.Untrusted, "unpacks files of somebody else", "cpio -i", "find ."},
	{"git", "clone submodule fetch pull", permission.Untrusted, "brings files of somebody else", "git clone ../other", "git status"},
	{"gh", "repo pr issue release api", permission.Untrusted, "shows text of somebody else", "gh issue view 1", "gh auth status"},
}

// brought are the labels that the output of a command puts on the session.
// name is the base name of its program.
func brought(c *bashcheck.Command, name string) permission.Labels {
	var out permission.Labels
	if name == "" {
		return 0
	}
	all := sourcesOf()[name[0]]
	for i := range all {
		if s := &all[i]; s.program == name && s.meant(c.Argv[1:]) {
			out |= s.brings
		}
	}
	return out
}

// splitSource is a source with its words one by one.
type splitSource struct {
	program string
	words   []string
	brings  permission.Labels
}

// sourcesOf are the sources by the first letter of their program.
var sourcesOf = sync.OnceValue(func() *[256][]splitSource {
	var out [256][]splitSource
	for i := range sources {
		s := &sources[i]
		out[s.program[0]] = append(out[s.program[0]], splitSource{s.program, strings.Fields(s.words), s.brings})
	}
	return &out
})

func (s *splitSource) meant(args []bashcheck.Word) bool {
	switch {
	case len(s.words) > 0:
		for i := range args {
			w := &args[i]
			if !w.Static {
				return true
			}
			if slices.Contains(s.words, w.Text) {
				return true
			}
			if !strings.HasPrefix(w.Text, "-") {
				return false // the sub-command, and it is another one
			}
		}
		return false
	case s.program == "env":
		// With a command it prints nothing.
		for _, w := range args {
			if w.Static && !strings.HasPrefix(w.Text, "-") && !strings.Contains(w.Text, "=") {
				return false
			}
		}
	case s.program == "set":
		return len(args) == 0
	case s.program == "tar" || s.program == "bsdtar":
		for i, w := range args {
			t := w.Text
			if !w.Static || t == "--extract" || t == "--get" || (i == 0 || strings.HasPrefix(t, "-")) && !strings.HasPrefix(t, "--") && strings.Contains(t, "x") {
				return true
			}
		}
		return false
	}
	return true
}
