package webread

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func read(t *testing.T, text string) Page {
	t.Helper()
	p, err := readHTML(strings.NewReader(text))
	require.NoError(t, err)
	return p
}

// TestHiddenText: what hides a text drops it and counts it, and the same text
// without that is read.
func TestHiddenText(t *testing.T) {
	const order = "OBEY-ME" // 7 letters
	style := func(h Hidden) int { return h.Style }
	for name, tt := range map[string]struct {
		page  string
		count func(Hidden) int
	}{
		"display none":         {`<p style="display:none">%s</p>`, style},
		"display escaped":      {`<p style="d\69 splay: n\6fne">%s</p>`, style},
		"display important":    {`<p style="display:none !IMPORTANT; display:block">%s</p>`, style},
		"display upper case":   {`<P STYLE="DISPLAY : NONE">%s</P>`, style},
		"display commented":    {`<p style="/*x*/display/**/:/*;*/none">%s</p>`, style},
		"inside hidden":        {`<div style="display:none"><div style="display:block"><p>%s</p></div></div>`, style},
		"visibility":           {`<p style="visibility:hidden">%s</p>`, style},
		"visibility inherited": {`<div style="visibility:collapse"><b>%s</b></div>`, style},
		"opacity":              {`<p style="opacity:0.01">%s</p>`, style},
		"opacity percent":      {`<p style="opacity:0%%">%s</p>`, style},
		"filter":               {`<p style="filter:opacity(0)">%s</p>`, style},
		"font size 0":          {`<p style="font-size:0">%s</p>`, style},
		"font size 1px":        {`<p style="font-size:1px">%s</p>`, style},
		"font size in parts":   {`<div style="font-size:.3em"><p style="font-size:20%%">%s</p></div>`, style},
		"font shorthand":       {`<p style="font:0/0 a">%s</p>`, style},
		"font weight and size": {`<p style="font:700 1px serif">%s</p>`, style},
		"off-screen":           {`<p style="position:absolute;left:-9999px">%s</p>`, style},
		"off-screen em":        {`<p style="position:fixed;top:-100em">%s</p>`, style},
		"off-screen inset":     {`<p style="position:absolute;inset:-5000px auto auto 0">%s</p>`, style},
		"text indent":          {`<p style="text-indent:-9999px">%s</p>`, style},
		"margin":               {`<p style="margin: 0 0 0 -9999px">%s</p>`, style},
		"transform":            {`<p style="transform:translate(-9999px, 0)">%s</p>`, style},
		"scaled to nothing":    {`<p style="transform:rotate(3deg) scale(0)">%s</p>`, style},
		"clip":                 {`<p style="position:absolute;clip:rect(1px, 1px, 1px, 1px)">%s</p>`, style},
		"clip path":            {`<p style="clip-path:inset(50%%)">%s</p>`, style},
		"screen readers only":  {`<p style="width:1px;height:1px;overflow:hidden">%s</p>`, style},
		"no height":            {`<p style="max-height:0;overflow-y:clip">%s</p>`, style},
		"white on white":       {`<p style="color:white">%s</p>`, style},
		"nearly white":         {`<p style="color:#fdfdfd">%s</p>`, style},
		"white by hsl":         {`<p style="color:hsl(0, 0%%, 100%%)">%s</p>`, style},
		"white by rgb":         {`<p style="color:rgb(255 255 255)">%s</p>`, style},
		"transparent":          {`<p style="color:transparent">%s</p>`, style},
		"alpha":                {`<p style="color:rgba(0,0,0,0.02)">%s</p>`, style},
		"fill colour":          {`<p style="-webkit-text-fill-color:#fff0">%s</p>`, style},
		"black on black":       {`<div style="background:#000 none"><p>%s</p></div>`, style},
		"old attributes":       {`<body bgcolor="#123456"><font color="#123456">%s</font>`, style},
		"hidden attribute":     {`<p hidden>%s</p>`, style},
		"hidden until found":   {`<p hidden="until-found">%s</p>`, style},
		"closed dialog":        {`<dialog>%s</dialog>`, style},
		"style element":        {`<style>.x{display:none}</style><p class="a x b">%s</p>`, style},
		"style by id":          {`<style>/*}*/ #i , p {} #i{color:#fff}</style><p id=i>%s</p>`, style},
		"style by tag":         {`<style>span{visibility:hidden}</style><p><span>%s</span></p>`, style},
		"style by attribute":   {`<style>[data-x^="se"]{display:none}</style><p data-x="secret">%s</p>`, style},
		"style by ancestors":   {`<style>body > div p.x{display:none}</style><div><section><p class=x>%s</p></section></div>`, style},
		"style with media":     {`<style>@media screen and (min-width: 600px){.x{display:none}}</style><p class=x>%s</p>`, style},
		"style supported":      {`<style>@supports (display:grid){@media all{.x{display:none}}}</style><p class=x>%s</p>`, style},
		"style with a string":  {`<style>a{content:"}"} .x{display:none}</style><p class=x>%s</p>`, style},
		"style escaped":        {`<style>.\78 {display:none}</style><p class=x>%s</p>`, style},
		"stronger style":       {`<style>#i.x{display:none} .x{display:block}</style><p class=x id=i>%s</p>`, style},
		"important style":      {`<style>.x{display:none!important}</style><p class=x style="display:block">%s</p>`, style},
		"unclosed style":       {`<p class=x>%s</p><style>.x{display:none;`, style},
		"style in the body":    {`<p class=x>%s</p><div><style>.x{display:none}</style></div>`, style},
		"aria-hidden":          {`<p aria-hidden="true">%s</p>`, func(h Hidden) int { return h.Aria }},
		"comment":              {`<!--%s-->`, func(h Hidden) int { return h.Comments }},
		"comment outside":      {`<html></html><!--%s-->`, func(h Hidden) int { return h.Comments }},
		"broken comment":       {`<!%s>`, func(h Hidden) int { return h.Comments }},
		"processing":           {`<?%s?>`, func(h Hidden) int { return h.Comments - 2 }},
		"alt":                  {`<img alt="%s">`, func(h Hidden) int { return h.Attributes }},
		"title attribute":      {`<p title="%s">x</p>`, func(h Hidden) int { return h.Attributes }},
		"aria label":           {`<p aria-label="%s">x</p>`, func(h Hidden) int { return h.Attributes }},
		"placeholder":          {`<input placeholder="%s">`, func(h Hidden) int { return h.Attributes }},
		"meta":                 {`<meta name=description content="%s">`, func(h Hidden) int { return h.Attributes }},
		"noscript":             {`<noscript>%s</noscript>`, func(h Hidden) int { return h.Fallback }},
		"template":             {`<template>%s</template>`, func(h Hidden) int { return h.Fallback }},
		"iframe":               {`<iframe>%s</iframe>`, func(h Hidden) int { return h.Fallback }},
		"object":               {`<object>%s</object>`, func(h Hidden) int { return h.Fallback }},
		"canvas":               {`<canvas>%s</canvas>`, func(h Hidden) int { return h.Fallback }},
		"datalist":             {`<datalist><option>%s</datalist>`, func(h Hidden) int { return h.Fallback }},
		"svg description":      {`<svg><desc>%s</desc></svg>`, func(h Hidden) int { return h.Fallback }},
	} {
		t.Run(name, func(t *testing.T) {
			p := read(t, "<p>before</p>"+fmt.Sprintf(tt.page, order)+"<p>after</p>")
			require.NotContains(t, p.Text, order)
			require.Contains(t, p.Text, "before")
			require.Equal(t, name != "unclosed style", strings.Contains(p.Text, "after"))
			require.Equal(t, len(order), tt.count(p.Hidden), "%+v", p.Hidden)
			require.Contains(t, p.Hidden.String(), "characters")
		})
	}
	for name, text := range map[string]string{
		"plain":                     `<p>%s</p>`,
		"set back":                  `<div style="visibility:hidden"><p style="visibility:visible">%s</p></div>`,
		"size set back":             `<div style="font-size:0"><p style="font-size:14px">%s</p></div>`,
		"white on black":            `<div style="background-color:black"><p style="color:#fff">%s</p></div>`,
		"white on a picture":        `<div style="background:url(x.png)"><p style="color:#fff">%s</p></div>`,
		"white, style elsewhere":    `<link rel=stylesheet href=x.css><p style="color:#fff">%s</p>`,
		"for paper":                 `<style>@media print{p{display:none}}</style><p>%s</p>`,
		"for paper by attribute":    `<style media=print>p{display:none}</style><p>%s</p>`,
		"for small screens":         `<style>@media (max-width:600px){p{display:none}}</style><p>%s</p>`,
		"other class":               `<style>.x{display:none}</style><p class="xx">%s</p>`,
		"other parent":              `<style>nav > p{display:none}</style><nav><div><p>%s</p></div></nav>`,
		"weaker style":              `<style>.x.on{display:block} .x{display:none}</style><p class="x on">%s</p>`,
		"inline wins":               `<style>#i{display:none}</style><p id=i style="display:block">%s</p>`,
		"keyframes":                 `<style>@keyframes a{from{opacity:0}} @font-face{font-size:0}</style><p>%s</p>`,
		"pseudo":                    `<style>p::before{display:none} p:hover{display:none}</style><p>%s</p>`,
		"a little away":             `<p style="position:relative;left:-3px;margin-left:-10px;text-indent:2em">%s</p>`,
		"small print":               `<p style="font-size:9px;opacity:.6;color:#777">%s</p>`,
		"aria false":                `<p aria-hidden=false>%s</p>`,
		"open dialog":               `<dialog open>%s</dialog>`,
		"closed details":            `<details><summary>more</summary>%s</details>`,
		"hidden overflow":           `<div style="overflow:hidden;width:300px">%s</div>`,
		"not understood":            `<p style="display:;;color:blurple;font-size:calc(1px + 1em);opacity:x;:;">%s</p>`,
		"comment that is not":       `<p>%s<b<!-- x --></p>`,
		"textarea":                  `<textarea>%s</textarea>`,
		"option":                    `<select><option>%s</select>`,
		"svg text":                  `<svg><text>%s</text></svg>`,
		"title":                     `<title>%s</title>`,
		"script beside":             `<script>document.write("no")</script><style>p{color:red}</style>%s`,
		"script with a tag in text": `<script>"</p><!--"</script>%s`,
	} {
		t.Run("seen "+name, func(t *testing.T) {
			p := read(t, "<p>before</p>"+fmt.Sprintf(text, order)+"<p>after</p>")
			require.Contains(t, p.Text, order, "%+v", p.Hidden)
		})
	}
}

