package credstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// HelperOutput is what a helper prints.
type HelperOutput int

// The forms of output.
const (
	// HelperLine: the value and at most one line end; it expires after HelperCommand.TTL.
	HelperLine HelperOutput = iota
	// HelperJSON: {"value":…, "expires_at":RFC 3339, "refresh":…}; the last two may be missing.
	HelperJSON
)

const (
	helperTimeout = 30 * time.Second
	helperOutput  = 64 << 10
	helperProgram = 256 << 20
)

// HelperCommand is a Refresher that runs a program. There is no shell. The program gets a minimal environment, no open
// files of ours, and a process group of its own, which is ended as a whole at the timeout. Its error output is thrown away,
// because it may hold the value.
//
// Errors: ErrUntrusted, ErrHelper, ErrHelperTimeout. None holds anything that the program printed.
type HelperCommand struct {
	// Argv is the program, an absolute path or a name found in PATH, with its arguments.
	Argv []string
	// Trusted is asked before each run whether a person trusts this exact command, named by its Digest. Nil refuses, so
	// that a command from the configuration of a cloned repository does not run. For a command that is part of your own
	// program use TrustedByProgram.
	Trusted func(ctx context.Context, digest string) (bool, error)
	// Output is the form of what the program prints.
	Output HelperOutput
	// TTL is how long a printed line lasts. Zero: its end is not known.
	TTL time.Duration
	// Timeout is how long the program may take. Zero means 30 seconds.
	Timeout time.Duration
	// Multiline accepts line breaks inside the value.
	Multiline bool
	// Env are the names of our variables that the program gets besides the minimal environment.
	Env []string
	// SendRefreshToken writes {"name":…, "refresh":…} to the program's standard input.
	SendRefreshToken bool
}

// TrustedByProgram is the HelperCommand.Trusted of commands that are written in the program itself.
func TrustedByProgram(context.Context, string) (bool, error) { return true, nil }

// Digest names the exact command: SHA-256, in hex, over the resolved program, its contents, the arguments and the names of
// the variables, and for an interpreter or a shell the contents of the files that its arguments name. A changed script has
// another digest; what a script calls in turn is not covered, nor is who replaces a file between Digest and the start.
func (c HelperCommand) Digest() (string, error) {
	path, err := c.resolve()
	if err != nil {
		return "", err
	}
	program, err := fileDigest(path)
	if err != nil {
		return "", err
	}
	var scripts []string
	if interpreter(path) {
		for _, arg := range c.Argv[1:] {
			_, value, _ := strings.Cut(arg, "=")
			for _, name := range []string{arg, value} {
				if info, err := os.Stat(name); name == "" || err != nil || !info.Mode().IsRegular() {
					continue
				}
				sum, err := fileDigest(name)
				if err != nil {
					return "", err
				}
				scripts = append(scripts, sum)
			}
		}
	}
	raw, err := json.Marshal(struct {
		Path, Program string
		Args, Env     []string
		Scripts       []string `json:",omitempty"`
	}{path, program, c.Argv[1:], c.Env, scripts})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), nil
}

func fileDigest(path string) (string, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|noWait, 0)
	if err != nil {
		return "", fmt.Errorf("credstore: %w: %w", ErrHelper, err)
	}
	defer f.Close()
	sum := sha256.New()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = ErrNotRegular
	}
	if err == nil {
		var n int64
		if n, err = io.Copy(sum, io.LimitReader(f, helperProgram+1)); n > helperProgram {
			err = ErrTooLarge
		}
	}
	if err != nil {
		return "", fmt.Errorf("credstore: %w: cannot read %s whole: %w", ErrHelper, path, err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// interpreter reports a program that runs what its arguments name.
func interpreter(path string) bool {
	name := strings.TrimSuffix(strings.ToLower(filepath.Base(path)), ".exe")
	switch strings.TrimRight(name, "0123456789.") {
	case "sh", "bash", "zsh", "dash", "ksh", "fish", "busybox", "env", "python", "pypy", "node", "deno", "bun", "ruby", "perl", "php", "lua", "java",
		"pwsh", "powershell", "osascript", "tclsh", "awk", "gawk", "mawk", "make", "nice", "timeout", "nohup":
		return true
	}
	return false
}

func (c HelperCommand) resolve() (string, error) {
	if len(c.Argv) == 0 || c.Argv[0] == "" {
		return "", fmt.Errorf("credstore: %w: no command", ErrHelper)
	}
	return findProgram(c.Argv[0])
}

// findProgram returns the absolute path of a program. A path relative to wherever we happen to be is refused.
func findProgram(name string) (string, error) {
	if filepath.Base(name) != name && !filepath.IsAbs(name) {
		return "", fmt.Errorf("credstore: %w: %+q is relative: give an absolute path, or a name that PATH finds", ErrHelper, name)
	}
	path, err := exec.LookPath(name)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return "", fmt.Errorf("credstore: %w: %w", ErrHelper, err)
	}
	return path, nil
}

// Refresh runs the program.
func (c HelperCommand) Refresh(ctx context.Context, r Refreshing) (Token, error) {
	path, err := c.resolve()
	if err != nil {
		return Token{}, err
	}
	digest, err := c.Digest()
	if err != nil {
		return Token{}, err
	}
	if c.Trusted == nil {
		return Token{}, fmt.Errorf("credstore: %s: %w", path, ErrUntrusted)
	}
	if ok, err := c.Trusted(ctx, digest); err != nil {
		return Token{}, fmt.Errorf("credstore: %s: %w: %w", path, ErrUntrusted, err)
	} else if !ok {
		return Token{}, fmt.Errorf("credstore: %s: %w (digest %s)", path, ErrUntrusted, digest)
	}
	timeout := c.Timeout
	if timeout <= 0 {
		timeout = helperTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, c.Argv[1:]...)
	cmd.Args[0] = c.Argv[0]
	cmd.Env = baseEnv(c.Env, nil)
	cmd.WaitDelay = time.Second
	ownGroup(cmd)
	keepDescriptors()
	out := &limitedBuffer{}
	defer out.clear()
	cmd.Stdout = out
	if c.SendRefreshToken {
		in, err := refreshInput(r)
		if err != nil {
			return Token{}, err
		}
		defer clear(in)
		cmd.Stdin = bytes.NewReader(in)
	}
	err = cmd.Run()
	switch {
	case ctx.Err() != nil:
		return Token{}, fmt.Errorf("credstore: %s: %w after %s", path, ErrHelperTimeout, timeout)
	case out.full:
		return Token{}, fmt.Errorf("credstore: %s: %w: it printed more than %d bytes", path, ErrHelper, helperOutput)
	case err != nil:
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return Token{}, fmt.Errorf("credstore: %s: %w: %s", path, ErrHelper, exit.ProcessState)
		}
		return Token{}, fmt.Errorf("credstore: %s: %w: %w", path, ErrHelper, err)
	}
	token, err := c.parse(out.data)
	if err != nil {
		return Token{}, fmt.Errorf("credstore: %s: %w", path, err)
	}
	return token, nil
}

