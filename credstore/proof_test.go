//go:build linux

package credstore_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/clearance-go/clearance/credstore"
	"github.com/clearance-go/clearance/credstore/agex"
	"github.com/clearance-go/clearance/credstore/internal/format"
	"github.com/clearance-go/clearance/credstore/keyring"
)

// records reads the audit log.
func records(t *testing.T, s *credstore.Store) []credstore.AuditRecord {
	raw, err := os.ReadFile(s.AuditFile())
	require.NoError(t, err)
	var out []credstore.AuditRecord
	for line := range bytes.Lines(raw) {
		var r credstore.AuditRecord
		require.NoError(t, json.Unmarshal(line, &r))
		out = append(out, r)
	}
	return out
}

func vectorA01(t *testing.T) {
	o := options(t)
	o.Audit = credstore.AuditAll
	s := open(t, t.TempDir(), o)
	set(t, s, "test/pin", "1234")
	set(t, s, "test/pin2", "1234")
	assert.Equal(t, "1234", get(t, s, "test/pin"))
	require.NoError(t, s.Delete(t.Context(), "test/pin2"))
	raw, err := os.ReadFile(s.AuditFile())
	require.NoError(t, err)
	sum := format.Hash([]byte("1234"))
	assert.NotContains(t, string(raw), `"1234"`)
	assert.NotContains(t, string(raw), hex.EncodeToString(sum[:4]))
	assert.NotContains(t, string(raw), "test/pin", "names are encrypted in the store, so they are hidden here")
	all := records(t, s)
	var ops []string
	for _, r := range all {
		ops = append(ops, r.Op)
	}
	assert.Equal(t, []string{"create", "set", "set", "get", "delete"}, ops)
	assert.Len(t, all[1].Fingerprint, 16)
	assert.Equal(t, all[1].Fingerprint, all[2].Fingerprint, "the same value can be seen to be the same")
	hidden, err := s.HiddenName(t.Context(), "test/pin")
	require.NoError(t, err)
	assert.Equal(t, hidden, all[3].Name)
	other := open(t, t.TempDir(), o)
	set(t, other, "test/pin", "1234")
	assert.NotEqual(t, all[1].Fingerprint, records(t, other)[1].Fingerprint, "but not across stores")
	o.AuditNames = true
	named := open(t, t.TempDir(), o)
	set(t, named, "test/pin", "1234")
	assert.Equal(t, "test/pin", records(t, named)[1].Name)
}

func vectorA02(t *testing.T) {
	dir, o := t.TempDir(), options(t)
	o.Audit = credstore.AuditAll
	s := open(t, dir, o)
	for i := range 5 {
		set(t, s, "a", fmt.Sprint("value-", i))
		get(t, s, "a")
	}
	require.NoError(t, s.Rotate(t.Context(), credstore.RotateOptions{}))
	report, err := s.VerifyAudit(t.Context())
	require.NoError(t, err)
	assert.Equal(t, credstore.AuditReport{Records: 12, First: 1, Last: 12}, report)
	whole, err := os.ReadFile(s.AuditFile())
	require.NoError(t, err)
	lines := bytes.SplitAfter(bytes.TrimSuffix(whole, []byte("\n")), []byte("\n"))
	lines[len(lines)-1] = append(lines[len(lines)-1], '\n')
	for name, c := range map[string]struct {
		change func([][]byte) [][]byte
		record uint64
	}{
		"deleted":   {func(l [][]byte) [][]byte { return append(l[:3], l[4:]...) }, 4},
		"first":     {func(l [][]byte) [][]byte { return l[1:] }, 1},
		"reordered": {func(l [][]byte) [][]byte { l[5], l[6] = l[6], l[5]; return l }, 6},
		"doubled":   {func(l [][]byte) [][]byte { l[5] = append(bytes.Clone(l[5]), l[5]...); return l }, 7},
		"edited":    {func(l [][]byte) [][]byte { l[3] = bytes.Replace(l[3], []byte(`"set"`), []byte(`"get"`), 1); return l }, 4},
		"field":     {func(l [][]byte) [][]byte { l[2] = bytes.Replace(l[2], []byte(`{`), []byte(`{"x":1,`), 1); return l }, 3},
		"truncated": {func(l [][]byte) [][]byte { return l[:11] }, 12},
		"gone":      {func([][]byte) [][]byte { return nil }, 1},
		"forged": {func(l [][]byte) [][]byte {
			var r credstore.AuditRecord
			_ = json.Unmarshal(l[11], &r)
			r.Sequence, r.Previous, r.MAC = 13, r.MAC, strings.Repeat("0", 64)
			raw, _ := json.Marshal(r)
			return append(l, append(raw, '\n'))
		}, 13},
	} {
		changed := c.change(append([][]byte{}, lines...))
		require.NoError(t, os.WriteFile(s.AuditFile(), bytes.Join(changed, nil), 0o600))
		_, err := s.VerifyAudit(t.Context())
		require.ErrorIs(t, err, credstore.ErrAuditChain, name)
		var at *credstore.AuditError
		require.ErrorAs(t, err, &at)
		assert.Equal(t, c.record, at.Record, name)
	}
	// A tail that was cut off shows at the next open, and the log goes on with a record of it.
	require.NoError(t, os.WriteFile(s.AuditFile(), bytes.Join(lines[:8], nil), 0o600))
	again := open(t, dir, o)
	st, err := again.Status(t.Context())
	require.NoError(t, err)
	assert.Contains(t, strings.Join(st.Warnings, "\n"), "cut off")
	set(t, again, "a", "value-after")
	report, err = again.VerifyAudit(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1, report.Restarts)
	assert.FileExists(t, again.AuditFile()+".damaged")
	strict := o
	strict.RequireAudit = true
	require.NoError(t, os.Remove(again.AuditFile()))
	require.ErrorIs(t, open(t, dir, strict).Delete(t.Context(), "a"), credstore.ErrAudit)
}

