//go:build linux

package bashcheck

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"os/exec"
	"path"
	"runtime"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/bashcheck/internal/oracle"
)

// straceException is something that a program which only reads does, and that
// is no harm. Each has its reason. An empty Program means all of them.
type straceException struct {
	Program, Call, Path, Why string
}

var straceExceptions = []straceException{
	{"", "open", "/dev/null", "writing there changes nothing"},
	{"", "open", "/dev/zero", "writing there changes nothing"},
	{"", "open", "/dev/tty", "the terminal of the person; there is none here"},
	{"", "open", "/dev/pts/*", "the terminal of the person"},
	{"", "open", "/proc/self/task/*/comm", "a process names its own threads"},
	{"", "open", "/proc/self/coredump_filter", "a process sets its own flags"},
	{"", "connect", "/var/run/nscd/socket", "the C library asks the name service cache of this machine"},
	{"", "connect", "/run/nscd/socket", "the C library asks the name service cache of this machine"},

	{"go", "mkdir", "/home/u/.config/**", "Go's telemetry counts its own runs there; no environment variable switches it off"},
	{"go", "open", "/home/u/.config/go/telemetry/**", "Go's telemetry counts its own runs there; no environment variable switches it off"},
	{"go", "created", "/home/u/.config/**", "Go's telemetry counts its own runs there; no environment variable switches it off"},
	{"gofmt", "mkdir", "/home/u/.config/**", "Go's telemetry counts its own runs there; no environment variable switches it off"},
	{"gofmt", "open", "/home/u/.config/go/telemetry/**", "Go's telemetry counts its own runs there; no environment variable switches it off"},
	{"gofmt", "created", "/home/u/.config/**", "Go's telemetry counts its own runs there; no environment variable switches it off"},
	{"go", "*", "/home/u/.cache/go-build/**", "the build cache, in which Go keeps what it read under the digest of it"},
	{"go", "mkdir", "/home/u/.cache", "the build cache, in which Go keeps what it read under the digest of it"},
	{"go", "created", "/home/u/.cache", "the build cache, in which Go keeps what it read under the digest of it"},
	{"go", "exec", "/usr/local/go/bin/go", "the go command starts itself to count and to ask for settings"},
	{"go", "exec", "/usr/lib/go-*/bin/go", "the go command starts itself to count and to ask for settings"},
	{"go", "exec", "/usr/local/go/pkg/tool/**", "go list asks the tools of its own toolchain for their versions"},
	{"go", "exec", "/usr/lib/go-*/pkg/tool/**", "go list asks the tools of its own toolchain for their versions"},
	{"go", "exec", "git", "go list stamps packages with what git status and git log say; under the assumption git-config-trusted"},
	{"go", "exec", "gcc", "go env and go list ask the C compiler which flags it knows, in a folder of their own"},
	{"go", "exec", "g++", "go env and go list ask the C compiler which flags it knows, in a folder of their own"},
	{"go", "exec", "/usr/lib/gcc/**", "the C compiler is made of programs that start one another"},
	{"go", "exec", "as", "the C compiler is made of programs that start one another"},
	{"go", "exec", "ld", "the C compiler is made of programs that start one another"},
	{"go", "*", "/tmp/go-build*/**", "go env and go list try the C compiler there"},
	{"go", "*", "/tmp/cc*", "the C compiler keeps what it makes between its parts in files that are gone at the end"},
	{"go", "*", "/home/u/go/pkg/mod/**", "the module cache, in which Go keeps what it found out about the module's own version"},
	{"go", "*", "/home/u/go", "the module cache, in which Go keeps what it found out about the module's own version"},
	{"go", "*", "/home/u/go/pkg", "the module cache, in which Go keeps what it found out about the module's own version"},
	{"pg_dumpall", "exec", "sh", "pg_dumpall asks the pg_dump beside it for its version"},
	{"pg_dumpall", "exec", "pg_dump", "pg_dumpall asks the pg_dump beside it for its version"},
	{"dpkg", "exec", "dpkg-query", "dpkg starts dpkg-query for questions, with the words after --"},
	{"pg_config", "exec", "ls", "in Debian a script that looks for the newest version"},
	{"pg_config", "exec", "tail", "in Debian a script that looks for the newest version"},
	{"jar", "*", "/tmp/hsperfdata_*/**", "a Java machine keeps its counters there while it runs"},
	{"java", "*", "/tmp/hsperfdata_*/**", "a Java machine keeps its counters there while it runs"},
	{"javac", "*", "/tmp/hsperfdata_*/**", "a Java machine keeps its counters there while it runs"},
	{"javap", "*", "/tmp/hsperfdata_*/**", "a Java machine keeps its counters there while it runs"},
	{"jps", "*", "/tmp/hsperfdata_*/**", "a Java machine keeps its counters there while it runs"},
	{"mvn", "*", "/tmp/hsperfdata_*/**", "a Java machine keeps its counters there while it runs"},
	{"tac", "*", "/tmp/tac*", "tac keeps what it cannot seek in, in a file that is gone at the end"},

	{"autoconf", "exec", "expr", "a script that looks at its own words"},
	{"autoconf", "exec", "basename", "a script that looks at its own words"},
	{"automake", "link", "**", "Perl asks whether the system has symbolic links, without a name for one"},
	{"libtool", "exec", "sed", "a script that prints the beginning of itself"},
	{"screen", "mkdir", "/run/screen", "it makes the folder of its sockets where that is missing"},
	{"screen", "created", "/run/screen", "it makes the folder of its sockets where that is missing"},
	{"hugo", "connect", "/var/run/log", "the library for the system's log looks for it"},
	{"hugo", "connect", "/dev/log", "the library for the system's log looks for it"},
	{"hugo", "connect", "/var/run/syslog", "the library for the system's log looks for it"},
	{"valgrind", "exec", "/usr/bin/valgrind.bin", "valgrind is made of programs that start one another"},
	{"valgrind", "exec", "/usr/libexec/valgrind/**", "valgrind is made of programs that start one another"},
	{"ag", "exec", "/bin/sh", "ag asks git for core.excludesfile, with a fixed text that runs nothing else"},
	{"ag", "exec", "/usr/bin/git", "ag asks git for core.excludesfile, which runs nothing"},
	{"git", "exec", "/usr/lib/git-core/**", "git is made of programs that start one another"},
	{"git", "exec", "basename", "git submodule and, before 2.40, git bisect are scripts of git's own, which run it with fixed texts"},
	{"git", "exec", "sed", "git submodule and, before 2.40, git bisect are scripts of git's own, which run it with fixed texts"},
	{"git", "exec", "uname", "git submodule and, before 2.40, git bisect are scripts of git's own, which run it with fixed texts"},
	{"git", "exec", "gettext", "git submodule and, before 2.40, git bisect are scripts of git's own, which run it with fixed texts"},
	{"git", "exec", "envsubst", "git submodule and, before 2.40, git bisect are scripts of git's own, which run it with fixed texts"},
	{"docker", "connect", "/var/run/docker.sock", "under the assumption docker-daemon-trusted"},
	{"docker", "connect", "/run/docker.sock", "under the assumption docker-daemon-trusted"},
	{"kubectl", "connect", "internet", "the dispatcher of the Google Cloud SDK asks the configured server for its version; under the assumption kubeconfig-trusted"},
	{"npm", "mkdir", "/home/u/.npm", "npm makes the empty folder of its cache"},
	{"npm", "created", "/home/u/.npm", "npm makes the empty folder of its cache"},
	{"npx", "mkdir", "/home/u/.npm", "npm makes the empty folder of its cache"},
	{"npx", "created", "/home/u/.npm", "npm makes the empty folder of its cache"},
	{"gem", "exec", "ruby", "gem is a script of ruby, which env finds in PATH"},
	{"npx", "exec", "node", "npx is a script of node, which env finds in PATH"},
	{"npm", "exec", "node", "npm is a script of node, which env finds in PATH"},
	{"egrep", "exec", "grep", "a script that starts grep"},
	{"fgrep", "exec", "grep", "a script that starts grep"},
	{"gunzip", "exec", "gzip", "a script that starts gzip"},
	{"zcat", "exec", "gzip", "a script that starts gzip"},
	{"tar", "exec", "sh", "tar starts what unpacks an archive through sh, with a fixed text"},
	{"pigz", "remove", ".", "after an error it removes an output that it has not named (EFAULT)"},
	{"unpigz", "remove", ".", "after an error it removes an output that it has not named (EFAULT)"},
	{"patch", "*", "/tmp/p*", "patch keeps its result in files that are gone at the end"},
	{"zgrep", "exec", "gzip", "a script that starts gzip and grep"},
	{"zgrep", "exec", "grep", "a script that starts gzip and grep"},
	{"zgrep", "exec", "sed", "a script that quotes with sed"},
	{"zgrep", "exec", "expr", "a script that quotes with expr"},
	{"tar", "exec", "gzip", "tar starts gzip for an archive that gzip packed"},
	{"tar", "exec", "bzip2", "tar starts bzip2 for an archive that bzip2 packed"},
	{"tar", "exec", "xz", "tar starts xz for an archive that xz packed"},
	{"tar", "exec", "zstd", "tar starts zstd for an archive that zstd packed"},
	{"yq", "exec", "jq", "the yq of Python starts jq"},
	{"curl", "connect", "internet", "the LDAP library in it asks the resolver for the machine's own name"},
	{"c89", "exec", "gcc", "a script that starts gcc"},
	{"c99", "exec", "gcc", "a script that starts gcc"},
	{"apt-cache", "exec", "dpkg", "apt asks dpkg for its architectures"},
	{"apt", "exec", "dpkg", "apt asks dpkg for its architectures"},
	{"apt-mark", "exec", "dpkg", "apt asks dpkg for its architectures"},
	{"apt-cache", "open", "/tmp", "apt keeps what it checks in files without a name"},
	{"apt-mark", "open", "/tmp", "apt keeps what it checks in files without a name"},
	{"apt-cache", "*", "/var/cache/apt/**", "as root apt keeps there what it worked out of its lists"},
	{"cloc", "*", "/tmp/??????????", "cloc keeps what it counts in a file that is gone at the end"},
	{"cloc", "exec", "pwd", "cloc asks where it is"},
	{"colordiff", "exec", "diff", "a script that starts diff"},
	{"sdiff", "exec", "diff", "sdiff is diff with columns"},
	{"dpkg", "exec", "dpkg-deb", "dpkg starts dpkg-deb for package files, with the words after --"},
	{"dpkg", "*", "/tmp/dpkg-deb.*/**", "dpkg-deb unpacks the control files there, and removes them"},
	{"dpkg", "*", "/tmp/dpkg-deb.*", "dpkg-deb unpacks the control files there, and removes them"},
	{"dpkg-deb", "*", "/tmp/dpkg-deb.*/**", "dpkg-deb unpacks the control files there, and removes them"},
	{"dpkg-deb", "*", "/tmp/dpkg-deb.*", "dpkg-deb unpacks the control files there, and removes them"},
	{"dpkg", "exec", "tar", "dpkg-deb has tar list and unpack"},
	{"dpkg-deb", "exec", "tar", "dpkg-deb has tar list and unpack"},
	{"dpkg", "exec", "rm", "dpkg-deb removes its own folder"},
	{"dpkg-deb", "exec", "rm", "dpkg-deb removes its own folder"},
	{"networkctl", "connect", "/run/dbus/system_bus_socket", "it asks the service of systemd"},
	{"lsb_release", "exec", "getopt", "a script that reads one file"},
	{"lsb_release", "exec", "cut", "a script that reads one file"},
	{"lsb_release", "exec", "tr", "a script that reads one file"},
	{"man", "exec", "apropos", "man -k is apropos"},
	{"man", "exec", "whatis", "man -f is whatis"},
	{"man", "exec", "preconv", "man formats pages of the system with programs of the system"},
	{"man", "exec", "tbl", "man formats pages of the system with programs of the system"},
	{"man", "exec", "nroff", "man formats pages of the system with programs of the system"},
	{"man", "exec", "groff", "man formats pages of the system with programs of the system"},
	{"man", "exec", "troff", "man formats pages of the system with programs of the system"},
	{"man", "exec", "grotty", "man formats pages of the system with programs of the system"},
	{"man", "exec", "locale", "nroff, a script, asks for the character set"},
	{"man", "exec", "col", "man formats pages of the system with programs of the system"},
	{"man", "exec", "gzip", "man packs what it formatted"},
	{"man", "exec", "cat", "the pager that SafeEnv names"},
	{"man", "*", "/var/cache/man/**", "man keeps formatted pages there, as root"},
	{"meson", "exec", "dpkg-architecture", "in Debian it asks for the architecture of the machine"},
	{"meson", "exec", "gcc", "in Debian it asks for the architecture of the machine"},
	{"sar", "exec", "sadc", "sar starts its own collector"},
	{"tomlq", "exec", "jq", "the tomlq of Python starts jq"},
	{"screen", "mkdir", "/run/screen", "it makes the folder of its sockets where it is missing"},
	{"mkfifo", "mkdir", "/dev/null", "it is there, so nothing is made"},
	{"mknod", "mkdir", "/dev/null", "it is there, so nothing is made"},
	{"mkdir", "mkdir", "/dev/null", "it is there, so nothing is made"},
	{"mkdir", "mkdir", "/dev", "it is there, so nothing is made"},
	{"touch", "change", "/dev/null", "its times tell nothing"},
	{"diffstat", "exec", "sh", "it has what is packed, by its name, unpacked through a shell; only plain names are read-only"},
	{"diffstat", "exec", "gzip", "it has what is packed, by its name, unpacked through a shell; only plain names are read-only"},
	{"diffstat", "exec", "bzip2", "it has what is packed, by its name, unpacked through a shell; only plain names are read-only"},
	{"diffstat", "exec", "xz", "it has what is packed, by its name, unpacked through a shell; only plain names are read-only"},
	{"diffstat", "exec", "zcat", "it has what is packed, by its name, unpacked through a shell; only plain names are read-only"},
	{"diffstat", "exec", "uncompress", "it has what is packed, by its name, unpacked through a shell; only plain names are read-only"},
	{"uuidgen", "connect", "/run/uuidd/request", "uuidgen -t asks the service of this machine for a number"},
	{"xq", "exec", "jq", "the xq of Python starts jq"},
	{"jstat", "*", "/tmp/hsperfdata_*/**", "a Java machine keeps its counters there while it runs"},
	{"jcmd", "*", "/tmp/hsperfdata_*/**", "a Java machine keeps its counters there while it runs"},
	{"jdeps", "*", "/tmp/hsperfdata_*/**", "a Java machine keeps its counters there while it runs"},
	{"keytool", "*", "/tmp/hsperfdata_*/**", "a Java machine keeps its counters there while it runs"},
	{"locale", "exec", "gzip", "locale -m reads packed character maps"},
	{"xargs", "exec", "echo", "xargs without a command prints"},
	{"hostname", "connect", "internet", "the resolver is asked for the machine's own name"},
	{"dnsdomainname", "connect", "internet", "the resolver is asked for the machine's own name"},
	{"domainname", "connect", "internet", "the resolver is asked for the machine's own name"},
	{"hostid", "connect", "internet", "the resolver is asked for the machine's own name"},
	{"fuser", "connect", "internet", "the C library orders the addresses of this machine, without sending anything"},
	{"pidof", "connect", "/dev/log", "complaints about its arguments go to the system's log"},
	{"pidof", "open", "/dev/console", "complaints about its arguments go to the system's log"},
	{"crontab", "mkdir", "/var/spool/cron", "it makes its folder where it is missing"},
	{"tmux", "*", "/tmp/tmux-*/**", "it asks its own server, and makes the folder of the socket"},
	{"top", "mkdir", "/home/u/.config/**", "procps makes an empty folder for its settings"},
	{"top", "created", "/home/u/.config/**", "procps makes an empty folder for its settings"},
}

