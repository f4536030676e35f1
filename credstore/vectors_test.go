//go:build linux

package credstore_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/credstore"
	"github.com/clearance-go/clearance/credstore/internal/format"
)

// vectorTests holds the test of each vector that has one. A vector without one counts as failed.
var vectorTests = map[string]func(*testing.T){
	"F02": TestTruncations,
	"F03": TestBitFlips,
	"F06": func(t *testing.T) {
		header(t, credstore.ErrFormat, func(h string) string { return `{"x":1,` + h[1:] })
		header(t, credstore.ErrFormat, func(h string) string { return h[:len(h)-1] + `,"x":1}` })
		header(t, credstore.ErrTampered, func(h string) string { return h[:len(h)-1] + `,"opt_x":1}` }) // understood, and not authentic
	},
	"F08": func(t *testing.T) {
		file(t, credstore.ErrFormat, func(raw []byte) []byte { copy(raw[8:], "\xff\xff\xff\xff"); return raw })
	},
	"F11": func(t *testing.T) {
		err := file(t, credstore.ErrFormat, func(raw []byte) []byte { return bytes.ReplaceAll(raw, []byte("\n"), []byte("\r\n")) })
		assert.Contains(t, err.Error(), ".gitattributes")
		file(t, credstore.ErrFormat, func(raw []byte) []byte { return append([]byte("\xef\xbb\xbf"), raw...) })
	},
	"F12": func(t *testing.T) {
		header(t, credstore.ErrFormat, func(h string) string { return strings.Replace(h, `"kid":"`, `"kid":"\n`, 1) })
		salt := regexp.MustCompile(`.=","salt"`) // the last character before the padding has two spare bits
		header(t, credstore.ErrFormat, func(h string) string {
			return salt.ReplaceAllStringFunc(h, func(m string) string { return string(m[0]+1) + m[1:] })
		})
	},
	"T02": func(t *testing.T) {
		key := format.Random(format.KeySize)
		dir, o := t.TempDir(), options(t)
		o.Keys = []credstore.KeySource{credstore.Key(credstore.NewSecret(key), credstore.EnvironmentProtection)}
		s := open(t, dir, o)
		require.NoError(t, s.Set(t.Context(), "a", credstore.NewSecret([]byte("value")), credstore.Meta{Hosts: []string{"good.example"}}))
		h, additional, sealed, err := format.ParseHeader(read(t, dir))
		require.NoError(t, err)
		dek, err := format.DefaultPolicy().Unwrap(h, &h.Slots[0], key)
		require.NoError(t, err)
		for _, widen := range []bool{false, true} { // unchanged is the control
			body, err := format.DecodeBody(h, additional, sealed, dek)
			require.NoError(t, err)
			if widen {
				body.Entries["a"].Meta = bytes.Replace(body.Entries["a"].Meta, []byte("good"), []byte("evil"), 1)
			}
			renewed := *h // Encode gives it a new salt
			raw, err := format.Encode(&renewed, body, dek)
			require.NoError(t, err)
			write(t, dir, raw)
			fresh := o
			fresh.Anchor = &memoryAnchor{}
			_, err = open(t, dir, fresh).Get(t.Context(), "a")
			if widen {
				require.ErrorIs(t, err, credstore.ErrTampered)
			} else {
				require.NoError(t, err)
			}
		}
	},
	"T03": func(t *testing.T) {
		dir, o := t.TempDir(), passphrase(options(t), "p")
		s := open(t, dir, o)
		set(t, s, "a", "one-value")
		first := read(t, dir)
		set(t, s, "a", "two-value")
		second := read(t, dir)
		end := func(raw []byte) int { return 12 + int(binary.BigEndian.Uint32(raw[8:])) }
		refuse(t, dir, append(bytes.Clone(second[:end(second)]), first[end(first):]...), o, credstore.ErrTampered)
	},
	"T05": func(t *testing.T) {
		header(t, credstore.ErrTampered, func(h string) string {
			slot := h[strings.Index(h, `"slots":[`)+9 : len(h)-2]
			return h[:len(h)-2] + "," + slot + "]}"
		})
	},
	"T08": func(t *testing.T) {
		dir, o := t.TempDir(), options(t)
		memory := &memoryAnchor{}
		o.Anchor = memory
		s := open(t, dir, o)
		set(t, s, "a", "first-value")
		base, mark := read(t, dir), memory.record
		set(t, s, "a", "on this machine")
		here := memory.record
		write(t, dir, base)
		memory.record = mark
		set(t, open(t, dir, o), "a", "on the other machine")
		memory.record = here
		_, err := credstore.Open(t.Context(), dir, o)
		require.ErrorIs(t, err, credstore.ErrForked)
		o.Reanchor = true
		assert.Equal(t, "on the other machine", get(t, open(t, dir, o), "a"))
	},
	"T09": func(t *testing.T) {
		for _, failAt := range []int{1, 2} { // before the rename: prepared; after it: not committed
			dir, o := t.TempDir(), options(t)
			memory := &failingAnchor{}
			o.Anchor = memory
			s := open(t, dir, o)
			set(t, s, "a", "first-value")
			before := read(t, dir)
			memory.failAfter = failAt
			_ = s.Set(t.Context(), "a", credstore.NewSecret([]byte("next-value")), credstore.Meta{})
			memory.failAfter = 0
			if failAt == 1 {
				assert.Equal(t, before, read(t, dir))
			} else {
				assert.Equal(t, "next-value", get(t, open(t, dir, o), "a"))
				assert.Nil(t, memory.record.Prepared, "settled")
				write(t, dir, before)
				_, err := credstore.Open(t.Context(), dir, o)
				require.ErrorIs(t, err, credstore.ErrRollback, "once settled the older file is refused")
				continue
			}
			assert.Equal(t, "first-value", get(t, open(t, dir, o), "a"))
		}
	},
	"T11": func(t *testing.T) {
		o := passphrase(options(t), "the same")
		a, b := t.TempDir(), t.TempDir()
		set(t, open(t, a, o), "a", "first-value")
		set(t, open(t, b, o), "a", "other-value")
		refuse(t, a, read(t, b), o, credstore.ErrStoreReplaced)
		require.NoError(t, os.RemoveAll(o.StateDir)) // the control: without the anchor it is accepted
		assert.Equal(t, "other-value", get(t, open(t, a, o), "a"))
	},
	"T13": func(t *testing.T) {
		dir, o := t.TempDir(), options(t)
		memory := &memoryAnchor{}
		o.Anchor = memory
		s := open(t, dir, o)
		set(t, s, "a", "first-value")
		old := memory.record
		set(t, s, "a", "second-value")
		memory.record = old
		o.StrictAnchor = true
		_, err := credstore.Open(t.Context(), dir, o)
		require.ErrorIs(t, err, credstore.ErrAnchorBehind)
		o.StrictAnchor = false
		st, err := open(t, dir, o).Status(t.Context())
		require.NoError(t, err)
		assert.Contains(t, st.Rollback, "unverified")
		assert.NotEqual(t, old, memory.record)
	},
	"K01": TestDefaultKDF,
	"K02": func(t *testing.T) {
		_, err := credstore.Open(t.Context(), t.TempDir(), passphrase(options(t), ""))
		require.ErrorIs(t, err, credstore.ErrEmptyPassphrase)
		dir, o := t.TempDir(), options(t)
		open(t, dir, passphrase(o, "p"))
		_, err = credstore.Open(t.Context(), dir, passphrase(o, ""))
		require.ErrorIs(t, err, credstore.ErrEmptyPassphrase)
	},
	"K07": func(t *testing.T) { parameter(t, `"m":64`, `"m":4294967295`, `"m":4194304`) },
	"K08": func(t *testing.T) {
		dir, o := t.TempDir(), passphrase(options(t), "p")
		open(t, dir, o)
		o.InsecureFastKDF = false
		_, err := credstore.Open(t.Context(), dir, o)
		require.ErrorIs(t, err, credstore.ErrKDFPolicy)
	},
	"K09": func(t *testing.T) {
		parameter(t, `"p":1`, `"p":255`)
		parameter(t, `"t":1`, `"t":17`)
		for _, gone := range []string{`"p":1,`, `"t":1,`} {
			header(t, credstore.ErrKDFPolicy, func(h string) string { return strings.Replace(h, gone, "", 1) })
		}
	},
	"K10": func(t *testing.T) {
		header(t, credstore.ErrFormat, func(h string) string {
			slot := h[strings.Index(h, `"slots":[`)+9 : len(h)-2]
			return h[:len(h)-2] + strings.Repeat(","+slot, 99) + "]}"
		})
	},
	"K14": func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "key")
		for _, key := range []string{strings.Repeat("k", 31), strings.Repeat("\x00", 32), "changeme", "", strings.Repeat("00", 32), strings.Repeat("zz", 32)} {
			require.NoError(t, os.WriteFile(path, []byte(key), 0o600))
			o := options(t)
			o.Keys = []credstore.KeySource{credstore.KeyFile(path), credstore.AutoKeyFile()}
			_, err := credstore.Open(t.Context(), t.TempDir(), o)
			require.ErrorIs(t, err, credstore.ErrBadKey, "%q", key)
		}
	},
	"K15": func(t *testing.T) {
		dir, o := t.TempDir(), options(t)
		o.StateDir = dir
		st, err := open(t, dir, o).Status(t.Context())
		require.NoError(t, err)
		assert.Equal(t, credstore.Obfuscation, st.Protection)
		assert.Contains(t, strings.Join(st.Warnings, " "), "directory of the store")
	},
	"K16": func(t *testing.T) {
		t.Setenv("TEST_STORE_KEY", "")
		o := options(t)
		o.Keys = []credstore.KeySource{credstore.Environment("TEST_STORE_KEY"), credstore.AutoKeyFile()}
		_, err := credstore.Open(t.Context(), t.TempDir(), o)
		require.ErrorIs(t, err, credstore.ErrBadKey)
	},
	"N03": func(t *testing.T) {
		names(t, credstore.ErrBadName, "a\x00b", "a\x1b[31m", "a\u202eb", "a\u200bb", "a\nb", "a b", "")
	},
	"N05": func(t *testing.T) {
		names(t, credstore.ErrBadName, "-w", "--help", "../x", "a//b", "/a", "a/", "a/../b")
	},
	"N06": func(t *testing.T) { names(t, credstore.ErrBadName, "gіthub", "cafe\u0301", "café") },
	"N07": func(t *testing.T) {
		names(t, credstore.ErrTooLarge, strings.Repeat("n", credstore.MaxName+1))
		s := open(t, t.TempDir(), options(t))
		fill := func(n int) error {
			return s.Update(t.Context(), func(tx *credstore.Tx) error {
				for i := range n {
					if err := tx.Set(fmt.Sprint("n", i), credstore.NewSecret([]byte("value")), credstore.Meta{}); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if testing.Short() {
			t.Log("in short, the names alone: ten thousand entries are one goroutine's work")
			return
		}
		require.ErrorIs(t, fill(credstore.MaxEntries+1), credstore.ErrTooLarge)
		require.NoError(t, fill(credstore.MaxEntries))
	},
	"I01": func(t *testing.T) {
		cmd := spawn(t, "fips|"+t.TempDir())
		cmd.Env = append(cmd.Env, "GODEBUG=fips140=only")
		if testing.Short() {
			cmd.Env = append(cmd.Env, "TEST_FAST_KDF=1")
		}
		require.NoError(t, cmd.Run())
	},
	"V01": func(t *testing.T) { value(t, credstore.ErrEmptyValue, "") },
	"V05": func(t *testing.T) {
		want := make([]byte, 64<<10)
		for i := range want {
			want[i] = byte(i * 7)
		}
		dir, o := t.TempDir(), options(t)
		set(t, open(t, dir, o), "a", string(want))
		assert.Equal(t, string(want), get(t, open(t, dir, o), "a"))
	},
	"V06": func(t *testing.T) { value(t, credstore.ErrRedactedValue, "[redacted]") },
	"P01": func(t *testing.T) {
		for _, mode := range []fs.FileMode{0o644, 0o666, 0o620} {
			dir, o := t.TempDir(), options(t)
			open(t, dir, o)
			require.NoError(t, os.Chmod(data(dir), mode))
			_, err := credstore.Open(t.Context(), dir, o)
			require.ErrorIs(t, err, credstore.ErrPermissions)
		}
	},
	"P03": func(t *testing.T) {
		if os.Geteuid() != 0 {
			t.Skip("only root can give a file to another user")
		}
		dir, o := t.TempDir(), options(t)
		open(t, dir, o)
		require.NoError(t, os.Chown(data(dir), 65534, -1))
		_, err := credstore.Open(t.Context(), dir, o)
		require.ErrorIs(t, err, credstore.ErrPermissions)
	},
	"P05": func(t *testing.T) {
		for name, plant := range map[string]func(string) error{
			"link": func(p string) error { return os.Symlink("/dev/zero", p) },
			"fifo": func(p string) error { return syscall.Mkfifo(p, 0o600) },
			"dir":  func(p string) error { return os.Mkdir(p, 0o700) },
		} {
			dir := t.TempDir()
			require.NoError(t, plant(data(dir)))
			_, err := credstore.Open(t.Context(), dir, options(t))
			require.ErrorIs(t, err, credstore.ErrNotRegular, name)
		}
	},
	"P07": func(t *testing.T) {
		dir, o := t.TempDir(), options(t)
		s := open(t, dir, o)
		require.NoError(t, os.Link(data(dir), filepath.Join(dir, "x")))
		st, err := s.Status(t.Context())
		require.NoError(t, err)
		assert.Contains(t, strings.Join(st.Warnings, " "), "hard link")
	},
	"P08": func(t *testing.T) {
		old := syscall.Umask(0)
		defer syscall.Umask(old)
		dir, o := filepath.Join(t.TempDir(), "new"), options(t)
		open(t, dir, o)
		for path, mode := range map[string]fs.FileMode{data(dir): 0o600, dir: 0o700, o.StateDir: 0o700} {
			info, err := os.Stat(path)
			require.NoError(t, err)
			assert.Equal(t, mode, info.Mode().Perm(), path)
		}
	},
	"C06": func(t *testing.T) {
		s, holder := held(t)
		require.NoError(t, holder.Kill())
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		require.NoError(t, s.Set(ctx, "a", credstore.NewSecret([]byte("value")), credstore.Meta{}))
	},
	"C07": func(t *testing.T) {
		s, holder := held(t)
		require.NoError(t, holder.Signal(syscall.SIGSTOP))
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		err := s.Set(ctx, "a", credstore.NewSecret([]byte("value")), credstore.Meta{})
		require.ErrorIs(t, err, credstore.ErrLocked)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		var locked *credstore.LockedError
		require.ErrorAs(t, err, &locked)
		assert.Equal(t, holder.Pid, locked.PID)
	},
	"R01": TestSecretLeaks,
	"R03": TestRedactorWriterEqualsWhole,
	"R04": TestRedactorForms,
	"R07": func(t *testing.T) {
		s := secretStore(t, "test")
		assert.Equal(t, "a test", s.Redactor().String("a test"))
		assert.Equal(t, []string{"a"}, s.Redactor().Skipped())
	},
}

type failingAnchor struct {
	memoryAnchor
	failAfter int
}

func (f *failingAnchor) Save(ctx context.Context, r *credstore.AnchorRecord) error {
	if f.failAfter > 0 {
		if f.failAfter--; f.failAfter == 0 {
			f.failAfter = 1
			return syscall.EIO
		}
	}
	return f.memoryAnchor.Save(ctx, r)
}

// held starts a process that holds the lock of a store.
func held(t *testing.T) (*credstore.Store, *os.Process) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "store"), credstore.Options{StateDir: filepath.Join(dir, "state")})
	cmd := spawn(t, "hold|"+dir)
	_, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "held\n", line)
	return s, cmd.Process
}

