package credstore

import (
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// keyPage holds the data key on a page of its own: kept out of swap and core dumps and empty in a forked child, as far as
// the kernel allows.
type keyPage struct {
	mu   sync.Mutex
	page []byte
	heap bool
}

func newKeyPage() *keyPage {
	page, err := unix.Mmap(-1, 0, unix.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return &keyPage{page: make([]byte, keySize), heap: true}
	}
	// Each of these is a bonus: RLIMIT_MEMLOCK may be zero and a kernel may be old.
	_ = unix.Mlock(page)
	_ = unix.Madvise(page, unix.MADV_DONTDUMP)
	_ = unix.Madvise(page, unix.MADV_WIPEONFORK)
	return &keyPage{page: page}
}

// hold copies key into the page, clears key, and returns the place.
func (p *keyPage) hold(key []byte) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.page == nil {
		p.page, p.heap = make([]byte, keySize), true
	}
	copy(p.page, key)
	clear(key)
	return p.page[:keySize:keySize]
}

// release clears and unmaps the page; nobody may hold the place any more.
func (p *keyPage) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.page)
	if !p.heap && p.page != nil {
		_ = unix.Munmap(p.page)
	}
	p.page = nil
}

// Harden makes this process harder to look into: no core dumps (RLIMIT_CORE 0), and no reading of its memory and its
// environment by other processes of the same user (PR_SET_DUMPABLE 0, see ptrace(2) and proc_pid_environ(5)). It also
// stops debuggers and profilers that attach from outside, lasts until the process ends, and is not inherited through
// execve. Call it once, at the start of a program that holds secrets. It does not protect against root.
func Harden() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("credstore: no core dumps: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("credstore: not dumpable: %w", err)
	}
	return nil
}
