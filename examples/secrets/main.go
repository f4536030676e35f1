// Program secrets keeps credentials encrypted on the command line.
//
//	secrets init                     make the store and say what protects it (no terminal, no desktop needed)
//	secrets set NAME [HOST…]         store the value from standard input (no echo on a terminal); only these hosts may get it
//	secrets get NAME                 print the value
//	secrets list                     print the names
//	secrets delete NAME              remove an entry
//	secrets rotate                   encrypt everything under new keys
//	secrets status                   where it lies, what protects it, and what does not
//	secrets audit                    check the audit log
//	secrets backup FILE              copy the sealed store
//	secrets run [-env VAR=NAME] -- CMD ARG…
//	                                 run a program with secrets in its environment, its output redacted
//	secrets import [-format F] [-write] [FILE]
//	                                 show (or with -write store) what other programs keep in the clear
//	secrets export [-format json|dotenv] [-age RECIPIENT | -plain] [NAME…]
//	secrets git-credential get|store|erase
//	secrets docker-credential get|store|erase|list|version
//	                                 speak as a helper of git (gitcredentials(7)) and docker
//
// The store lies in $XDG_CONFIG_HOME/clearance/secrets, its key and anchor in $XDG_STATE_HOME/clearance/credstore. The flag
// -keyring tries the keyring of the desktop before the automatic key file.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/clearance-go/clearance/credstore"
	"github.com/clearance-go/clearance/credstore/agex"
	"github.com/clearance-go/clearance/credstore/keyring"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		os.Exit(max(1, exit.ExitCode()))
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "secrets:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage: secrets init|set|get|list|delete|rotate|status|audit|backup|run|import|export|git-credential|docker-credential; secrets help says more")

const help = `secrets keeps credentials encrypted on the command line.

  init                     make the store and say what protects it
  set NAME [HOST...]       store the value from standard input; only these hosts may get it
  get NAME                 print the value
  list                     print the names
  delete NAME              remove an entry
  rotate                   encrypt everything under new keys
  status                   where it lies, what protects it, and what does not
  audit                    check the audit log
  backup FILE              copy the sealed store
  run [-env VAR=NAME] -- CMD ARG...
                           run a program with secrets in its environment, its output redacted
  import [-format F] [-write] [FILE]
                           show (or with -write store) what other programs keep in the clear
  export [-format json|dotenv] (-age RECIPIENT | -plain) [NAME...]
  git-credential get|store|erase
  docker-credential get|store|erase|list|version
                           speak as a helper of git and docker

Flags, before the command:
`

// program is one run.
type program struct {
	ctx      context.Context
	in       io.Reader
	out, err io.Writer
	keyring  bool
	recover  bool
}

func run(ctx context.Context, args []string, in io.Reader, out, stderr io.Writer) error {
	p := &program{ctx: ctx, in: in, out: out, err: stderr}
	flags := flag.NewFlagSet("secrets", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.BoolVar(&p.keyring, "keyring", false, "try the keyring of the desktop before the automatic key file")
	flags.BoolVar(&p.recover, "recover", false, "put the previous generation in place of a damaged store")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), help)
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return errUsage
	}
	command, rest := flags.Arg(0), flags.Args()[1:]
	one := func(f func(*credstore.Store, string) error) error {
		if len(rest) != 1 {
			return fmt.Errorf("secrets %s takes one name", command)
		}
		return p.with(false, func(s *credstore.Store) error { return f(s, rest[0]) })
	}
	none := func(create bool, f func(*credstore.Store) error) error {
		if len(rest) != 0 {
			return fmt.Errorf("secrets %s takes no arguments", command)
		}
		return p.with(create, f)
	}
	switch command {
	case "help":
		flags.SetOutput(out)
		flags.Usage()
		return nil
	case "init":
		return none(true, p.status)
	case "set":
		if len(rest) == 0 {
			return errors.New("secrets set takes a name, and the hosts that may get the value")
		}
		return p.with(false, func(s *credstore.Store) error { return p.set(s, rest[0], rest[1:]) })
	case "get":
		return one(p.get)
	case "delete":
		return one(func(s *credstore.Store, name string) error { return s.Delete(ctx, name) })
	case "list":
		return none(false, p.list)
	case "status":
		return none(false, p.status)
	case "rotate":
		return none(false, func(s *credstore.Store) error { return s.Rotate(ctx, credstore.RotateOptions{}) })
	case "audit":
		return none(false, p.audit)
	case "backup":
		return one(func(s *credstore.Store, path string) error { return s.Backup(ctx, path) })
	case "run":
		return p.run(rest)
	case "import":
		return p.imports(rest)
	case "export":
		return p.export(rest)
	case "git-credential":
		return one(p.git)
	case "docker-credential":
		return one(p.docker)
	}
	return errUsage
}

