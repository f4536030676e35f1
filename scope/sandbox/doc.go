// Package sandbox starts programs that can touch only what a [scope.Guard]
// would let them touch. Static checks see what a command line says; a sandbox
// bounds what it does.
//
// A [Profile] is plain data: which paths may be read and written, which hosts
// may be reached, how much may be used. [FromGuard] makes one; [Profile.Bubblewrap],
// [Profile.Seatbelt] and [Profile.SandboxRuntime] write it in the form of other
// tools. A [Box] is what this machine has, probed once by really starting it:
//
//	func main() {
//		helper := sandbox.Enter() // first, before anything else
//		...
//		box, err := sandbox.New(helper, sandbox.Options{})
//		profile, err := sandbox.FromGuard(guard, sandbox.ProfileOptions{})
//		cmd, err := box.Command(ctx, profile, "make", "test")
//		out, err := cmd.CombinedOutput()
//
// # What each level holds
//
// Namespaces (Linux namespaces that this program makes itself) and Bubblewrap
// (bwrap makes them): the whole file system is read-only except the writable roots, in
// which protected paths are read-only, protected names that are missing are
// covered, and the directories above both cannot be moved; secrets are covered;
// /tmp and /run are empty and private; processes, network, IPC and
// host name are the sandbox's own; the parts of /proc that are about the machine
// are read-only; a seccomp filter refuses the kernel's key rings, io_uring, bpf,
// mounts and every socket family but the Internet ones. The program holds no
// capability and, where the kernel has Landlock, can neither trace nor signal the
// processes that the sandbox is made of; /proc shows it only those that it may
// trace (but not where bwrap has to make all mounts by itself). It makes no user namespace, so a browser
// must be told to do without its own sandbox, unless [Profile.Namespaces] is set.
//
// Where the kernel has Landlock the program shares the user namespace that owns
// the mounts, the other namespaces and the user's number with the first process,
// which holds capabilities there. What keeps them apart: the program has no
// capability in any set, an empty bounding set and no_new_privs; the filter
// refuses the calls that change mounts, enter namespaces, make user namespaces
// or set limits of other processes; Landlock refuses tracing; and the helper
// of this program cannot be dumped, so that its part of /proc is closed. Without
// Landlock, for others than root, the program is in a user namespace below.
//
// The first process of the sandbox ends with the host, and all others with it.
// A system that lets only certain programs make user namespaces has no level
// Namespaces; bwrap is such a program there.
//
// Landlock (neither of them works here): Landlock rights only add
// up, so a name inside a writable directory can be protected only by giving the
// rights to its neighbours. In a directory that directly holds a
// protected name, existing or missing, nothing can be made, renamed or removed;
// a workspace root always is such a directory unless the profile says otherwise
// ([ProfileOptions.Unguarded]). The network is closed by seccomp, without a
// loopback. The program holds no capability, root's neither. [Report.Gaps]
// names what stays open, such as changing modes of the
// person's own files. As it can name the processes of the machine, a command may
// set priorities, processors and schedulers of its calling thread only (the
// number 0), not by number.
//
// # What no level holds
//
//   - A hard link that was made before, a descriptor that is handed in.
//   - Protected names deeper in the tree that do not exist when the profile is
//     made: a program can make sub/.git. [Planted] finds them afterwards.
//   - Reading: the whole machine is readable except what the profile hides, as
//     is usual for coding agents. What was read can go out only over the network.
//   - Bugs in the kernel.
package sandbox