func read(t *testing.T, dir string) []byte {
	t.Helper()
	raw, err := os.ReadFile(data(dir))
	require.NoError(t, err)
	return raw
}

func write(t *testing.T, dir string, raw []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(data(dir)+".new", raw, 0o600))
	require.NoError(t, os.Rename(data(dir)+".new", data(dir)))
}

func refuse(t *testing.T, dir string, raw []byte, o credstore.Options, want error) error {
	t.Helper()
	write(t, dir, raw)
	_, err := credstore.Open(t.Context(), dir, o)
	require.ErrorIs(t, err, want)
	return err
}

// file changes the bytes of a store with a passphrase slot and wants it refused.
func file(t *testing.T, want error, change func([]byte) []byte) error {
	t.Helper()
	dir, o := t.TempDir(), passphrase(options(t), "p")
	set(t, open(t, dir, o), "a", canary)
	return refuse(t, dir, change(read(t, dir)), o, want)
}

// header changes the header's JSON.
func header(t *testing.T, want error, change func(string) string) {
	t.Helper()
	file(t, want, func(raw []byte) []byte {
		end := 12 + int(binary.BigEndian.Uint32(raw[8:]))
		was := string(raw[12:end])
		now := change(was)
		require.NotEqual(t, was, now)
		out := binary.BigEndian.AppendUint32(bytes.Clone(raw[:8]), uint32(len(now)))
		return append(append(out, now...), raw[end:]...)
	})
}

