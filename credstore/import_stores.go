package credstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/clearance-go/clearance/credstore/internal/format"
)

// ImportOptions are what ReadImport needs for the encrypted stores of other programs. The zero value reads files in the clear,
// and pass with the gpg that PATH finds.
type ImportOptions struct {
	// Passphrase opens the files of keyring-files.
	Passphrase Secret
	// GPG is the program that decrypts pass entries: a name or an absolute path. Empty means gpg.
	GPG string
}

// eachFile calls f with every regular file of a directory tree whose name keep accepts, without what lies in directories that
// begin with a dot. Links are followed inside the tree, to files only; one that leads out of it is an error.
func eachFile(ctx context.Context, dir string, keep func(name string) bool, f func(name string, data []byte) error) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	count := 0
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if d.IsDir() && name != "." && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if d.IsDir() || !keep(name) {
			return nil
		}
		if count++; count > MaxEntries {
			return fmt.Errorf("%w: more than %d files", ErrTooLarge, MaxEntries)
		}
		info, err := root.Stat(name)
		if err != nil || info.IsDir() {
			return err
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s: %w", name, ErrNotRegular)
		}
		if info.Size() > maxImport {
			return fmt.Errorf("%s: %w of %d bytes", name, ErrTooLarge, maxImport)
		}
		file, err := root.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		data, err := io.ReadAll(io.LimitReader(file, maxImport+1))
		if err != nil {
			return err
		}
		return f(name, data)
	})
}

// importedName makes an entry's name of what another program calls it, and a label of it where the two differ.
func importedName(prefix, name string) (entry, label string) {
	mapped := strings.Map(func(r rune) rune {
		if r < 0x80 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._/@:+-", r)) {
			return r
		}
		return '_'
	}, name)
	if mapped != name && strings.IndexFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		label = name
	}
	return prefix + "/" + mapped, label
}

// readKeyringFiles reads the file backend of github.com/99designs/keyring: one JWE for each item, named after the item's key
// with "/" as %2F (what else its escaping does is undone too). The name is not protected by the encryption, the key inside is,
// so the two must agree.
func readKeyringFiles(ctx context.Context, dir string, options ImportOptions) ([]Candidate, error) {
	passphrase := options.Passphrase.bytes()
	defer clear(passphrase)
	if len(passphrase) == 0 {
		return nil, fmt.Errorf("credstore: %s: %w: set ImportOptions.Passphrase", dir, ErrEmptyPassphrase)
	}
	var out []Candidate
	flat := func(name string) bool { return !strings.Contains(name, "/") }
	err := eachFile(ctx, dir, flat, func(name string, data []byte) error {
		if strings.HasPrefix(name, ".") && !bytes.HasPrefix(data, []byte("eyJ")) {
			return nil // a desktop's own file
		}
		plain, err := format.OpenPasswordJWE(data, passphrase)
		switch {
		case errors.Is(err, format.ErrWrongKey):
			return fmt.Errorf("%+q: %w", name, ErrWrongKey)
		case err != nil:
			return fmt.Errorf("%+q: %w: %w", name, ErrImport, err)
		}
		defer clear(plain)
		var item struct {
			Key   string
			Data  []byte
			Label string
		}
		if json.Unmarshal(plain, &item) != nil {
			return fmt.Errorf("%+q: %w", name, errNotJSON)
		}
		if unescaped, err := url.PathUnescape(name); err != nil || unescaped != item.Key && name != item.Key {
			return fmt.Errorf("%+q: %w: the item inside is called %+q: the file was renamed or swapped", name, ErrImport, item.Key)
		}
		if len(item.Data) == 0 {
			return nil
		}
		c := Candidate{Token: Token{Value: ownSecret(item.Data)}}
		c.Name, c.Meta.Label = importedName("keyring", item.Key)
		if item.Label != "" && strings.IndexFunc(item.Label, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
			c.Meta.Label = item.Label
		}
		out = append(out, c)
		return nil
	})
	return out, err
}