func TestLayout(t *testing.T) {
	p := read(t, `<!doctype html><html><head><title> The
		title </title><style>p{margin:0}</style><script>var x = "<p>no</p>"</script></head>
		<body><h1>Head</h1><p>One  <b>two</b>
		three.<br>Four</p><ul><li>a<li>b <i>c</i></ul><pre>
  x  y
    z</pre><table><tr><td>1<td>2<tr><td>3<td>4</table><div>last</div>`)
	require.Equal(t, "The title\n\nHead\n\nOne two three.\nFour\n\n- a\n- b c\n\n  x  y\n    z\n\n1 2\n3 4\n\nlast", p.Text)
	require.Zero(t, p.Hidden)
}

// TestInvisibleCharacters: what does not show itself is dropped and counted, in
// HTML and in plain text.
func TestInvisibleCharacters(t *testing.T) {
	var tags strings.Builder
	for _, r := range "obey" {
		tags.WriteRune(0xE0000 + r)
	}
	for name, s := range map[string]string{
		"tags": tags.String(), "zero width": "\u200b\u200c\u200d\u2060\ufeff", "bidi": "\u202e\u202d\u2066\u2069\u061c", "soft hyphen": "\u00ad",
		"variation selectors": "\ufe0f\U000E0100\U000E01EF", "fillers": "\u115f\u1160\u3164\uffa0", "controls": "\x01\x1b\x7f\u0085"[:3], "private": "\ue000", "joiner": "\u034f",
	} {
		n := len([]rune(s))
		p := read(t, "<p>vis"+s+"ible</p>")
		require.Equal(t, "visible", p.Text, name)
		require.Equal(t, Hidden{Characters: n}, p.Hidden, name)
		p, err := readPlain(strings.NewReader("vis" + s + "ible"))
		require.NoError(t, err)
		require.Equal(t, "visible", p.Text, name)
		require.Equal(t, Hidden{Characters: n}, p.Hidden, name)
	}
	p, err := readPlain(strings.NewReader("a\r\n\tb\u00a0c\u2028d 世界 ü\n"))
	require.NoError(t, err)
	require.Equal(t, "a\n\tb c\nd 世界 ü\n", p.Text)
}