// with opens the store. Only init and what stores something makes one.
func (p *program) with(create bool, f func(*credstore.Store) error) error {
	config, err := configDir()
	if err != nil {
		return err
	}
	dir := filepath.Join(config, "clearance", "secrets")
	if _, err := os.Lstat(filepath.Join(dir, "credentials.store")); errors.Is(err, os.ErrNotExist) && !create && !p.recover {
		return fmt.Errorf("there is no store in %s; run secrets init", dir)
	}
	var o credstore.Options
	o.Recover = p.recover
	if p.keyring {
		o.Keys = []credstore.KeySource{keyring.New(keyring.Options{}), credstore.AutoKeyFile()}
	}
	s, err := credstore.Open(p.ctx, dir, o)
	if err != nil {
		return err
	}
	defer s.Close()
	return f(s)
}

func configDir() (string, error) {
	if dir := os.Getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return dir, nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".config"), err
}

func (p *program) status(s *credstore.Store) error {
	st, err := s.Status(p.ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.out, "store:       %s (generation %d, %d entries)\n", st.Path, st.Generation, st.Entries)
	fmt.Fprintf(p.out, "key:         %s\n", st.Source)
	fmt.Fprintf(p.out, "protection:  %s\n", st.Explanation)
	fmt.Fprintf(p.out, "rollback:    %s\n", st.Rollback)
	for _, slot := range st.Slots {
		fmt.Fprintln(p.out, strings.TrimRight(fmt.Sprintf("slot:        %s %s %s", slot.ID, slot.Type, slot.Label), " "))
	}
	for _, warning := range st.Warnings {
		fmt.Fprintf(p.out, "warning:     %s\n", warning)
	}
	return nil
}

func (p *program) audit(s *credstore.Store) error {
	report, err := s.VerifyAudit(p.ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.out, "%s: records %d to %d are whole\n", s.AuditFile(), report.First, report.Last)
	return nil
}

// set stores a value. Hosts, where there are any, replace those of the entry.
func (p *program) set(s *credstore.Store, name string, hosts []string) error {
	value, err := p.value(name)
	if err != nil {
		return err
	}
	defer clear(value)
	secret := credstore.NewSecret(value)
	defer secret.Clear()
	meta, err := metaOf(p.ctx, s, name)
	if err != nil {
		return err
	}
	if len(hosts) > 0 {
		meta.Hosts = hosts
	}
	return s.Set(p.ctx, name, secret, meta)
}

// metaOf keeps the metadata of an entry that is set again.
func metaOf(ctx context.Context, s *credstore.Store, name string) (credstore.Meta, error) {
	entries, err := s.List(ctx)
	for _, e := range entries {
		if e.Name == name {
			e.Meta.Expires = credstore.Meta{}.Expires
			return e.Meta, err
		}
	}
	return credstore.Meta{}, err
}

