package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"github.com/clearance-go/clearance/scope/sandbox/internal/confine"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// places are where systems put bwrap.
var places = []string{"/usr/bin/bwrap", "/usr/local/bin/bwrap", "/bin/bwrap", "/run/current-system/sw/bin/bwrap", "/opt/bubblewrap/bin/bwrap"}

// helperPath is where a sandbox finds this program, wherever it lies outside.
const helperPath = "/run/clearance-sandbox"

func probe(h Helper, o Options) (*Box, error) {
	var why []string
	abi, err := ll.LandlockGetABIVersion()
	if err != nil {
		abi = 0
	}
	want := func(l Level) bool { return o.Level == None || o.Level == l }
	// tryOwn tries a box whose helper makes the mounts. Without Landlock nothing
	// else keeps the command from the processes that the sandbox is made of; root
	// goes without, as those have no more rights on the machine than it.
	tryOwn := func(b *Box) error {
		b.nested = os.Getuid() != 0 && abi < confine.FenceABI
		err := try(b)
		if err != nil && os.Getuid() != 0 && !b.nested {
			// Kernels make no terminals where the number 0 is nobody.
			b.nested = true
			err = try(b)
		}
		return err
	}
	if want(Namespaces) {
		b := &Box{helper: h, report: Report{Level: Namespaces, ABI: abi}, unwritten: unwritten()}
		err := tryOwn(b)
		if err == nil {
			return b, nil
		}
		why = append(why, "namespaces: "+err.Error())
	}
	if want(Bubblewrap) {
		names := places
		if o.Bubblewrap != "" {
			if !filepath.IsAbs(o.Bubblewrap) {
				return nil, fmt.Errorf("%w: the path of bwrap must be absolute: %q", ErrUnavailable, o.Bubblewrap)
			}
			names = []string{o.Bubblewrap}
		}
		i := slices.IndexFunc(names, func(n string) bool { return unix.Access(n, unix.X_OK) == nil })
		if i < 0 {
			why = append(why, "bubblewrap: no bwrap program is installed")
		} else {
			r := Report{Level: Bubblewrap, ABI: abi, Program: names[i], Why: why}
			b := &Box{helper: h, report: r, unwritten: unwritten()}
			err := tryOwn(b)
			if err == nil {
				return b, nil
			}
			// Before Linux 5.12, and where the system lets nobody but bwrap
			// mount: all mounts are made by bwrap.
			if b = (&Box{helper: h, report: r, plain: true}); try(b) == nil {
				return b, nil
			}
			why = append(why, "bubblewrap: "+err.Error())
		}
	}
	if want(Landlock) {
		r := Report{Level: Landlock, ABI: abi, Why: why}
		err := error(nil)
		if abi < minABI {
			err = fmt.Errorf("the kernel has ABI %d, %d is needed", abi, minABI)
		} else if _, ok := confine.FilterArch(); !ok {
			err = errors.New("no seccomp filter for this architecture")
		} else {
			b := &Box{helper: h, report: r}
			if err = try(b); err == nil {
				return b, nil
			}
		}
		why = append(why, "landlock: "+err.Error())
	}
	if !want(Namespaces) && !want(Bubblewrap) && !want(Landlock) {
		why = append(why, o.Level.String()+": not on Linux")
	}
	return nil, fmt.Errorf("%w: %q", ErrUnavailable, why)
}

// supported refuses a profile that the level cannot enforce.
func supported(r Report, p Profile) error {
	if r.Level == Landlock && p.Network.Reach == Hosts {
		return fmt.Errorf("%w: a network of named hosts needs namespaces or bubblewrap; Landlock tells ports apart, not hosts", ErrUnavailable)
	}
	if p.Limits.Processes > 0 && os.Getuid() == 0 {
		return fmt.Errorf("%w: the kernel does not limit the processes of uid 0", ErrUnavailable)
	}
	return nil
}

