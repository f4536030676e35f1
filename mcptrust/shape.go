package mcptrust

import (
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Codes of findings about the shape of a server definition.
const (
	CodeShellCommand      Code = "SHELL_COMMAND"
	CodeInlineCode        Code = "INLINE_CODE"
	CodeUnpinnedPackage   Code = "UNPINNED_PACKAGE"
	CodeFloatingImage     Code = "FLOATING_IMAGE"
	CodeContainerAccess   Code = "CONTAINER_ACCESS"
	CodePlainHTTP         Code = "PLAIN_HTTP"
	CodeURLUserinfo       Code = "URL_USERINFO"
	CodeMetadataAddress   Code = "METADATA_ADDRESS"
	CodeHeadersHelper     Code = "HEADERS_HELPER"
	CodeLiteralCredential Code = "LITERAL_CREDENTIAL"
	CodeSecretInArgs      Code = "SECRET_IN_ARGS"
	CodeLoaderVariable    Code = "LOADER_VARIABLE"
	CodeSelfApproval      Code = "SELF_APPROVAL"
)

// The packages and images that name exactly one content.
var (
	rePinnedNPM  = regexp.MustCompile(`^(@[A-Za-z0-9._-]+/)?[A-Za-z0-9._-]+@v?[0-9]+\.[0-9]+\.[0-9]+([-+][A-Za-z0-9.+-]+)?$`)
	rePinnedPyPI = regexp.MustCompile(`^[A-Za-z0-9._-]+(\[[A-Za-z0-9,._-]*\])?(==|@)[0-9]+(\.[0-9]+)*([A-Za-z0-9.+!-]*)$`)
	rePinnedGo   = regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+([-+][A-Za-z0-9.+-]+)?$`)
	reDigest     = regexp.MustCompile(`@sha256:[0-9a-f]{64}$`)
)

// serverFindings lists what a person should know about a definition. It is a
// help for the prompt: the defence is that nothing runs before approval.
func serverFindings(s *Server) []Finding {
	var out []Finding
	add := func(code Code, field, text string) {
		out = append(out, Finding{Code: code, Field: Escape(field), Text: text, Confirm: true})
	}
	out = append(out, scanText("name", s.Name, false)...)
	if strings.Trim(s.Name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.") != "" {
		add(CodeBadName, "name", "the name has characters outside A-Z a-z 0-9 _ - .")
	}
	for field, v := range s.values() {
		out = append(out, scanText(Escape(field), v.Expanded(), false)...)
		out = append(out, scanText(Escape(field), field, false)...)
		if field == "command" || strings.HasPrefix(field, "args[") {
			for _, p := range v.parts {
				if p.name != "" && secretName(p.name) {
					add(CodeSecretInArgs, field, "a secret in the command line can be read by every process: pass it in env")
				}
			}
			if secretLooking(v) {
				add(CodeLiteralCredential, field, "looks like a credential written into the file")
			}
		}
		if name, ok := strings.CutPrefix(field, "env."); ok {
			if loaderVariable(name) {
				add(CodeLoaderVariable, field, "this variable decides which code runs or where data goes")
			}
			if secretLooking(v) || secretName(name) && !v.variables() {
				add(CodeLiteralCredential, field, "looks like a credential written into the file")
			}
		}
		if name, ok := strings.CutPrefix(field, "headers."); ok && (secretLooking(v) || secretName(name) && !v.variables()) {
			add(CodeLiteralCredential, field, "looks like a credential written into the file")
		}
	}
	for k, raw := range s.Extra {
		switch strings.ToLower(k) {
		case "autoapprove", "alwaysallow", "autoallow", "trust", "trusted", "allowedtools", "autostart":
			add(CodeSelfApproval, k, "a definition cannot approve itself: the field has no effect here")
		}
		if n, err := parseJSON(raw, false); err == nil {
			walkStrings(k, &n, func(field, text string) { out = append(out, scanText(Escape(field), text, false)...) })
		}
	}
	if s.Transport == Stdio {
		commandShape(s.Argv(), add, 0)
	} else if u, err := parseServerURL(s.URL.Expanded(), s.Transport); err == nil {
		host := normalHost(u.Hostname())
		addr, perr := netip.ParseAddr(host)
		loopback := host == "localhost" || perr == nil && addr.IsLoopback()
		if sch := strings.ToLower(u.Scheme); (sch == "http" || sch == "ws") && !loopback {
			add(CodePlainHTTP, "url", "not encrypted: anyone on the way can read and change it")
		}
		if u.User != nil {
			add(CodeURLUserinfo, "url", "user information before the host: a credential, or a disguised host")
		}
		if perr == nil && addr.IsLinkLocalUnicast() || host == "metadata.google.internal" || perr == nil && addr == netip.MustParseAddr("fd00:ec2::254") {
			add(CodeMetadataAddress, "url", "an address of cloud metadata services")
		}
		if strings.Contains("."+host, ".xn--") || strings.IndexFunc(host, func(r rune) bool { return r >= 0x80 }) >= 0 {
			add(CodeConfusable, "url", "the host name has letters outside a to z, which can look like others")
		}
		if perr != nil && numericHost(host) {
			add(CodeMetadataAddress, "url", "a number in place of a host name hides the address")
		}
	}
	if !s.HeadersHelper.IsZero() {
		add(CodeHeadersHelper, "headersHelper", "a shell command that runs on this machine")
	}
	return out
}

// numericHost reports the old spellings of IPv4 (0x7f.1, 2130706433).
func numericHost(h string) bool {
	last := h[strings.LastIndexByte(h, '.')+1:]
	return last != "" && last[0] >= '0' && last[0] <= '9'
}

// walkStrings calls f for every key and every string.
func walkStrings(field string, n *node, f func(field, text string)) {
	switch n.kind {
	case kindString:
		f(field, n.text)
	case kindArray:
		for i := range n.list {
			walkStrings(field, &n.list[i], f)
		}
	case kindObject:
		for i := range n.obj {
			f(field+" (a key)", n.obj[i].key)
			walkStrings(field+"."+n.obj[i].key, &n.obj[i].val, f)
		}
	}
}

func program(word string) string {
	base := path.Base(strings.ReplaceAll(word, `\`, "/"))
	base = strings.ToLower(base)
	for _, ext := range [...]string{".exe", ".cmd", ".bat"} {
		base = strings.TrimSuffix(base, ext)
	}
	return base
}

// commandShape looks at a command line, also behind programs that start others.
func commandShape(argv []string, add func(Code, string, string), depth int) {
	if len(argv) == 0 || depth > 4 {
		return
	}
	args := argv[1:]
	has := func(flags ...string) bool {
		return slices.ContainsFunc(args, func(a string) bool {
			return slices.ContainsFunc(flags, func(f string) bool { return a == f || strings.HasPrefix(a, f+"=") })
		})
	}
	name := program(argv[0])
	// python3.12 is python, node22 is node.
	stem := strings.TrimRight(name, "0123456789.")
	switch stem {
	case "sh", "bash", "zsh", "dash", "ksh", "fish", "csh", "tcsh", "busybox", "cmd", "powershell", "pwsh":
		add(CodeShellCommand, "command", "a shell: what it runs is the whole text after it")
	case "node", "nodejs", "deno", "bun", "tsx", "ts-node", "python", "pypy", "py", "perl", "ruby", "php", "lua", "osascript", "java":
		for _, a := range args {
			if !strings.HasPrefix(a, "-") && a != "eval" {
				break
			}
			long, _, _ := strings.Cut(a, "=")
			switch long {
			case "-e", "-c", "-p", "-pe", "-r", "-E", "--eval", "--print", "--require", "--import", "--loader", "--experimental-loader", "eval", "-javaagent":
				add(CodeInlineCode, "args", "code on the command line, or code loaded before the program")
			default:
				if !strings.HasPrefix(a, "--") && strings.ContainsAny(a[1:], "ec") && len(a) > 2 {
					add(CodeInlineCode, "args", "code on the command line")
				}
			}
		}
		if stem == "bun" || stem == "deno" {
			if len(args) > 0 && (args[0] == "x" || strings.HasPrefix(args[len(args)-1], "http") || strings.HasPrefix(args[len(args)-1], "npm:")) {
				add(CodeUnpinnedPackage, "args", "runs a package from the network: pin an exact version")
			}
		}
	case "npx", "bunx", "pnpx":
		npmShape(args, add)
	case "npm", "pnpm", "yarn":
		if len(args) > 0 && (args[0] == "exec" || args[0] == "x" || args[0] == "dlx") {
			npmShape(args[1:], add)
		}
	case "uvx", "pipx", "uv":
		rest := args
		if stem == "uv" && len(args) > 1 && args[0] == "tool" && args[1] == "run" {
			stem, rest = "uvx", args[2:]
		} else if stem != "uvx" {
			i := slices.IndexFunc(args, func(a string) bool { return a == "run" })
			if i < 0 {
				rest = nil
			} else {
				rest = args[i+1:]
			}
		}
		if pkg, ok := firstOperand(rest, "--from", "--with", "--python", "-p", "--index-url", "--directory"); ok && stem != "uv" || has("--from") {
			if v, found := flagValue(rest, "--from"); found {
				pkg = v
			}
			if !rePinnedPyPI.MatchString(pkg) {
				add(CodeUnpinnedPackage, "args", "no exact version: the package can be another one tomorrow")
			}
		}
		if has("--with", "--index-url", "--default-index", "--extra-index-url", "-i") {
			add(CodeUnpinnedPackage, "args", "adds packages or another package index")
		}
	case "docker", "podman", "nerdctl":
		containerShape(args, add)
	case "go":
		if len(args) > 0 && args[0] == "run" {
			pkg, ok := firstOperand(args[1:], "-C", "-ldflags", "-tags", "-mod")
			_, version, at := strings.Cut(pkg, "@")
			if ok && at && !rePinnedGo.MatchString(version) {
				add(CodeUnpinnedPackage, "args", "no exact version: the package can be another one tomorrow")
			}
		}
	case "awk", "gawk", "mawk", "nawk", "tclsh", "expect", "gdb", "vim", "emacs":
		add(CodeInlineCode, "args", "a program text on the command line can run anything")
	case "ssh":
		add(CodeShellCommand, "command", "the text after the host runs in a shell there")
	case "git":
		if has("-c", "--exec-path", "--config-env") {
			add(CodeInlineCode, "args", "git configuration on the command line can run programs")
		}
	case "curl", "wget":
		add(CodeShellCommand, "command", "a download tool is not an MCP server")
	case "env", "sudo", "doas", "nohup", "nice", "timeout", "setsid", "stdbuf", "time", "xargs", "exec", "command", "dotenv", "op", "doppler":
		if has("-S", "--split-string") {
			add(CodeShellCommand, "args", "the arguments are split again into a command line")
		}
		if stem == "sudo" || stem == "doas" {
			add(CodeShellCommand, "command", "runs as another user")
		}
		for i, a := range args {
			if strings.HasPrefix(a, "-") {
				continue
			}
			if k, _, ok := strings.Cut(a, "="); ok {
				if loaderVariable(k) {
					add(CodeLoaderVariable, "args", "this variable decides which code runs or where data goes")
				}
				continue
			}
			commandShape(args[i:], add, depth+1)
			break
		}
	}
}

func firstOperand(args []string, withValue ...string) (string, bool) {
	for i := 0; i < len(args); i++ {
		switch a := args[i]; {
		case a == "--":
			if i+1 < len(args) {
				return args[i+1], true
			}
			return "", false
		case slices.Contains(withValue, a):
			i++
		case !strings.HasPrefix(a, "-"):
			return a, true
		}
	}
	return "", false
}

func flagValue(args []string, flags ...string) (string, bool) {
	for i, a := range args {
		for _, f := range flags {
			if a == f && i+1 < len(args) {
				return args[i+1], true
			}
			if v, ok := strings.CutPrefix(a, f+"="); ok {
				return v, true
			}
		}
	}
	return "", false
}

func npmShape(args []string, add func(Code, string, string)) {
	for _, a := range args {
		if a == "-c" || a == "--call" || strings.HasPrefix(a, "--call=") {
			add(CodeShellCommand, "args", "npx -c runs its text in a shell")
			return
		}
		if a == "--" || !strings.HasPrefix(a, "-") {
			break
		}
	}
	if _, ok := flagValue(args, "--registry", "--userconfig"); ok {
		add(CodeUnpinnedPackage, "args", "takes packages from another registry")
	}
	pkg, ok := flagValue(args, "-p", "--package")
	if !ok {
		pkg, ok = firstOperand(args, "--registry", "--userconfig", "--prefix", "-w", "--workspace")
	}
	if ok && !rePinnedNPM.MatchString(pkg) {
		add(CodeUnpinnedPackage, "args", "no exact version: the package can be another one tomorrow")
	}
}

// containerFlags are the flags of docker run that take no value.
var containerFlags = []string{"-i", "-t", "-it", "-ti", "-d", "--rm", "--init", "--interactive", "--tty", "--detach", "--read-only", "--privileged",
	"-P", "--publish-all", "--no-healthcheck", "--oom-kill-disable", "--sig-proxy", "-q", "--quiet"}

func containerShape(args []string, add func(Code, string, string)) {
	i := slices.Index(args, "run")
	if i < 0 {
		return
	}
	args = args[i+1:]
	image := ""
	for i := 0; i < len(args); i++ {
		a := args[i]
		if !strings.HasPrefix(a, "-") {
			image = a
			break
		}
		flag, value, joined := strings.Cut(a, "=")
		if !joined && !slices.Contains(containerFlags, a) {
			if strings.HasPrefix(a, "-v") && len(a) > 2 && a[2] != '-' {
				flag, value = "-v", a[2:]
			} else if i+1 < len(args) {
				i++
				value = args[i]
			}
		}
		switch flag {
		case "--privileged", "--cap-add", "--device", "--security-opt":
			add(CodeContainerAccess, "args", flag+" gives the container rights over the host")
		case "--net", "--network", "--pid", "--ipc", "--userns", "--uts", "--cgroupns":
			if value == "host" {
				add(CodeContainerAccess, "args", flag+"=host shares it with the host")
			}
		case "-v", "--volume", "--mount":
			if hostMount(value) {
				add(CodeContainerAccess, "args", "mounts a folder that gives rights over the host: "+quote(value))
			}
		}
	}
	if !reDigest.MatchString(image) {
		add(CodeFloatingImage, "args", "the image has no @sha256 digest: it can be another one tomorrow")
	}
}

// hostMount reports mounts of the root, a system or home folder, or a control socket.
func hostMount(v string) bool {
	src, _, _ := strings.Cut(v, ":")
	if strings.Contains(v, "=") {
		for _, kv := range strings.Split(v, ",") {
			if k, x, _ := strings.Cut(kv, "="); k == "source" || k == "src" {
				src = x
			}
		}
	}
	if strings.HasSuffix(src, ".sock") || strings.Contains(src, "..") {
		return true
	}
	c := path.Clean(src)
	switch c {
	case "/", "/home", "/root", "/Users", "~", "$HOME", "${HOME}":
		return true
	}
	for _, d := range [...]string{"/etc", "/var/run", "/run", "/proc", "/sys", "/dev", "/boot", "/usr", "/var/lib"} {
		if c == d || strings.HasPrefix(c, d+"/") {
			return true
		}
	}
	parts := strings.Split(strings.Trim(c, "/"), "/")
	if len(parts) == 2 && (parts[0] == "home" || parts[0] == "Users") {
		return true
	}
	return slices.ContainsFunc(parts, func(p string) bool { return p == ".ssh" || p == ".aws" || p == ".gnupg" || p == ".kube" })
}
