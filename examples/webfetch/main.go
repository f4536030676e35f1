// Program webfetch answers a question about a web page without letting the page
// talk to anything that could act.
//
//	webfetch URL 'QUESTION'        ask for the host, fetch, answer
//	webfetch -text URL             print what a reader of the page would see
//	webfetch -demo                 the included page, which tries an injection
//
// The host must be allowed: by a rule WebFetch(domain:HOST) of the settings in
// ~/.claude and ./.claude, by you at the terminal, or by -answers. A redirect
// to another host asks again. The answer is written by a live model if the
// credential store holds anthropic/api-key (with api.anthropic.com as its host),
// else, and for -demo without -live, by a recorded one that knows the included
// page; -recording FILE names another recording, one JSON object a line:
// {"page":…,"question":…,"answer":…}.
//
// The exit status is 0 when an answer came, 1 otherwise.
package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/credstore"
	"github.com/clearance-go/clearance/examples/internal/anthropic"
	"github.com/clearance-go/clearance/examples/internal/webread"
	"github.com/clearance-go/clearance/mcptrust"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/permission/settings"
	"github.com/clearance-go/clearance/permission/toolset"
	"github.com/clearance-go/clearance/scope"
)

//go:embed page.html
var included []byte

//go:embed recording.jsonl
var recording []byte

const demoQuestion = "When is the library open?"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	status := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// program is one run.
type program struct {
	out     io.Writer
	person  *person
	session *permission.Session
	dir     string
	fetcher *webread.Fetcher
	reader  webread.Reader
	api     string // where a live model listens
}

// run is the program; it returns the exit status.
func run(ctx context.Context, args []string, in *os.File, out, errs io.Writer) int {
	flags := flag.NewFlagSet("webfetch", flag.ContinueOnError)
	flags.SetOutput(errs)
	answers := flags.String("answers", "", "answers to what is asked: y once, s session, a always, n no; separated by commas")
	file := flags.String("recording", "", "answers of a recorded model, one JSON object a line")
	model := flags.String("model", anthropic.DefaultModel, "the live model, if the store holds a key")
	url := flags.String("url", anthropic.DefaultURL, "where the API of the live model listens")
	isLive := flags.Bool("live", false, "with -demo: let the live model answer")
	demo := flags.Bool("demo", false, "read the included page, which tries an injection")
	text := flags.Bool("text", false, "print the text of the page instead of asking a model")
	if err := flags.Parse(args); err != nil {
		return 1
	}
	fail := func(err error) int {
		fmt.Fprintln(errs, "webfetch:", mcptrust.Escape(err.Error()))
		return 1
	}
	target, question := flags.Arg(0), flags.Arg(1)
	switch {
	case *demo && flags.NArg() == 0:
		question = demoQuestion
	case *demo && flags.NArg() == 1:
		question = flags.Arg(0)
	case !*demo && *text && flags.NArg() == 1:
		question = "the text"
	case !*demo && !*text && flags.NArg() == 2:
	default:
		return fail(errors.New("usage: webfetch URL 'QUESTION', webfetch -text URL, or webfetch -demo"))
	}
	p := &program{out: out, person: newPerson(in, out, *answers), fetcher: &webread.Fetcher{}}
	home, err := os.UserHomeDir()
	if err != nil {
		return fail(err)
	}
	conf := configDir(home)
	if p.dir, err = os.Getwd(); err != nil {
		return fail(err)
	}
	if *demo {
		// A home of its own, so that an answer leaves nothing behind.
		scratch, err := os.MkdirTemp("", "clearance-webfetch-")
		if err != nil {
			return fail(err)
		}
		defer os.RemoveAll(scratch)
		if scratch, err = filepath.EvalSymlinks(scratch); err != nil {
			return fail(err)
		}
		home, p.dir = filepath.Join(scratch, "home"), filepath.Join(scratch, "project")
		if err := errors.Join(os.Mkdir(home, 0o700), os.Mkdir(p.dir, 0o700)); err != nil {
			return fail(err)
		}
		if !*isLive {
			conf = home
		}
		at, stop, err := serve()
		if err != nil {
			return fail(err)
		}
		defer stop()
		p.fetcher.Own = at
		target = "http://" + at.String() + "/"
	}
	done, err := p.wire(ctx, home, conf, *file, *url, *model)
	if err != nil {
		return fail(err)
	}
	defer done()
	if *text {
		err = p.print(ctx, target, question)
	} else {
		err = p.answer(ctx, target, question)
	}
	if err != nil {
		return fail(err)
	}
	return 0
}

// serve offers the included page on loopback until stop is called.
func serve() (at netip.AddrPort, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return netip.AddrPort{}, nil, err
	}
	srv := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(included)
	})}
	go func() { _ = srv.Serve(l) }()
	return netip.MustParseAddrPort(l.Addr().String()), func() { _ = srv.Close() }, nil
}

func configDir(home string) string {
	if dir := os.Getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return dir
	}
	return filepath.Join(home, ".config")
}