func gaps(r Report, p Profile) []string {
	var out []string
	if os.Getuid() == 0 && p.Limits.Processes >= 0 {
		out = append(out, "processes are not limited: the kernel does not count those of uid 0")
	}
	if _, ok := confine.FilterArch(); !ok {
		out = append(out, "no seccomp filter on this architecture: io_uring, key rings and Unix sockets are open")
	}
	if os.Getuid() == 0 && r.Level == Bubblewrap && r.ABI < confine.FenceABI {
		out = append(out, fmt.Sprintf("the first process inside the sandbox can be traced by the command (Landlock ABI %d is needed)", confine.FenceABI))
	}
	if r.Level == Landlock {
		out = append(out,
			"modes, owners, times and attributes of the person's own files can be changed anywhere",
			"all processes of the machine can be seen",
			"System V shared memory, semaphores and message queues of the person can be used",
			"nothing can be made, renamed or removed directly in a folder that holds a protected name, such as the workspace root",
			"a new file in a folder that holds a secret cannot be read by the command that is running")
		if r.ABI < 6 {
			out = append(out, "processes outside the sandbox can be sent signals (Landlock ABI 6 is needed)")
		}
	}
	return out
}

// families are the socket families a program may use.
func (r *Runner) families() []int {
	out := []int{}
	if r.box.report.Level >= Bubblewrap || r.profile.Network.Reach == Open {
		out = append(out, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK)
	}
	if r.profile.Network.UnixSockets {
		out = append(out, unix.AF_UNIX)
	}
	return out
}

func (r *Runner) launch(cmd *exec.Cmd) (launch, error) {
	l := launch{plan: r.plan(cmd)}
	l.plan.ABI, l.plan.Namespaces = r.box.report.ABI, r.profile.Namespaces
	if os.Getuid() == 0 {
		l.plan.Limits.Processes = 0
	}
	if _, ok := confine.FilterArch(); ok {
		l.plan.Families = r.families()
	}
	if r.box.report.Level == Landlock {
		l.path, l.args = "/proc/self/exe", []string{confine.Mark}
		l.session, l.plan.Stay = true, true
		l.plan.Env = cmd.Env
		r.landlock(&l)
		return l, nil
	}
	l.plan.Proxy = r.profile.Network.Reach == Hosts
	l.plan.Env = environment(cmd.Env, "/tmp")
	top := nearest(r.profile.Entries, "/")
	fresh := top == nil || top.Access == Hidden
	if r.box.report.Level == Namespaces {
		l.plan.Init, l.plan.Fresh = true, fresh
		r.namespaces(&l)
		return l, nil
	}
	l.path = r.box.report.Program
	l.sync = true
	args := []string{"--sync-fd", fmt.Sprint(syncFD)}
	if r.box.plain || fresh {
		now, err := r.covered()
		if err != nil {
			return launch{}, err
		}
		args = append(args, now.bubblewrap([]string{"--ro-bind", r.box.helper.exe, helperPath})...)
		l.args = append(args, "--", helperPath, confine.Mark)
		return l, nil
	}
	r.ownMounts(&l)
	args = append(args, "--unshare-user", "--unshare-pid")
	if rest := r.apart() &^ l.plan.Unshare; rest != 0 {
		args = append(args, "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")
		if rest&unix.CLONE_NEWNET != 0 {
			args = append(args, "--unshare-net")
		}
	}
	uid, gid := r.box.numbers()
	args = append(args, "--uid", strconv.Itoa(uid), "--gid", strconv.Itoa(gid), "--die-with-parent", "--new-session", "--dev-bind", "/", "/")
	for _, c := range capabilities {
		args = append(args, "--cap-add", c.name)
	}
	l.args = append(args, "--", r.box.helper.exe, confine.Mark)
	return l, nil
}