// straceCalls are the system calls that can change something outside the
// process, and those that tell what is executed and where.
const straceCalls = "open,openat,openat2,creat,unlink,unlinkat,rename,renameat,renameat2,mkdir,mkdirat,rmdir,chmod,fchmod,fchmodat,?fchmodat2,chown,fchown,lchown,fchownat," +
	"link,linkat,symlink,symlinkat,mknod,mknodat,truncate,utime,utimes,futimesat,utimensat,setxattr,lsetxattr,fsetxattr,removexattr,lremovexattr,fremovexattr," +
	"connect,sendto,sendmsg,sendmmsg,bind,execve,execveat,kill,tkill,tgkill,mount,umount2,chdir,fchdir,clone,?clone3,fork,vfork," +
	"sethostname,setdomainname,settimeofday,clock_settime,adjtimex,clock_adjtime,reboot,swapon,swapoff,init_module,finit_module,delete_module,ptrace,syslog,acct,chroot,pivot_root,?bpf,?add_key"

// straceEvent is one system call that matters.
type straceEvent struct {
	call string // open (for writing), remove, rename, mkdir, change, link, connect, exec, signal, system
	path string // absolute where known
	argv []string
	line string
}

// straceEvents reads the files of strace -ff -y.
func straceEvents(traces map[int]string, start string) (events []straceEvent, problems []string) {
	var pids []int
	for p := range traces {
		pids = append(pids, p)
	}
	sort.Ints(pids)
	dirs := map[int]string{}
	for _, pid := range pids {
		dir, ok := dirs[pid]
		if !ok {
			dir = start
		}
		for line := range strings.Lines(traces[pid]) {
			line = strings.TrimSuffix(line, "\n")
			name, rest, ok := strings.Cut(line, "(")
			if !ok || name == "???" || strings.HasPrefix(name, "syscall_") || strings.HasPrefix(line, "+++") || strings.HasPrefix(line, "---") {
				continue
			}
			strs := straceStrings(rest)
			failed := strings.Contains(rest, ") = -1 ") || strings.Contains(rest, "= ? ERESTART")
			// Where a relative path starts: the folder of the descriptor in
			// front of it, else the current one.
			at := func(i int) string {
				if i >= len(strs) {
					return ""
				}
				s := strs[i]
				if path.IsAbs(s.text) {
					return path.Clean(s.text)
				}
				base := dir
				before := strings.TrimSuffix(rest[:s.start], ", ")
				if strings.HasSuffix(before, ">") {
					if j := strings.LastIndexByte(before, '<'); j >= 0 {
						base = before[j+1 : len(before)-1]
					}
				}
				return path.Join(base, s.text)
			}
			add := func(call, p string) { events = append(events, straceEvent{call: call, path: p, line: line}) }
			switch name {
			case "open", "openat", "openat2", "creat":
				if strings.Contains(rest, " = -1 EISDIR") {
					break // a folder is not written
				}
				flags := rest
				if len(strs) > 0 {
					flags = rest[strs[0].end:]
				}
				if i := strings.LastIndex(flags, ") = "); i >= 0 {
					flags = flags[:i]
				}
				if name == "creat" || strings.Contains(flags, "O_WRONLY") || strings.Contains(flags, "O_RDWR") || strings.Contains(flags, "O_CREAT") || strings.Contains(flags, "O_TRUNC") || strings.Contains(flags, "O_TMPFILE") {
					add("open", at(0))
				}
			case "unlink", "unlinkat", "rmdir":
				add("remove", at(0))
			case "rename", "renameat", "renameat2":
				add("remove", at(0))
				add("rename", at(1))
			case "mkdir", "mkdirat", "mknod", "mknodat":
				add("mkdir", at(0))
			case "link", "linkat", "symlink", "symlinkat":
				add("link", at(1))
			case "chmod", "fchmodat", "fchmodat2", "chown", "lchown", "fchownat", "truncate", "utime", "utimes", "futimesat", "utimensat", "setxattr", "lsetxattr", "removexattr", "lremovexattr":
				p := at(0)
				if len(strs) == 0 || strings.HasPrefix(name, "utimens") && strings.Contains(rest, ">, NULL, ") {
					p = straceFd(rest)
				}
				add("change", p)
			case "fchmod", "fchown", "fsetxattr", "fremovexattr":
				add("change", straceFd(rest))
			case "connect", "sendto", "sendmsg", "sendmmsg", "bind":
				switch {
				case strings.Contains(rest, "sa_family=AF_UNSPEC"): // dissolves a connection
				case strings.Contains(rest, "sa_family=AF_NETLINK") || strings.Contains(rest, "NETLINK"):
				case name == "bind" && strings.Contains(rest, "_port=htons(0)"): // serves nobody
				case strings.Contains(rest, "sa_family=AF_INET"):
					add("connect", "internet")
				case strings.Contains(rest, "sa_family=AF_UNIX"):
					p := ""
					if i := strings.Index(rest, "sun_path="); i >= 0 {
						p = strings.Trim(strings.SplitN(rest[i+9:], "}", 2)[0], `"`)
					}
					add("connect", p)
				case name == "connect":
					add("connect", rest)
				}
			case "execve", "execveat":
				e := straceEvent{call: "exec", line: line, path: at(0)}
				if name == "execve" && len(strs) > 0 {
					if i, j := strings.Index(rest, "["), strings.Index(rest, "], "); i >= 0 && j > i {
						for _, s := range strs {
							if s.start > i && s.end <= j+1 {
								e.argv = append(e.argv, s.text)
							}
						}
					}
				}
				events = append(events, e)
			case "kill", "tkill", "tgkill":
				args := strings.Split(strings.SplitN(rest, ")", 2)[0], ", ")
				if args[len(args)-1] == "0" || args[0] == strconv.Itoa(pid) {
					break // asks whether it lives, or is for itself
				}
				if n, err := strconv.Atoi(args[0]); err == nil && traces[max(n, -n)] != "" {
					break // a process that it started
				}
				add("signal", args[0])
			case "chdir":
				if !failed {
					dir = at(0)
				}
			case "fchdir":
				if !failed {
					dir = straceFd(rest)
				}
			case "clone", "clone3", "fork", "vfork":
				if i := strings.LastIndex(rest, " = "); i >= 0 {
					if n, err := strconv.Atoi(strings.SplitN(rest[i+3:], "<", 2)[0]); err == nil {
						dirs[n] = dir
					}
				}
			case "ptrace", "syslog", "adjtimex", "clock_adjtime":
				if !strings.Contains(rest, "SYSLOG_ACTION_READ_ALL") && !strings.Contains(rest, "SYSLOG_ACTION_SIZE") && !strings.Contains(rest, "modes=0") {
					add("system", name)
				}
			default:
				add("system", name)
			}
		}
	}
	if len(pids) == 0 {
		problems = append(problems, "strace wrote nothing")
	}
	return events, problems
}