func vectorA03(t *testing.T) {
	disk := &faultyDisk{Disk: credstore.OSDisk()}
	dir, o := t.TempDir(), options(t)
	o.Audit = credstore.AuditAll
	s := open(t, dir, credstore.WithDisk(o, disk))
	set(t, s, "a", "value-one")
	disk.fail("Append", syscall.ENOSPC)
	assert.Equal(t, "value-one", get(t, s, "a"))
	set(t, s, "a", "value-two")
	st, err := s.Status(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, 2, st.AuditFailures)
	o.RequireAudit = true
	strict := open(t, dir, credstore.WithDisk(o, disk))
	_, err = strict.Get(t.Context(), "a")
	require.ErrorIs(t, err, credstore.ErrAudit)
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.ErrorIs(t, strict.Delete(t.Context(), "a"), credstore.ErrAudit)
	disk.fail("", nil)
	assert.Equal(t, "value-two", get(t, strict, "a"))
	// A real full device, half a record written: what is torn is cut off again.
	disk.fail("Write", syscall.ENOSPC)
	_, err = strict.Get(t.Context(), "a")
	require.ErrorIs(t, err, credstore.ErrAudit)
	disk.fail("", nil)
	set(t, s, "a", "value-three")
	_, err = s.VerifyAudit(t.Context())
	require.NoError(t, err)
}

// TestAuditRotation: a long log is renamed, and both parts verify.
func TestAuditRotation(t *testing.T) {
	t.Parallel()
	dir, o := t.TempDir(), options(t)
	o.Audit = credstore.AuditAll
	size := int64(8 << 20)
	if !full() {
		size = int64(sized(0, 256<<10, 16<<10))
		o = credstore.WithAuditMax(o, int(size))
	}
	s := open(t, dir, o)
	set(t, s, "a", "value")
	for info, err := os.Stat(s.AuditFile()); err == nil && info.Size() <= size; info, err = os.Stat(s.AuditFile()) {
		for range sized(500, 500, 50) {
			_, err := s.Get(t.Context(), "a")
			require.NoError(t, err)
		}
	}
	before, err := s.VerifyAudit(t.Context())
	require.NoError(t, err)
	set(t, s, "a", "value-2")
	assert.FileExists(t, s.AuditFile()+".1")
	report, err := s.VerifyAudit(t.Context())
	require.NoError(t, err)
	assert.Equal(t, before.Records+1, report.Records)
	require.NoError(t, os.Remove(s.AuditFile()+".1"))
	_, err = s.VerifyAudit(t.Context())
	require.ErrorIs(t, err, credstore.ErrAuditChain)
}

// vectorC02 makes each operation of a save fail, in turn and in each way.
func vectorC02(t *testing.T) {
	for _, fault := range []error{syscall.EIO, syscall.ENOSPC}[:sized(2, 2, 1)] {
		steps := 0
		for at := 1; at == 1 || at <= steps; at++ {
			dir, o := t.TempDir(), options(t)
			set(t, open(t, dir, o), "a", "old-value")
			disk := &faultyDisk{Disk: credstore.OSDisk()}
			s := open(t, dir, credstore.WithDisk(o, disk))
			disk.count, disk.at, disk.err = 0, at, fault
			err := s.Set(t.Context(), "a", credstore.NewSecret([]byte("new-value")), credstore.Meta{})
			failed := ""
			if at <= len(disk.ops) {
				failed = disk.ops[at-1]
			}
			count := disk.count
			disk.at = 0
			if at == 1 {
				steps = max(count, 20)
			}
			if at > count {
				steps = count
				require.NoError(t, err)
				break
			}
			left, e := filepath.Glob(filepath.Join(dir, ".credentials-*"))
			require.NoError(t, e)
			assert.Empty(t, left, "%s at %d: the temporary file is gone", failed, at)
			want := "old-value"
			var save *credstore.SaveError
			switch {
			case err == nil: // the audit log (fail-open) and the last step, the commit, may fail
				want = "new-value"
			case errors.As(err, &save) && save.Visible:
				want = "new-value"
				assert.Equal(t, "SyncDir", failed)
			default:
				require.True(t, errors.Is(err, credstore.ErrSave) || errors.Is(err, credstore.ErrAnchor), "%s at %d: %v", failed, at, err)
				require.ErrorIs(t, err, fault)
			}
			assert.Equal(t, want, get(t, s, "a"), "%s at %d", failed, at)
			assert.Equal(t, want, get(t, open(t, dir, o), "a"), "%s at %d: another process", failed, at)
			set(t, s, "a", "next-value")
			assert.Equal(t, "next-value", get(t, open(t, dir, o), "a"))
		}
		assert.Greater(t, steps, 12)
	}
}

