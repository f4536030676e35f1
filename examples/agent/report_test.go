package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
)

// elements are all that a report is made of.
var elements = map[string]bool{
	"html": true, "head": true, "meta": true, "title": true, "style": true, "body": true, "h1": true, "h2": true, "p": true, "table": true, "thead": true,
	"tbody": true, "tr": true, "th": true, "td": true, "code": true, "pre": true, "span": true, "b": true, "ul": true, "li": true, "details": true, "summary": true,
}

// look goes through a page and returns its text, and what a report must not
// hold.
func look(t *testing.T, page []byte) (text string, bad []string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(string(page)))
	require.NoError(t, err)
	var b strings.Builder
	for n := range root.Descendants() {
		switch n.Type {
		case html.TextNode:
			if n.Parent.Data != "style" {
				b.WriteString(n.Data)
			}
		case html.CommentNode:
			bad = append(bad, "comment "+n.Data)
		case html.ElementNode:
			if !elements[n.Data] {
				bad = append(bad, n.Data)
			}
			for _, a := range n.Attr {
				switch a.Key {
				case "class", "lang", "charset", "http-equiv", "content", "name":
				default:
					bad = append(bad, n.Data+" "+a.Key)
				}
			}
		}
	}
	return b.String(), bad
}

// hostile tries to be more than text.
var hostile = []string{
	`</pre><script>alert(1)</script>`, `<img src=x onerror=alert(1)>`, `"><iframe src=//evil.example>`, `{{.Audit}}`, `</style><style>*{display:none}</style>`,
	`</title><meta http-equiv=refresh content=0>`, `<!-- `, "\u202egnp.exe", "\x1b[2J", `'-alert(1)-'`, `<a href="javascript:alert(1)">x</a>`,
}

func TestReport(t *testing.T) {
	var lines []string
	for _, h := range hostile {
		b, err := json.Marshal(map[string]any{"tool": "Bash", "input": map[string]string{"command": "echo '" + strings.ReplaceAll(h, "'", `'"'"'`) + "'", "description": h}, "note": h, "answer": "n " + h})
		require.NoError(t, err)
		lines = append(lines, string(b))
	}
	lines = append(lines,
		`{"tool":"Read","input":{"file_path":"$WORK/deploy.log"},"expect":"ran"}`,
		`{"tool":"Bash","input":{"command":"echo tok-4f9c1d7be2a85063 > $OUT/x"},"answer":"y"}`,
		`{"tool":"Edit","input":{"file_path":"$WORK/calc.go","old_string":"a - b","new_string":"a + b"},"answer":"y","expect":"ran"}`,
		`{"tool":"Read","input":{"file_path":"$WORK/.env"},"expect":"ran"}`)
	name := filepath.Join(t.TempDir(), "report.html")
	_, out, ok, err := try(t, recordedText(t.Context(), "t", strings.Join(lines, "\n")), nil, func(o *options) { o.report = name })
	require.NoError(t, err, out)
	require.False(t, ok)
	page, err := os.ReadFile(name)
	require.NoError(t, err)
	text, bad := look(t, page)
	require.Empty(t, bad)
	for _, want := range []string{
		"<script>alert(1)</script>", "onerror=alert(1)", "{{.Audit}}", `\u{202E}gnp.exe`, `\u{1B}[2J`, "The audit log verifies", "not expected",
		"The run did not end as its transcript expects.", "- b }", "+ b }", "allow: ", "yes, once", "[redacted]", "Ran in: ",
	} {
		require.Contains(t, text, want)
	}
	require.NotContains(t, string(page), "tok-4f9c1d7be2a85063")
	require.NotContains(t, string(page), "do-not-read-me")
	require.Contains(t, string(page), `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">`)
	require.Equal(t, len(lines), strings.Count(string(page), "<details>"))
	left, err := os.ReadDir(filepath.Dir(name))
	require.NoError(t, err)
	require.Len(t, left, 1, "it is written in one step")

	// What the test looks for can be found: the same text without escaping.
	_, bad = look(t, []byte(strings.Replace(string(page), "<tbody>", "<tbody>"+strings.Join(hostile[:3], ""), 1)))
	require.Contains(t, bad, "script")
	require.Contains(t, bad, "img onerror")

	// A report that cannot be written is an error, and the table is there.
	_, out, _, err = try(t, recordedText(t.Context(), "t", lines[0]), nil, func(o *options) { o.report = filepath.Join(name, "x") })
	require.ErrorContains(t, err, "the report was not written")
	require.Contains(t, out, "outcome")
}