type straceString struct {
	text       string
	start, end int
}

// straceStrings finds the quoted strings of a line.
func straceStrings(s string) (out []straceString) {
	for i := 0; i < len(s); i++ {
		if s[i] != '"' {
			continue
		}
		j := i + 1
		for j < len(s) && s[j] != '"' {
			if s[j] == '\\' {
				j++
			}
			j++
		}
		if j >= len(s) {
			return out
		}
		out = append(out, straceString{straceUnquote(s[i+1 : j]), i, j + 1})
		i = j
	}
	return out
}

// straceUnquote undoes C escapes.
func straceUnquote(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		if s[0] == '\\' && len(s) > 1 && s[1] >= '0' && s[1] <= '7' {
			n := 1
			for n < 4 && n < len(s) && s[n] >= '0' && s[n] <= '7' {
				n++
			}
			v, _ := strconv.ParseUint(s[1:n], 8, 16)
			b.WriteByte(byte(v))
			s = s[n:]
			continue
		}
		if s[0] == '\\' && len(s) > 1 {
			c := s[1]
			if i := strings.IndexByte("nrtvf", c); i >= 0 {
				c = "\n\r\t\v\f"[i]
			}
			b.WriteByte(c)
			s = s[2:]
			continue
		}
		b.WriteByte(s[0])
		s = s[1:]
	}
	return b.String()
}