// value reads a value: a line without echo from a terminal, else everything, without one line end.
func (p *program) value(name string) ([]byte, error) {
	if f, ok := p.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		// Raw before the question, so that no key is shown that comes right after it; and a line may be longer than the 4,095
		// bytes that a terminal collects (termios(3)).
		state, err := term.MakeRaw(int(f.Fd()))
		if err != nil {
			return nil, err
		}
		defer term.Restore(int(f.Fd()), state)
		screen := term.NewTerminal(struct {
			io.Reader
			io.Writer
		}{f, p.err}, "")
		value, err := screen.ReadPassword("value of " + name + " (not shown): ")
		if errors.Is(err, io.EOF) {
			return nil, errors.New("no value was typed")
		}
		return []byte(value), err
	}
	value, err := io.ReadAll(io.LimitReader(p.in, credstore.MaxValue+2))
	return bytes.TrimSuffix(bytes.TrimSuffix(value, []byte("\n")), []byte("\r")), err
}

// passphrase reads the first line of a private file, or as value does.
func (p *program) passphrase(path, of string) ([]byte, error) {
	if path == "" {
		return p.value("the passphrase of " + of)
	}
	text, err := credstore.ReadPrivateFile(path, 4096)
	line, _, _ := bytes.Cut(text, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), err
}

func (p *program) get(s *credstore.Store, name string) error {
	secret, err := s.Get(p.ctx, name)
	if err != nil {
		return err
	}
	return secret.Use(func(b []byte) error {
		_, err := p.out.Write(b)
		if f, ok := p.out.(*os.File); err == nil && ok && term.IsTerminal(int(f.Fd())) {
			_, err = fmt.Fprintln(p.out)
		}
		return err
	})
}

func (p *program) list(s *credstore.Store) error {
	entries, err := s.List(p.ctx)
	for _, e := range entries {
		fmt.Fprintln(p.out, e.Name)
	}
	return err
}

// pairs is a flag that may be given several times.
type pairs []string

func (p *pairs) String() string { return strings.Join(*p, ",") }
func (p *pairs) Set(text string) error {
	*p = append(*p, text)
	return nil
}

func (p *program) run(args []string) error {
	flags := flag.NewFlagSet("secrets run", flag.ContinueOnError)
	flags.SetOutput(p.err)
	var env, inherit pairs
	flags.Var(&env, "env", "VAR=NAME: give the program the entry NAME in the variable VAR (default: all entries that have a variable)")
	flags.Var(&inherit, "pass", "a variable of ours to pass on")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return errors.New("usage: secrets run [-env VAR=NAME] -- CMD ARG…")
	}
	return p.with(false, func(s *credstore.Store) error {
		o := credstore.CommandOptions{Env: map[string]string{}, Inherit: inherit}
		for _, pair := range env {
			variable, name, ok := strings.Cut(pair, "=")
			if !ok {
				return fmt.Errorf("-env %s is not VAR=NAME", pair)
			}
			o.Env[variable] = name
		}
		if env == nil {
			entries, err := s.List(p.ctx)
			if err != nil {
				return err
			}
			for _, e := range entries {
				if e.Meta.Env != "" {
					o.Env[e.Meta.Env] = e.Name
				}
			}
		}
		cmd, release, err := s.Command(p.ctx, o, flags.Args()...)
		if err != nil {
			return err
		}
		defer release()
		out, stderr := s.Redactor().Writer(p.out), s.Redactor().Writer(p.err)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = p.in, out, stderr
		err = cmd.Run()
		return errors.Join(err, out.Close(), stderr.Close())
	})
}

