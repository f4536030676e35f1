//go:build linux || darwin

package confine

import (
	"encoding/binary"
	"errors"
)

// Plan is what a helper is told.
type Plan struct {
	// Path is the program, "" for the empty command.
	Path   string
	Argv   []string
	Env    []string
	Dir    string
	Limits Limits
	// Families are the socket families that seccomp lets through; nil stands
	// for no filter.
	Families []int
	// ABI is the version of Landlock in the kernel, 0 for none.
	ABI int
	// Proxy asks for a listener on the loopback.
	Proxy bool
	// ProxyPort is the port of a proxy that runs already.
	ProxyPort int
	// First is the first of the Extra descriptors that the command finds from
	// 3 on.
	First, Extra int
	// Own says that the helper makes the Mounts and then gives its capabilities
	// away.
	Own    bool
	Mounts []Mount
	// Private are directories that the sandbox has for itself.
	Private []string
	// Unwritten are files of /proc that nobody may write, in order: to ask for the
	// mode of each takes long in a new /proc.
	Unwritten []string
	// Below has the command start in a user namespace below that of the mounts,
	// with the numbers of User and Group.
	Below       bool
	User, Group int
	// Namespaces lets the command make user namespaces.
	Namespaces bool
	// Init says that the helper is the first process of its namespaces. It
	// stays, and all ends with it.
	Init bool
	// Fresh begins with an empty file system instead of that of the machine.
	Fresh bool
	// Unshare are the namespaces that the helper makes for the command, as flags
	// of clone(2).
	Unshare int
	// Stay keeps the helper as the parent of the command, to end all of its
	// descendants. A ruleset of Landlock follows the plan.
	Stay bool
}

// code writes or reads every field. encoding/json takes a quarter of a
// millisecond to get ready, in each helper anew.
func (p *Plan) code(c *coder) {
	c.text(&p.Path)
	list(c, &p.Argv, c.text)
	list(c, &p.Env, c.text)
	c.text(&p.Dir)
	number(c, &p.Limits.Memory)
	number(c, &p.Limits.Processes)
	number(c, &p.Limits.FileSize)
	list(c, &p.Families, func(n *int) { number(c, n) })
	number(c, &p.ABI)
	c.flag(&p.Proxy)
	number(c, &p.ProxyPort)
	number(c, &p.First)
	number(c, &p.Extra)
	c.flag(&p.Own)
	list(c, &p.Mounts, func(m *Mount) { m.code(c) })
	list(c, &p.Private, c.text)
	list(c, &p.Unwritten, c.text)
	c.flag(&p.Below)
	number(c, &p.User)
	number(c, &p.Group)
	c.flag(&p.Namespaces)
	c.flag(&p.Init)
	c.flag(&p.Fresh)
	number(c, &p.Unshare)
	c.flag(&p.Stay)
}

func (p *Plan) Marshal() []byte {
	c := coder{writes: true, data: make([]byte, 0, 8192)}
	p.code(&c)
	return c.data
}

func (p *Plan) Unmarshal(data []byte) error {
	c := coder{data: data}
	p.code(&c)
	if c.bad || len(c.data) > 0 {
		return errors.New("it is not whole")
	}
	return nil
}

// Limits are those that the kernel counts for each process; 0 is none. They have
// the units of the profile.
type Limits struct {
	Memory    int64
	Processes int
	FileSize  int64
}

// MountKind is what a mount of the helper does with a path.
type MountKind uint8

const (
	// MountPin keeps a directory from being moved.
	MountPin MountKind = iota + 1
	// MountRead makes it and what lies below it read-only.
	MountRead
	// MountFile and MountDir put nothing in its place.
	MountFile
	MountDir
	// MountBind and MountBindRead put there what the machine has, writable and
	// read-only.
	MountBind
	MountBindRead
	// MountShut puts an empty directory there that has ways to what is mounted
	// below.
	MountShut
)

// Mount is one mount of the helper.
type Mount struct {
	Path string
	Kind MountKind
	// From is what a bind takes, "" for Path.
	From string
}

func (m *Mount) code(c *coder) {
	c.text(&m.Path)
	number(c, &m.Kind)
	c.text(&m.From)
}

// coder appends to data, or takes from its front.
type coder struct {
	data   []byte
	writes bool
	// bad says that what was to be read is not there.
	bad bool
}

func number[T ~int | ~int64 | ~uint8](c *coder, v *T) {
	if c.writes {
		c.data = binary.AppendVarint(c.data, int64(*v))
		return
	}
	n, k := binary.Varint(c.data)
	if *v = T(n); k <= 0 || int64(*v) != n {
		*v, c.bad, c.data = 0, true, nil
		return
	}
	c.data = c.data[k:]
}

func (c *coder) flag(v *bool) {
	n := 0
	if *v {
		n = 1
	}
	number(c, &n)
	*v = n == 1
	c.bad = c.bad || n < 0 || n > 1
}

func (c *coder) text(v *string) {
	n := len(*v)
	number(c, &n)
	if c.writes {
		c.data = append(c.data, *v...)
		return
	}
	if n < 0 || n > len(c.data) {
		c.bad, c.data = true, nil
		return
	}
	*v, c.data = string(c.data[:n]), c.data[n:]
}

// list codes a list; nil stays nil.
func list[T any](c *coder, l *[]T, each func(*T)) {
	n := len(*l)
	if *l == nil {
		n = -1
	}
	number(c, &n)
	if !c.writes {
		if *l = nil; n < -1 || n > len(c.data) {
			c.bad, c.data = true, nil
			return
		}
		if n >= 0 {
			*l = make([]T, n)
		}
	}
	for i := range *l {
		each(&(*l)[i])
	}
}