// straceFd is the path of the first descriptor of a line: 3</path>.
func straceFd(s string) string {
	if i := strings.IndexByte(s, '<'); i >= 0 {
		if j := strings.IndexByte(s[i:], '>'); j >= 0 {
			return s[i+1 : i+j]
		}
	}
	return "?"
}

// allows says that the exception is about the event of a command with one of
// these names. A path without a slash is a base name; /** is a folder and all
// below it.
func (x straceException) allows(names []string, e straceEvent) bool {
	if x.Program != "" && !slices.Contains(names, x.Program) || x.Call != "*" && x.Call != e.call {
		return false
	}
	p := e.path
	if !strings.Contains(x.Path, "/") {
		p = path.Base(p)
	}
	pattern, below := strings.CutSuffix(x.Path, "/**")
	for ; ; p = path.Dir(p) {
		if ok, err := path.Match(pattern, p); err == nil && ok {
			return true
		}
		if !below || p == "/" || p == "." {
			return false
		}
	}
}

// straceAllowed says that one of the exceptions is about the event.
func straceAllowed(r Report, e straceEvent, lists ...[]straceException) bool {
	var names []string
	for _, c := range r.Commands {
		names = append(names, path.Base(c.Argv[0].Text))
	}
	for _, list := range append(lists, straceExceptions) {
		if slices.ContainsFunc(list, func(x straceException) bool { return x.allows(names, e) }) {
			return true
		}
	}
	return false
}

