//go:build linux

package credstore_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	htmltemplate "html/template"
	"log"
	"log/slog"
	"math/rand/v2"
	"mime/quotedprintable"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"text/template"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/credstore"
)

const canary = "sk-ant-Zq9/x+7&canary<1>\"\\é"

func options(t *testing.T) credstore.Options {
	return credstore.Options{StateDir: filepath.Join(t.TempDir(), "state")}
}

func open(t *testing.T, dir string, o credstore.Options) *credstore.Store {
	t.Helper()
	s, err := credstore.Open(t.Context(), dir, o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func set(t *testing.T, s *credstore.Store, name, value string) {
	t.Helper()
	require.NoError(t, s.Set(t.Context(), name, credstore.NewSecret([]byte(value)), credstore.Meta{}))
}

func get(t *testing.T, s *credstore.Store, name string) string {
	t.Helper()
	secret, err := s.Get(t.Context(), name)
	require.NoError(t, err)
	return reveal(secret)
}

func reveal(secret credstore.Secret) string {
	var out string
	_ = secret.Use(func(b []byte) error { out = string(b); return nil })
	return out
}

func data(dir string) string { return filepath.Join(dir, "credentials.store") }

func passphrase(o credstore.Options, text string) credstore.Options {
	o.Keys = []credstore.KeySource{credstore.StaticPassphrase(credstore.NewSecret([]byte(text)))}
	o.InsecureFastKDF = true
	return o
}

func TestZeroOptionsOnAFreshMachine(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_STATE_HOME", "")
	dir := filepath.Join(home, "conf", "secrets")
	s := open(t, dir, credstore.Options{})
	set(t, s, "test/key", canary)
	st, err := s.Status(t.Context())
	require.NoError(t, err)
	assert.Equal(t, credstore.Obfuscation, st.Protection)
	assert.Contains(t, st.Source, "automatic key file")
	assert.Contains(t, st.Rollback, "anchored")
	require.NoError(t, s.Close())
	assert.Equal(t, canary, get(t, open(t, dir, credstore.Options{}), "test/key"))
	seen := 0
	require.NoError(t, filepath.WalkDir(home, func(path string, d os.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := d.Info()
		require.NoError(t, err)
		if d.IsDir() {
			return nil
		}
		seen++
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), path)
		raw, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.NotContains(t, string(raw), "canary", path)
		assert.NotContains(t, string(raw), "test/key", path)
		return nil
	}))
	assert.Equal(t, 7, seen, "store, backup, lock, key, anchor, audit log and its lock")
}

func TestDefaultKDF(t *testing.T) { once("kdf", defaultKDF)(t) }

func defaultKDF(t *testing.T) {
	o := passphrase(options(t), "correct horse")
	o.InsecureFastKDF = false
	dir := t.TempDir()
	set(t, open(t, dir, o), "a", canary)
	assert.Equal(t, canary, get(t, open(t, dir, o), "a"))
	o.Keys = []credstore.KeySource{credstore.StaticPassphrase(credstore.NewSecret([]byte("wrong")))}
	_, err := credstore.Open(t.Context(), dir, o)
	require.ErrorIs(t, err, credstore.ErrWrongKey)
}