// inode is a file of the crash model: what was flushed, and what was written.
type inode struct{ flushed, written []byte }

// nameOp changes a directory: to becomes node, from (if any) goes away.
type nameOp struct {
	dir, from, to string
	node          *inode
}

// crashDisk is a disk that does everything and models what a power cut may leave: file contents since the last flush may be
// there, cut or missing, and of the changes of a directory since its last flush any subset may have happened (Pillai et al.,
// OSDI 2014).
type crashDisk struct {
	credstore.Disk
	mu      sync.Mutex
	names   map[string]*inode // durable names
	now     map[string]*inode // names as the running system sees them
	pending []nameOp
	noSync  bool // the control: flushes of files do nothing
	noDir   bool // the control: flushes of directories do nothing
	afterOp func()
}

func newCrashDisk() *crashDisk {
	return &crashDisk{Disk: credstore.OSDisk(), names: map[string]*inode{}, now: map[string]*inode{}}
}

func (r *crashDisk) change(op nameOp) {
	r.mu.Lock()
	if op.from != "" {
		delete(r.now, op.from)
	}
	if op.node != nil {
		r.now[op.to] = op.node
	}
	r.pending = append(r.pending, op)
	r.mu.Unlock()
	r.tell()
}

func (r *crashDisk) tell() {
	if r.afterOp != nil {
		r.afterOp()
	}
}

func (r *crashDisk) Create(path string) (credstore.DiskFile, error) {
	f, err := r.Disk.Create(path)
	if err != nil {
		return nil, err
	}
	n := &inode{}
	r.change(nameOp{dir: filepath.Dir(path), to: path, node: n})
	return &recordedFile{f, r, n}, nil
}

func (r *crashDisk) Append(path string) (credstore.DiskFile, error) {
	f, err := r.Disk.Append(path)
	if err != nil {
		return nil, err
	}
	n := r.now[path]
	if n == nil {
		n = &inode{}
		r.change(nameOp{dir: filepath.Dir(path), to: path, node: n})
	}
	return &recordedFile{f, r, n}, nil
}

func (r *crashDisk) Link(from, to string) error {
	err := r.Disk.Link(from, to)
	if err == nil {
		r.change(nameOp{dir: filepath.Dir(to), to: to, node: r.now[from]})
	}
	return err
}

func (r *crashDisk) Rename(from, to string) error {
	err := r.Disk.Rename(from, to)
	if err == nil {
		r.change(nameOp{dir: filepath.Dir(to), from: from, to: to, node: r.now[from]})
	}
	return err
}

func (r *crashDisk) Remove(path string) error {
	err := r.Disk.Remove(path)
	if err == nil {
		r.change(nameOp{dir: filepath.Dir(path), from: path})
	}
	return err
}

func (r *crashDisk) SyncDir(dir string) error {
	err := r.Disk.SyncDir(dir)
	r.mu.Lock()
	if !r.noDir {
		var rest []nameOp
		for _, op := range r.pending {
			if op.dir != dir {
				rest = append(rest, op)
				continue
			}
			apply(r.names, op)
		}
		r.pending = rest
	}
	r.mu.Unlock()
	r.tell()
	return err
}

func apply(names map[string]*inode, op nameOp) {
	if op.from != "" {
		delete(names, op.from)
	}
	if op.node != nil {
		names[op.to] = op.node
	}
}

type recordedFile struct {
	credstore.DiskFile
	r *crashDisk
	n *inode
}

func (f *recordedFile) Write(p []byte) (int, error) {
	n, err := f.DiskFile.Write(p)
	f.r.mu.Lock()
	f.n.written = append(f.n.written, p[:n]...)
	f.r.mu.Unlock()
	f.r.tell()
	return n, err
}

func (f *recordedFile) Sync() error {
	err := f.DiskFile.Sync()
	f.r.mu.Lock()
	if !f.r.noSync {
		f.n.flushed = bytes.Clone(f.n.written)
	}
	f.r.mu.Unlock()
	f.r.tell()
	return err
}

// states calls check with the files of every state that a power cut may leave now.
func (r *crashDisk) states(check func(map[string][]byte)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	subsets := make([]int, 0, 256)
	if len(r.pending) <= 8 {
		for subset := range 1 << len(r.pending) {
			subsets = append(subsets, subset)
		}
	} else { // only the control gets here: everything up to a moment
		for n := range min(len(r.pending), 60) {
			subsets = append(subsets, 1<<n-1)
		}
	}
	for _, subset := range subsets {
		names := map[string]*inode{}
		for path, n := range r.names {
			names[path] = n
		}
		for i, op := range r.pending {
			if subset>>i&1 == 1 {
				apply(names, op)
			}
		}
		// What was not flushed: nothing of it, the half of it, all of it; the same choice for all files of a state.
		loose := false
		for _, n := range names {
			loose = loose || !bytes.Equal(n.flushed, n.written)
		}
		for _, part := range []int{2, 1, 0} {
			files := map[string][]byte{}
			for path, n := range names {
				files[path] = n.flushed[:len(n.flushed):len(n.flushed)]
				if bytes.HasPrefix(n.written, n.flushed) {
					files[path] = n.written[:len(n.flushed)+(len(n.written)-len(n.flushed))*part/2]
				}
			}
			check(files)
			if !loose {
				break
			}
		}
	}
}