// execReported says that a command or an Execute effect announces the program.
func execReported(r Report, e straceEvent) bool {
	base := path.Base(e.path)
	for _, c := range r.Commands {
		if !c.Argv[0].Static || path.Base(c.Argv[0].Text) == base && wordsMatch(c.Argv[1:], e.argv[min(1, len(e.argv)):]) {
			return true
		}
	}
	for _, x := range r.Effects() {
		if x.Kind == Execute && (x.Extent == Anywhere || path.Base(x.Target) == base) {
			return true
		}
	}
	return false
}

// straceHarm is what a run did that a read-only command must not do.
func straceHarm(r Report, res oracle.Result) (harm []string, executed map[string]bool) {
	executed = map[string]bool{}
	events, problems := straceEvents(res.Traces, oracle.WorkDir)
	harm = append(harm, problems...)
	for i, e := range events {
		if e.call == "exec" {
			if i == 0 && path.Base(e.path) == "bash" {
				continue // the shell that runs the text
			}
			if strings.Contains(e.line, ") = 0") {
				executed[path.Base(e.path)] = true
			}
			if execReported(r, e) {
				continue
			}
		}
		if straceAllowed(r, e) {
			continue
		}
		harm = append(harm, fmt.Sprintf("%s %s: %.300s", e.call, e.path, e.line))
	}
	for _, c := range res.Changes {
		if !straceAllowed(r, straceEvent{call: c.Op, path: c.Path}) {
			harm = append(harm, c.Op+" "+c.Path)
		}
	}
	return harm, executed
}

