package sandbox

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
)

// private are the directories that every sandbox has for itself: others leave
// sockets and files there.
var private = []string{"/run", "/tmp", "/var/tmp"}

// system are paths below them that programs need on some systems.
var system = []string{"/run/current-system", "/run/opengl-driver"}

// machine are the parts of /proc that change the machine, not a process.
var machine = []string{"/proc/sys", "/proc/acpi", "/proc/bus", "/proc/dynamic_debug", "/proc/fs", "/proc/irq", "/proc/mtrr", "/proc/pressure", "/proc/scsi", "/proc/sysrq-trigger"}

// Bubblewrap returns the arguments for bwrap(1), without the program: what
// follows is "--" and the command. They hold the file system and, for any reach
// but Open, the network; limits, the proxy for named hosts and the seccomp
// filter are added by [Box.Command] only. A reach of Hosts is written as no
// network.
//
// bwrap makes empty files for the missing paths it covers and leaves them behind
// ([Box.Command] removes its own).
func (p Profile) Bubblewrap() ([]string, error) {
	c, err := p.clean()
	if err != nil {
		return nil, err
	}
	return c.bubblewrap(nil), nil
}

// bubblewrap writes the arguments. extra are inserted before the entries. bwrap applies them in order, so parents come
// before what lies in them.
func (p Profile) bubblewrap(extra []string) []string {
	args := []string{"--unshare-all"}
	if p.Network.Reach == Open {
		args = append(args, "--share-net")
	}
	// Root keeps its capabilities in bwrap unless told otherwise, and could
	// unmount what protects the files.
	args = append(args, "--cap-drop", "ALL")
	args = append(args, "--die-with-parent", "--new-session")
	top := nearest(p.Entries, "/")
	if top != nil && top.Access != Hidden {
		args = append(args, "--ro-bind", "/", "/")
	} else {
		args = append(args, "--tmpfs", "/")
	}
	args = append(args, "--dev", "/dev", "--proc", "/proc")
	// Without it root could set what the kernel runs when a program crashes.
	for _, d := range machine {
		args = append(args, "--ro-bind-try", d, d)
	}
	for _, d := range private {
		args = append(args, "--tmpfs", d)
	}
	if top != nil && top.Access != Hidden {
		for _, d := range system {
			args = append(args, "--ro-bind-try", d, d)
		}
	}
	args = append(args, extra...)
	type step struct {
		path string
		args []string
	}
	var steps []step
	var last []string
	for _, d := range p.pins() {
		steps = append(steps, step{d, []string{"--bind", d, d}})
	}
	for _, e := range p.Entries {
		s := step{path: e.Path}
		switch {
		case e.Path == "/":
			continue
		case e.Missing:
			s.args = []string{"--ro-bind", "/dev/null", e.Path}
		case e.Access == Write:
			s.args = []string{"--bind", e.Path, e.Path}
		case e.Access == Read:
			s.args = []string{"--ro-bind", e.Path, e.Path}
		case e.Dir:
			// What is let through below it needs a way in and a place to stand,
			// so it becomes read-only at the end.
			perms := "0000"
			if slices.ContainsFunc(p.Entries, func(b Entry) bool { return b.Path != e.Path && within(b.Path, e.Path) }) {
				perms = "0111"
			}
			s.args = []string{"--perms", perms, "--tmpfs", e.Path}
			last = append(last, "--remount-ro", e.Path)
		default:
			s.args = []string{"--ro-bind", "/dev/null", e.Path}
		}
		steps = append(steps, s)
	}
	slices.SortStableFunc(steps, func(a, b step) int { return comparePaths(a.path, b.path) })
	for _, s := range steps {
		args = append(args, s.args...)
	}
	return append(append(args, last...), "--chdir", p.Dir)
}