// covered returns the profile as it is now, with placeholders for what is
// missing.
func (r *Runner) covered() (Profile, error) {
	now, err := r.profile.current()
	if err != nil {
		return Profile{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now = now.withinReach()
	now.Entries, err = r.cover(now.Entries)
	return now, err
}

// apart are the namespaces that a command has for itself, beside those of users,
// mounts and processes.
func (r *Runner) apart() int {
	flags := unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP
	if r.profile.Network.Reach != Open {
		flags |= unix.CLONE_NEWNET
	}
	return flags
}

// ownMounts has the helper make the mounts. What the host does for that goes on
// while the helper starts.
func (r *Runner) ownMounts(l *launch) {
	l.plan.Own, l.plan.User, l.plan.Group = true, os.Getuid(), os.Getgid()
	l.plan.Below, l.plan.Private, l.plan.Unwritten = r.box.nested, private, r.box.unwritten
	// Where the command can see the first process of bwrap, that has to be in the
	// namespaces of the sandbox too.
	if l.plan.Init || l.plan.Below || l.plan.ABI >= confine.FenceABI {
		l.plan.Unshare = r.apart()
	}
	l.late = func(p *confine.Plan) error {
		now, err := r.covered()
		if err == nil {
			p.Mounts = now.mounts(r.box.helper.exe)
		}
		return err
	}
}

// firstPidfd asks for a pidfd of the child.
func firstPidfd(a *syscall.SysProcAttr, fd *int) { a.PidFD = fd }

// namespaces starts the helper as the first process of namespaces of its own,
// which holds capabilities there and stands for this user.
func (r *Runner) namespaces(l *launch) {
	r.ownMounts(l)
	l.path, l.args = "/proc/self/exe", []string{confine.Mark}
	// With the memory of this process until it executes the helper, as os/exec
	// starts everything that needs no numbers: to copy a process takes a
	// millisecond for each 20 MB. Nobody could write the numbers meanwhile, so
	// that is done while the helper starts.
	l.attr = &syscall.SysProcAttr{Setsid: true, Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_VM | unix.CLONE_VFORK}
	l.begun = r.box.number
	for _, c := range capabilities {
		l.attr.AmbientCaps = append(l.attr.AmbientCaps, c.number)
	}
}

// capabilities are what a helper holds in its user namespace until the command
// starts.
var capabilities = []struct {
	number uintptr
	name   string
}{
	{unix.CAP_SYS_ADMIN, "CAP_SYS_ADMIN"},       // namespaces and mounts
	{unix.CAP_NET_ADMIN, "CAP_NET_ADMIN"},       // the loopback
	{unix.CAP_SYS_RESOURCE, "CAP_SYS_RESOURCE"}, // the limit on namespaces
	{unix.CAP_SETPCAP, "CAP_SETPCAP"},           // giving them all away
	{unix.CAP_SETUID, "CAP_SETUID"},             // the numbers in a namespace below
	{unix.CAP_SETGID, "CAP_SETGID"},
	{unix.CAP_SETFCAP, "CAP_SETFCAP"},
	{unix.CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE"}, // files of the user that the user may not read
	{unix.CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH"},
}

// numbers are those of the user and the group in the user namespace that owns
// the mounts.
func (b *Box) numbers() (uid, gid int) {
	if b.nested {
		return 0, 0
	}
	return os.Getuid(), os.Getgid()
}

// number gives the user namespace of a process, which this one has started in
// it, the numbers of this user: without them it can do nothing to any file. The
// kernel wants to hear first that no other groups are wanted
// (user_namespaces(7)).
func (b *Box) number(pid int) error {
	uid, gid := b.numbers()
	for _, w := range [][2]string{{"setgroups", "deny"}, {"gid_map", fmt.Sprintf("%d %d 1", gid, os.Getgid())}, {"uid_map", fmt.Sprintf("%d %d 1", uid, os.Getuid())}} {
		f, err := os.OpenFile(fmt.Sprintf("/proc/%d/%s", pid, w[0]), os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.WriteString(w[1])
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// unwritten returns the names of the files of /proc that have no mode for
// writing, in order. Who shows only processes there can have none mounted in a
// namespace either (mount_namespaces(7)).
func unwritten() []string {
	list, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range list {
		if e.Type().IsRegular() {
			if fi, err := e.Info(); err == nil && fi.Mode()&0o222 == 0 {
				out = append(out, e.Name())
			}
		}
	}
	return out
}