// straceBox is a sandbox with the machine's own programs and a scratch folder
// that holds a git repository.
func straceBox(t testing.TB) *oracle.Sandbox {
	oracleNeeds(t, "strace")
	oracleNeeds(t, "git")
	box := oracleBox(t, oracle.Options{ReadOnly: []string{"/etc/alternatives", "/etc/localtime", "/etc/magic", "/etc/mime.types", "/etc/protocols", "/etc/services", "/etc/java-17-openjdk", "/etc/ssl/openssl.cnf", "/etc/debian_version", "/etc/os-release",
		"/etc/terminfo", "/etc/man_db.conf", "/etc/manpath.config", "/etc/perl", "/etc/python3", "/etc/python3.11", "/etc/shells", "/etc/dpkg", "/etc/apt", "/etc/pam.d", "/etc/login.defs", "/etc/lsb-release", "/etc/fstab", "/etc/mtab", "/etc/hosts", "/etc/vim", "/etc/ImageMagick-6", "/etc/sqlite3", "/etc/redis",
		"/var/lib/dpkg", "/var/lib/apt", "/var/cache/man"}})
	files := []oracle.File{
		{Path: "/w/go.mod", Data: []byte("module example.com/x\n\ngo 1.22\n")},
		{Path: "/w/main.go", Data: []byte("package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"hello\") }\n")},
		{Path: "/w/package.json", Data: []byte(`{"name":"x","version":"1.0.0","scripts":{"build":"echo build"},"dependencies":{}}`)},
		{Path: "/w/README.md", Data: []byte("# x\n\ntext\n")},
		{Path: "/w/f", Data: []byte("b 2\na 1\nc 3\n")},
		{Path: "/w/Cargo.toml", Data: []byte("[package]\nname = \"x\"\nversion = \"0.1.0\"\nedition = \"2021\"\n")},
		{Path: "/w/src/main.rs", Data: []byte("fn main() {}\n")},
		{Path: "/w/Makefile", Data: []byte("all:\n\techo all\n")},
	}
	_, err := box.Run(oracle.Request{Put: files, Save: true})
	require.NoError(t, err)
	const setup = `set -e
export GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_DATE='2026-01-01T00:00:00Z' GIT_COMMITTER_DATE='2026-01-01T00:00:00Z'
git init -q -b main . && rm -rf .git/hooks/*
git config user.name u && git config user.email u@example.com
git add -A && git commit -qm one && git tag v1.0 && git tag v1
git checkout -q -b feature && echo more >> f && git commit -qam two && git checkout -q main
echo changed >> README.md && git stash -q && echo changed >> README.md
git remote add origin /w/none && git update-ref refs/remotes/origin/main main
echo x > untracked.txt; echo y > .gitignore
git notes add -m n HEAD; git reflog -q >/dev/null || true; git branch dev; git config alias.st status`
	res, err := box.Run(oracle.Request{Argv: []string{"/bin/bash", "-c", setup}, Env: []string{"PATH=/usr/bin:/bin", "HOME=" + oracle.Home}, Save: true, Timeout: 20 * time.Second})
	require.NoError(t, err)
	require.Zero(t, res.Status, "the scratch repository: %s", res.Output)
	return box
}

// exampleFiles are the files that an example names and that are to be there.
func exampleFiles(r Report) []oracle.File {
	var out []oracle.File
	var paths []string
	folder := map[string]bool{}
	for _, e := range r.Effects() {
		if e.Extent == Anywhere || e.Target == "" || e.Kind != Read && e.Kind != List && e.Kind != Delete && e.Kind != Change {
			continue
		}
		p := e.Target
		if !path.IsAbs(p) {
			dir := "."
			if e.Dir.Known() {
				dir = e.Dir.Paths()[0]
				folder[resolve(dir)] = true
			}
			p = path.Join(resolve(dir), p)
		}
		if !strings.HasPrefix(p, oracle.WorkDir+"/") && !strings.HasPrefix(p, oracle.Home+"/") && !strings.HasPrefix(p, "/tmp/") && !strings.HasPrefix(p, "/opt/") && !strings.HasPrefix(p, "/srv/") {
			continue
		}
		p = strings.NewReplacer("*", "x", "?", "x").Replace(p)
		if strings.HasSuffix(e.Target, "/") || path.Ext(p) == "" && (e.Extent == Tree || e.Kind == List) && len(path.Base(p)) > 1 {
			folder[p] = true
		}
		if strings.Contains(p, "/.git/") || strings.HasSuffix(p, "/.git") {
			continue
		}
		paths = append(paths, p)
	}
	for _, c := range r.Commands {
		if c.Argv[0].Text == "cd" && len(c.Argv) == 2 {
			folder[resolve(c.Argv[1].Text)] = true
		}
	}
	for _, p := range paths {
		for d := path.Dir(p); d != "/"; d = path.Dir(d) {
			folder[d] = true
		}
	}
	for d := range folder {
		if strings.HasPrefix(d, oracle.WorkDir+"/") {
			out = append(out, oracle.File{Path: d, Dir: true}, oracle.File{Path: d + "/inside.txt", Data: []byte("x\n")})
		}
	}
	for _, p := range paths {
		if !folder[p] && !slices.ContainsFunc(out, func(f oracle.File) bool { return f.Path == p }) {
			out = append(out, oracle.File{Path: p, Data: sampleData(p), Mode: 0o755})
		}
	}
	return out
}

