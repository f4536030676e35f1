//go:build linux

package credstore_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clearance-go/clearance/credstore"
)

// issuer is an authorization server with single-use refresh tokens: whoever presents one a second time has the whole
// login revoked (RFC 9700 §4.14.2).
type issuer struct {
	*httptest.Server
	mu      sync.Mutex
	serial  int
	access  string
	refresh string
	revoked bool
	calls   int
	reuses  int
}

func newIssuer(t *testing.T) *issuer {
	i := &issuer{}
	i.login()
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.calls++
		if i.revoked || r.FormValue("refresh_token") != i.refresh {
			i.reuses++
			i.revoked = true
			http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
			return
		}
		i.next()
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": i.access, "refresh_token": i.refresh, "expires_in": 3600})
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) next() {
	i.serial++
	i.access, i.refresh = fmt.Sprintf("access-token-%04d", i.serial), fmt.Sprintf("refresh-token-%04d", i.serial)
}

// login begins a new login, as a person would.
func (i *issuer) login() credstore.Token {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.revoked, i.calls, i.reuses = false, 0, 0
	i.next()
	return i.token()
}

func (i *issuer) token() credstore.Token {
	return credstore.Token{Value: credstore.NewSecret([]byte(i.access)), Refresh: credstore.NewSecret([]byte(i.refresh)), Expires: time.Now().Add(-time.Second)}
}

// buy is the client side.
func buy(ctx context.Context, address, refresh string) (credstore.Token, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(url.Values{"refresh_token": {refresh}}.Encode()))
	if err != nil {
		return credstore.Token{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return credstore.Token{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		_, _ = io.Copy(io.Discard, resp.Body)
		return credstore.Token{}, fmt.Errorf("issuer: %s", resp.Status)
	}
	var reply struct {
		Access  credstore.Secret `json:"access_token"`
		Refresh credstore.Secret `json:"refresh_token"`
		Seconds int              `json:"expires_in"`
	}
	err = json.NewDecoder(resp.Body).Decode(&reply)
	return credstore.Token{Value: reply.Access, Refresh: reply.Refresh, Expires: time.Now().Add(time.Duration(reply.Seconds) * time.Second)}, err
}

func buyer(address string) func(string, credstore.Meta) credstore.Refresher {
	r := credstore.RefreshFunc(func(ctx context.Context, r credstore.Refreshing) (credstore.Token, error) {
		return buy(ctx, address, reveal(r.Refresh))
	})
	return func(string, credstore.Meta) credstore.Refresher { return r }
}

// refreshWorker gets the token once for each line on standard input. naive is what programs do: look, refresh, save.
func refreshWorker(dir string, naive bool) error {
	ctx := context.Background()
	address := os.Getenv("TEST_ISSUER")
	o := credstore.Options{StateDir: filepath.Join(dir, "state")}
	if !naive {
		o.Refresher = buyer(address)
	}
	s, err := credstore.Open(ctx, filepath.Join(dir, "store"), o)
	if err != nil {
		return err
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if naive {
			token, err := buy(ctx, address, lines.Text())
			if err == nil {
				err = s.SetToken(ctx, "login", token, credstore.Meta{})
			}
			if err != nil {
				fmt.Println("error", err)
			} else {
				fmt.Println("value", reveal(token.Value))
			}
			continue
		}
		value, err := s.Get(ctx, "login")
		if err != nil {
			fmt.Println("error", err)
		} else {
			fmt.Println("value", reveal(value))
		}
	}
	return nil
}

// crowd runs rounds of many processes that all need the same expired token, and returns what went wrong.
func crowd(t *testing.T, kind string, processes, rounds int) (calls, reuses, logouts int) {
	i := newIssuer(t)
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "store"), credstore.Options{StateDir: filepath.Join(dir, "state")})
	require.NoError(t, s.SetToken(t.Context(), "login", i.token(), credstore.Meta{}))
	type process struct {
		in  io.Writer
		out *bufio.Scanner
	}
	var all []process
	for range processes {
		cmd := spawn(t, kind+"|"+dir)
		cmd.Env = append(cmd.Env, "TEST_ISSUER="+i.URL)
		in, err := cmd.StdinPipe()
		require.NoError(t, err)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
		all = append(all, process{in, bufio.NewScanner(out)})
	}
	for range rounds {
		token := i.login()
		require.NoError(t, s.SetToken(t.Context(), "login", token, credstore.Meta{}))
		for _, p := range all {
			_, err := fmt.Fprintln(p.in, reveal(token.Refresh))
			require.NoError(t, err)
		}
		values := map[string]int{}
		for _, p := range all {
			require.True(t, p.out.Scan())
			values[p.out.Text()]++
		}
		i.mu.Lock()
		calls += i.calls
		reuses += i.reuses
		if i.revoked || values["value "+i.access] != processes {
			logouts++
		}
		i.mu.Unlock()
	}
	return calls, reuses, logouts
}

