package permission

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Prompt returns the complete question for a person, of several lines: the call,
// what it would do, its risk, why it asks, what changed, and what an answer for
// the session or for good would add. Nothing is left out, however long it is.
//
// What the model and files chose (a command, a path, a rule) stands in it as
// written, but for what a person would not see as it is: control and format
// characters, odd spaces, fillers and broken UTF-8 are written as \xNN or
// \u{NNNN}. Each line of the model's begins with a bar, so that none can look
// like one of the question's own. The other fields of a Request are not escaped:
// a program that shows them to a person must do it.
func (r Request) Prompt() string {
	var b strings.Builder
	fmt.Fprintf(&b, "May the model use %s?\n", visible(r.Call.Tool))
	for _, l := range inputLines(r.Call.Input) {
		fmt.Fprintf(&b, "  | %s\n", visible(l))
	}
	if does := r.Inspection.Explanation.String(); does != "" {
		fmt.Fprintf(&b, "What it does: %s\n", visible(does))
	}
	fmt.Fprintf(&b, "Risk: %s\n", r.Inspection.Risk)
	head := "Why it asks:\n"
	seen := map[string]bool{}
	for _, reason := range r.Decision.Reasons {
		text := reason.Text
		if reason.Rule != nil && !strings.Contains(text, reason.Rule.Text) {
			text += " (" + reason.Rule.String() + ")"
		}
		if reason.Verdict != r.Decision.Verdict || text == "" || seen[text] {
			continue
		}
		seen[text] = true
		fmt.Fprintf(&b, "%s  - %s\n", head, visible(text))
		head = ""
	}
	if r.Changes != "" {
		b.WriteString("What it runs has changed:\n")
		for l := range strings.SplitSeq(strings.TrimRight(r.Changes, "\n"), "\n") {
			fmt.Fprintf(&b, "  | %s\n", visible(l))
		}
	}
	if r.Redacted {
		b.WriteString("Secrets were taken out of what is shown.\n")
	}
	head = "A yes for the session, or always, adds the rules:\n"
	for _, s := range r.Suggestions {
		fmt.Fprintf(&b, "%s  + %s\n", head, visible(s))
		head = ""
	}
	return b.String()
}

// inputLines shows an input field by field, in the order and as often as it was
// sent. What is no object is shown as it came.
func inputLines(in json.RawMessage) []string {
	raw := strings.Split(string(in), "\n")
	dec := json.NewDecoder(bytes.NewReader(in))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') || !json.Valid(in) {
		return raw
	}
	var out []string
	for dec.More() {
		name, err := dec.Token()
		var value json.RawMessage
		if err != nil || dec.Decode(&value) != nil {
			return raw
		}
		text := string(value)
		var s string
		if json.Unmarshal(value, &s) == nil && utf8.Valid(value) {
			text = s
		}
		key, _ := name.(string)
		lines := strings.Split(text, "\n")
		if len(lines) == 1 {
			out = append(out, key+": "+text)
			continue
		}
		out = append(out, key+":")
		for _, l := range lines {
			out = append(out, "    "+l)
		}
	}
	return out
}

// visible returns one line in which every character shows itself. A newline is
// escaped as well.
func visible(s string) string {
	plain := true
	for i := 0; i < len(s) && plain; i++ {
		plain = s[i] >= ' ' && s[i] < 0x7f
	}
	if plain {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02X`, s[i])
		case unicode.IsPrint(r) && !unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) && r != 0x2800 && r != 0x1D159:
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\u{%X}`, r)
		}
		i += size
	}
	return b.String()
}