// sampleData makes contents that fit the name.
func sampleData(name string) []byte {
	var b bytes.Buffer
	text := []byte("b 2\na 1\nc 3\nfoo bar\nerror: x\n")
	switch {
	case strings.HasSuffix(name, ".tar.gz"), strings.HasSuffix(name, ".tgz"):
		z := gzip.NewWriter(&b)
		_, _ = z.Write(tarData(text))
		_ = z.Close()
	case strings.HasSuffix(name, ".gz"):
		z := gzip.NewWriter(&b)
		_, _ = z.Write(text)
		_ = z.Close()
	case strings.HasSuffix(name, ".tar"):
		return tarData(text)
	case strings.HasSuffix(name, ".zip"), strings.HasSuffix(name, ".jar"), strings.HasSuffix(name, ".whl"):
		z := zip.NewWriter(&b)
		w, _ := z.Create("a.txt")
		_, _ = w.Write(text)
		_ = z.Close()
	case strings.HasSuffix(name, ".json"):
		return []byte(`{"a":[1,2],"name":"x","version":"1.0.0","b":{"c":null}}` + "\n")
	case strings.HasSuffix(name, ".yaml"), strings.HasSuffix(name, ".yml"):
		return []byte("a: 1\nb:\n  - x\n")
	case strings.HasSuffix(name, ".toml"):
		return []byte("[package]\nname = \"x\"\nversion = \"0.1.0\"\n")
	case strings.HasSuffix(name, ".xml"), strings.HasSuffix(name, ".html"):
		return []byte("<a><b>x</b></a>\n")
	case strings.HasSuffix(name, ".go"):
		return []byte("package main\n\nfunc main() {}\n")
	case strings.HasSuffix(name, ".py"):
		return []byte("print(1)\n")
	case strings.HasSuffix(name, ".js"):
		return []byte("console.log(1)\n")
	case strings.HasSuffix(name, ".sh"):
		return []byte("#!/bin/sh\necho x\n")
	default:
		return text
	}
	return b.Bytes()
}

func tarData(text []byte) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	_ = w.WriteHeader(&tar.Header{Name: "a.txt", Mode: 0o644, Size: int64(len(text))})
	_, _ = w.Write(text)
	_ = w.Close()
	return b.Bytes()
}

// straceRequest runs a command line in bash under strace, in the environment
// that SafeEnv makes.
func straceRequest(src string, r Report) oracle.Request {
	return oracle.Request{
		Argv: []string{"/usr/bin/strace", "-f", "-ff", "-qq", "-y", "-s", "4096", "--seccomp-bpf", "-o", oracle.TraceFile, "-e", "trace=" + straceCalls, "/bin/bash", "--norc", "--noprofile", "-c", src},
		Env:  SafeEnv(EnvOptions{Home: oracle.Home, Temp: "/tmp"}), Put: exampleFiles(r), Timeout: 6 * time.Second,
	}
}

// straceAll runs requests in some sandboxes at once.
func straceAll[T any](t *testing.T, list []T, request func(T) oracle.Request, see func(T, oracle.Result)) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	next := 0
	// A sandbox with its repository costs as much as some dozen requests.
	for range min(runtime.NumCPU(), 4, 1+len(list)/25) {
		box := straceBox(t)
		wg.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				if i >= len(list) {
					return
				}
				res, err := box.Run(request(list[i]))
				mu.Lock()
				if err != nil {
					t.Errorf("%.200q: %v", fmt.Sprint(list[i]), err)
				} else {
					see(list[i], res)
				}
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
}

type straceExample struct {
	program *program
	command string
	where   string
	rep     Report
}

// straceExamples are the examples of every described program, once each.
func straceExamples(yes bool) (list []straceExample, programs []*program) {
	a := New(Options{Home: oracle.Home})
	seen := map[*program]bool{}
	for _, p := range everyProgram() {
		if seen[p] {
			continue
		}
		seen[p] = true
		programs = append(programs, p)
	}
	slices.SortFunc(programs, func(p, q *program) int { return strings.Compare(p.names[0], q.names[0]) })
	for _, p := range programs {
		for _, e := range p.examples {
			if e.yes == yes {
				list = append(list, straceExample{p, e.command, fmt.Sprintf("%s:%d", e.file, e.line), a.Analyze(e.command)})
			}
		}
	}
	return list, programs
}

// straceFloor is how many described programs must really have been executed
// under CI=true, where testdata/oracle-packages.txt is installed.
const straceFloor = 120

