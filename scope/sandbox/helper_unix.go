//go:build linux || darwin

package sandbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The descriptors of a helper process beside the standard ones.
const (
	controlFD = 3
	syncFD    = 4
)

// maxPlan bounds what a helper reads.
const maxPlan = 64 << 20

// Enter must be the first thing that main does. In a child that a [Box]
// started it confines the process, becomes the command and does not return. In
// any other process it does nothing but return the Helper that [New] wants.
//
// A child is this program started with one special argument; package variables
// and init functions run there too.
func Enter() Helper {
	if len(os.Args) == 2 && os.Args[1] == childMark {
		err := helperMain()
		// The control channel told it to the parent, or nobody is there.
		fmt.Fprintln(os.Stderr, "sandbox child:", err)
		os.Exit(125)
	}
	exe, err := os.Executable()
	if err != nil {
		return Helper{}
	}
	return Helper{exe: exe}
}

// control is the child's end of the channel to the parent.
type control struct{ f *os.File }

func (c control) say(kind, text string) error {
	_, err := fmt.Fprintf(c.f, "%s %s\n", kind, strings.ReplaceAll(text, "\n", " "))
	return err
}

func (c control) sendListener(l *net.TCPListener, port int) error {
	f, err := l.File()
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Sendmsg(int(c.f.Fd()), fmt.Appendf(nil, "listen %d\n", port), unix.UnixRights(int(f.Fd())), nil, 0)
}

// helperMain is the life of a helper process.
func helperMain() (err error) {
	var st unix.Stat_t
	if err := unix.Fstat(controlFD, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return errors.New("this process was not started by a sandbox")
	}
	c := control{os.NewFile(controlFD, "control")}
	defer func() {
		if err != nil {
			_ = c.say("error", err.Error())
		}
	}()
	// Nothing of what the host itself inherited gets to the command.
	if err := closeOnExecFrom(controlFD); err != nil {
		return fmt.Errorf("closing what was inherited: %w", err)
	}
	var size [4]byte
	if _, err := io.ReadFull(c.f, size[:]); err != nil {
		return fmt.Errorf("reading the plan: %w", err)
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > maxPlan {
		return errors.New("the plan is too large")
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(c.f, data); err != nil {
		return fmt.Errorf("reading the plan: %w", err)
	}
	var p plan
	if err := p.unmarshal(data); err != nil {
		return fmt.Errorf("reading the plan: %w", err)
	}
	return confine(&p, c)
}

// proxied hands over a listener on the loopback where the plan asks for one, and
// names the proxy to the command.
func (p *plan) proxied(c control) error {
	if p.Proxy {
		l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return fmt.Errorf("listening for the proxy: %w", err)
		}
		p.ProxyPort = l.Addr().(*net.TCPAddr).Port
		if err := c.sendListener(l, p.ProxyPort); err != nil {
			return fmt.Errorf("handing over the proxy: %w", err)
		}
		l.Close()
	}
	if p.ProxyPort > 0 {
		p.Env = proxyEnv(p.Env, p.ProxyPort)
	}
	return nil
}

// proxyEnv adds the variables that programs take a proxy from.
func proxyEnv(env []string, port int) []string {
	var out []string
	for _, e := range env {
		k, _, _ := strings.Cut(e, "=")
		switch strings.ToUpper(k) {
		case "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY":
			continue
		}
		out = append(out, e)
	}
	url := fmt.Sprintf("http://127.0.0.1:%d", port)
	for _, k := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"} {
		out = append(out, k+"="+url)
	}
	return append(out, "NO_PROXY=localhost,127.0.0.1,::1", "no_proxy=localhost,127.0.0.1,::1")
}

// look finds the program in the PATH of its own environment. Entries that are
// not absolute are left out: they would mean the workspace.
func look(p *plan) (string, error) {
	name := p.Path
	if strings.ContainsRune(name, '/') {
		if !filepath.IsAbs(name) {
			name = filepath.Join(p.Dir, name)
		}
		return name, nil
	}
	for i := len(p.Env) - 1; i >= 0; i-- {
		list, ok := strings.CutPrefix(p.Env[i], "PATH=")
		if !ok {
			continue
		}
		for _, d := range filepath.SplitList(list) {
			if !filepath.IsAbs(d) {
				continue
			}
			f := filepath.Join(d, name)
			if fi, err := os.Stat(f); err == nil && fi.Mode().IsRegular() && unix.Access(f, unix.X_OK) == nil {
				return f, nil
			}
		}
		break
	}
	return "", &fs.PathError{Op: "exec", Path: name, Err: unix.ENOENT}
}

// setLimits applies what the kernel counts for each process. Nothing above the
// hard limit in force can be asked for.
func setLimits(l Limits) error {
	set := func(what int, v uint64, name string) error {
		var have unix.Rlimit
		if err := unix.Getrlimit(what, &have); err != nil {
			return fmt.Errorf("limit of %s: %w", name, err)
		}
		v = min(v, have.Max)
		if err := unix.Setrlimit(what, &unix.Rlimit{Cur: v, Max: v}); err != nil {
			return fmt.Errorf("limit of %s: %w", name, err)
		}
		return nil
	}
	if err := set(unix.RLIMIT_CORE, 0, "core files"); err != nil {
		return err
	}
	if l.FileSize > 0 {
		if err := set(unix.RLIMIT_FSIZE, uint64(l.FileSize), "file size"); err != nil {
			return err
		}
	}
	if l.Memory > 0 {
		if err := set(unix.RLIMIT_DATA, uint64(l.Memory), "memory"); err != nil {
			return err
		}
	}
	if l.Processes > 0 {
		if err := set(rlimitNproc, uint64(l.Processes), "processes"); err != nil {
			return err
		}
	}
	return nil
}

// closeOnExecFrom marks the open descriptors from first on.
func closeOnExecFrom(first int) error {
	if markRange(first) {
		return nil
	}
	list, err := os.ReadDir(fdDir)
	if err != nil {
		return err
	}
	for _, e := range list {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd >= first {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}

// become executes the command. It returns only with an error.
func (c *control) become(name string, p *plan) error {
	if p.Extra > 0 {
		// The descriptors of the command begin where the control channel is.
		high, err := unix.FcntlInt(controlFD, unix.F_DUPFD_CLOEXEC, p.First+p.Extra)
		if err != nil {
			return err
		}
		// The old one must not be closed when it is collected.
		defer runtime.KeepAlive(c.f)
		c.f = os.NewFile(uintptr(high), "control")
		for i := range p.Extra {
			if err := dup(p.First+i, 3+i); err != nil {
				return err
			}
		}
	}
	return unix.Exec(name, p.Argv, p.Env)
}

// execError is what an error of starting the program travels as.
func execError(err error) string {
	var errno unix.Errno
	if !errors.As(err, &errno) {
		return "0 " + err.Error()
	}
	return fmt.Sprintf("%d %s", int(errno), err)
}
