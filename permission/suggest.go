package permission

import "strings"

// maxSuggestions bounds how many rules one answer may add.
const maxSuggestions = 5

// Suggest returns allow rules that together would settle the call, one for
// each part that needs approval, or nil where no rule can: only a one-time
// answer is then possible. Each set is verified by deciding the call again.
func (e *Evaluator) Suggest(st State, call Call, ins Inspection) []string {
	return e.suggest(st, call, ins, nil)
}

func (e *Evaluator) suggest(st State, call Call, ins Inspection, opinions []Opinion) []string {
	if e.policy.locks.managedRulesOnly {
		return nil
	}
	var rules []string
	add := func(rule string) {
		if len(rule) > 300 || strings.ContainsAny(rule, "\n\r\x00") {
			rules = append(rules, "")
			return
		}
		for _, r := range rules {
			if r == rule {
				return
			}
		}
		rules = append(rules, rule)
	}
	d := e.Decide(st, call, ins, opinions...)
	for _, r := range d.Reasons {
		if r.Verdict != Ask {
			continue
		}
		if r.Action == 0 {
			return nil
		}
		a := &ins.Actions[r.Action-1]
		switch {
		case a.Kind == Run && r.Code == CodeUnmatched:
			c := &a.Command
			switch {
			case c.Opaque || c.Dynamic || len(c.Allow) == 0:
				return nil
			case c.Prefix != "" && !c.ExactOnly:
				add(ruleText(ins.Family, c.Prefix+" *"))
			case strings.Contains(c.Allow[0], "*"):
				// An exact rule cannot spell a star.
				return nil
			default:
				add(ruleText(ins.Family, c.Allow[0]))
			}
		case r.Code == CodeNetwork && a.Origin == Tool && a.Host != "":
			add("WebFetch(domain:" + a.Host + ")")
		case r.Code == CodeUnmatched && a.Kind == Use && a.Origin == Tool:
			add(call.Tool)
		case r.Code == CodeEdit && a.Path.Extent == Exact && a.Origin != Operand:
			add("Edit(/" + escapePattern(a.Path.Clean) + ")")
		case r.Code == CodeOutside && a.Path.Extent == Exact && (a.Kind == Read || a.Kind == List):
			add("Read(/" + escapePattern(a.Path.Clean) + ")")
		case (r.Code == CodeEdit || r.Code == CodeNetwork || r.Code == CodeUnmatched) && a.Origin == Operand:
			// Covered by the rule for its command, which stands in the list.
		default:
			return nil
		}
	}
	if len(rules) == 0 || len(rules) > maxSuggestions {
		return nil
	}
	p, err := e.policy.With(LayerSession, st.Dir, Allow, rules...)
	if err != nil {
		return nil
	}
	if e.with(p).Decide(st, call, ins, opinions...).Verdict != Allow {
		return nil
	}
	return rules
}

func ruleText(family, spec string) string { return family + "(" + spec + ")" }

// escapePattern makes a path mean itself as a gitignore pattern.
func escapePattern(p string) string {
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		if strings.IndexByte(`*?[\!# `, p[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(p[i])
	}
	return b.String()
}