// wire puts the packages together.
func (p *program) wire(ctx context.Context, home, conf, file, url, model string) (done func(), err error) {
	rules, err := settings.Load(ctx, settings.Sources{Home: home, Dir: p.dir})
	if err != nil {
		// What cannot be read asks for everything; a person should know why.
		fmt.Fprintln(p.out, "note:", mcptrust.Escape(err.Error()))
	}
	if rules == nil {
		return nil, err
	}
	guard, err := scope.New(p.dir, scope.Options{Home: home, Protect: rules.Files()})
	if err != nil {
		return nil, err
	}
	eval, err := permission.New(permission.Config{Policy: rules.Policy(), Inspector: toolset.New(guard, bashcheck.New(bashcheck.Options{Home: home}))})
	if err != nil {
		guard.Close()
		return nil, err
	}
	options := permission.GateOptions{Approver: p.person, Remember: rules}
	closeAll := func() { guard.Close() }
	source := recording
	if file != "" {
		if source, err = readFile(file); err != nil {
			guard.Close()
			return nil, err
		}
	}
	recorded, err := webread.ReadRecorded(bytes.NewReader(source))
	if err != nil {
		guard.Close()
		return nil, err
	}
	p.reader = recorded
	if file == "" {
		store, err := live(ctx, filepath.Join(conf, "clearance", "secrets"))
		if err != nil {
			guard.Close()
			return nil, err
		}
		if store != nil {
			options.Redact = store.Redactor().Bytes
			p.api = url
			p.reader = webread.Model{Client: &anthropic.Client{
				HTTP: &http.Client{Transport: store.Transport(nil)}, URL: url, Model: model, Redact: store.Redactor().String,
			}}
			closeAll = func() { store.Close(); guard.Close() }
		}
	}
	p.session = permission.NewGate(eval, options).Session(permission.SessionOptions{Dir: p.dir})
	return closeAll, nil
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	const limit = 4 << 20
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && len(b) > limit {
		err = fmt.Errorf("%s is larger than %d MiB", name, limit>>20)
	}
	return b, err
}

// live opens the credential store if there is one with the key of the model. It
// makes none.
func live(ctx context.Context, dir string) (*credstore.Store, error) {
	if _, err := os.Lstat(filepath.Join(dir, "credentials.store")); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	store, err := credstore.Open(ctx, dir, credstore.Options{})
	if err != nil {
		return nil, err
	}
	entries, err := store.List(ctx)
	for _, e := range entries {
		if e.Name == anthropic.KeyName {
			return store, err
		}
	}
	store.Close()
	return nil, err
}

// authorize asks for one page.
func (p *program) authorize(ctx context.Context, target, question string) (*permission.Grant, error) {
	input, err := json.Marshal(map[string]string{"url": target, "prompt": question})
	if err != nil {
		return nil, err
	}
	return p.session.Authorize(ctx, permission.Call{Tool: webread.Name, Input: input, Dir: p.dir})
}

// each decides on a page, does what is to be done with it, and decides again
// for each redirect to another host.
func (p *program) each(ctx context.Context, target, question string, do func(*permission.Grant, string) error) error {
	for range webread.MaxRedirects {
		grant, err := p.authorize(ctx, target, question)
		if err != nil {
			return err
		}
		if err := grant.Unsaved(); err != nil {
			fmt.Fprintln(p.out, "note:", mcptrust.Escape(err.Error()))
		}
		err = do(grant, target)
		outcome := "answered"
		if err != nil {
			outcome = "no answer"
		}
		if e := p.session.Outcome(ctx, grant, outcome, permission.Untrusted); e != nil {
			return e
		}
		var redirect *webread.RedirectError
		if !errors.As(err, &redirect) {
			return err
		}
		fmt.Fprintf(p.out, "redirect to %s\n", mcptrust.Escape(redirect.To))
		target = redirect.To
	}
	return errors.New("too many redirects from host to host")
}

func (p *program) answer(ctx context.Context, target, question string) error {
	return p.each(ctx, target, question, func(grant *permission.Grant, _ string) error {
		tool := &webread.Tool{Session: p.session, Reader: p.reader, Fetcher: p.fetcher}
		a, err := tool.Run(ctx, grant)
		if errors.Is(err, webread.ErrNotRecorded) {
			return fmt.Errorf("%w; for a live one store its key: secrets set %s api.anthropic.com", err, anthropic.KeyName)
		}
		if errors.Is(err, credstore.ErrHost) {
			return fmt.Errorf("%w; the entry %s must list the host of %s", err, anthropic.KeyName, p.api)
		}
		if err != nil {
			return err
		}
		fmt.Fprint(p.out, a)
		return nil
	})
}

// print shows the page itself, to a person.
func (p *program) print(ctx context.Context, target, question string) error {
	return p.each(ctx, target, question, func(_ *permission.Grant, target string) error {
		p.session.Label(permission.Untrusted)
		page, err := p.fetcher.Fetch(ctx, target)
		if err != nil {
			return err
		}
		fmt.Fprintf(p.out, "[untrusted: the text of %s]\n", mcptrust.Escape(page.URL))
		for _, line := range strings.Split(page.Text, "\n") {
			fmt.Fprintln(p.out, "> "+mcptrust.Escape(line))
		}
		for _, note := range (webread.Answer{Hidden: page.Hidden, PageCut: page.Cut}).Notes() {
			fmt.Fprintf(p.out, "[%s]\n", note)
		}
		return nil
	})
}
