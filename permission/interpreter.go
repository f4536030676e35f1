package permission

import "strings"

// interpreters are programs that run code or commands given to them: a rule
// with a wildcard for one of them allows anything.
var interpreters = map[string]bool{
	"sh": true, "bash": true, "dash": true, "zsh": true, "ksh": true, "fish": true, "csh": true, "tcsh": true, "busybox": true, "pwsh": true,
	"python": true, "node": true, "nodejs": true, "deno": true, "bun": true, "ruby": true, "perl": true, "php": true, "lua": true, "tclsh": true,
	"osascript": true, "awk": true, "gawk": true, "mawk": true, "nawk": true, "jshell": true, "groovy": true, "scala": true, "Rscript": true, "R": true,
	"env": true, "sudo": true, "doas": true, "su": true, "xargs": true, "eval": true, "exec": true, "source": true, ".": true,
	"ssh": true, "docker": true, "podman": true, "kubectl": true, "nsenter": true, "chroot": true, "unshare": true, "script": true, "expect": true,
	"npx": true, "pnpx": true, "bunx": true, "uvx": true, "pipx": true, "gdb": true, "vim": true, "vi": true, "ex": true, "emacs": true, "ed": true,
	"timeout": true, "time": true, "nice": true, "nohup": true, "stdbuf": true, "command": true, "builtin": true,
	"watch": true, "setsid": true, "ionice": true, "flock": true, "parallel": true, "strace": true, "ltrace": true, "direnv": true, "devbox": true, "mise": true,
	"make": true, "ninja": true, "just": true, "rake": true, "gradle": true, "mvn": true, "ant": true,
	"npm": true, "pnpm": true, "yarn": true, "cargo": true, "pip": true, "pip3": true, "poetry": true, "uv": true, "bundle": true, "gem": true,
}

// commonInterpreter is what an Evaluator knows where the host says nothing. A
// version at the end of a name is set aside.
func commonInterpreter(program string) bool {
	if interpreters[program] {
		return true
	}
	return interpreters[strings.TrimRight(program, "0123456789.-")]
}