// crashes runs saves under the model and returns how many states there were, how many did not open, and in how many an
// acknowledged value was lost.
func crashes(t *testing.T, configure func(*crashDisk)) (states, corrupt, lost int) {
	base := t.TempDir()
	dir, state := filepath.Join(base, "store"), filepath.Join(base, "state")
	key := bytes.Repeat([]byte("k1"), 16)
	o := credstore.Options{StateDir: state, Keys: []credstore.KeySource{credstore.Key(credstore.NewSecret(key), credstore.EnvironmentProtection)}}
	r := newCrashDisk()
	configure(r)
	s := open(t, dir, credstore.WithDisk(o, r))
	acked, writing := 0, 0
	seen := map[[32]byte]bool{}
	check := func(files map[string][]byte) {
		var all bytes.Buffer
		for _, path := range sortedKeys(files) {
			fmt.Fprintf(&all, "%s\x00%x\x00", path, files[path])
		}
		id := format.Hash(fmt.Appendf(all.Bytes(), "%d", acked))
		if seen[id] {
			return
		}
		seen[id] = true
		states++
		at, err := os.MkdirTemp(base, "crash")
		require.NoError(t, err)
		defer os.RemoveAll(at)
		for path, content := range files {
			rel, err := filepath.Rel(base, path)
			require.NoError(t, err)
			require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(at, rel)), 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(at, rel), content, 0o600))
		}
		crashed := o
		crashed.StateDir = filepath.Join(at, "state")
		// The default anchor is named after the directory of the store, which is another one here.
		anchors, err := filepath.Glob(filepath.Join(crashed.StateDir, "*.anchor"))
		require.NoError(t, err)
		if len(anchors) == 1 {
			crashed.Anchor = credstore.FileAnchor(anchors[0])
		}
		again, err := credstore.Open(t.Context(), filepath.Join(at, "store"), crashed)
		if err != nil {
			corrupt++
			return
		}
		defer again.Close()
		value, err := again.Get(t.Context(), "n")
		if acked == 0 && errors.Is(err, credstore.ErrNotFound) {
			return
		}
		n, e := strconv.Atoi(reveal(value))
		if err != nil || e != nil {
			corrupt++
			return
		}
		if n < acked || n > writing {
			lost++
			return
		}
		if err := again.Set(t.Context(), "n", credstore.NewSecret([]byte("9")), credstore.Meta{}); err != nil {
			corrupt++ // it opened, and could not be used
		}
	}
	set(t, s, "n", "1")
	acked, writing = 1, 1
	r.afterOp = func() { r.states(check) }
	for n := 2; n <= sized(3, 3, 2); n++ {
		writing = n
		set(t, s, "n", strconv.Itoa(n))
		acked = n
		r.states(check)
	}
	r.afterOp = nil
	return states, corrupt, lost
}

func sortedKeys(m map[string][]byte) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	for i := range out {
		for j := i; j > 0 && out[j] < out[j-1]; j-- {
			out[j], out[j-1] = out[j-1], out[j]
		}
	}
	return out
}

// vectorC04 is the crash-state model: every state that a power cut can leave opens and has what was acknowledged.
func vectorC04(t *testing.T) {
	states, corrupt, lost := crashes(t, func(*crashDisk) {})
	t.Logf("%d states: %d corrupt, %d acknowledged values lost", states, corrupt, lost)
	assert.Greater(t, states, sized(24, 24, 12))
	assert.Zero(t, corrupt)
	assert.Zero(t, lost)
	if testing.Short() {
		t.Log("in short, without the two controls")
		return
	}
	states, corrupt, lost = crashes(t, func(r *crashDisk) { r.noSync = true })
	t.Logf("control without fsync: %d states: %d corrupt, %d lost", states, corrupt, lost)
	assert.Positive(t, corrupt, "the control must corrupt")
	states, corrupt, lost = crashes(t, func(r *crashDisk) { r.noDir = true })
	t.Logf("control without fsync of directories: %d states: %d corrupt, %d lost", states, corrupt, lost)
	assert.Positive(t, lost+corrupt, "the control must lose")
}