// TestOracleStrace executes the read-only examples of all described programs
// that this machine has, in the environment of SafeEnv, and looks at their
// system calls.
func TestOracleStrace(t *testing.T) {
	list, programs := straceExamples(true)
	full := os.Getenv("CI") == "true" || os.Getenv("ORACLE_COUNT") != ""
	missing := func(r Report) bool {
		for _, c := range r.Commands {
			if name := c.Argv[0].Text; !strings.Contains(name, "/") && exec.Command("bash", "--norc", "-c", `type -- "$1"`, "bash", name).Run() != nil {
				return true
			}
		}
		return false
	}
	if !full { // one in so many
		var some []straceExample
		for i := 0; i < len(list); i += max(1, len(list)/20) {
			some = append(some, list[i])
		}
		list = some
	}
	list = slices.DeleteFunc(list, func(x straceExample) bool { return missing(x.rep) })
	ran := map[*program]bool{}
	succeeded, late := 0, 0
	begin := time.Now()
	straceAll(t, list, func(x straceExample) oracle.Request { return straceRequest(x.command, x.rep) }, func(x straceExample, res oracle.Result) {
		harm, executed := straceHarm(x.rep, res)
		for _, n := range x.program.names {
			ran[x.program] = ran[x.program] || executed[n]
		}
		if res.Status == 0 {
			succeeded++
		}
		if res.TimedOut {
			late++
		}
		for i, h := range harm {
			if i < 6 {
				t.Errorf("%s: %s: called read-only, but: %s", x.where, x.command, h)
			}
		}
		if os.Getenv("ORACLE_VERBOSE") != "" && res.Status != 0 {
			t.Logf("status %d: %s: %.200s", res.Status, x.command, res.Output)
		}
	})
	var absent, idle []string
	n := 0
	for _, p := range programs {
		switch {
		case ran[p]:
			n++
		case slices.ContainsFunc(p.names, func(n string) bool { _, err := exec.LookPath(n); return err == nil }):
			idle = append(idle, p.names[0])
		default:
			absent = append(absent, p.names[0])
		}
	}
	t.Logf("strace: %d of %d described programs were really executed by %d read-only examples, %d of which ended with status 0 and %d out of time (%s)", n, len(programs), len(list), succeeded, late, time.Since(begin).Round(100*time.Millisecond))
	if full {
		t.Logf("not on this machine: %s", strings.Join(absent, " "))
		t.Logf("here, but executed by no read-only example (builtins, or only writing): %s", strings.Join(idle, " "))
	}
	if os.Getenv("CI") == "true" {
		assert.GreaterOrEqual(t, n, straceFloor, "too few described programs were executed: install testdata/oracle-packages.txt")
	}
}

// TestOracleStraceSeesHarm is the control: commands that change something are
// caught by the same harness.
func TestOracleStraceSeesHarm(t *testing.T) {
	type control struct{ command, want string }
	list := []control{
		{"touch f", "open /w/f"}, {"rm f", "remove /w/f"}, {"mkdir new", "mkdir /w/new"}, {"mv f g", "rename /w/g"}, {"cp f g", "open /w/g"}, {"chmod 600 f", "change /w/f"}, {"ln -s f g", "link /w/g"},
		{"echo x > g", "open /w/g"}, {"sed -i s/a/b/ f", "rename /w/f"}, {"git add f", "open /w/.git/index.lock"}, {"sort -o g f", "open /w/g"}, {"find f -delete", "remove /w/f"}, {"true > /dev/tcp/127.0.0.1/9", "connect internet"},
		{"kill -9 1", "signal 1"}, {"env ls", "exec"}, {"rmdir src/none; rmdir .", "remove /w"}, {"touch -d 2020-01-01 f", "change /w/f"}, {"cd src && rm main.rs", "remove /w/src/main.rs"}, {"tee g < f", "open /w/g"}, {"truncate -s 0 f", "open /w/f"},
	}
	straceAll(t, list, func(c control) oracle.Request { return straceRequest(c.command, Report{}) }, func(c control, res oracle.Result) {
		harm, _ := straceHarm(Report{}, res)
		assert.True(t, slices.ContainsFunc(harm, func(h string) bool { return strings.HasPrefix(h, c.want) }), "%s: %s is not among %q", c.command, c.want, harm)
	})
}

// TestOracleSafeEnvNpm: without its entries in SafeEnv npm writes a log and asks
// the registry for its own updates, whatever it is called for.
func TestOracleSafeEnvNpm(t *testing.T) {
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("npm is missing, so what it does without these entries is not shown")
	}
	box := straceBox(t)
	r := Analyze("npm root")
	req := straceRequest("npm root", r)
	res, err := box.Run(req)
	require.NoError(t, err)
	harm, _ := straceHarm(r, res)
	assert.Empty(t, harm)
	req.Env = without(req.Env, "npm_config_update_notifier", "npm_config_logs_max", "npm_config_logs_dir")
	res, err = box.Run(req)
	require.NoError(t, err)
	harm, _ = straceHarm(r, res)
	assert.True(t, slices.ContainsFunc(harm, func(h string) bool { return strings.Contains(h, "/home/u/.npm/_logs") }), "%q", harm)
}

// TestOracleSafeEnvPython: without its entry in SafeEnv a program in Python
// writes what it read of its own parts beside them.
func TestOracleSafeEnvPython(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 is missing, so what it does without this entry is not shown")
	}
	box := straceBox(t)
	r := Analyze("ls")
	req := straceRequest("python3 -c 'import part'", r)
	req.Put = []oracle.File{{Path: "/w/part.py", Data: []byte("x = 1\n")}}
	harm := func() bool {
		res, err := box.Run(req)
		require.NoError(t, err)
		return slices.ContainsFunc(res.Changes, func(c oracle.Change) bool { return strings.Contains(c.Path, "__pycache__") })
	}
	assert.False(t, harm())
	req.Env = without(req.Env, "PYTHONDONTWRITEBYTECODE")
	assert.True(t, harm())
}