func TestSecretLeaks(t *testing.T) {
	secret := credstore.NewSecret([]byte(canary))
	type hidden struct {
		k  credstore.Secret
		p  *credstore.Secret
		in map[string]credstore.Secret
	}
	h := hidden{secret, &secret, map[string]credstore.Secret{"a": secret}}
	var logs bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&logs, nil), slog.NewJSONHandler(&logs, nil)} {
		slog.New(handler).Info("x", "s", secret, "p", &secret, "h", h, "hp", &h)
	}
	out := []string{logs.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%b", "%o", "%t", "%p", "%T", "%10.3s"} {
		for _, v := range []any{secret, &secret, h, &h, []credstore.Secret{secret}, []any{h}} {
			out = append(out, fmt.Sprintf(verb, v))
		}
	}
	for _, v := range []any{secret, &secret, map[string]any{"k": secret}} {
		raw, err := json.Marshal(v)
		require.NoError(t, err)
		assert.Contains(t, string(raw), "[redacted]")
		out = append(out, string(raw))
	}
	raw, err := xml.Marshal(document{secret})
	require.NoError(t, err)
	out = append(out, string(raw), fmt.Errorf("e: %v", secret).Error())
	for _, verb := range []string{"%w", "%Z", "%!", "%[1]*v", "%s%s", "%[3]v"} { // verbs that are wrong or have too few operands
		for _, v := range []any{secret, &secret, h, &h} {
			out = append(out, fmt.Sprintf(verb, v), fmt.Errorf(verb, v).Error())
		}
	}
	for _, v := range []any{document{secret}, &document{secret}, map[string]credstore.Secret{"k": secret}, []credstore.Secret{secret}, [1]credstore.Secret{secret}} {
		raw, err := json.MarshalIndent(v, "", " ")
		require.NoError(t, err)
		assert.Contains(t, string(raw), "[redacted]")
		out = append(out, string(raw))
		require.Error(t, gob.NewEncoder(&logs).Encode(v), "inside something else as well")
	}
	var written bytes.Buffer
	data := map[string]any{"S": secret, "P": &secret, "H": h, "D": document{secret}, "L": []credstore.Secret{secret}}
	const page = `{{.}} {{.S}} {{.P}} {{.H}} {{.D.K}} {{.L}} {{printf "%v %+v %#v %s %x" .S .P .H .D .L}} {{index .L 0}} {{print .S}} {{html .S}} {{js .H}} {{urlquery .D}}`
	require.NoError(t, template.Must(template.New("").Parse(page)).Execute(&written, data))
	require.NoError(t, htmltemplate.Must(htmltemplate.New("").Parse(page+`<script>var x = {{.S}}, y = {{.D}}</script><a href="/{{.S}}" title={{.H}}>`)).Execute(&written, data))
	log.New(&written, "", 0).Println(secret, h, &h)
	walk(&written, reflect.ValueOf(&h), 0)
	walk(&written, reflect.ValueOf(data), 0)
	out = append(out, written.String(), logs.String())
	var leak bytes.Buffer
	walk(&leak, reflect.ValueOf(&struct{ k *struct{ b []byte } }{&struct{ b []byte }{[]byte(canary)}}), 0)
	assert.Contains(t, leak.String(), "canary", "the control: the walk sees bytes behind pointers in unexported fields")
	assert.Equal(t, "[redacted]", fmt.Sprint(secret))
	require.Error(t, gob.NewEncoder(&logs).Encode(secret))
	type naive struct{ k naiveSecret } // the control: redaction by methods alone
	out = append(out, failDiff(h), failDiff(secret))
	for _, text := range out {
		assert.NotContains(t, text, "canary")
		assert.NotContains(t, text, hex.EncodeToString([]byte("canary")))
	}
	assert.Contains(t, fmt.Sprintf("%+v", naive{naiveSecret(canary)}), "canary", "the control must leak")
	var back credstore.Secret
	require.ErrorIs(t, json.Unmarshal([]byte(`"[redacted]"`), &back), credstore.ErrRedactedValue)
	require.NoError(t, json.Unmarshal([]byte(`"abc"`), &back))
	assert.True(t, back.Equal(credstore.NewSecret([]byte("abc"))))
	assert.False(t, back.Equal(secret))
}

type document struct{ K credstore.Secret }

// walk writes every string and byte that reflection reaches, as dumpers and encoders do which care neither for methods nor
// for what is exported.
func walk(out *bytes.Buffer, v reflect.Value, depth int) {
	if depth > 20 || !v.IsValid() {
		return
	}
	switch v.Kind() {
	case reflect.String:
		out.WriteString(v.String() + "\n")
	case reflect.Uint8:
		out.WriteByte(byte(v.Uint()))
	case reflect.Pointer, reflect.Interface:
		walk(out, v.Elem(), depth+1)
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			walk(out, v.Index(i), depth+1)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			walk(out, v.Field(i), depth+1)
		}
	case reflect.Map:
		for i := v.MapRange(); i.Next(); {
			walk(out, i.Key(), depth+1)
			walk(out, i.Value(), depth+1)
		}
	}
}

