package mcptrust

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Codes of reasons and findings about tools, prompts, resources and instructions.
const (
	CodeItemNew       Code = "ITEM_NEW"
	CodeItemChanged   Code = "ITEM_CHANGED"
	CodeItemBenign    Code = "ITEM_CHANGED_BENIGN"
	CodeItemRevoked   Code = "ITEM_REVOKED"
	CodeItemInvalid   Code = "ITEM_INVALID"
	CodeItemView      Code = "ITEM_VIEW"
	CodeDuplicateItem Code = "DUPLICATE_ITEM"
	CodeBuiltinName   Code = "BUILTIN_NAME"
	CodeNearName      Code = "NEAR_NAME"
	CodeRemoteRef     Code = "REMOTE_REF"
)

// ParseTool reads one element of a tools/list result from the server's own
// bytes. Duplicate keys, broken UTF-8 and lone surrogates are errors.
func ParseTool(raw []byte) (Tool, error) {
	var t Tool
	if len(raw) > MaxItemBytes {
		return t, fmt.Errorf("mcptrust: a tool of more than %d bytes", MaxItemBytes)
	}
	n, err := parseJSON(raw, false)
	if err != nil {
		return t, fmt.Errorf("mcptrust: tool: %w", err)
	}
	if n.kind != kindObject {
		return t, errors.New("mcptrust: a tool that is not an object")
	}
	t.Raw = true
	for i := range n.obj {
		m := &n.obj[i]
		val := json.RawMessage(slices.Clone(raw[m.val.off:m.val.end]))
		var text *string
		switch m.key {
		case "name":
			text = &t.Name
		case "title":
			text = &t.Title
		case "description":
			text = &t.Description
		case "inputSchema":
			t.InputSchema = val
		case "outputSchema":
			t.OutputSchema = val
		case "annotations":
			t.Annotations = val
		case "execution":
			t.Execution = val
		case "_meta":
			t.Meta = val
		default:
			if t.Extra == nil {
				t.Extra = map[string]json.RawMessage{}
			}
			t.Extra[m.key] = val
		}
		if text != nil {
			if m.val.kind != kindString {
				return t, fmt.Errorf("mcptrust: tool: %s is not a string", m.key)
			}
			*text = m.val.text
		}
	}
	return t, nil
}

// UnmarshalJSON is [ParseTool].
func (t *Tool) UnmarshalJSON(raw []byte) error {
	v, err := ParseTool(raw)
	if err == nil {
		*t = v
	}
	return err
}

// item is a definition ready to compare: every text that a model would see.
type item struct {
	kind    Kind
	name    string
	raw     bool
	node    node
	text    string // canonical
	size    int    // about, of the canonical text
	invalid string
}

func itemDigest(kind, server, text string) string { return digest("item/v1", kind, server, text) }

func itemKey(k Kind, name string) string { return k.String() + ":" + name }

// toolItem builds the canonical form. Left out: icons, which no model sees;
// trace keys and the server's self-description in _meta; annotations equal to
// their defaults, which some SDKs add and others do not.
func toolItem(t Tool) item {
	it := item{kind: KindTool, name: t.Name, raw: t.Raw, node: node{kind: kindObject}}
	fail := func(msg string) item { it.invalid = msg; return it }
	switch {
	case t.Name == "":
		return fail("the tool has no name")
	case len(t.Name) > MaxNameBytes:
		return fail(fmt.Sprintf("the name is longer than %d bytes", MaxNameBytes))
	case len(t.InputSchema) == 0:
		return fail("no inputSchema")
	}
	size := len(t.Name) + len(t.Title) + len(t.Description)
	addText := func(key, s string) bool {
		if s != "" {
			it.node.obj = append(it.node.obj, member{key: key, val: node{kind: kindString, text: s}})
		}
		return utf8.ValidString(s)
	}
	if !addText("name", t.Name) || !addText("title", t.Title) || !addText("description", t.Description) {
		return fail("a text is not UTF-8")
	}
	type field struct {
		key string
		raw json.RawMessage
	}
	fields := []field{{"inputSchema", t.InputSchema}, {"outputSchema", t.OutputSchema}, {"annotations", t.Annotations},
		{"execution", t.Execution}, {"_meta", t.Meta}}
	known := len(fields)
	for _, k := range sortedKeys(t.Extra) {
		if k == "icons" {
			continue
		}
		switch k {
		case "name", "title", "description", "inputSchema", "outputSchema", "annotations", "execution", "_meta":
			return fail("an extra field with the name of a known one")
		}
		fields = append(fields, field{k, t.Extra[k]})
	}
	for i, f := range fields {
		if len(f.raw) == 0 {
			continue
		}
		if size += len(f.raw); size > MaxItemBytes {
			return fail(fmt.Sprintf("more than %d bytes", MaxItemBytes))
		}
		n, err := parseJSON(f.raw, false)
		if err != nil {
			return fail(Escape(f.key) + ": " + err.Error())
		}
		if i < known && n.kind != kindObject {
			if n.kind == kindNull && i > 0 {
				continue // a typed SDK value writes an absent field as null
			}
			return fail(f.key + " is not an object")
		}
		switch f.key {
		case "annotations":
			n.obj = slices.DeleteFunc(n.obj, defaultHint)
		case "_meta":
			n.obj = slices.DeleteFunc(n.obj, volatileMeta)
		}
		if (f.key == "annotations" || f.key == "_meta") && len(n.obj) == 0 {
			continue
		}
		it.node.obj = append(it.node.obj, member{key: f.key, val: n})
	}
	it.size = size
	return it.seal()
}

