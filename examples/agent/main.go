// Command agent shows every package of clearance in one run: an agent loop over
// a recorded model transcript, with real tools that act on a real scratch
// workspace, and a person (or a script) who is asked.
//
//	agent                     the recorded demonstration
//	agent -transcript FILE    another recording, one JSON object a line:
//	                          {"tool":"Bash","input":{"command":"ls"}}
//	agent -answers y,n,a      answers instead of a person; what is left is refused
//	agent -live -prompt TEXT  a model behind the Anthropic Messages API, with the
//	                          key anthropic/api-key of the store of examples/secrets
//	agent -report FILE.html   the decisions as a page of its own as well
//	agent -gocache DIR        a build cache that the next run finds warm
//
// Commands run in the sandbox of the machine, if it has one (bubblewrap or
// Landlock on Linux, sandbox-exec on macOS); the table says where each one ran.
//
// It writes only below a scratch folder, which it removes, the report, and the
// folder of -gocache. The exit status is 0
// when every line ended as the transcript expects, 1 otherwise.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/term"

	"github.com/clearance-go/clearance/examples/agent/internal/ui"
	"github.com/clearance-go/clearance/examples/internal/anthropic"
	"github.com/clearance-go/clearance/examples/internal/webread"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/scope/sandbox"
)

//go:embed transcript.jsonl
var demonstration string

func main() {
	helper := sandbox.Enter() // becomes a command in its sandbox, or does nothing
	if len(os.Args) == 2 && os.Args[1] == serverCommand {
		if err := serve(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, "notes server:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), endSignals...)
	status := run(ctx, stop, helper, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// run is the program; it returns the exit status. stop ends ctx.
func run(ctx context.Context, stop func(), helper sandbox.Helper, args []string, in, out *os.File, errs io.Writer) int {
	flags := flag.NewFlagSet("agent", flag.ContinueOnError)
	flags.SetOutput(errs)
	file := flags.String("transcript", "", "recorded model output, one JSON object a line")
	answers := flags.String("answers", "", "answers to what is asked: y once, s session, a always, n no; separated by commas")
	isLive := flags.Bool("live", false, "ask a live model; its API key is the entry "+anthropic.KeyName+" of the store of examples/secrets")
	prompt := flags.String("prompt", "Make the tests of this package pass.", "what the live model is asked to do")
	modelName := flags.String("model", anthropic.DefaultModel, "the live model")
	url := flags.String("url", anthropic.DefaultURL, "where the API listens")
	report := flags.String("report", "", "write the decisions as an HTML page to this file")
	cache := flags.String("gocache", "", "build cache of the go command that the run starts; empty is one in the scratch folder")
	keep := flags.Bool("keep", false, "keep the scratch folder")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		return 1
	}
	fail := func(err error) int {
		fmt.Fprintln(errs, "agent:", ui.Visible(err.Error()))
		return 1
	}
	if *isLive && *file != "" {
		return fail(errors.New("-live and -transcript exclude each other"))
	}
	scratch, err := os.MkdirTemp("", "clearance-agent-")
	if err != nil {
		return fail(err)
	}
	if !*keep {
		defer removeScratch(scratch)
	} else {
		fmt.Fprintln(out, "Scratch folder:", scratch)
	}
	o := options{scratch: scratch, out: out, report: *report}
	if *cache != "" {
		if o.cache, err = filepath.Abs(*cache); err != nil {
			return fail(err)
		}
	}
	o.box, o.noBox = newBox(helper)
	if *isLive {
		if o.keys, err = openKeys(ctx); err != nil {
			return fail(err)
		}
		defer o.keys.Close()
		o.reader = webread.Model{Client: newClient(o.keys, *url, *modelName)}
	}
	o.model = func(h *host, session *permission.Session) (model, error) {
		switch {
		case *isLive:
			l := newLive(newClient(o.keys, *url, *modelName), h, session, *prompt)
			l.first = []step{{Host: "workspace"}, {Host: "server", Name: "notes"}}
			return l, nil
		case *file != "":
			return recordedFile(ctx, *file), nil
		}
		return recordedText(ctx, "transcript.jsonl", demonstration), nil
	}
	o.ui = func(script func(ui.Question) (string, bool)) (ui.UI, error) {
		return newUI(stop, in, out, *answers, script)
	}
	ok, err := agent(ctx, o)
	if err != nil {
		return fail(err)
	}
	if !ok {
		return 1
	}
	return 0
}

// newUI picks the interface: the screen where in and out are a terminal that
// can show one, lines where not, and a script where nobody is there.
func newUI(stop func(), in, out *os.File, answers string, script func(ui.Question) (string, bool)) (ui.UI, error) {
	switch {
	case answers != "":
		return ui.NewLines(nil, out, answerList(answers)), nil
	case in == nil || !term.IsTerminal(int(in.Fd())):
		return ui.NewLines(nil, out, script), nil
	case !term.IsTerminal(int(out.Fd())) || os.Getenv("TERM") == "dumb" || os.Getenv("TERM") == "" && runtime.GOOS != "windows":
		return ui.NewLines(in, out, nil), nil
	}
	return ui.NewScreen(out, stop)
}

// answerList gives the answers of a list in their order.
func answerList(text string) func(ui.Question) (string, bool) {
	list := strings.Split(text, ",")
	return func(ui.Question) (string, bool) {
		if len(list) == 0 {
			return "", false
		}
		answer := list[0]
		list = list[1:]
		return answer, true
	}
}

// removeScratch removes the folder that this program made. The Go build cache
// in it may hold read-only folders.
func removeScratch(dir string) {
	_ = filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.Chmod(name, 0o700)
		}
		return nil
	})
	_ = os.RemoveAll(dir)
}