// killWorker saves as fast as it can and says when a value is durable.
func killWorker(dir string) error {
	s, err := credstore.Open(context.Background(), filepath.Join(dir, "store"), credstore.Options{StateDir: filepath.Join(dir, "state")})
	if err != nil {
		return err
	}
	n := 0
	if old, err := s.Get(context.Background(), "n"); err == nil {
		n, _ = strconv.Atoi(strings.TrimLeft(reveal(old), "0"))
	}
	for {
		n++
		if err := s.Set(context.Background(), "n", credstore.NewSecret(fmt.Appendf(nil, "%08d", n)), credstore.Meta{}); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

// inPlaceWorker is the control: it overwrites its file, which holds a length and as many bytes of the same digit.
func inPlaceWorker(dir string) error {
	for n := 0; ; n++ {
		f, err := os.Create(filepath.Join(dir, "in-place"))
		if err != nil {
			return err
		}
		for range 64 {
			if _, err := f.Write(bytes.Repeat([]byte{'0' + byte(n%10)}, 512)); err != nil {
				return err
			}
		}
		f.Close()
		fmt.Println(n)
	}
}

// killed starts a worker, kills it a moment after its first word, and returns its last one.
func killed(t *testing.T, work string) int {
	cmd := spawn(t, work)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan())
	last, err := strconv.Atoi(lines.Text())
	require.NoError(t, err)
	timer := time.AfterFunc(time.Duration(rand.IntN(12_000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	for lines.Scan() {
		if n, err := strconv.Atoi(lines.Text()); err == nil { // the last line may be cut
			last = max(last, n)
		}
	}
	_ = cmd.Wait()
	return last
}

func TestKillLoop(t *testing.T) {
	t.Parallel()
	runs := sized(400, 40, 8)
	dir := t.TempDir()
	swept := 0
	for i := range runs {
		acked := killed(t, "kill|"+dir)
		s, err := credstore.Open(t.Context(), filepath.Join(dir, "store"), credstore.Options{StateDir: filepath.Join(dir, "state")})
		require.NoError(t, err, "run %d", i)
		n, err := strconv.Atoi(get(t, s, "n"))
		require.NoError(t, err)
		require.GreaterOrEqual(t, n, acked, "run %d: an acknowledged value was lost", i)
		require.LessOrEqual(t, n, acked+1, "run %d", i)
		left, err := filepath.Glob(filepath.Join(dir, "store", ".credentials-*"))
		require.NoError(t, err)
		swept += len(left)
		if i == runs-1 {
			_, err = s.VerifyAudit(t.Context())
			require.NoError(t, err)
		}
		require.NoError(t, s.Close())
	}
	corrupt := 0
	for i := 0; i < max(runs, 400) && corrupt == 0; i++ {
		killed(t, "in-place|"+dir)
		raw, err := os.ReadFile(filepath.Join(dir, "in-place"))
		require.NoError(t, err)
		if len(raw) != 64*512 || len(bytes.Trim(raw, string(raw[:1]))) > 0 {
			corrupt++
		}
	}
	assert.Positive(t, corrupt, "the control, a writer in place, must corrupt its file")
	t.Logf("%d kills, nothing lost, %d temporary files were swept", runs, swept)
}

// pointsWorker makes, sets or deletes, and kills itself before the disk operation with a number.
func pointsWorker(work string) error {
	part := strings.Split(work, "|") // directory, what, number
	o := credstore.Options{StateDir: filepath.Join(part[0], "state")}
	disk := &faultyDisk{Disk: credstore.OSDisk()}
	arm := func() {
		disk.count = 0
		disk.then = func(n int, _, _ string) {
			if strconv.Itoa(n) == part[2] {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			}
		}
	}
	if part[1] == "create" {
		arm()
	}
	s, err := credstore.Open(context.Background(), filepath.Join(part[0], "store"), credstore.WithDisk(o, disk))
	if err != nil {
		return err
	}
	switch part[1] {
	case "set":
		arm()
		err = s.Set(context.Background(), "a", credstore.NewSecret([]byte("new-value")), credstore.Meta{})
	case "delete":
		arm()
		err = s.Delete(context.Background(), "a")
	}
	fmt.Println(disk.count)
	return err
}

// TestKillAtEachPoint kills -9 before every disk operation of making a store, of a save and of a deletion; vector K23 does so
// for a rotation. What is left opens and has the state before or after, whole.
func TestKillAtEachPoint(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"create", "set", "delete"} {
		made := func() string {
			dir := t.TempDir()
			if what != "create" {
				s := open(t, filepath.Join(dir, "store"), credstore.Options{StateDir: filepath.Join(dir, "state")})
				set(t, s, "a", "old-value")
				set(t, s, "b", "other-value")
			}
			return dir
		}
		out, err := spawnOutput(t, "points|"+made()+"|"+what+"|0")
		require.NoError(t, err)
		steps, err := strconv.Atoi(strings.TrimSpace(out))
		require.NoError(t, err)
		require.Greater(t, steps, 10, what)
		before, after := 0, 0
		for at := 1; at <= steps; at += sized(1, 1, 7) {
			dir := made()
			_, err := spawnOutput(t, fmt.Sprintf("points|%s|%s|%d", dir, what, at))
			require.Error(t, err, "%s: killed at %d", what, at)
			s, err := credstore.Open(t.Context(), filepath.Join(dir, "store"), credstore.Options{StateDir: filepath.Join(dir, "state")})
			require.NoError(t, err, "%s: killed at %d", what, at)
			value, err := s.Get(t.Context(), "a")
			switch {
			case what == "create":
				require.ErrorIs(t, err, credstore.ErrNotFound)
			case err == nil && reveal(value) == "old-value":
				before++
			case what == "set" && err == nil && reveal(value) == "new-value", what == "delete" && errors.Is(err, credstore.ErrNotFound):
				after++
			default:
				t.Fatalf("%s: killed at %d: %v", what, at, err)
			}
			if what != "create" {
				assert.Equal(t, "other-value", get(t, s, "b"))
			}
			set(t, s, "a", "next-value")
			assert.Equal(t, "next-value", get(t, s, "a"))
			_, err = s.VerifyAudit(t.Context())
			require.NoError(t, err, "%s: killed at %d", what, at)
			left, err := filepath.Glob(filepath.Join(dir, "store", ".credentials-*"))
			require.NoError(t, err)
			assert.Empty(t, left, "the next save sweeps")
			require.NoError(t, s.Close())
		}
		if what != "create" && !testing.Short() {
			assert.Positive(t, before, what)
			assert.Positive(t, after, what)
		}
		t.Logf("%s: %d points, %d before, %d after", what, steps, before, after)
	}
}

// vectorT12 is the documented limit of the anchor: a rollback by one generation inside the crash window.
func vectorT12(t *testing.T) {
	dir, o := t.TempDir(), options(t)
	memory := &failingAnchor{}
	o.Anchor = memory
	s := open(t, dir, o)
	set(t, s, "a", "first-value")
	before := read(t, dir)
	memory.failAfter = 2 // the commit does not happen: the process died after the rename
	_ = s.Set(t.Context(), "a", credstore.NewSecret([]byte("next-value")), credstore.Meta{})
	memory.failAfter = 0
	write(t, dir, before)
	_, err := s.Get(t.Context(), "a")
	require.ErrorIs(t, err, credstore.ErrRollback, "the process that saw the newer generation notices")
	other := open(t, dir, o)
	assert.Equal(t, "first-value", get(t, other, "a"), "a new process cannot: this is the limit")
	st, err := other.Status(t.Context())
	require.NoError(t, err)
	assert.Contains(t, strings.Join(st.Warnings, "\n"), "audit", "the audit log reaches further than the store")
	set(t, other, "a", "third-value")
	write(t, dir, before)
	_, err = credstore.Open(t.Context(), dir, o)
	require.ErrorIs(t, err, credstore.ErrRollback, "the next save settles it")
}

// vectorT10 forges a store that the user's age identity opens.
func vectorT10(t *testing.T) {
	id, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "identity")
	require.NoError(t, os.WriteFile(path, []byte(id.String()+"\n"), 0o600))
	mine := options(t)
	mine.Keys = []credstore.KeySource{agex.Slot(agex.Options{Recipients: []string{id.Recipient().String()}, IdentityFile: path})}
	dir := t.TempDir()
	set(t, open(t, dir, mine), "a", "my own value")
	header, _, _, err := format.ParseHeader(read(t, dir))
	require.NoError(t, err)

	// The attacker knows the public key and the file: another store, with the same ID in its header.
	forged, _ := format.NewHeader()
	forged.ID = header.ID
	dek := forged.NewKey()
	source := agex.Slot(agex.Options{Recipients: []string{id.Recipient().String()}})
	slot := format.DefaultPolicy().NewSlot(false, format.Age)
	key, data, err := source.Enroll(t.Context(), credstore.SlotInfo{})
	require.NoError(t, err)
	slot.Data = data
	require.NoError(t, format.DefaultPolicy().Wrap(forged, slot, key, dek))
	forged.Slots = []format.Slot{*slot}
	entry, err := format.SealValue(dek, "a", 1, []byte(`{}`), []byte("the attacker's value"), nil)
	require.NoError(t, err)
	raw, err := format.Encode(forged, &format.Body{Generation: 99, AnchorKey: format.Random(32), Entries: map[string]*format.Entry{"a": entry}}, dek)
	require.NoError(t, err)
	refuse(t, dir, raw, mine, credstore.ErrStoreReplaced)

	unpinned := mine
	unpinned.StateDir = t.TempDir()
	_, err = credstore.Open(t.Context(), dir, unpinned)
	require.ErrorIs(t, err, credstore.ErrAnchor, "without an anchor an age slot is not enough")
	unpinned.Reanchor = true
	assert.Equal(t, "the attacker's value", get(t, open(t, dir, unpinned), "a"), "the control: the file is a valid store")
}

// vectorK11 measures that one derivation runs at a time, however many stores are opened.
func vectorK11(t *testing.T) {
	dir, o := t.TempDir(), options(t)
	o.Keys = keysOf("p")
	set(t, open(t, dir, o), "a", canary)
	runtime.GC()
	peak := func(n int) uint64 {
		done := make(chan struct{})
		var most uint64
		var watch sync.WaitGroup
		watch.Go(func() {
			var m runtime.MemStats
			tick := time.NewTicker(2 * time.Millisecond) // a derivation takes fifty times as long; reading stops the world
			defer tick.Stop()
			for {
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapAlloc)
				select {
				case <-done:
					return
				case <-tick.C:
				}
			}
		})
		var wait sync.WaitGroup
		for range n {
			wait.Go(func() {
				if s, err := credstore.Open(context.Background(), dir, o); assert.NoError(t, err) {
					_ = s.Close()
				}
			})
		}
		wait.Wait()
		close(done)
		watch.Wait()
		return most >> 20
	}
	opens := sized(10, 6, 3)
	most := peak(opens)
	t.Logf("%d opens with 64 MiB each: peak heap %d MiB", opens, most)
	assert.Less(t, most, uint64(320), "one derivation and what the collector has not taken back yet, not ten")
}

// vectorP06 swaps the store for a link and back while it is opened: either the file that was checked is read, or an error.
func vectorP06(t *testing.T) {
	dir, o := t.TempDir(), options(t)
	set(t, open(t, dir, o), "a", "my own value")
	good := read(t, dir)
	evil := filepath.Join(t.TempDir(), "evil")
	require.NoError(t, os.WriteFile(evil, good, 0o644)) // others may read it: never to be accepted
	stop := make(chan struct{})
	var swapper sync.WaitGroup
	swapper.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			next := data(dir) + ".swap"
			switch i % 3 {
			case 0:
				_ = os.Symlink(evil, next)
			case 1:
				_ = os.WriteFile(next, good, 0o600)
			case 2:
				_ = syscall.Mkfifo(next, 0o600)
			}
			_ = os.Rename(next, data(dir))
		}
	})
	opened, refused := 0, 0
	for opened+refused < 600 {
		s, err := credstore.Open(t.Context(), dir, o)
		if err == nil {
			value, e := s.Get(t.Context(), "a")
			if e == nil {
				assert.Equal(t, "my own value", reveal(value))
			}
			opened++
			_ = s.Close()
			continue
		}
		refused++
		require.True(t, errors.Is(err, credstore.ErrNotRegular) || errors.Is(err, credstore.ErrPermissions) || errors.Is(err, fs.ErrNotExist), "%v", err)
	}
	close(stop)
	swapper.Wait()
	assert.Positive(t, opened)
	assert.Positive(t, refused)
}