func (it item) seal() item {
	b, err := it.node.canonical(make([]byte, 0, it.size+256))
	if err != nil {
		it.invalid = Escape(err.Error())
		return it
	}
	it.text = string(b)
	return it
}

// defaultHint reports a hint equal to its default (MCP schema, ToolAnnotations).
func defaultHint(m member) bool {
	if m.val.kind == kindNull {
		return true
	}
	switch m.key {
	case "readOnlyHint", "idempotentHint":
		return m.val.kind == kindBool && m.val.text == "false"
	case "destructiveHint", "openWorldHint":
		return m.val.kind == kindBool && m.val.text == "true"
	case "title":
		return m.val.kind == kindString && m.val.text == ""
	}
	return false
}

// volatileMeta reports the keys that change from answer to answer (SEP-414) or
// describe the server by its own word.
func volatileMeta(m member) bool {
	switch m.key {
	case "traceparent", "tracestate", "baggage", "io.modelcontextprotocol/serverInfo":
		return true
	}
	return false
}

// stricter reports a change that only takes a permissive hint away.
func stricter(d Change) bool {
	switch d.Field {
	case "annotations.readOnlyHint", "annotations.idempotentHint":
		return d.Old == "true" && d.New == ""
	case "annotations.destructiveHint", "annotations.openWorldHint":
		return d.Old == "false" && d.New == ""
	case "annotations":
		// The whole object went: it held nothing but permissive hints.
		switch d.New {
		case "":
			n, err := parseJSON([]byte(d.Old), false)
			return err == nil && !slices.ContainsFunc(n.obj, func(m member) bool {
				switch m.key {
				case "readOnlyHint", "idempotentHint", "destructiveHint", "openWorldHint":
					return m.val.kind != kindBool
				}
				return true
			})
		}
	}
	return false
}

func itemFindings(it *item, builtin []string) []Finding {
	var out []Finding
	field := func(path string) string { return Escape(strings.TrimPrefix(path, ".")) }
	for i := range it.node.obj {
		m := &it.node.obj[i]
		out = append(out, scanText("a field name", m.key, false)...)
		walkStrings(m.key, &m.val, func(path, text string) {
			path = field(path)
			multiline := m.key != "name" && !strings.HasSuffix(path, "(a key)")
			out = append(out, scanText(path, text, multiline)...)
			out = append(out, scanPhrases(path, text)...)
		})
		if m.key == "inputSchema" || m.key == "outputSchema" {
			remoteRefs(m.key, &m.val, &out)
		}
		if m.key == "inputSchema" {
			secretParameters(&m.val, &out)
		}
	}
	if it.kind == KindTool {
		out = append(out, nameFindings(it.name, builtin)...)
	}
	return out
}

// secretParameters finds parameters whose names ask for a credential file.
func secretParameters(schema *node, out *[]Finding) {
	props := schema.get("properties")
	if props == nil {
		return
	}
	for i := range props.obj {
		name := strings.ToLower(props.obj[i].key)
		for _, w := range [...]string{"id_rsa", "id_ed25519", "ssh_key", "ssh_id", "private_key_of", "netrc", "aws_credentials", "shadow_file", "conversation_history", "system_prompt", "chat_history"} {
			if strings.Contains(name, w) {
				*out = append(*out, Finding{CodePhrase, "inputSchema.properties." + Escape(props.obj[i].key), "a parameter that asks for credentials or the conversation", true})
				break
			}
		}
		secretParameters(&props.obj[i].val, out)
	}
}

