package credstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
)

// CommandOptions say what a child program gets. Nothing else of this process reaches it.
type CommandOptions struct {
	// Dir is where it starts. Empty: the present directory.
	Dir string
	// Env gives a variable the value of an entry: {"GH_TOKEN": "github/token"}. Processes of the same user can read the
	// environment of a running program (see proc_pid_environ(5)); prefer Files or Stdin where the program can read them.
	Env map[string]string
	// Files are entries that the program reads from file descriptors 3, 4, … in this order. Not on Windows.
	Files []string
	// Stdin is the entry that the program reads from its standard input. Empty: none.
	Stdin string
	// Inherit are the names of our variables that it gets besides the minimal environment: PATH, HOME, the locale and the
	// like. Names that credstore's keys come from are never passed on.
	Inherit []string
	// Set are further variables, "NAME=value", that hold no secret.
	Set []string
}

// maxPipe is what a pipe takes before anybody reads it.
const maxPipe = 16 << 10

// Command returns a command, ready to start, that gets secrets by its environment, by file descriptors or by standard input,
// never by its arguments, and nothing else of ours: no variable that is not named, no other open file. Set Stdout and
// Stderr before starting it; send them through the Redactor if a model reads them. Call release when it was started, or is
// not going to be.
//
// Go marks every file that it opens as close-on-exec. What it did not open, a descriptor above 2 that this program was
// started with or that a C library made, is marked here, for good; descriptors in cmd.ExtraFiles are passed on all the same.
//
// An entry with Meta.Commands goes only to those programs. Variables that load code or change what runs (PATH, LD_*,
// NODE_OPTIONS, GIT_*_COMMAND and the like) are refused. A value passed by a pipe has at most 16 KiB.
//
// Errors: those of Get; ErrBadValue for a NUL byte, before anything starts; ErrCommand; ErrBadPlaceholder for a ${cred:…}
// in the arguments; exec.ErrNotFound.
func (s *Store) Command(ctx context.Context, options CommandOptions, argv ...string) (cmd *exec.Cmd, release func(), err error) {
	if len(argv) == 0 || argv[0] == "" {
		return nil, nil, fmt.Errorf("credstore: %w: no program", ErrCommand)
	}
	for _, arg := range argv {
		if strings.Contains(arg, "${cred:") {
			return nil, nil, fmt.Errorf("credstore: %w: a secret in the arguments can be read by every user of the machine; use Env, Files or Stdin", ErrBadPlaceholder)
		}
	}
	path, err := findProgram(argv[0])
	if err != nil {
		return nil, nil, err
	}
	keepDescriptors()
	if runtime.GOOS == "windows" && len(options.Files) > 0 {
		return nil, nil, fmt.Errorf("credstore: file descriptors: %w", errors.ErrUnsupported)
	}
	cmd = exec.CommandContext(ctx, path, argv[1:]...)
	cmd.Args[0] = argv[0]
	cmd.Dir = options.Dir
	cmd.Env = baseEnv(options.Inherit, s.keyVariables())
	for _, pair := range options.Set {
		name, _, ok := strings.Cut(pair, "=")
		if !ok || !variableName(name) || dangerousVariable(name) {
			return nil, nil, fmt.Errorf("credstore: %w: variable %+q", ErrCommand, name)
		}
		cmd.Env = append(cmd.Env, pair)
	}
	var open []*os.File
	release = func() {
		for _, f := range open {
			f.Close()
		}
		open = nil
	}
	defer func() {
		if err != nil {
			release()
			cmd, release = nil, nil
		}
	}()
	value := func(name string) (Secret, error) {
		e, err := s.look(ctx, name, "", "")
		if err != nil {
			return Secret{}, err
		}
		if only := e.meta.Commands; len(only) > 0 && !slices.Contains(only, path) {
			return Secret{}, fmt.Errorf("credstore: %q: %w: it is for %s, not for %s", name, ErrCommand, strings.Join(only, ", "), path)
		}
		return s.get(ctx, name, "use", path)
	}
	for _, variable := range slices.Sorted(maps.Keys(options.Env)) {
		name := options.Env[variable]
		if !variableName(variable) || dangerousVariable(variable) {
			return cmd, release, fmt.Errorf("credstore: %w: no secret may set the variable %+q", ErrCommand, variable)
		}
		secret, err := value(name)
		if err != nil {
			return cmd, release, err
		}
		if err = secret.view(func(b []byte) error {
			if bytes.IndexByte(b, 0) >= 0 {
				return fmt.Errorf("credstore: %q in variable %s: %w: it has a NUL byte", name, variable, ErrBadValue)
			}
			cmd.Env = append(cmd.Env, variable+"="+string(b))
			return nil
		}); err != nil {
			return cmd, release, err
		}
	}
	pipe := func(name string) (*os.File, error) {
		secret, err := value(name)
		if err != nil {
			return nil, err
		}
		if secret.Len() > maxPipe {
			return nil, fmt.Errorf("credstore: %q: %w: a pipe takes %d bytes", name, ErrTooLarge, maxPipe)
		}
		r, w, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		defer w.Close()
		open = append(open, r)
		return r, secret.view(func(b []byte) error { _, err := w.Write(b); return err })
	}
	for _, name := range options.Files {
		f, err := pipe(name)
		if err != nil {
			return cmd, release, err
		}
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	if options.Stdin != "" {
		f, err := pipe(options.Stdin)
		if err != nil {
			return cmd, release, err
		}
		cmd.Stdin = f
	}
	return cmd, release, nil
}

// keyVariables are the names of the variables that key sources read.
func (s *Store) keyVariables() []string {
	var out []string
	for _, source := range s.options.Keys {
		if e, ok := source.(*environmentSource); ok {
			out = append(out, e.name)
		}
	}
	return out
}

// baseVariables are passed on to every child.
func baseVariables() []string {
	return []string{"PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR",
		"SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "TEMP", "TMP", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA"}
}

// baseEnv is the environment of a child: what every program needs, and what was named, without the variables of keys.
func baseEnv(inherit, keys []string) []string {
	out := []string{}
	for _, name := range append(baseVariables(), inherit...) {
		value, ok := os.LookupEnv(name)
		if !ok || slices.Contains(keys, name) || strings.HasPrefix(name, "CREDSTORE_") || name == "CREDENTIALS_DIRECTORY" {
			continue
		}
		out = append(out, name+"="+value)
	}
	return out
}

func variableName(name string) bool {
	for i, r := range name {
		if !(r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r == '_' || i > 0 && r >= '0' && r <= '9') {
			return false
		}
	}
	return name != ""
}

// dangerousVariable reports whether a variable makes programs load or run something.
func dangerousVariable(name string) bool {
	name = strings.ToUpper(name)
	switch name {
	case "PATH", "HOME", "IFS", "ENV", "BASH_ENV", "SHELL", "SHELLOPTS", "BASHOPTS", "PS4", "PROMPT_COMMAND", "CDPATH", "PAGER", "EDITOR", "VISUAL",
		"BROWSER", "NODE_OPTIONS", "NODE_PATH", "PERL5OPT", "PERL5LIB", "PERL5DB", "RUBYOPT", "RUBYLIB", "JAVA_TOOL_OPTIONS",
		"_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH", "GOFLAGS", "GOPATH", "RUSTC_WRAPPER", "MAKEFLAGS", "LESSOPEN", "LESSCLOSE", "SSH_ASKPASS",
		"GCONV_PATH", "LOCPATH", "COMSPEC", "PATHEXT", "TMPDIR", "GEM_PATH", "GEM_HOME", "LUA_INIT", "LUA_PATH", "LUA_CPATH", "PHPRC", "PHP_INI_SCAN_DIR",
		"DOTNET_STARTUP_HOOKS", "CARGO_HOME", "RUSTC", "RUSTFLAGS", "GOROOT", "CC", "CXX", "ZDOTDIR", "INPUTRC", "VIMINIT", "EXINIT",
		"OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES", "ELECTRON_RUN_AS_NODE", "ERL_FLAGS", "R_PROFILE", "R_ENVIRON":
		return true
	}
	for _, prefix := range []string{"LD_", "DYLD_", "PYTHON", "BASH_FUNC_", "GIT_", "GLIBC_", "CREDSTORE_", "LUA_INIT_"} {
		if strings.HasPrefix(name, prefix) && name != "GIT_TOKEN" && name != "GIT_PASSWORD" && name != "GIT_USERNAME" {
			return true
		}
	}
	return false
}

// Resolve returns the value of an entry as a string, for what takes nothing else: the environment of an MCP server at the
// moment it is started, say. Its signature is that of a resolver for ${cred:name}. A string cannot be cleared; prefer Get.
//
// It does not know who gets the value: Meta.Hosts does not count here (see ResolveFor), and an entry with Meta.Commands,
// which is for certain programs only, is refused.
//
// Errors: those of Get, ErrCommand, and ErrBadValue for a value that no variable can hold (a NUL byte).
func (s *Store) Resolve(ctx context.Context, name string) (string, error) {
	e, err := s.look(ctx, name, "", "")
	if err != nil {
		return "", err
	}
	if only := e.meta.Commands; len(only) > 0 {
		return "", fmt.Errorf("credstore: %q: %w: it is for %s, and who asks is not known here", name, ErrCommand, strings.Join(only, ", "))
	}
	secret, err := s.get(ctx, name, "use", "resolve")
	if err != nil {
		return "", err
	}
	defer secret.Clear()
	var out string
	err = secret.view(func(b []byte) error {
		if bytes.IndexByte(b, 0) >= 0 {
			return fmt.Errorf("credstore: %q: %w: it has a NUL byte", name, ErrBadValue)
		}
		out = string(b)
		return nil
	})
	return out, err
}