func TestProcessesRefreshOnce(t *testing.T) { once("refresh", processesRefreshOnce)(t) }

func processesRefreshOnce(t *testing.T) {
	processes, rounds := sized(16, 16, 4), sized(10, 10, 2)
	calls, reuses, logouts := crowd(t, "refresh", processes, rounds)
	assert.Equal(t, rounds, calls, "one refresh each round")
	assert.Zero(t, reuses)
	assert.Zero(t, logouts)
	calls, reuses, logouts = crowd(t, "naive-refresh", processes, 3)
	t.Logf("control without single flight: %d calls, %d reuses, %d of 3 rounds logged out", calls, reuses, logouts)
	assert.Positive(t, logouts, "the control must log out")
}

func TestGoroutinesRefreshOnce(t *testing.T) {
	i := newIssuer(t)
	o := options(t)
	o.Refresher = buyer(i.URL)
	s := open(t, t.TempDir(), o)
	require.NoError(t, s.SetToken(t.Context(), "login", i.token(), credstore.Meta{}))
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			value, err := s.Get(t.Context(), "login")
			if assert.NoError(t, err) {
				assert.Equal(t, "access-token-0002", reveal(value))
			}
		})
	}
	wait.Wait()
	assert.Equal(t, 1, i.calls)
}

// clock is a wall clock and a monotonic one that tests move apart.
type clock struct {
	mu      sync.Mutex
	wall    time.Time
	elapsed time.Duration
}

func newClock() *clock { return &clock{wall: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wall
}

func (c *clock) since() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.elapsed
}

// pass lets time go by; jump sets only the wall clock.
func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	c.wall = c.wall.Add(d)
	c.elapsed += d
	c.mu.Unlock()
}
func (c *clock) jump(d time.Duration) { c.mu.Lock(); c.wall = c.wall.Add(d); c.mu.Unlock() }

func (c *clock) in(o credstore.Options) credstore.Options {
	o.Now = c.now
	return credstore.WithElapsed(o, c.since)
}

// counter is a Refresher that counts; fail is what it returns instead of a token.
type counter struct {
	c     *clock
	calls atomic.Int32
	life  time.Duration
	fail  error
	hook  func()
}

func (r *counter) Refresh(context.Context, credstore.Refreshing) (credstore.Token, error) {
	n := r.calls.Add(1)
	if r.hook != nil {
		r.hook()
	}
	if r.fail != nil {
		return credstore.Token{}, r.fail
	}
	return credstore.Token{Value: credstore.NewSecret(fmt.Appendf(nil, "renewed-value-%d", n)), Expires: r.c.now().Add(r.life)}, nil
}

func refreshing(t *testing.T, life time.Duration) (*credstore.Store, *clock, *counter, credstore.Options, string) {
	c := newClock()
	r := &counter{c: c, life: life}
	o := c.in(options(t))
	o.Refresher = func(string, credstore.Meta) credstore.Refresher { return r }
	dir := t.TempDir()
	s := open(t, dir, o)
	require.NoError(t, s.SetToken(t.Context(), "a", credstore.Token{Value: credstore.NewSecret([]byte("first-value")),
		Refresh: credstore.NewSecret([]byte("refresh-value")), Expires: c.now().Add(life)}, credstore.Meta{}))
	return s, c, r, o, dir
}

