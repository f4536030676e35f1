package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"github.com/clearance-go/clearance/bashcheck"
	"github.com/clearance-go/clearance/credstore"
	"github.com/clearance-go/clearance/examples/agent/internal/ui"
	"github.com/clearance-go/clearance/examples/internal/webread"
	"github.com/clearance-go/clearance/mcptrust"
	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/permission/settings"
	"github.com/clearance-go/clearance/permission/toolset"
	"github.com/clearance-go/clearance/scope"
	"github.com/clearance-go/clearance/scope/sandbox"
)

// options say what a run is.
type options struct {
	// scratch is the folder for everything that the run writes.
	scratch string
	// cache is the build cache of the inner go command; empty is one in scratch.
	cache string
	// box is the sandbox of this machine; nil is none, and noBox says why.
	box   *sandbox.Box
	noBox string
	// reader answers questions about pages; nil is a recorded one.
	reader webread.Reader
	// model makes the model once the host is there.
	model func(*host, *permission.Session) (model, error)
	// keys is the store with the key of a live model, nil without one.
	keys *credstore.Store
	// ui makes the interface; script answers what it does not ask a person.
	ui  func(script func(ui.Question) (string, bool)) (ui.UI, error)
	out io.Writer
	// report is a file for the decisions as an HTML page; "" writes none.
	report string
}

// agent wires the packages, runs the model's steps in a workspace below scratch
// and prints the table. ok says whether every step ended as expected.
func agent(ctx context.Context, o options) (ok bool, err error) {
	scratch, err := filepath.EvalSymlinks(o.scratch)
	if err != nil {
		return false, err
	}
	w, err := newWorkspace(ctx, scratch, o.cache, o.box != nil)
	if err != nil {
		return false, err
	}
	secrets, err := credstore.Open(ctx, filepath.Join(w.conf, "secrets"), credstore.Options{StateDir: filepath.Join(w.conf, "state")})
	if err != nil {
		return false, err
	}
	defer secrets.Close()
	logKey, err := newAuditKey()
	if err != nil {
		return false, err
	}
	// Both in one save, which is a handful of waits for the disk.
	if err := secrets.Update(ctx, func(tx *credstore.Tx) error {
		return errors.Join(tx.Set("demo/api-token", credstore.NewSecret([]byte(w.token)), credstore.Meta{}),
			tx.Set(auditKey, credstore.NewSecret(logKey), credstore.Meta{Label: "key of the agent's audit log"}))
	}); err != nil {
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
	ledger, err := toolset.OpenLedger(filepath.Join(w.conf, "ledger"))
	if err != nil {
		return false, err
	}
	own := slices.Concat(rules.Files(), trust.Paths(), secrets.Files(), ledger.Files())
	own = append(own, w.conf)
	redact := redactors{secrets.Redactor()}
	if o.keys != nil {
		own = append(own, o.keys.Files()...)
		redact = append(redact, o.keys.Redactor())
	}
	guard, err := scope.New(w.project, scope.Options{Home: w.home, Additional: rules.Directories(), Protect: own})
	if err != nil {
		return false, err
	}
	defer guard.Close()
	analyzer := bashcheck.New(bashcheck.Options{Home: w.home})
	tools, err := toolset.NewWith(toolset.Options{Files: guard, Analyzer: analyzer, Assume: bashcheck.SafeEnvAssumptions(), Home: w.home, Ledger: ledger})
	if err != nil {
		return false, err
	}
	eval, err := permission.New(permission.Config{Policy: rules.Policy(), Inspector: tools})
	if err != nil {
		return false, err
	}
	log, err := openAudit(w.conf, logKey)
	if err != nil {
		return false, err
	}
	defer log.Close()
	pages, err := newWeb(o.reader)
	if err != nil {
		return false, err
	}
	defer pages.close()
	w.page = pages.url

	clock := newClock(time.Now)
	p := &person{clock: clock, before: guard.ReadFile, where: func() string { return w.shorten(filepath.Join(w.project, ".claude", "settings.local.json")) }, home: w.home}
	screen, err := o.ui(p.script)
	if err != nil {
		return false, err
	}
	defer screen.Close()
	p.ui = screen
	gate := permission.NewGate(eval, permission.GateOptions{
		Approver: p, Remember: rules, Redact: redact.Bytes, Audit: log, Ledger: ledger, Enforces: o.box != nil,
	})
	h := &host{
		w: w, person: p, ui: screen, clock: clock, rules: rules, trust: trust, guard: guard, analyzer: analyzer, tools: tools, gate: gate,
		secrets: secrets, redact: redact, box: o.box, noBox: o.noBox, web: pages,
	}
	defer h.servers.close()
	for _, note := range w.notes {
		screen.Say("note: " + note)
	}
	session := gate.Session(permission.SessionOptions{Dir: w.project})
	m, err := o.model(h, session)
	if err != nil {
		return false, err
	}
	err = h.loop(ctx, &actor{session: session, model: m})
	share := clock.share()
	screen.Close()
	ok = printTable(o.out, h.rows)
	verified, whole := log.verified()
	fmt.Fprintf(o.out, "\n%s\n%s\n%s\n", ui.Visible(h.boxSentence()), verified, share)
	if o.report != "" {
		if e := h.writeReport(o.report, verified, whole, ok, share); e != nil {
			return false, errors.Join(err, fmt.Errorf("the report was not written: %w", e))
		}
	}
	switch {
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return false, errors.New("the run was ended")
	case err != nil:
		return false, err
	case !ok:
		fmt.Fprintln(o.out, "The run did not end as the transcript expects.")
	}
	return ok && whole, nil
}
