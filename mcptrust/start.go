package mcptrust

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Start says how a server is started or connected.
type Start struct {
	// Project is the folder that a stdio server starts in when its definition
	// names no other.
	Project string
	// Env is the environment that the definition's own is laid over. Nil: only
	// what a program needs to find its files (HOME, PATH, TMPDIR, LANG, …).
	Env []string
	// Resolve supplies ${cred:NAME}; nil: such a definition does not start.
	Resolve func(ctx context.Context, name string) (string, error)
}

// ErrEvidence: the files that would run are not those that were approved.
var ErrEvidence = errors.New("mcptrust: the program is not the one that was approved: check again")

// Start returns the command of a stdio server, built from the definition alone
// and not started. The server must be the one that a check called Trusted. With
// [Evidence] the program is the pinned path, and its bytes and those of the
// pinned files are compared now; a program that can replace them between this
// comparison and the start is not held off.
//
// Errors: [ErrEvidence], and those of Resolve.
func (s Server) Start(ctx context.Context, o Start) (*exec.Cmd, error) {
	if s.Transport != Stdio {
		return nil, fmt.Errorf("mcptrust: server %s is not started but connected (%s)", quote(s.Name), Escape(string(s.Transport)))
	}
	if code, msg, fix := s.invalid(); code != "" {
		return nil, &ConfigError{File: s.Source.File, Line: s.Source.Line, Server: s.Name, Code: code, Msg: msg, Fix: fix}
	}
	argv := s.Argv()
	dir := s.Dir.Expanded()
	if dir == "" {
		dir = o.Project
	} else if !filepath.IsAbs(dir) {
		dir = filepath.Join(o.Project, dir)
	}
	if !filepath.IsAbs(dir) {
		return nil, errors.New("mcptrust: no absolute project folder to start in")
	}
	env := o.Env
	if env == nil {
		env = plainEnv(os.Environ())
	}
	env = slices.Clone(env)
	for _, k := range sortedKeys(s.Env) {
		text, err := s.Env[k].supply(ctx, o.Resolve)
		if err != nil {
			return nil, err
		}
		if strings.ContainsAny(k, "=\x00") || k == "" || strings.ContainsRune(text, 0) {
			return nil, fmt.Errorf("mcptrust: variable %s cannot be set", quote(k))
		}
		env = append(env, k+"="+text)
	}
	program := argv[0]
	if e := s.Evidence; e.Executable != "" {
		program = e.Executable
	} else if !filepath.IsAbs(program) && strings.ContainsRune(program, filepath.Separator) {
		program = filepath.Join(dir, program)
	}
	if err := s.Evidence.verify(dir); err != nil {
		return nil, err
	}
	if program == argv[0] && !filepath.IsAbs(program) {
		// The child's own PATH decides, as the person saw it.
		found, err := lookPath(program, env)
		if err != nil {
			return nil, err
		}
		program = found
	}
	cmd := exec.CommandContext(ctx, program)
	cmd.Args = argv
	cmd.Dir, cmd.Env = dir, env
	return cmd, nil
}

// HTTPHeaders returns the headers of a remote server with the credentials in
// place. They belong to the server's own origin and to no other.
func (s Server) HTTPHeaders(ctx context.Context, resolve func(ctx context.Context, name string) (string, error)) (http.Header, error) {
	h := http.Header{}
	for _, k := range sortedKeys(s.Headers) {
		text, err := s.Headers[k].supply(ctx, resolve)
		if err != nil {
			return nil, err
		}
		if strings.ContainsAny(text, "\r\n\x00") || strings.Trim(k, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!#$%&'*+^`|~") != "" || k == "" {
			return nil, fmt.Errorf("mcptrust: header %s cannot be sent", quote(k))
		}
		h.Set(k, text)
	}
	return h, nil
}

// plainEnv keeps what a program needs to find its files and its user.
func plainEnv(env []string) []string {
	var out []string
	for _, kv := range env {
		k, _, _ := strings.Cut(kv, "=")
		switch strings.ToUpper(k) {
		case "HOME", "PATH", "TMPDIR", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "USER", "SHELL", "TERM", "TZ",
			"APPDATA", "LOCALAPPDATA", "HOMEDRIVE", "HOMEPATH", "PATHEXT", "PROCESSOR_ARCHITECTURE", "SYSTEMDRIVE", "SYSTEMROOT",
			"TEMP", "TMP", "USERNAME", "USERPROFILE", "PROGRAMFILES", "PROGRAMDATA", "COMSPEC":
			out = append(out, kv)
		}
	}
	return out
}