// passTimeout bounds one run of gpg, in which a person may have to type a passphrase.
const passTimeout = 2 * time.Minute

// readPass reads a tree of pass (password-store): NAME.gpg for each entry, decrypted by gpg, which asks for its own passphrase
// through its agent. The first line is the value; what follows is kept as an entry NAME+rest, and a line "login:", "user:" or
// "username:" becomes the label. A text that begins as a PEM block is one value. gpg gets the file on its standard input and
// no name from the tree in its arguments. pass does not sign entries unless it is told to, and signatures are not checked:
// who can write the tree can put other values into it.
func readPass(ctx context.Context, dir string, options ImportOptions) ([]Candidate, error) {
	program := options.GPG
	if program == "" {
		program = "gpg"
	}
	gpg, err := findProgram(program)
	if err != nil {
		return nil, err
	}
	var out []Candidate
	entries := func(name string) bool {
		return strings.HasSuffix(name, ".gpg") && !strings.HasPrefix(path.Base(name), ".")
	}
	err = eachFile(ctx, dir, entries, func(name string, data []byte) error {
		text, err := decryptGPG(ctx, gpg, data)
		if err != nil {
			return fmt.Errorf("%+q: %w", name, err)
		}
		defer clear(text)
		out = append(out, passEntry(strings.TrimSuffix(name, ".gpg"), text)...)
		return nil
	})
	return out, err
}

func passEntry(name string, text []byte) []Candidate {
	entry, label := importedName("pass", name)
	text = bytes.TrimRight(text, "\r\n")
	value, rest, _ := bytes.Cut(text, []byte("\n"))
	if bytes.HasPrefix(text, []byte("-----BEGIN ")) {
		value, rest = text, nil
	}
	value = bytes.TrimSuffix(value, []byte("\r"))
	for line := range bytes.Lines(rest) {
		key, login, ok := strings.Cut(strings.TrimSpace(string(line)), ":")
		if ok && slices.Contains([]string{"login", "user", "username"}, strings.ToLower(key)) {
			if login = strings.TrimSpace(login); strings.IndexFunc(login, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 && len(login) < 1<<10 {
				label = login
			}
			break
		}
	}
	var out []Candidate
	if len(value) > 0 {
		out = append(out, Candidate{Name: entry, Token: Token{Value: NewSecret(value)}, Meta: Meta{Label: label}})
	}
	if rest = bytes.TrimSpace(rest); len(rest) > 0 {
		out = append(out, Candidate{Name: entry + "+rest", Token: Token{Value: NewSecret(rest)}, Meta: Meta{Label: label}})
	}
	return out
}

// decryptGPG runs gpg on one file. What it says on standard error names keys and files, never the text.
func decryptGPG(ctx context.Context, gpg string, data []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, passTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, gpg, "--batch", "--no-tty", "--quiet", "--max-output", fmt.Sprint(helperOutput), "--decrypt")
	// What gpg and its agent need to ask a person.
	cmd.Env = baseEnv([]string{"GNUPGHOME", "GPG_TTY", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "PINENTRY_USER_DATA"}, nil)
	cmd.WaitDelay = time.Second
	ownGroup(cmd)
	cmd.Stdin = bytes.NewReader(data)
	var out limitedBuffer
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		out.clear()
		return nil, fmt.Errorf("%w: gpg: %w", ErrHelperTimeout, ctx.Err())
	case out.full:
		out.clear()
		return nil, fmt.Errorf("%w: an entry has at most %d bytes", ErrTooLarge, helperOutput)
	case err != nil:
		out.clear()
		lines := strings.Split(strings.TrimSpace(said.String()), "\n")
		last := lines[len(lines)-1]
		return nil, fmt.Errorf("%w: gpg: %+q: %w", ErrHelper, last[:min(len(last), 200)], err)
	}
	return out.data, nil
}