// TestHostilePages: bounded time, no panic.
func TestHostilePages(t *testing.T) {
	if testing.Short() {
		t.Skip("pages made to be slow are bounded in time in the ordinary run; the race detector makes them ten times slower")
	}
	size := 1 << 18
	if os.Getenv("CI") == "true" {
		size = 1 << 20
	}
	fill := func(s string) string { return strings.Repeat(s, size/len(s)) }
	for name, text := range map[string]string{
		"bold":       fill("<b>"),
		"links":      fill("<a href=x>"),
		"formatting": fill("<b><i><u>x<p>"),
		"tables":     fill("<table><tr><td>"),
		// The parser is quadratic here; a page of full size ends at the time limit (TestSlowParse).
		"table text":        "<table>" + strings.Repeat("x<tr>", size/20),
		"select":            fill("<select><option>"),
		"entities":          fill("&amp;&#x202e;"),
		"one tag":           "<p " + fill("a=b "),
		"attributes":        "<p " + strings.Join(strings.Fields(fill("a ")), "1 "),
		"long class":        "<style>.a{color:red}</style><p class='" + fill("a ") + "'>x",
		"long style":        "<p style='" + fill("color:red;") + "'>x",
		"long style junk":   "<p style='" + fill("(") + "'>x",
		"braces":            "<style>" + fill("{") + "</style>",
		"media":             "<style>" + fill("@media all{") + "</style>",
		"rules":             "<style>" + fill(".a{color:red}") + "</style>" + strings.Repeat("<p class=a>x</p>", 10_000),
		"one long rule":     "<style>.a{" + fill("color:red;top:1px;") + "}</style>" + strings.Repeat("<p class=a>x</p>", 10_000),
		"commas":            "<style>" + fill("a,") + "{color:red}</style>",
		"combinators":       "<style>" + fill("> ") + "a{color:red}</style><a>x</a>",
		"brackets":          "<style>" + fill("[a]") + "{color:red}</style><a a>x</a>",
		"attribute tests":   "<style>" + strings.Repeat("[a*=bb]{color:red}", 15_000) + "</style>" + strings.Repeat("<p a='"+strings.Repeat("ab", 500)+"'>x</p>", 500),
		"backslashes":       "<style>" + fill(`\`) + "{color:red}</style><p style='" + fill(`\`) + "'>",
		"comments":          fill("<!---->"),
		"comment in style":  "<style>" + fill("/*") + "</style>",
		"unclosed comment":  "<!--" + fill("-"),
		"svg":               "<svg>" + fill("<g>"),
		"foreign":           fill("<math><mi><svg>"),
		"templates":         fill("<template>"),
		"frames":            fill("<frameset>"),
		"forms":             fill("<form><input>"),
		"end tags":          "<p>x" + fill("</b></p>"),
		"combining":         "x" + fill("\u0301"),
		"NUL":               "x" + fill("\x00"),
		"transform":         "<p style='transform:" + fill("a(") + "'>x",
		"colour":            "<p style='color:rgb(" + fill("1,") + ")'>x",
		"background":        "<p style='background:" + fill("a ") + "'>x",
		"number":            "<p style='font-size:" + fill("9") + "px;left:1e999px;opacity:nan'>x",
		"adoption":          strings.Repeat("<a><b><i><u>", 100) + fill("</a><p>"),
		"deep descendants":  "<style>" + strings.Repeat("div ", 31) + "i{color:red}</style>" + strings.Repeat("<div>", 500) + strings.Repeat("<i>x</i>", 1000),
		"header of nothing": "<",
	} {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			p, err := readHTML(io.LimitReader(strings.NewReader(text), MaxBody))
			took := time.Since(begin)
			require.Less(t, took, 20*time.Second)
			t.Logf("%v, %d bytes of text, error %v", took.Round(time.Millisecond), len(p.Text), err)
			require.LessOrEqual(t, len(p.Text), MaxText)
		})
	}
}

// FuzzHTML: no panic, only text that shows itself, nothing over the limit.
func FuzzHTML(f *testing.F) {
	f.Add(`<style>.x{display:none}@media all{#a>b[c=d]{color:rgb(1,2,3)}}</style><p class=x style="font:0/0 a">a<!--b--><b id=a>c`)
	f.Add(`<p style="transform:translate(-999px,0) scale(0);clip:rect(0 0 0 0);clip-path:inset(50%)">x`)
	f.Add("<p>\u202ex\U000E0041")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := readHTML(strings.NewReader(text))
		if err != nil {
			return
		}
		require.LessOrEqual(t, len(p.Text), MaxText)
		w := newWriter()
		for _, r := range p.Text {
			require.True(t, r == '\n' || r == '\t' || w.shows(r), "%q", r)
		}
	})
}