// hardenWorker hardens itself, says so and waits.
func hardenWorker(dir string) error {
	if strings.HasSuffix(dir, "|soft") {
		fmt.Println("ready")
	} else {
		s, err := credstore.Open(context.Background(), filepath.Join(dir, "store"), credstore.Options{StateDir: filepath.Join(dir, "state")})
		if err != nil {
			return err
		}
		defer s.Close()
		if err := credstore.Harden(); err != nil {
			return err
		}
		maps, err := os.ReadFile("/proc/self/smaps")
		if err != nil {
			maps = nil
		}
		var limit unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err != nil {
			return err
		}
		fmt.Println("ready", limit.Cur, limit.Max, regexp.MustCompile(`VmFlags:[^\n]* dd`).Match(maps), regexp.MustCompile(`VmFlags:[^\n]* wf`).Match(maps))
	}
	_, err := bufio.NewReader(os.Stdin).ReadString('\n')
	return err
}

// asNobody is a command that runs as the user nobody; it skips where that is not possible.
func asNobody(t *testing.T, work string) *exec.Cmd {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can start processes of another user")
	}
	cmd := spawn(t, work)
	cmd.Path = forEverybody(t, os.Args[0])
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	return cmd
}

// forEverybody copies this program to where another user may run it.
func forEverybody(t *testing.T, program string) string {
	dir, err := os.MkdirTemp("", "everybody")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	raw, err := os.ReadFile(program)
	require.NoError(t, err)
	path := filepath.Join(dir, "test")
	require.NoError(t, os.WriteFile(path, raw, 0o755))
	return path
}

func nobodyDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "nobody")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chown(dir, 65534, 65534))
	return dir
}

// harden starts a process of nobody and lets a sibling of the same user look at its environment.
func harden(t *testing.T, soft bool) (said string, seen bool) {
	dir := nobodyDir(t)
	work := "harden|" + dir
	if soft {
		work += "|soft"
	}
	cmd := asNobody(t, work)
	cmd.Env = append(cmd.Env, "TEST_CANARY=environment-canary")
	line, end := firstLine(t, cmd)
	defer end()
	sibling := exec.Command("cat", fmt.Sprintf("/proc/%d/environ", cmd.Process.Pid))
	sibling.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	text, _ := sibling.CombinedOutput()
	return strings.TrimSpace(line), strings.Contains(string(text), "environment-canary")
}

func vectorX03(t *testing.T) {
	_, seen := harden(t, true)
	assert.True(t, seen, "the control: a sibling of the same user reads the environment")
	_, seen = harden(t, false)
	assert.False(t, seen)
}

func vectorM01(t *testing.T) {
	said, _ := harden(t, false)
	assert.Equal(t, "ready 0 0 true true", said, "no core, and the key page is out of dumps and empty in forks")
}

// memoryWorker gets a value, uses it in the way that is asked for, forgets it, and waits to be looked at.
func memoryWorker(dir string) error {
	dir, how, _ := strings.Cut(dir, "|")
	o := credstore.Options{StateDir: filepath.Join(dir, "state")}
	if strings.HasSuffix(how, "locked") {
		o.Keys = []credstore.KeySource{credstore.KeyFile(filepath.Join(dir, "key"))}
	}
	s, err := credstore.Open(context.Background(), filepath.Join(dir, "store"), o)
	if err != nil {
		return err
	}
	var kept any
	secret, err := s.Get(context.Background(), "a")
	if err != nil {
		return err
	}
	length := 0
	switch how {
	case "use":
		if err := secret.Use(func(b []byte) error { length = len(b); return nil }); err != nil {
			return err
		}
		_ = s.Redactor() // made, not used: it has to know the values
		secret.Clear()
	case "collected":
		_ = secret.Use(func(b []byte) error { length = len(b); return nil })
		secret = credstore.Secret{}
		for range 3 {
			runtime.GC()
		}
		runtime.Gosched()
	case "unlocked", "locked":
		length = format.KeySize // of what is looked for
		if how == "locked" {
			s.Lock()
			for range 3 {
				runtime.GC()
			}
		}
	case "string":
		text := reveal(secret)
		var v struct{ V string }
		raw, _ := json.Marshal(map[string]string{"V": text})
		_ = json.Unmarshal(raw, &v)
		secret.Clear()
		length, kept = len(v.V), nil
	}
	fmt.Println("ready", length)
	_, err = bufio.NewReader(os.Stdin).ReadString('\n')
	runtime.KeepAlive(kept)
	runtime.KeepAlive(s)
	return err
}