// panicWorker dies with a secret in hand, in each way that a panic prints its value.
func panicWorker(how string) error {
	secret := credstore.NewSecret([]byte(canary))
	type hidden struct{ k credstore.Secret }
	switch how {
	case "secret":
		panic(secret)
	case "pointer":
		panic(&secret)
	case "struct":
		panic(hidden{secret})
	case "error":
		panic(fmt.Errorf("with %v and %+v", secret, hidden{secret}))
	case "use":
		return secret.Use(func([]byte) error { panic("inside Use") })
	}
	panic(canary) // the control
}

func TestSecretPanics(t *testing.T) {
	for _, how := range []string{"secret", "pointer", "struct", "error", "use", "control"} {
		cmd := spawn(t, "panic|"+how)
		cmd.Env = append(cmd.Env, "GOTRACEBACK=all")
		cmd.Stderr = nil
		out, err := cmd.CombinedOutput()
		require.Error(t, err)
		assert.Contains(t, string(out), "panic:", how)
		assert.Equal(t, how == "control", strings.Contains(string(out), "canary"), "%s: %s", how, out)
	}
}

type naiveSecret string

func (naiveSecret) String() string { return "[redacted]" }

// failDiff is what a failing assertion prints, which walks memory by reflection and ignores methods.
func failDiff(v any) string {
	var r recorder
	assert.Equal(&r, struct{}{}, v)
	return r.text
}

type recorder struct{ text string }

func (r *recorder) Errorf(format string, args ...any) { r.text += fmt.Sprintf(format, args...) }

// full reports whether tests run in their full size, as in CI. The everyday size has the same properties, tried less often.
func full() bool { return os.Getenv("CI") == "true" && !testing.Short() }

// sized is how often a loop runs: in full size, every day, and in short, which is for the race detector: it has to see each
// concurrent path, not to see it hundreds of times, and it slows everything down.
func sized(most, everyday, short int) int {
	switch {
	case testing.Short():
		return short
	case full():
		return most
	}
	return everyday
}

// notInShort skips what has nothing for the race detector, or what it would make meaningless.
func notInShort(t *testing.T, why string) {
	t.Helper()
	if testing.Short() {
		t.Skip("not in short: " + why)
	}
}

// once runs a test that also stands for a vector only one time in a process.
func once(name string, test func(*testing.T)) func(*testing.T) {
	return func(t *testing.T) {
		if !passedOnce[name] {
			test(t)
			passedOnce[name] = !t.Failed()
		}
	}
}

var passedOnce = map[string]bool{}

func TestBitFlips(t *testing.T)    { once("flips", func(t *testing.T) { damage(t, true, false) })(t) }
func TestTruncations(t *testing.T) { once("cuts", func(t *testing.T) { damage(t, false, true) })(t) }