func TestSoftAndHardExpiry(t *testing.T) {
	s, c, r, _, _ := refreshing(t, time.Hour)
	assert.Equal(t, "first-value", get(t, s, "a"))
	c.pass(53 * time.Minute) // a tenth of its life is left at 54
	assert.Equal(t, "first-value", get(t, s, "a"))
	assert.Zero(t, r.calls.Load())
	c.pass(2 * time.Minute)
	r.fail = errors.New("issuer down")
	assert.Equal(t, "first-value", get(t, s, "a"), "a failed early refresh returns what still lasts")
	assert.Equal(t, "first-value", get(t, s, "a"))
	assert.EqualValues(t, 1, r.calls.Load(), "the failure is remembered")
	c.pass(10 * time.Minute)
	_, err := s.Get(t.Context(), "a")
	require.ErrorIs(t, err, credstore.ErrExpired)
	require.ErrorIs(t, err, credstore.ErrRefresh)
	assert.NotContains(t, err.Error(), "first-value")
	r.fail = nil
	require.NoError(t, s.SetToken(t.Context(), "a", credstore.Token{Value: credstore.NewSecret([]byte("second-value")), Expires: c.now().Add(-time.Second)}, credstore.Meta{}))
	assert.Equal(t, "renewed-value-2", get(t, s, "a"))
	entries, err := s.List(t.Context())
	require.NoError(t, err)
	assert.Equal(t, c.now().Add(time.Hour), entries[0].Meta.Expires)
}

func TestExpiredWithoutRefresher(t *testing.T) {
	c := newClock()
	s := open(t, t.TempDir(), c.in(options(t)))
	require.NoError(t, s.Set(t.Context(), "a", credstore.NewSecret([]byte("value")), credstore.Meta{Expires: c.now().Add(time.Hour)}))
	assert.Equal(t, "value", get(t, s, "a"))
	c.pass(time.Hour)
	_, err := s.Get(t.Context(), "a")
	require.ErrorIs(t, err, credstore.ErrExpired)
}