func remoteRefs(path string, n *node, out *[]Finding) {
	for i := range n.list {
		remoteRefs(path, &n.list[i], out)
	}
	for i := range n.obj {
		m := &n.obj[i]
		if (m.key == "$ref" || m.key == "$dynamicRef") && m.val.kind == kindString && !strings.HasPrefix(m.val.text, "#") {
			*out = append(*out, Finding{CodeRemoteRef, path, "a schema that is loaded from elsewhere: " + quote(m.val.text), true})
		}
		remoteRefs(path, &m.val, out)
	}
}

func nameFindings(name string, builtin []string) []Finding {
	var out []Finding
	add := func(code Code, text string) { out = append(out, Finding{code, "name", text, true}) }
	ascii := strings.IndexFunc(name, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
	if !ascii {
		if strings.IndexFunc(name, func(r rune) bool { return r < utf8.RuneSelf && unicode.IsLetter(r) }) >= 0 {
			add(CodeConfusable, "the name mixes alphabets")
		} else {
			add(CodeBadName, "the name has characters outside A-Z a-z 0-9 _ - .")
		}
	} else if strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.") != "" || len(name) > 128 {
		add(CodeBadName, "the name is outside A-Z a-z 0-9 _ - . (SEP-986)")
	}
	for _, b := range builtin {
		if strings.EqualFold(squash(name), squash(b)) {
			add(CodeBuiltinName, "the name of a tool of this program: "+quote(b))
		}
	}
	switch s := squash(strings.ToLower(name)); {
	case strings.Contains(s, "contextprotector"), strings.Contains(s, "mcptrust"), strings.HasPrefix(s, "mcp") && strings.HasPrefix(name, "mcp__"):
		add(CodeBuiltinName, "imitates a guard or a tool of another server")
	}
	return out
}

// squash drops the separators that people do not tell apart.
func squash(s string) string {
	return strings.NewReplacer("_", "", "-", "", ".", "", " ", "").Replace(s)
}

// CheckTools compares the tools of a server with what was approved, one answer
// for each tool in the given order. Only tools with Status Trusted may reach the
// model or be called; the others are withheld while these go on. When the server
// itself is not Trusted, no tool is. Two tools with one name are both Blocked.
// List order does not count; a tool that is gone keeps its approval.
//
// Errors are those of [Registry.Check]; with an error nothing is trusted.
func (r *Registry) CheckTools(ctx context.Context, project string, s Server, tools []Tool) ([]ItemCheck, error) {
	if len(tools) > MaxItems {
		return nil, fmt.Errorf("mcptrust: %d tools, more than %d", len(tools), MaxItems)
	}
	items := make([]item, len(tools))
	for i, t := range tools {
		items[i] = toolItem(t)
	}
	return r.checkItems(ctx, project, s, items)
}

// CheckInstructions compares the instructions that a server gives at its start
// with what was approved. Empty instructions are always Trusted.
func (r *Registry) CheckInstructions(ctx context.Context, project string, s Server, text string) (ItemCheck, error) {
	it := item{kind: KindInstructions, raw: true, node: node{kind: kindObject}}
	if text == "" {
		return ItemCheck{Kind: KindInstructions, Status: Trusted}, nil
	}
	if !utf8.ValidString(text) || len(text) > MaxItemBytes {
		it.invalid = "not UTF-8, or too long"
	} else {
		it.node.obj = []member{{key: "instructions", val: node{kind: kindString, text: text}}}
		it = it.seal()
	}
	return one(r.checkItems(ctx, project, s, []item{it}))
}

// CheckPrompts compares elements of a prompts/list result, each as its JSON,
// with what was approved, like [Registry.CheckTools].
func (r *Registry) CheckPrompts(ctx context.Context, project string, s Server, prompts []json.RawMessage) ([]ItemCheck, error) {
	return r.checkRaw(ctx, project, s, KindPrompt, "name", prompts)
}

// CheckResources compares elements of a resources/list or
// resources/templates/list result, each as its JSON, with what was approved,
// like [Registry.CheckTools]. Their uri or uriTemplate is their name.
func (r *Registry) CheckResources(ctx context.Context, project string, s Server, resources []json.RawMessage) ([]ItemCheck, error) {
	return r.checkRaw(ctx, project, s, KindResource, "uri", resources)
}

func (r *Registry) checkRaw(ctx context.Context, project string, s Server, kind Kind, id string, raws []json.RawMessage) ([]ItemCheck, error) {
	items, err := rawItems(kind, id, raws, true)
	if err != nil {
		return nil, err
	}
	return r.checkItems(ctx, project, s, items)
}