// lookPath finds a program in the PATH of env. Relative folders in it are left
// out: they mean the project.
func lookPath(program string, env []string) (string, error) {
	path := ""
	for _, kv := range env {
		if k, v, ok := strings.Cut(kv, "="); ok && strings.EqualFold(k, "PATH") {
			path = v
		}
	}
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) {
			continue
		}
		if found, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return found, nil
		}
	}
	return "", fmt.Errorf("mcptrust: program %s: %w in the PATH of the server", quote(program), exec.ErrNotFound)
}

// Collect finds the evidence for a stdio server: the absolute path of the
// program as [Server.Start] would find it, its digest, and the digests of files
// that the arguments name and that lie below the folder it starts in; of an
// interpreter also of its script, wherever that lies. What these
// files load is not covered. Container images are taken from an argument with a
// digest. For another transport it returns nothing. Set the result as the
// server's Evidence before every check, or never.
func (s Server) Collect(ctx context.Context, o Start) (Evidence, error) {
	var e Evidence
	if s.Transport != Stdio {
		return e, nil
	}
	plain := s
	plain.Evidence = Evidence{}
	o.Resolve = func(context.Context, string) (string, error) { return "", nil }
	cmd, err := plain.Start(ctx, o)
	if err != nil {
		return e, err
	}
	e.Executable = cmd.Path
	if e.SHA256, err = hashFile(cmd.Path); err != nil {
		return Evidence{}, err
	}
	root, err := filepath.EvalSymlinks(cmd.Dir)
	if err != nil {
		return Evidence{}, fmt.Errorf("mcptrust: %w", err)
	}
	// An interpreter's script counts wherever it lies, with what is loaded before it.
	script := runsItsOperand(cmd.Args[0])
	for _, a := range cmd.Args[1:] {
		if reDigest.MatchString(a) && e.Image == "" {
			e.Image = a[strings.LastIndex(a, "sha256:"):]
			continue
		}
		_, value, _ := strings.Cut(a, "=")
		for _, name := range []string{a, value} {
			p := name
			if !filepath.IsAbs(p) {
				p = filepath.Join(cmd.Dir, p)
			}
			real, err := filepath.EvalSymlinks(p)
			if err != nil || name == "" || !script && !within(root, real) {
				continue
			}
			if info, err := os.Stat(real); err != nil || !info.Mode().IsRegular() {
				continue
			}
			sum, err := hashFile(real)
			if err != nil {
				return Evidence{}, err
			}
			if e.Files == nil {
				e.Files = map[string]string{}
			}
			e.Files[name] = sum
			if name == a {
				script = false
			}
		}
	}
	return e, nil
}

// runsItsOperand reports a program that runs the file which its first operand
// names.
func runsItsOperand(word string) bool {
	switch strings.TrimRight(program(word), "0123456789.") {
	case "sh", "bash", "zsh", "dash", "ksh", "node", "nodejs", "deno", "bun", "tsx", "ts-node", "python", "pypy", "perl", "ruby", "php", "lua", "java":
		return true
	}
	return false
}

func (e Evidence) verify(dir string) error {
	if e.SHA256 != "" {
		if e.Executable == "" {
			return ErrEvidence
		}
		if sum, err := hashFile(e.Executable); err != nil || sum != e.SHA256 {
			return errors.Join(ErrEvidence, err)
		}
	}
	for name, want := range e.Files {
		p := name
		if !filepath.IsAbs(p) {
			p = filepath.Join(dir, p)
		}
		if sum, err := hashFile(p); err != nil || sum != want {
			return errors.Join(ErrEvidence, err)
		}
	}
	return nil
}

func hashFile(path string) (string, error) {
	f, err := openFile(path)
	if err != nil {
		return "", fmt.Errorf("mcptrust: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() > MaxEvidenceBytes {
		return "", fmt.Errorf("mcptrust: %s is not a plain file of at most %d bytes", quote(path), MaxEvidenceBytes)
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, MaxEvidenceBytes+1)); err != nil {
		return "", fmt.Errorf("mcptrust: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