// TestRefreshOutlivesItsCaller: a token that can be used once is brought home although the caller gave up.
func TestRefreshOutlivesItsCaller(t *testing.T) {
	s, c, r, _, _ := refreshing(t, time.Hour)
	c.pass(2 * time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	r.hook = cancel
	_, err := s.Get(ctx, "a")
	require.NoError(t, err)
	assert.Equal(t, "renewed-value-1", get(t, s, "a"))
	assert.EqualValues(t, 1, r.calls.Load())
}

// TestRefreshThatCannotBeSaved: the new value is not lost while the process lives, and is saved when the disk allows.
func TestRefreshThatCannotBeSaved(t *testing.T) {
	_, c, r, o, dir := refreshing(t, time.Hour)
	disk := &faultyDisk{Disk: credstore.OSDisk()}
	s := open(t, dir, credstore.WithDisk(o, disk))
	c.pass(2 * time.Hour)
	disk.fail("Rename", syscall.EIO)
	_, err := s.Get(t.Context(), "a")
	require.ErrorIs(t, err, credstore.ErrSave)
	disk.fail("", nil)
	assert.Equal(t, "renewed-value-1", get(t, s, "a"))
	assert.EqualValues(t, 1, r.calls.Load(), "the token that was bought is used")
	assert.Equal(t, "renewed-value-1", get(t, open(t, dir, o), "a"))
}

// A value that somebody set while the issuer was asked is newer than what the issuer gave.
func TestSetDuringRefreshWins(t *testing.T) {
	s, c, r, o, dir := refreshing(t, time.Hour)
	c.pass(2 * time.Hour)
	other := open(t, dir, o)
	r.hook = func() {
		assert.NoError(t, other.Set(t.Context(), "a", credstore.NewSecret([]byte("set by hand")), credstore.Meta{}))
	}
	assert.Equal(t, "set by hand", get(t, s, "a"))
}

func vectorC09(t *testing.T) {
	s, c, r, o, dir := refreshing(t, time.Hour)
	c.pass(2 * time.Hour)
	other := open(t, dir, o)
	r.fail = errors.New("invalid_grant")
	r.hook = func() {
		assert.NoError(t, other.SetToken(t.Context(), "a", credstore.Token{Value: credstore.NewSecret([]byte("the newer token")), Expires: c.now().Add(time.Hour)}, credstore.Meta{}))
	}
	assert.Equal(t, "the newer token", get(t, s, "a"), "the loser of a race adopts the winner's token")
	r.hook = nil
	c.pass(2 * time.Hour)
	_, err := s.Get(t.Context(), "a")
	require.ErrorIs(t, err, credstore.ErrRefresh)
	c.jump(-2 * time.Hour) // the value itself is still there
	late := open(t, dir, o)
	assert.Equal(t, "the newer token", get(t, late, "a"), "a failed refresh does not touch the store")
}

func vectorE07(t *testing.T) {
	s, c, r, o, dir := refreshing(t, time.Hour)
	assert.Equal(t, "first-value", get(t, s, "a"))
	c.pass(30 * time.Minute)
	c.jump(-24 * time.Hour)
	assert.Equal(t, "renewed-value-1", get(t, s, "a"), "written in the future: renewed early")
	plain := newClock()
	alone := open(t, t.TempDir(), plain.in(options(t)))
	require.NoError(t, alone.Set(t.Context(), "a", credstore.NewSecret([]byte("value")), credstore.Meta{Expires: plain.now().Add(time.Hour)}))
	assert.Equal(t, "value", get(t, alone, "a"))
	plain.pass(30 * time.Minute)
	plain.jump(-24 * time.Hour)
	assert.Equal(t, "value", get(t, alone, "a"))
	plain.pass(31 * time.Minute)
	_, err := alone.Get(t.Context(), "a")
	require.ErrorIs(t, err, credstore.ErrExpired, "by the monotonic clock an hour has passed")
	c.jump(10 * 365 * 24 * time.Hour)
	assert.Equal(t, "renewed-value-2", get(t, s, "a"))
	assert.Equal(t, "renewed-value-2", get(t, s, "a"), "one refresh, not a loop")
	c.jump(-10 * 365 * 24 * time.Hour)
	st, err := s.Status(t.Context())
	require.NoError(t, err)
	assert.Contains(t, strings.Join(st.Warnings, "\n"), "in the future")
	fresh := open(t, dir, o) // knows nothing of the monotonic deadline
	assert.Equal(t, "renewed-value-3", get(t, fresh, "a"), "written in the future: renewed while that is possible")
	assert.EqualValues(t, 3, r.calls.Load())
	near, c2, r2, _, _ := refreshing(t, time.Hour)
	c2.pass(time.Hour - 59*time.Second)
	assert.Equal(t, "renewed-value-1", get(t, near, "a"), "60 seconds for clocks that differ")
	assert.EqualValues(t, 1, r2.calls.Load())
}

func vectorE08(t *testing.T) {
	s, c, r, _, _ := refreshing(t, time.Hour)
	old, err := s.Get(t.Context(), "a")
	require.NoError(t, err)
	require.NoError(t, s.Invalidate(t.Context(), "a", old))
	assert.Equal(t, "renewed-value-1", get(t, s, "a"))
	assert.Equal(t, "renewed-value-1", get(t, s, "a"))
	assert.EqualValues(t, 1, r.calls.Load(), "one forced refresh")
	require.NoError(t, s.Invalidate(t.Context(), "a", old), "somebody else's old value: nothing to do")
	assert.Equal(t, "renewed-value-1", get(t, s, "a"))
	now, err := s.Get(t.Context(), "a")
	require.NoError(t, err)
	require.ErrorIs(t, s.Invalidate(t.Context(), "a", now), credstore.ErrRefused, "then it surfaces")
	assert.Equal(t, "renewed-value-1", get(t, s, "a"))
	c.pass(time.Minute)
	require.NoError(t, s.Invalidate(t.Context(), "a", now))
	r.fail = errors.New("login is over")
	_, err = s.Get(t.Context(), "a")
	require.ErrorIs(t, err, credstore.ErrRefresh)
	plain := secretStore(t, "plain-value")
	require.ErrorIs(t, plain.Invalidate(t.Context(), "a", credstore.NewSecret([]byte("plain-value"))), credstore.ErrNoRefresher)
}

// helper runs a HelperCommand once for an expired entry.
func helper(t *testing.T, h credstore.HelperCommand) (string, error) {
	t.Helper()
	if h.Trusted == nil {
		h.Trusted = credstore.TrustedByProgram
	}
	o := options(t)
	o.Refresher = func(string, credstore.Meta) credstore.Refresher { return h }
	s := open(t, t.TempDir(), o)
	require.NoError(t, s.SetToken(t.Context(), "a", credstore.Token{Value: credstore.NewSecret([]byte("old-value")),
		Refresh: credstore.NewSecret([]byte("refresh\"value\n")), Expires: time.Now().Add(-time.Minute)}, credstore.Meta{}))
	value, err := s.Get(t.Context(), "a")
	return reveal(value), err
}

func shell(text string) []string { return []string{"/bin/sh", "-c", text} }

func TestHelperCommand(t *testing.T) {
	value, err := helper(t, credstore.HelperCommand{Argv: shell(`printf '{"value":"a\u0062\"c","refresh":"r2-token","expires_at":"2099-01-02T03:04:05Z"}'`), Output: credstore.HelperJSON})
	require.NoError(t, err)
	assert.Equal(t, `ab"c`, value)
	value, err = helper(t, credstore.HelperCommand{Argv: shell("cat"), SendRefreshToken: true})
	require.NoError(t, err)
	assert.Equal(t, `{"name":"a","refresh":"refresh\"value\u000a"}`, value)
	t.Setenv("CREDSTORE_KEY", "x")
	t.Setenv("TEST_PASS", "through")
	value, err = helper(t, credstore.HelperCommand{Argv: shell("echo $TEST_PASS$CREDSTORE_KEY$TEST_NOT"), Env: []string{"TEST_PASS", "CREDSTORE_KEY"}})
	require.NoError(t, err)
	assert.Equal(t, "through", value)
	for name, bad := range map[string]credstore.HelperCommand{
		"none":       {},
		"relative":   {Argv: []string{"./helper"}},
		"missing":    {Argv: []string{"no-such-program-here"}},
		"status":     {Argv: shell("echo canary; exit 3")},
		"long":       {Argv: shell("head -c 70000 /dev/zero")},
		"no JSON":    {Argv: shell("echo canary"), Output: credstore.HelperJSON},
		"no value":   {Argv: shell(`echo '{"token":"canary"}'`), Output: credstore.HelperJSON},
		"bad time":   {Argv: shell(`echo '{"value":"canary","expires_at":"tomorrow"}'`), Output: credstore.HelperJSON},
		"NUL":        {Argv: shell(`printf 'a\000canary'`)},
		"unreadable": {Argv: []string{"/bin/sh/x"}},
	} {
		_, err := helper(t, bad)
		require.ErrorIs(t, err, credstore.ErrHelper, name)
		assert.NotContains(t, err.Error(), "canary", name)
	}
	_, err = helper(t, credstore.HelperCommand{Argv: shell(`echo '{"value":"[redacted]"}'`), Output: credstore.HelperJSON})
	require.ErrorIs(t, err, credstore.ErrRefresh)
}

func vectorE02(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	var raw []byte
	// Long enough to begin, where the machine is busy too.
	for limit := 250 * time.Millisecond; ; limit *= 2 {
		_, err := helper(t, credstore.HelperCommand{Argv: shell("sleep 1000 & echo $! > " + pidFile + ".new; mv " + pidFile + ".new " + pidFile + "; wait"), Timeout: limit})
		require.ErrorIs(t, err, credstore.ErrHelperTimeout)
		require.ErrorIs(t, err, credstore.ErrHelper)
		if raw, err = os.ReadFile(pidFile); err == nil {
			break
		}
		require.Less(t, limit, time.Minute, "it does not begin")
	}
	var pid int
	_, err := fmt.Sscan(string(raw), &pid)
	require.NoError(t, err)
	assert.Eventually(t, func() bool { // the grandchild too; it may be a zombie until somebody collects it
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err != nil || strings.Contains(string(stat), ") Z ")
	}, time.Minute, 5*time.Millisecond)
}

func vectorE06(t *testing.T) {
	repo := t.TempDir()
	mark := filepath.Join(repo, "ran")
	script := filepath.Join(repo, "helper.sh")
	require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\ntouch "+mark+"\necho the-token\n"), 0o700))
	h := credstore.HelperCommand{Argv: []string{script}}
	o := options(t)
	o.Refresher = func(string, credstore.Meta) credstore.Refresher { return h }
	s := open(t, t.TempDir(), o)
	expire := func() {
		require.NoError(t, s.SetToken(t.Context(), "a", credstore.Token{Value: credstore.NewSecret([]byte("old-value")), Expires: time.Now().Add(-time.Minute)}, credstore.Meta{}))
	}
	expire()
	_, err := s.Get(t.Context(), "a")
	require.ErrorIs(t, err, credstore.ErrUntrusted)
	assert.NoFileExists(t, mark)
	trusted, err := h.Digest()
	require.NoError(t, err)
	h.Trusted = func(_ context.Context, digest string) (bool, error) { return digest == trusted, nil }
	expire()
	assert.Equal(t, "the-token", get(t, s, "a"))
	assert.FileExists(t, mark, "the control: trusted, it runs")
	require.NoError(t, os.Remove(mark))
	require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\ntouch "+mark+"; echo changed\n"), 0o700))
	expire()
	_, err = s.Get(t.Context(), "a")
	require.ErrorIs(t, err, credstore.ErrUntrusted, "a changed script is another command")
	assert.NoFileExists(t, mark)
}

func refreshVectors() map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"C08": TestProcessesRefreshOnce,
		"C09": vectorC09,
		"E01": func(t *testing.T) {
			_, err := helper(t, credstore.HelperCommand{Argv: shell("echo canary; echo 'refreshed ok'")})
			require.ErrorIs(t, err, credstore.ErrHelper)
			assert.NotContains(t, err.Error(), "canary")
			value, err := helper(t, credstore.HelperCommand{Argv: shell("echo one; echo two"), Multiline: true})
			require.NoError(t, err)
			assert.Equal(t, "one\ntwo", value)
		},
		"E02": vectorE02,
		"E04": func(t *testing.T) {
			_, err := helper(t, credstore.HelperCommand{Argv: []string{"true"}})
			require.ErrorIs(t, err, credstore.ErrHelper)
			s, c, _, o, dir := refreshing(t, time.Hour)
			_ = s
			o.Refresher = func(string, credstore.Meta) credstore.Refresher {
				return credstore.HelperCommand{Argv: []string{"true"}, Trusted: credstore.TrustedByProgram}
			}
			c.pass(58 * time.Minute)
			assert.Equal(t, "first-value", get(t, open(t, dir, o), "a"), "the old value still lasts")
		},
		"E06": vectorE06,
		"E07": vectorE07,
		"E08": vectorE08,
		"V02": func(t *testing.T) {
			value, err := helper(t, credstore.HelperCommand{Argv: shell("echo key")})
			require.NoError(t, err)
			assert.Equal(t, "key", value)
			value, err = helper(t, credstore.HelperCommand{Argv: shell("printf 'key\\r\\n'")})
			require.NoError(t, err)
			assert.Equal(t, "key", value)
			_, err = helper(t, credstore.HelperCommand{Argv: shell("printf 'key\\n\\n'")})
			require.ErrorIs(t, err, credstore.ErrHelper)
		},
	}
}