// damage wants every bit flip, and every truncation, of a small store refused. In the everyday size it flips one bit of each
// byte, and not always the same one.
func damage(t *testing.T, flip, cut bool) {
	bits := []int{rand.IntN(8)}
	if full() {
		bits = []int{0, 1, 2, 3, 4, 5, 6, 7}
	}
	every := sized(1, 1, 7) // bytes
	key := make([]byte, 32)
	key[0] = 1
	o := options(t)
	o.Keys = []credstore.KeySource{credstore.Key(credstore.NewSecret(key), credstore.EnvironmentProtection)}
	o.Anchor = &memoryAnchor{}
	dir := t.TempDir()
	s := open(t, dir, o)
	set(t, s, "a", canary)
	whole, err := os.ReadFile(data(dir))
	require.NoError(t, err)
	try := func(other string, raw []byte) error {
		if err := os.WriteFile(data(other), raw, 0o600); err != nil {
			return err
		}
		// The container alone must notice, so the anchor is a new one.
		s, err := credstore.Open(t.Context(), other, credstore.Options{Keys: o.Keys, Anchor: &memoryAnchor{}, StateDir: o.StateDir})
		if err == nil {
			_ = s.Close()
		}
		return err
	}
	require.NoError(t, try(t.TempDir(), whole), "the control: unchanged it opens")
	refused := func(err error) bool {
		return errors.Is(err, credstore.ErrFormat) || errors.Is(err, credstore.ErrTampered) || errors.Is(err, credstore.ErrWrongKey) ||
			errors.Is(err, credstore.ErrKDFPolicy) || errors.Is(err, credstore.ErrNoKey)
	}
	var flips, cuts atomic.Int32
	const workers = 4
	var wait sync.WaitGroup
	for worker := range workers {
		other := t.TempDir()
		wait.Go(func() {
			for i := worker * every; i < len(whole) && !t.Failed(); i += workers * every {
				for _, bit := range bits {
					bit = (bit + i) % 8
					if !flip {
						break
					}
					raw := bytes.Clone(whole)
					raw[i] ^= 1 << bit
					if err := try(other, raw); !refused(err) {
						t.Errorf("byte %d bit %d: %v", i, bit, err)
					}
					flips.Add(1)
				}
				if cut {
					if err := try(other, whole[:i]); !refused(err) {
						t.Errorf("truncated to %d: %v", i, err)
					}
					cuts.Add(1)
				}
			}
		})
	}
	wait.Wait()
	if want := int32((len(whole) + every - 1) / every); flip {
		assert.Equal(t, want*int32(len(bits)), flips.Load())
	} else {
		assert.Equal(t, want, cuts.Load())
	}
	t.Logf("%d flips and %d truncations of %d bytes refused", flips.Load(), cuts.Load(), len(whole))
}

type memoryAnchor struct {
	mu     sync.Mutex
	record *credstore.AnchorRecord
}

func (m *memoryAnchor) Load(context.Context) (*credstore.AnchorRecord, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.record, nil
}

func (m *memoryAnchor) Save(_ context.Context, r *credstore.AnchorRecord) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.record = r
	return nil
}

func (m *memoryAnchor) Describe() string { return "memory" }