func refreshInput(r Refreshing) ([]byte, error) {
	name, err := json.Marshal(r.Name)
	if err != nil {
		return nil, err
	}
	refresh := r.Refresh.bytes()
	defer clear(refresh)
	out := append(append([]byte(`{"name":`), name...), `,"refresh":"`...)
	out = append(appendJSON(out, refresh), "\"}\n"...)
	return out, nil
}

// appendJSON appends the inside of a JSON string. Bytes that are no UTF-8 cannot be written in JSON and become U+FFFD.
func appendJSON(out, value []byte) []byte {
	out = slices.Grow(out, 6*len(value))
	for _, r := range string(value) {
		switch {
		case r == '"' || r == '\\':
			out = append(out, '\\', byte(r))
		case r < ' ':
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			out = append(out, string(r)...)
		}
	}
	return out
}

// parse reads what the program printed.
func (c HelperCommand) parse(out []byte) (Token, error) {
	bad := func(why string) (Token, error) { return Token{}, fmt.Errorf("%w: %s", ErrHelper, why) }
	var token Token
	switch c.Output {
	case HelperLine:
		line := bytes.TrimSuffix(bytes.TrimSuffix(out, []byte("\n")), []byte("\r"))
		token.Value = NewSecret(line)
		if c.TTL > 0 {
			token.Expires = time.Now().Add(c.TTL)
		}
	case HelperJSON:
		var reply struct {
			Value   json.RawMessage `json:"value"`
			Refresh json.RawMessage `json:"refresh"`
			Expires json.RawMessage `json:"expires_at"`
		}
		err := json.Unmarshal(out, &reply)
		defer clear(reply.Value)
		defer clear(reply.Refresh)
		if err != nil {
			return bad("it did not print one JSON object")
		}
		if reply.Value == nil || token.Value.UnmarshalJSON(reply.Value) != nil {
			return bad(`the JSON has no "value"`)
		}
		if reply.Refresh != nil && string(reply.Refresh) != "null" && token.Refresh.UnmarshalJSON(reply.Refresh) != nil {
			return bad(`"refresh" is not a string`)
		}
		if reply.Expires != nil && string(reply.Expires) != "null" && json.Unmarshal(reply.Expires, &token.Expires) != nil {
			return bad(`"expires_at" is not a time (RFC 3339)`)
		}
		if token.Expires.IsZero() && c.TTL > 0 {
			token.Expires = time.Now().Add(c.TTL)
		}
	default:
		return bad("unknown form of output")
	}
	if token.Value.Len() == 0 {
		return bad("it printed nothing")
	}
	lines := false
	_ = token.Value.view(func(b []byte) error { lines = bytes.ContainsAny(b, "\r\n\x00"); return nil })
	if lines && !c.Multiline {
		return bad("it printed more than one line")
	}
	return token, nil
}

// limitedBuffer takes up to helperOutput bytes.
type limitedBuffer struct {
	data []byte
	full bool
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if b.data == nil {
		b.data = make([]byte, 0, helperOutput) // never grows, so it leaves no copy
	}
	if len(b.data)+len(p) > helperOutput {
		b.full = true
		return 0, io.ErrShortWrite
	}
	b.data = append(b.data, p...)
	return len(p), nil
}

func (b *limitedBuffer) clear() { clear(b.data[:cap(b.data)]) }
