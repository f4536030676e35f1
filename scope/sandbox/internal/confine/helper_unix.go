//go:build linux || darwin

// Package confine is what runs in the helper processes of a sandbox: it confines
// itself as a [Plan] says and becomes, or starts, the command.
package confine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// controlFD is the channel to the parent.
const controlFD = 3

// MaxPlan bounds what a helper reads.
const MaxPlan = 64 << 20

// Mark is the one argument of a helper process.
const Mark = "clearance-sandbox-child"

// A helper is this program with one special argument. Its life is here and not
// in a call of main, as the packages of a program are initialised in the order of
// what they need (Go specification, "Package initialization"): this one needs
// little, so that most of the program, which a helper has no use for and which
// may do anything, never gets to run in it. That also saves a good part of its
// start.
func init() {
	if len(os.Args) != 2 || os.Args[1] != Mark {
		return
	}
	err := helperMain()
	// The control channel told it to the parent, or nobody is there.
	fmt.Fprintln(os.Stderr, "sandbox child:", err)
	os.Exit(125)
}

// control is the child's end of the channel to the parent.
type control struct{ f *os.File }

func (c control) say(kind, text string) error {
	_, err := fmt.Fprintf(c.f, "%s %s\n", kind, strings.ReplaceAll(text, "\n", " "))
	return err
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
	if n > MaxPlan {
		return errors.New("the plan is too large")
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(c.f, data); err != nil {
		return fmt.Errorf("reading the plan: %w", err)
	}
	var p Plan
	if err := p.Unmarshal(data); err != nil {
		return fmt.Errorf("reading the plan: %w", err)
	}
	return confine(&p, c)
}

// proxied hands over a listener on the loopback where the plan asks for one, and
// names the proxy to the command.
func (p *Plan) proxied(c control) error {
	if p.Proxy {
		var l int
		var err error
		if l, p.ProxyPort, err = listen(); err != nil {
			return fmt.Errorf("listening for the proxy: %w", err)
		}
		defer unix.Close(l)
		if err := unix.Sendmsg(controlFD, fmt.Appendf(nil, "listen %d\n", p.ProxyPort), unix.UnixRights(l), nil, 0); err != nil {
			return fmt.Errorf("handing over the proxy: %w", err)
		}
	}
	if p.ProxyPort > 0 {
		p.Env = proxyEnv(p.Env, p.ProxyPort)
	}
	return nil
}

// listen listens on the loopback. Package net would take time to get ready.
func listen() (fd, port int, err error) {
	if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0); err != nil {
		return -1, 0, err
	}
	unix.CloseOnExec(fd)
	if err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err == nil {
		err = unix.Listen(fd, unix.SOMAXCONN)
	}
	if err == nil {
		var at unix.Sockaddr
		if at, err = unix.Getsockname(fd); err == nil {
			if a, ok := at.(*unix.SockaddrInet4); ok {
				return fd, a.Port, nil
			}
			err = unix.EAFNOSUPPORT
		}
	}
	unix.Close(fd)
	return -1, 0, err
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
func look(p *Plan) (string, error) {
	name := p.Path
	if strings.ContainsRune(name, '/') {
		if !path.IsAbs(name) {
			name = path.Join(p.Dir, name)
		}
		return name, nil
	}
	for i := len(p.Env) - 1; i >= 0; i-- {
		list, ok := strings.CutPrefix(p.Env[i], "PATH=")
		if !ok {
			continue
		}
		for d := range strings.SplitSeq(list, ":") {
			if !path.IsAbs(d) {
				continue
			}
			f := path.Join(d, name)
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
func (c *control) become(name string, p *Plan) error {
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