func rawItems(kind Kind, id string, raws []json.RawMessage, wire bool) ([]item, error) {
	if len(raws) > MaxItems {
		return nil, fmt.Errorf("mcptrust: %d definitions, more than %d", len(raws), MaxItems)
	}
	items := make([]item, len(raws))
	for i, raw := range raws {
		it := item{kind: kind, raw: wire}
		var n node
		var err error
		if len(raw) <= MaxItemBytes {
			n, err = parseJSON(raw, false)
		}
		name := n.get(id)
		if name == nil && kind == KindResource {
			name = n.get("uriTemplate")
		}
		if name != nil && name.kind == kindString && len(name.text) <= 4*MaxNameBytes {
			it.name = name.text
		}
		switch {
		case len(raw) > MaxItemBytes:
			it.invalid = "too big"
		case err != nil:
			it.invalid = err.Error()
		case it.name == "":
			it.invalid = "no " + id
		default:
			n.obj = slices.DeleteFunc(n.obj, func(m member) bool { return m.key == "icons" })
			if meta := n.get("_meta"); meta != nil {
				meta.obj = slices.DeleteFunc(meta.obj, volatileMeta)
			}
			it.node = n
			it = it.seal()
		}
		items[i] = it
	}
	return items, nil
}

func one(cs []ItemCheck, err error) (ItemCheck, error) {
	if err != nil || len(cs) != 1 {
		return ItemCheck{}, err
	}
	return cs[0], nil
}

func (r *Registry) checkItems(ctx context.Context, project string, s Server, items []item) ([]ItemCheck, error) {
	server, st, err := r.check(ctx, project, s)
	if err != nil {
		return nil, err
	}
	count := make(map[string]int, len(items))
	keys := make([]string, len(items))
	size := 0
	for i := range items {
		keys[i] = itemKey(items[i].kind, items[i].name)
		count[keys[i]]++
		if size += len(items[i].text); size > MaxListBytes {
			return nil, fmt.Errorf("mcptrust: more than %d bytes of definitions", MaxListBytes)
		}
	}
	others := neighbours(&st, s.Name)
	taken := collisions(s.Name, others)
	var shadow *shadows
	var alike map[string][]string
	out := make([]ItemCheck, len(items))
	for i := range items {
		it, c := &items[i], &out[i]
		c.Kind, c.Name = it.kind, it.name
		block := func(code Code, text string) { c.Status, c.Reasons = Blocked, []Reason{{code, text}} }
		switch {
		case it.invalid != "":
			block(CodeItemInvalid, it.invalid)
			continue
		case count[keys[i]] > 1:
			block(CodeDuplicateItem, "the server lists this name twice: which one a call means is not clear")
			continue
		case len(taken) > 0 && it.kind == KindTool && taken[ExposedName(s.Name, it.name)] != "":
			full := ExposedName(s.Name, it.name)
			block(CodeNameCollision, "a tool of server "+quote(taken[full])+" has the same full name "+quote(full)+": rename one server")
			continue
		}
		ask, err := r.judgeItem(c, it, &server, &st, keys[i])
		if err != nil {
			return nil, err
		}
		if !ask {
			continue
		}
		if shadow == nil {
			shadow, alike = newShadows(&s, others, items), alikeTools(items)
		}
		c.Findings = append(itemFindings(it, r.tools), shadow.findings(it)...)
		if it.kind == KindTool {
			c.Findings = append(c.Findings, alikeFindings(s.Name, it.name, alike)...)
		}
		c.Findings = atMost(c.Findings)
		if needsTyping(c.Findings) {
			c.Confirm = it.name
			if it.kind == KindInstructions || hasHidden(it.name) {
				c.Confirm = s.Name
			}
		}
		c.Prompt = itemPrompt(c, s.Name, it)
		c.Token = r.seal(ticket{
			Kind: ticketItem, File: st.file, Path: st.path, Server: s.Name, Item: keys[i], Digest: itemDigest(it.kind.String(), s.Name, it.text),
			Text: it.text, Raw: it.raw, Before: itemState(st.rec.Items[keys[i]]), Parent: recordState(st.rec), Confirm: c.Confirm, Shown: shownDigest(c.Prompt),
		})
	}
	return out, nil
}