func parameter(t *testing.T, old string, changed ...string) {
	t.Helper()
	for _, c := range changed {
		header(t, credstore.ErrKDFPolicy, func(h string) string { return strings.Replace(h, old, c, 1) })
	}
}

func names(t *testing.T, want error, bad ...string) {
	s := open(t, t.TempDir(), options(t))
	for _, name := range bad {
		err := s.Set(t.Context(), name, credstore.NewSecret([]byte("value")), credstore.Meta{})
		require.ErrorIs(t, err, want, "%q", name)
		assert.NotContains(t, err.Error(), "\x1b")
	}
}

func value(t *testing.T, want error, text string) {
	s := open(t, t.TempDir(), options(t))
	require.ErrorIs(t, s.Set(t.Context(), "a", credstore.NewSecret([]byte(text)), credstore.Meta{}), want)
}

func TestVectors(t *testing.T) {
	path := vectorFile(t)
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	for _, more := range []map[string]func(*testing.T){refreshVectors(), slotVectors(), useVectors(), proofVectors()} {
		maps.Copy(vectorTests, more)
	}
	passed, skipped := 0, 0
	var failed []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var v struct{ ID string }
		require.NoError(t, json.Unmarshal(lines.Bytes(), &v))
		test := vectorTests[v.ID]
		if test == nil {
			failed = append(failed, v.ID)
			continue
		}
		skip := false
		if !t.Run(v.ID, func(t *testing.T) {
			defer func() { skip = t.Skipped() }()
			test(t)
		}) {
			failed = append(failed, v.ID)
		} else if skip {
			skipped++
		} else {
			passed++
		}
	}
	slices.Sort(failed)
	fmt.Printf("vectors cred.jsonl: %d passed, %d failed, %d skipped\n", passed, len(failed), skipped)
	fmt.Printf("failing: %s\n", strings.Join(failed, " "))
	assert.Empty(t, failed)
}

func vectorFile(t *testing.T) string {
	dir := os.Getenv("CLEARANCE_VECTORS")
	if dir == "" {
		root, err := os.Getwd()
		require.NoError(t, err)
		for root != filepath.Dir(root) {
			if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
				break
			}
			root = filepath.Dir(root)
		}
		dir = filepath.Join(root, "..", "shared", "vectors")
	}
	path := filepath.Join(dir, "cred.jsonl")
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the vector file is missing: %v", err)
		}
		t.Skipf("the vector file is missing; set CLEARANCE_VECTORS to its folder: %v", err)
	}
	return path
}
