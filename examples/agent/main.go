// Command agent shows every package of clearance in one run: an agent loop over
// a recorded model transcript, with real tools that act on a real scratch
// workspace, and a person (or a script) who is asked.
//
//	agent                     the recorded demonstration
//	agent -transcript FILE    another recording, one JSON object a line:
//	                          {"tool":"Bash","input":{"command":"ls"}}
//	agent -answers y,n,a      answers instead of a person; what is left is refused
//
// It writes only below a scratch folder, which it removes. The exit status is 0
// when every line ended as the transcript expects, 1 otherwise.
package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/credstore"
	"github.com/clearance-go/clearance/mcptrust"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/permission/settings"
	"github.com/clearance-go/clearance/permission/toolset"
	"github.com/clearance-go/clearance/scope"
)

//go:embed transcript.jsonl
var recorded string

func main() {
	if len(os.Args) == 2 && os.Args[1] == serverCommand {
		if err := serve(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, "notes server:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	status := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// run is the program; it returns the exit status.
func run(ctx context.Context, args []string, in *os.File, out, errs io.Writer) int {
	flags := flag.NewFlagSet("agent", flag.ContinueOnError)
	flags.SetOutput(errs)
	file := flags.String("transcript", "", "recorded model output, one JSON object a line")
	answers := flags.String("answers", "", "answers to what is asked: y once, s session, a always, n no; separated by commas")
	keep := flags.Bool("keep", false, "keep the scratch folder")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		return 1
	}
	text := recorded
	if *file != "" {
		b, err := os.ReadFile(*file)
		if err != nil {
			fmt.Fprintln(errs, "agent:", err)
			return 1
		}
		text = string(b)
	}
	steps, err := readTranscript(text)
	if err != nil {
		fmt.Fprintln(errs, "agent:", err)
		return 1
	}
	scratch, err := os.MkdirTemp("", "clearance-agent-")
	if err != nil {
		fmt.Fprintln(errs, "agent:", err)
		return 1
	}
	if !*keep {
		defer removeScratch(scratch)
	} else {
		fmt.Fprintln(out, "Scratch folder:", scratch)
	}
	person := newPerson(in, out, *answers)
	ok, err := agent(ctx, scratch, "", steps, person, out)
	if err != nil {
		fmt.Fprintln(errs, "agent:", err)
		return 1
	}
	if !ok {
		return 1
	}
	return 0
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

// agent runs the steps in a workspace below scratch and prints the table. ok
// says whether every step ended as expected. cache is the build cache of the
// inner go command; empty is one in scratch.
func agent(ctx context.Context, scratch, cache string, steps []step, person *person, out io.Writer) (ok bool, err error) {
	scratch, err = filepath.EvalSymlinks(scratch)
	if err != nil {
		return false, err
	}
	w, err := newWorkspace(ctx, scratch, cache)
	if err != nil {
		return false, err
	}
	for _, note := range w.notes {
		fmt.Fprintln(out, "note:", note)
	}

	secrets, err := credstore.Open(ctx, filepath.Join(w.conf, "secrets"), credstore.Options{StateDir: filepath.Join(w.conf, "state")})
	if err != nil {
		return false, err
	}
	defer secrets.Close()
	if err := secrets.Set(ctx, "demo/api-token", credstore.NewSecret([]byte(w.token)), credstore.Meta{}); err != nil {
		return false, err
	}
	trust, err := mcptrust.Open(mcptrust.Options{Dir: filepath.Join(w.conf, "trust"), Home: w.home})
	if err != nil {
		return false, err
	}
	src := settings.Sources{Home: w.home, Dir: w.project, Managed: filepath.Join(w.conf, "managed-settings.json"),
		State: filepath.Join(w.conf, "settings-state"), Trust: trust}
	rules, err := settings.Load(ctx, src)
	if err != nil {
		return false, err
	}
	own := append(append(rules.Files(), trust.Paths()...), secrets.Files()...)
	own = append(own, w.conf)
	guard, err := scope.New(w.project, scope.Options{Home: w.home, Additional: rules.Directories(), Protect: own})
	if err != nil {
		return false, err
	}
	defer guard.Close()
	tools := toolset.New(guard, bashcheck.New(bashcheck.Options{Home: w.home}))
	eval, err := permission.New(permission.Config{Policy: rules.Policy(), Inspector: tools})
	if err != nil {
		return false, err
	}
	log := &auditLog{path: filepath.Join(w.conf, "audit.jsonl")}
	gate := permission.NewGate(eval, permission.GateOptions{
		Approver: person, Remember: rules, Redact: secrets.Redactor().Bytes, Audit: log,
	})
	h := &host{
		w: w, person: person, out: out, rules: rules, trust: trust, guard: guard, tools: tools, gate: gate,
		redact: secrets.Redactor(), session: gate.Session(permission.SessionOptions{Dir: w.project}),
	}
	defer h.close()
	var rows []row
	for i := range steps {
		if err := ctx.Err(); err != nil {
			break
		}
		rows = append(rows, h.do(ctx, i+1, &steps[i]))
	}
	ok = printTable(out, rows) && len(rows) == len(steps)
	fmt.Fprintf(out, "\n%d decisions are on record in the audit log.\n", log.lines)
	if !ok {
		fmt.Fprintln(out, "The run did not end as the transcript expects.")
	}
	return ok, ctx.Err()
}

// say prints one line with the values of the secret store taken out.
func (h *host) say(format string, args ...any) {
	fmt.Fprintln(h.out, h.redact.String(strings.TrimRight(fmt.Sprintf(format, args...), "\n")))
}