// Seatbelt returns a profile for sandbox-exec(1) of macOS. Paths under /tmp,
// /var and /etc are written as they are called there below /private. A reach of
// Hosts is written as the loopback only, for the proxy.
func (p Profile) Seatbelt() (string, error) {
	c, err := p.clean()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("(version 1)\n(deny default)\n")
	b.WriteString("(allow process-exec process-fork)\n(allow signal (target same-sandbox))\n(allow sysctl-read)\n")
	b.WriteString("(allow mach-lookup (global-name \"com.apple.system.opendirectoryd.libinfo\"))\n")
	b.WriteString("(allow file-read-metadata)\n")
	b.WriteString("(allow file-write-data (literal \"/dev/null\") (literal \"/dev/tty\"))\n(allow file-ioctl (literal \"/dev/tty\"))\n")
	switch c.Network.Reach {
	case Open:
		b.WriteString("(allow network*)\n")
	case Hosts:
		b.WriteString("(allow network-outbound (remote ip \"localhost:*\"))\n")
	}
	if c.Network.UnixSockets {
		b.WriteString("(allow network* (local unix-socket) (remote unix-socket))\n")
	}
	// Later rules win.
	for _, e := range c.Entries {
		filter := "(subpath " + seatbeltString(e.Path) + ")"
		switch {
		case e.Missing:
			fmt.Fprintf(&b, "(deny file-write* %s)\n", filter)
		case e.Access == Write:
			fmt.Fprintf(&b, "(allow file-read* file-write* %s)\n", filter)
		case e.Access == Read:
			fmt.Fprintf(&b, "(allow file-read* %s)\n(deny file-write* %s)\n", filter, filter)
		default:
			fmt.Fprintf(&b, "(deny file-read* file-write* %s)\n", filter)
		}
	}
	b.WriteString("(allow file-write-data (literal \"/dev/null\") (literal \"/dev/tty\"))\n")
	for _, d := range c.pins() {
		fmt.Fprintf(&b, "(deny file-write-unlink (literal %s))\n", seatbeltString(d))
	}
	return b.String(), nil
}

// seatbeltString quotes a path, with the firm links of macOS resolved.
func seatbeltString(p string) string {
	for _, d := range []string{"/tmp", "/var", "/etc"} {
		if within(p, d) {
			p = "/private" + p
		}
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(p) + `"`
}

// SandboxRuntime returns settings for Anthropic's sandbox-runtime (srt), as of
// its version 0.0.78: file system lists and network domains. srt takes paths with
// glob characters for patterns, and skips them when writing is restricted on
// Linux, so such a path is ErrProfile. It expands nothing here: all paths are
// absolute.
func (p Profile) SandboxRuntime() ([]byte, error) {
	c, err := p.clean()
	if err != nil {
		return nil, err
	}
	type filesystem struct {
		DenyRead   []string `json:"denyRead"`
		AllowRead  []string `json:"allowRead,omitempty"`
		AllowWrite []string `json:"allowWrite"`
		DenyWrite  []string `json:"denyWrite"`
	}
	type network struct {
		AllowedDomains  []string `json:"allowedDomains"`
		DeniedDomains   []string `json:"deniedDomains"`
		StrictAllowlist bool     `json:"strictAllowlist"`
		AllowAllUnix    bool     `json:"allowAllUnixSockets,omitempty"`
	}
	out := struct {
		Filesystem filesystem `json:"filesystem"`
		Network    network    `json:"network"`
	}{
		filesystem{DenyRead: []string{}, AllowWrite: []string{}, DenyWrite: []string{}},
		network{AllowedDomains: []string{}, DeniedDomains: []string{}, StrictAllowlist: true, AllowAllUnix: c.Network.UnixSockets},
	}
	if c.Network.Reach == Open {
		return nil, fmt.Errorf("%w: sandbox-runtime has no open network", ErrProfile)
	}
	out.Network.AllowedDomains = append(out.Network.AllowedDomains, c.Network.Hosts...)
	for _, e := range c.Entries {
		if strings.ContainsAny(e.Path, "*?[]{}") {
			return nil, fmt.Errorf("%w: sandbox-runtime would take %q for a pattern", ErrProfile, e.Path)
		}
		parent := nearest(c.Entries, path.Dir(e.Path))
		switch {
		case e.Access == Write:
			if parent != nil && parent.Path != e.Path && parent.Path != "/" && parent.Access == Read {
				return nil, fmt.Errorf("%w: in sandbox-runtime denyWrite beats allowWrite, so %q below %q cannot be written", ErrProfile, e.Path, parent.Path)
			}
			out.Filesystem.AllowWrite = append(out.Filesystem.AllowWrite, e.Path)
		case e.Access == Hidden:
			out.Filesystem.DenyRead = append(out.Filesystem.DenyRead, e.Path)
			out.Filesystem.DenyWrite = append(out.Filesystem.DenyWrite, e.Path)
		case e.Path == "/":
		case parent != nil && parent.Access == Hidden:
			out.Filesystem.AllowRead = append(out.Filesystem.AllowRead, e.Path)
		default:
			out.Filesystem.DenyWrite = append(out.Filesystem.DenyWrite, e.Path)
		}
	}
	return json.MarshalIndent(out, "", "  ")
}