func TestMain(m *testing.M) {
	if work := os.Getenv("CREDSTORE_TEST_WORKER"); work != "" {
		if err := worker(work); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const rounds = 100 // of the control

// updates is how often a worker updates the store.
func updates() int {
	n, _ := strconv.Atoi(os.Getenv("TEST_UPDATES"))
	return n
}

// workers are the other things that a spawned copy of this program does, by kind.
var workers = map[string]func(dir string) error{
	"refresh":       func(dir string) error { return refreshWorker(dir, false) },
	"rotate":        rotateWorker,
	"kill":          killWorker,
	"in-place":      inPlaceWorker,
	"harden":        hardenWorker,
	"memory":        memoryWorker,
	"panic":         panicWorker,
	"points":        pointsWorker,
	"set":           setWorker,
	"naive-refresh": func(dir string) error { return refreshWorker(dir, true) },
}

// worker adds rounds to a counter, in the store or, as the control, in a file that is itself the lock.
func worker(work string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	kind, dir, _ := strings.Cut(work, "|")
	if special := workers[kind]; special != nil {
		return special(dir)
	}
	if kind == "naive" {
		return naiveWorker(filepath.Join(dir, "counter"))
	}
	o := credstore.Options{StateDir: filepath.Join(dir, "state")}
	if kind == "fips" {
		o.Keys = []credstore.KeySource{credstore.StaticPassphrase(credstore.NewSecret([]byte("p")))}
		o.InsecureFastKDF = os.Getenv("TEST_FAST_KDF") != ""
	}
	s, err := credstore.Open(ctx, filepath.Join(dir, "store"), o)
	if err != nil {
		return err
	}
	if kind == "fips" {
		st, err := s.Status(ctx)
		if err == nil && (len(st.Slots) != 1 || st.Slots[0].Type != "pbkdf2") {
			err = fmt.Errorf("slots %v", st.Slots)
		}
		if err == nil {
			err = s.Set(ctx, "a", credstore.NewSecret([]byte("value")), credstore.Meta{})
		}
		return err
	}
	if kind == "hold" {
		return s.Update(ctx, func(*credstore.Tx) error {
			fmt.Println("held")
			_, err := bufio.NewReader(os.Stdin).ReadString('\n')
			return err
		})
	}
	for range updates() {
		if err := s.Update(ctx, func(tx *credstore.Tx) error {
			n := 0
			old, err := tx.Get("n")
			if err == nil {
				n, err = strconv.Atoi(reveal(old))
			}
			if err != nil && !errors.Is(err, credstore.ErrNotFound) {
				return err
			}
			return tx.Set("n", credstore.NewSecret([]byte(strconv.Itoa(n+1))), credstore.Meta{})
		}); err != nil {
			return err
		}
	}
	return nil
}

func naiveWorker(path string) error {
	for range rounds {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
			return err
		}
		text := make([]byte, 32)
		n, _ := f.Read(text)
		count, _ := strconv.Atoi(string(text[:n]))
		temp := fmt.Sprintf("%s.%d", path, os.Getpid())
		if err := os.WriteFile(temp, []byte(strconv.Itoa(count+1)), 0o600); err != nil {
			return err
		}
		if err := os.Rename(temp, path); err != nil {
			return err
		}
		f.Close()
	}
	return nil
}

func spawn(t *testing.T, work string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "CREDSTORE_TEST_WORKER="+work)
	cmd.Stderr = os.Stderr
	return cmd
}

func TestProcessesLoseNoUpdate(t *testing.T) {
	t.Parallel()
	processes, updates := sized(8, 8, 4), sized(100, 25, 5)
	run := func(kind, dir string) {
		var cmds []*exec.Cmd
		for range processes {
			cmd := spawn(t, kind+"|"+dir)
			cmd.Env = append(cmd.Env, "TEST_UPDATES="+strconv.Itoa(updates))
			require.NoError(t, cmd.Start())
			cmds = append(cmds, cmd)
		}
		for _, cmd := range cmds {
			require.NoError(t, cmd.Wait())
		}
	}
	dir := t.TempDir()
	run("store", dir)
	s := open(t, filepath.Join(dir, "store"), credstore.Options{StateDir: filepath.Join(dir, "state")})
	assert.Equal(t, strconv.Itoa(processes*updates), get(t, s, "n"))
	left, err := filepath.Glob(filepath.Join(dir, "store", ".credentials-*"))
	require.NoError(t, err)
	assert.Empty(t, left)

	// The control may be lucky: where the processes start far apart, none of
	// its updates meet.
	n := processes * rounds
	for try := 0; try < 20 && n == processes*rounds; try++ {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "counter"), []byte("0"), 0o600))
		run("naive", dir)
		kept, err := os.ReadFile(filepath.Join(dir, "counter"))
		require.NoError(t, err)
		n, err = strconv.Atoi(string(kept))
		require.NoError(t, err)
	}
	assert.Less(t, n, processes*rounds, "the control, a lock on the data file itself, must lose updates")
	t.Logf("control kept %d of %d", n, processes*rounds)
}

func secretStore(t *testing.T, value string) *credstore.Store {
	s := open(t, t.TempDir(), options(t))
	set(t, s, "a", value)
	return s
}