// judgeItem compares one definition with what was decided and sets status,
// reasons and diff. ask says that a person may be asked about it.
func (r *Registry) judgeItem(c *ItemCheck, it *item, server *ServerCheck, st *standing, key string) (ask bool, err error) {
	name := server.Server.Name
	is := func(status Status, code Code, text string) { c.Status, c.Reasons = status, []Reason{{code, text}} }
	if server.Status == Trusted && st.locked != nil {
		return false, r.judgeLocked(c, it, st, name, key)
	}
	if server.Status != Trusted || st.rec == nil {
		is(Unknown, CodeServerNotTrusted, "the server is "+server.Status.String())
		if server.Status == Blocked || server.Status == Revoked {
			c.Status = server.Status
		}
		return false, nil
	}
	if _, elsewhere := st.revoked(name, key); elsewhere {
		// A yes would be written to the place where the server is approved, and
		// this no would stay.
		is(Revoked, CodeItemRevoked, "revoked for this project or for every project: forget that decision about the server first")
		return false, nil
	}
	rec := st.rec.Items[key]
	switch {
	case rec == nil || rec.Status == wordForgotten:
		is(Unknown, CodeItemNew, "this was never approved")
	case rec.Status == wordRevoked:
		is(Revoked, CodeItemRevoked, "trust was withdrawn")
	case rec.Raw != it.raw:
		is(Changed, CodeItemView, "approved as another program saw it (SDK value or server bytes), so the two cannot be compared")
	case rec.Text == it.text:
		// The store made sure that text and digest belong together.
		c.Status = Trusted
		return false, nil
	default:
		if c.Diff, err = differences(json.RawMessage(rec.Text), json.RawMessage(it.text), false); err != nil {
			return false, fmt.Errorf("mcptrust: stored definition of %s: %w", quote(it.name), err)
		}
		benign := len(c.Diff) > 0
		for j := range c.Diff {
			c.Diff[j].Benign = stricter(c.Diff[j])
			benign = benign && c.Diff[j].Benign
		}
		if benign {
			is(Trusted, CodeItemBenign, "only gives up hints that made it look safer")
			return false, nil
		}
		is(Changed, CodeItemChanged, "this is not what was approved")
	}
	if r.headless {
		if c.Status != Revoked {
			c.Status = Blocked
		}
		c.Reasons = append(c.Reasons, Reason{CodeHeadless, "nobody can be asked here"})
		return false, nil
	}
	return true, nil
}

// judgeLocked is judgeItem for a server that is trusted by the given lock file.
func (r *Registry) judgeLocked(c *ItemCheck, it *item, st *standing, name, key string) (err error) {
	is := func(status Status, code Code, text string) { c.Status, c.Reasons = status, []Reason{{code, text}} }
	is(Unknown, CodeItemNew, "not in the given lock file")
	if l := st.locked.items[key]; l.text == it.text && l.raw == it.raw {
		is(Trusted, CodeLock, "listed in the given lock file")
		if found, _ := st.revoked(name, key); found {
			is(Revoked, CodeItemRevoked, "trust was withdrawn")
		}
	} else if l.text != "" {
		is(Changed, CodeLockMismatch, "this is not what the given lock file lists")
		if c.Diff, err = differences(json.RawMessage(l.text), json.RawMessage(it.text), false); err != nil {
			return err
		}
	}
	if c.Status != Trusted && c.Status != Revoked && r.headless {
		c.Status = Blocked
	}
	return nil
}

// alikeKey is a tool's name by its letters.
func alikeKey(name string) string { return strings.ToLower(squash(exposed(name))) }

// alikeTools are the names of the tools by their letters.
func alikeTools(items []item) map[string][]string {
	out := map[string][]string{}
	for i := range items {
		if items[i].kind == KindTool && items[i].invalid == "" {
			key := alikeKey(items[i].name)
			out[key] = append(out[key], items[i].name)
		}
	}
	return out
}

// alikeFindings tells of the first tool that differs only in case or separators.
func alikeFindings(server, name string, alike map[string][]string) []Finding {
	for _, other := range alike[alikeKey(name)] {
		if other == name {
			continue
		}
		text := "differs from " + quote(other) + " only in case or separators"
		if full := ExposedName(server, name); full == ExposedName(server, other) {
			text = "has the same full name as " + quote(other) + ": a permission rule for " + quote(full) + " is for both"
		}
		return []Finding{{CodeNearName, "name", text, true}}
	}
	return nil
}

func shownDigest(prompt string) string { return digest("prompt/v1", prompt) }

// hasHidden reports a name that a person could not type.
func hasHidden(s string) bool { return Escape(s) != s }

func itemPrompt(c *ItemCheck, server string, it *item) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s of MCP server %s\nThe model would read:\n", promptWord(c.Status), c.Kind, quote(c.Name), quote(server))
	for _, m := range it.node.sorted() {
		if m.val.kind == kindString {
			fmt.Fprintf(&b, "  %s: %s\n", Escape(m.key), quote(m.val.text))
		} else {
			fmt.Fprintf(&b, "  %s: %s\n", Escape(m.key), Escape(canonicalText(&m.val)))
		}
	}
	tail(&b, c.Reasons, c.Findings, c.Diff, c.Confirm)
	return b.String()
}