// firstLine starts a command that waits for the end of its input, and returns the
// first line that it prints.
func firstLine(t *testing.T, cmd *exec.Cmd) (line string, end func()) {
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	end = func() { in.Close(); _ = cmd.Wait() }
	line, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		end()
	}
	require.NoError(t, err)
	return line, end
}

func writeKey(t *testing.T, path string, key []byte) {
	require.NoError(t, os.WriteFile(path, key, 0o600))
}

// copies counts how often text stands in the writable memory of a process.
func copies(t *testing.T, dir, how, text string) int {
	cmd := spawn(t, "memory|"+dir+"|"+how)
	line, end := firstLine(t, cmd)
	defer end()
	require.Equal(t, fmt.Sprintf("ready %d\n", len(text)), line)
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", cmd.Process.Pid))
	require.NoError(t, err)
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", cmd.Process.Pid))
	require.NoError(t, err)
	defer mem.Close()
	count := 0
	for line := range strings.Lines(string(maps)) {
		var from, to int64
		var mode string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode); err != nil || !strings.HasPrefix(mode, "rw") {
			continue
		}
		part := make([]byte, to-from)
		n, err := mem.ReadAt(part, from)
		if err != nil && !errors.Is(err, io.EOF) && n == 0 {
			continue
		}
		count += bytes.Count(part[:n], []byte(text))
	}
	return count
}

func vectorM02(t *testing.T) {
	notInShort(t, "the memory of the race detector is looked through with the rest, and it is large")
	dir := t.TempDir()
	text := "memory-" + hex.EncodeToString(format.Random(16))
	s := open(t, filepath.Join(dir, "store"), credstore.Options{StateDir: filepath.Join(dir, "state")})
	set(t, s, "a", text)
	assert.Zero(t, copies(t, dir, "use", text), "used and cleared")
	assert.Zero(t, copies(t, dir, "collected", text), "used and collected")
	assert.Positive(t, copies(t, dir, "string", text), "the control, by strings, leaves copies")
}

// vectorK20 has a session bus that accepts and never answers.
func vectorK20(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bus")
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	defer l.Close()
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+path)
	o := options(t)
	o.Keys = []credstore.KeySource{keyring.New(keyring.Options{Wait: time.Hour})}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = credstore.Open(ctx, t.TempDir(), o)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// vectorK12 is an age file whose header asks for a work factor of 23: eight seconds per gigabyte of memory, eight of them.
func vectorK12(t *testing.T) {
	r, err := age.NewScryptRecipient("pass")
	require.NoError(t, err)
	r.SetWorkFactor(10)
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, r)
	require.NoError(t, err)
	_, err = w.Write([]byte("K=value-1\n"))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	o := agex.Options{Passphrase: credstore.NewSecret([]byte("pass"))}
	_, err = agex.Import(bytes.NewReader(sealed.Bytes()), "dotenv", o)
	require.NoError(t, err, "the control")
	for _, factor := range []string{"23", "21", "64", "0", "x"} {
		bomb := regexp.MustCompile(`(-> scrypt \S+) 10`).ReplaceAll(sealed.Bytes(), []byte("${1} "+factor))
		require.NotEqual(t, sealed.Bytes(), bomb)
		start := time.Now()
		_, err = agex.Import(bytes.NewReader(bomb), "dotenv", o)
		require.Error(t, err)
		if factor == "23" || factor == "21" {
			require.ErrorIs(t, err, credstore.ErrKDFPolicy)
		}
		assert.Less(t, time.Since(start), 5*time.Second)
	}
}

func proofVectors() map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"A01": vectorA01, "A02": vectorA02, "A03": vectorA03, "C02": vectorC02, "C04": vectorC04, "K11": vectorK11, "K12": vectorK12,
		"K20": vectorK20, "M01": vectorM01, "M02": vectorM02, "P06": vectorP06, "T10": vectorT10, "T12": vectorT12, "X03": vectorX03,
	}
}