func redactForms(value string) map[string]string {
	quoted, _ := json.Marshal(value)
	digits := hex.EncodeToString([]byte(value))
	var printable bytes.Buffer
	qp := quotedprintable.NewWriter(&printable)
	_, _ = qp.Write([]byte(value))
	_ = qp.Close()
	var escaped bytes.Buffer
	_ = xml.EscapeText(&escaped, []byte(value))
	var wide []byte
	for _, unit := range utf16.Encode([]rune(value)) {
		wide = append(wide, byte(unit), byte(unit>>8))
	}
	forms := map[string]string{"raw": value, "hex": digits, "HEX": strings.ToUpper(digits), "hex with blanks": fmt.Sprintf("% x", value),
		"HEX with blanks": fmt.Sprintf("% X", value), "hex with colons": strings.ReplaceAll(fmt.Sprintf("% x", value), " ", ":"),
		"hex with x": `\x` + strings.ReplaceAll(fmt.Sprintf("% x", value), " ", `\x`),
		"query":      url.QueryEscape(value), "path": url.PathEscape(value), "json": string(quoted),
		"go": strconv.Quote(value), "go in ASCII": fmt.Sprintf("%+q", value), "html": html.EscapeString(value), "xml": escaped.String(),
		"quoted-printable": printable.String(), "utf-16": string(wide), "quoted for a shell": "'" + strings.ReplaceAll(value, "'", `'\''`) + "'",
		"php": strings.ReplaceAll(strconv.QuoteToASCII(value), "/", `\/`)}
	for shift := range 3 {
		forms[fmt.Sprint("utf-16 in base64 ", shift)] = base64.StdEncoding.EncodeToString(append([]byte("$ = ")[:shift*2], wide...))
	}
	for _, before := range []string{"", "B", "Be", "Bearer ", "Basic: "} {
		for _, after := range []string{"", "x", "xy"} {
			forms["std"+before+after] = base64.StdEncoding.EncodeToString([]byte(before + value + after))
			forms["url"+before+after] = base64.RawURLEncoding.EncodeToString([]byte(before + value + after))
		}
	}
	return forms
}

func TestRedactorForms(t *testing.T) {
	r := secretStore(t, canary).Redactor()
	for name, text := range redactForms(canary) {
		out := r.String("before " + text + " after")
		assert.Contains(t, out, "[redacted]", name)
		assert.True(t, strings.HasPrefix(out, "before ") && strings.HasSuffix(out, " after"), "%s: %s", name, out)
		assert.NotContains(t, out, text, name)
		assert.Less(t, len(out), len("before  after")+len("[redacted]")+24, "%s: %s", name, out)
	}
	for _, plain := range []string{"", "hello", "sk-ant-", strings.Repeat("aGVsbG8gd29ybGQ", 20)} {
		assert.Equal(t, plain, r.String(plain))
	}
}

func TestRedactorWriterEqualsWhole(t *testing.T) {
	s := secretStore(t, canary)
	set(t, s, "b", "canary<1>-overlaps-the-first")
	r := s.Redactor()
	var text string
	for name, form := range redactForms(canary) {
		text += name + "=" + form + "\n"
	}
	text += canary + canary + "sk-ant-Zq9/x+7&canary<1>-overlaps-the-first" + strings.Repeat("plain text ", 50) + canary[:len(canary)-1]
	want := r.String(text)
	for _, size := range []int{1, 2, 3, 7, 10, 64, 1000, len(text)} {
		assert.Equal(t, want, streamed(t, r, text, size), size)
	}
}

func TestRedactorFailsClosed(t *testing.T) {
	s := secretStore(t, canary)
	require.NoError(t, s.Close())
	out := s.Redactor().String("x " + canary)
	assert.NotContains(t, out, "canary")
	s = secretStore(t, canary)
	assert.NotContains(t, s.Redactor().String(canary), "canary")
	require.NoError(t, s.Delete(t.Context(), "a"))
	assert.NotContains(t, s.Redactor().String(canary), "canary", "a deleted value may still be valid at its issuer")
}

func openErr(t *testing.T, dir string, o credstore.Options) (*credstore.Store, error) {
	t.Helper()
	return credstore.Open(t.Context(), dir, o)
}