func (p *program) imports(args []string) error {
	flags := flag.NewFlagSet("secrets import", flag.ContinueOnError)
	flags.SetOutput(p.err)
	format := flags.String("format", "", strings.Join(credstore.ImportFormats(), ", ")+" (default: what the files of the home directory are)")
	write := flags.Bool("write", false, "store what was found; without it nothing changes")
	overwrite := flags.Bool("overwrite", false, "replace entries of the same name")
	identity := flags.String("identity", "", "an age identity file: FILE is encrypted to it")
	passphrase := flags.String("passphrase-file", "", "a private file with the passphrase of keyring-files (default: asked on the terminal)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var files []credstore.ImportFile
	switch {
	case flags.NArg() == 1 && *format != "":
		files = []credstore.ImportFile{{Format: *format, Path: flags.Arg(0)}}
	case flags.NArg() == 0 && *format == "":
		home, err := os.UserHomeDir()
		if err != nil {
			return err
		}
		for _, file := range credstore.FindImports(home) {
			if file.Encrypted { // it would ask for a passphrase
				fmt.Fprintf(p.out, "%s: encrypted; read it with: secrets import -format %s %s\n", file.Path, file.Format, file.Path)
				continue
			}
			files = append(files, file)
		}
	default:
		return errors.New("usage: secrets import [-write] [-format FORMAT FILE]")
	}
	var all []credstore.Candidate
	for _, file := range files {
		found, err := p.read(file, *identity, *passphrase)
		if err != nil {
			return err
		}
		for _, c := range found {
			fmt.Fprintf(p.out, "%s: %s\n", file.Path, c.Name)
		}
		all = append(all, found...)
	}
	if !*write {
		fmt.Fprintf(p.out, "%d credentials found; -write stores them\n", len(all))
		return nil
	}
	return p.with(true, func(s *credstore.Store) error {
		existing, err := s.Import(p.ctx, all, *overwrite)
		for _, name := range existing {
			fmt.Fprintf(p.out, "kept as it is: %s\n", name)
		}
		return err
	})
}

func (p *program) read(file credstore.ImportFile, identity, passphrase string) ([]credstore.Candidate, error) {
	if identity == "" {
		var o credstore.ImportOptions
		if file.Format == "keyring-files" {
			text, err := p.passphrase(passphrase, file.Path)
			if err != nil {
				return nil, err
			}
			o.Passphrase = credstore.NewSecret(text)
			clear(text)
			defer o.Passphrase.Clear()
		}
		return credstore.ReadImport(p.ctx, file, o)
	}
	f, err := os.Open(file.Path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return agex.Import(f, file.Format, agex.Options{IdentityFile: identity})
}

func (p *program) export(args []string) error {
	flags := flag.NewFlagSet("secrets export", flag.ContinueOnError)
	flags.SetOutput(p.err)
	format := flags.String("format", "json", "json or dotenv")
	var recipients pairs
	flags.Var(&recipients, "age", "encrypt to this age1… recipient")
	plain := flags.Bool("plain", false, "write the values in the clear")
	if err := flags.Parse(args); err != nil {
		return err
	}
	form, ok := map[string]credstore.ExportFormat{"json": credstore.ExportJSON, "dotenv": credstore.ExportDotenv}[*format]
	if !ok || *plain == (recipients != nil) {
		return errors.New("usage: secrets export [-format json|dotenv] (-age RECIPIENT | -plain) [NAME…]")
	}
	return p.with(false, func(s *credstore.Store) error {
		if *plain {
			return s.Export(p.ctx, p.out, form, names(flags)...)
		}
		return agex.Export(p.ctx, s, p.out, form, agex.Options{Recipients: recipients}, names(flags)...)
	})
}

func names(flags *flag.FlagSet) []string {
	if flags.NArg() == 0 {
		return nil
	}
	return flags.Args()
}

// entryName makes the name of an entry from parts that come from elsewhere; the store refuses what does not fit.
func entryName(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "/")
}

// git speaks git's credential protocol: key=value lines, a blank line at the end.
func (p *program) git(s *credstore.Store, operation string) error {
	fields := map[string]string{}
	for lines := bufio.NewScanner(io.LimitReader(p.in, 64<<10)); lines.Scan() && lines.Text() != ""; {
		key, value, ok := strings.Cut(lines.Text(), "=")
		if !ok || strings.ContainsAny(value, "\r\x00") { // CVE-2020-5260, CVE-2024-52006: one line is one field
			return errors.New("git-credential: malformed input")
		}
		if !strings.HasSuffix(key, "[]") {
			fields[key] = value
		}
	}
	if fields["protocol"] == "" || fields["host"] == "" { // CVE-2020-11008
		return errors.New("git-credential: protocol and host are needed")
	}
	if fields["protocol"] != "https" {
		return nil // nothing is kept for what is not encrypted
	}
	base := entryName("git", fields["host"], fields["path"])
	switch operation {
	case "get":
		entries, err := s.List(p.ctx)
		if err != nil {
			return err
		}
		for _, e := range entries {
			user := e.Meta.Label
			if e.Name != entryName(base, user) || fields["username"] != "" && fields["username"] != user {
				continue
			}
			secret, err := s.Get(p.ctx, e.Name)
			if err != nil {
				return err
			}
			return secret.Use(func(b []byte) error {
				if bytes.ContainsAny(b, "\r\n\x00") {
					return fmt.Errorf("git-credential: %w", credstore.ErrBadValue)
				}
				_, err := fmt.Fprintf(p.out, "username=%s\npassword=%s\n", user, b)
				return err
			})
		}
		return nil
	case "store":
		if fields["password"] == "" || fields["username"] == "" {
			return nil
		}
		return s.Set(p.ctx, entryName(base, fields["username"]), credstore.NewSecret([]byte(fields["password"])),
			credstore.Meta{Label: fields["username"], Hosts: []string{strings.ToLower(fields["host"])}})
	case "erase":
		if fields["username"] == "" {
			return nil
		}
		name := entryName(base, fields["username"])
		if fields["password"] != "" { // only the value that was refused: a newer one stays
			secret, err := s.Get(p.ctx, name)
			if errors.Is(err, credstore.ErrNotFound) {
				return nil
			}
			if err != nil || !secret.Equal(credstore.NewSecret([]byte(fields["password"]))) {
				return err
			}
		}
		if err := s.Delete(p.ctx, name); !errors.Is(err, credstore.ErrNotFound) {
			return err
		}
		return nil
	}
	return nil // gitcredentials(7): unknown operations are ignored
}

// docker speaks the protocol of docker-credential-helpers: JSON in and out, errors on standard output.
func (p *program) docker(s *credstore.Store, operation string) error {
	type credential struct {
		ServerURL string
		Username  string
		Secret    string
	}
	fail := func(text string) error {
		fmt.Fprintln(p.out, text)
		return errors.New("docker-credential: " + text)
	}
	name := func(server string) string {
		server = strings.TrimPrefix(strings.TrimPrefix(server, "https://"), "http://")
		return entryName("docker", strings.Trim(server, "/"))
	}
	input, err := io.ReadAll(io.LimitReader(p.in, 1<<20))
	if err != nil {
		return err
	}
	server := strings.TrimSpace(string(input))
	switch operation {
	case "store":
		var c credential
		if json.Unmarshal(input, &c) != nil || c.ServerURL == "" || c.Secret == "" {
			return fail("not a credential")
		}
		host, _, _ := strings.Cut(strings.TrimPrefix(name(c.ServerURL), "docker/"), "/")
		return s.Set(p.ctx, name(c.ServerURL), credstore.NewSecret([]byte(c.Secret)), credstore.Meta{Label: c.Username, Hosts: []string{strings.ToLower(host)}})
	case "get":
		entries, err := s.List(p.ctx)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.Name != name(server) {
				continue
			}
			secret, err := s.Get(p.ctx, e.Name)
			if err != nil {
				return err
			}
			return secret.Use(func(b []byte) error {
				return json.NewEncoder(p.out).Encode(credential{server, e.Meta.Label, string(b)})
			})
		}
		return fail("credentials not found in native keychain")
	case "erase":
		if err := s.Delete(p.ctx, name(server)); !errors.Is(err, credstore.ErrNotFound) {
			return err
		}
		return fail("credentials not found in native keychain")
	case "list":
		entries, err := s.List(p.ctx)
		if err != nil {
			return err
		}
		all := map[string]string{}
		for _, e := range entries {
			if rest, ok := strings.CutPrefix(e.Name, "docker/"); ok {
				if rest == "index.docker.io/v1" {
					rest = "https://index.docker.io/v1/" // Docker Hub; docker knows every other registry by its host
				}
				all[rest] = e.Meta.Label
			}
		}
		return json.NewEncoder(p.out).Encode(all)
	}
	if operation == "version" {
		fmt.Fprintln(p.out, "secrets (github.com/clearance-go/clearance)")
		return nil
	}
	return fail("unknown operation")
}
