package main

import (
	"fmt"
	"io"
	"sort"
	"strings"
	"time"

	"github.com/clearance-go/clearance/examples/agent/internal/ui"
	"github.com/clearance-go/clearance/permission"
)

// row is one line of the closing table: a step and how it ended.
type row struct {
	n       string // "7", of a sub-agent "7.2"
	step    *step
	what    string
	outcome string // ran, refused, stepped over
	why     string
	asked   []exchange
	took    time.Duration
	// where says where a command ran: the level of the sandbox, or unconfined.
	where string
	// decision is that of the call, where one was decided.
	decision *permission.Decision
}

// expected says whether the step ended as its transcript says.
func (r row) expected() bool {
	return r.step.Expect == "" || r.outcome == "stepped over" || r.outcome == r.step.Expect
}

// reasons puts the deciding reasons into a few words: the rules first.
func reasons(d permission.Decision) string {
	seen := map[string]bool{}
	var out []string
	for _, r := range d.Reasons {
		if r.Verdict != d.Verdict && !(d.Verdict == permission.Deny && r.Verdict == permission.Ask) {
			continue
		}
		text := r.Text
		if r.Rule != nil {
			text = r.Rule.String()
		}
		if text != "" && !seen[text] {
			seen[text] = true
			out = append(out, text)
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return strings.Contains(out[i], " rule ") && !strings.Contains(out[j], " rule ") })
	return strings.Join(out, " ")
}

// printTable prints what ran, what was asked and what was refused, and says
// whether all of it was expected.
func printTable(out io.Writer, rows []row) bool {
	ok := true
	fmt.Fprintf(out, "\n%-4s %-13s %-6s %-11s %-46s %s\n", "#", "outcome", "asked", "ran in", "call", "why")
	for _, r := range rows {
		asked := ""
		if len(r.asked) > 0 {
			asked = "asked"
		}
		mark := ""
		if !r.expected() {
			ok = false
			mark = "  <- expected: " + r.step.Expect
		}
		fmt.Fprintf(out, "%-4s %-13s %-6s %-11s %s %s%s\n", r.n, r.outcome, asked, r.where, ui.Pad(ui.Visible(r.what), 46), ui.Cut(ui.Visible(r.why), 150), mark)
	}
	return ok
}
