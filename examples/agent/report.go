package main

import (
	_ "embed"
	"html/template"
	"os"
	"path/filepath"
	"time"

	"github.com/clearance-go/clearance/examples/agent/internal/ui"
)

//go:embed report.html
var reportPage string

// reportData is what the page shows. All of it is untrusted text: the template
// escapes it, and the page has no script and loads nothing.
type reportData struct {
	Made     string
	Rows     []reportRow
	Audit    string
	Whole    bool
	Share    string
	Sandbox  string
	Expected bool
}

type reportRow struct {
	N, Outcome, What, Note, Why, Explanation, Risk, Where, Took string
	Reasons                                                     []string
	Asked                                                       []reportAsk
	Unexpected                                                  bool
}

type reportAsk struct {
	Title, Answer string
	Subject       []ui.Line
}

// writeReport writes the decisions of a run as one page, in one step.
func (h *host) writeReport(name, audit string, whole, expected bool, share string) error {
	d := reportData{Made: time.Now().Format("2006-01-02 15:04:05"), Audit: audit, Whole: whole, Share: share, Sandbox: ui.Visible(h.boxSentence()), Expected: expected}
	clean := func(s string) string { return ui.Visible(h.w.shorten(h.redact.String(s))) }
	for _, r := range h.rows {
		row := reportRow{N: r.n, Outcome: r.outcome, What: clean(r.what), Note: clean(r.step.Note), Why: clean(r.why), Where: r.where,
			Took: r.took.Round(time.Millisecond).String(), Unexpected: !r.expected()}
		if r.decision != nil {
			row.Explanation, row.Risk = clean(r.decision.Explanation.String()), r.decision.Risk.String()
			for _, reason := range r.decision.Reasons {
				text := reason.Verdict.String() + ": " + reason.Text
				if reason.Rule != nil {
					text += " (" + reason.Rule.String() + ")"
				}
				row.Reasons = append(row.Reasons, clean(text))
			}
		}
		for _, a := range r.asked {
			ask := reportAsk{Title: clean(a.Question.Title), Answer: clean(a.Answer)}
			for i, l := range a.Question.Subject {
				if i == 200 {
					ask.Subject = append(ask.Subject, ui.Line{Kind: ui.Note, Text: "…"})
					break
				}
				ask.Subject = append(ask.Subject, ui.Line{Kind: l.Kind, Text: clean(l.Text)})
			}
			row.Asked = append(row.Asked, ask)
		}
		d.Rows = append(d.Rows, row)
	}
	page, err := template.New("report").Funcs(template.FuncMap{
		"kind": func(k ui.LineKind) string { return []string{"plain", "added", "removed", "hunk", "note"}[k] },
	}).Parse(reportPage)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".report-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	err = page.Execute(f, d)
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
