package permission

import "strings"

// codeRunners are programs that run code or commands given to them: shells,
// interpreters, wrappers, remote shells.
var codeRunners = map[string]bool{
	"sh": true, "bash": true, "dash": true, "zsh": true, "ksh": true, "fish": true, "csh": true, "tcsh": true, "busybox": true, "pwsh": true,
	"python": true, "pypy": true, "node": true, "nodejs": true, "deno": true, "bun": true, "ruby": true, "perl": true, "php": true, "lua": true, "tclsh": true, "tsx": true, "ts-node": true,
	"osascript": true, "awk": true, "gawk": true, "mawk": true, "nawk": true, "jshell": true, "groovy": true, "scala": true, "irb": true, "pry": true, "octave": true, "julia": true, "dc": true, "ghci": true, "iex": true, "erl": true, "racket": true, "guile": true, "sbcl": true, "clj": true, "gnuplot": true, "maxima": true, "tmux": true, "screen": true, "Rscript": true, "R": true, "java": true,
	"env": true, "sudo": true, "doas": true, "su": true, "xargs": true, "eval": true, "exec": true, "source": true, ".": true, "trap": true, "alias": true,
	"ssh": true, "nsenter": true, "chroot": true, "unshare": true, "script": true, "expect": true, "psql": true, "mysql": true, "sqlite3": true, "redis-cli": true,
	"npx": true, "pnpx": true, "bunx": true, "uvx": true, "pipx": true, "gdb": true, "vim": true, "vi": true, "ex": true, "emacs": true, "ed": true, "nano": true,
	"timeout": true, "time": true, "nice": true, "nohup": true, "stdbuf": true, "command": true, "builtin": true,
	"watch": true, "setsid": true, "ionice": true, "flock": true, "parallel": true, "strace": true, "ltrace": true, "perf": true, "valgrind": true, "entr": true, "watchexec": true, "nodemon": true, "concurrently": true, "direnv": true, "devbox": true, "mise": true,
}

// projectRunners are programs that run what a project or a registry defines,
// or reach a machine of their own: the sub-command says what, so an exact rule
// means something and a wildcard does not.
var projectRunners = map[string]bool{
	"make": true, "gmake": true, "ninja": true, "just": true, "rake": true, "gradle": true, "gradlew": true, "mvn": true, "mvnw": true, "ant": true, "bazel": true,
	"npm": true, "pnpm": true, "yarn": true, "cargo": true, "pip": true, "poetry": true, "uv": true, "bundle": true, "gem": true, "composer": true,
	"docker": true, "podman": true, "kubectl": true, "helm": true, "terraform": true, "ansible-playbook": true, "vagrant": true,
	"pytest": true, "tox": true, "nox": true, "jest": true, "vitest": true, "mocha": true, "dotnet": true, "swift": true, "mix": true,
}

// commonInterpreter is what an Evaluator knows where the host says nothing.
func commonInterpreter(program string) bool {
	return codeRunner(program) || named(projectRunners, program)
}

func codeRunner(program string) bool { return named(codeRunners, program) }

// named sets a version at the end of a name aside.
func named(set map[string]bool, program string) bool {
	return set[program] || set[strings.TrimRight(program, "0123456789.-")]
}
