package mcptrust

import (
	"strings"
)

// Codes of findings of [ScanSettings].
const (
	CodeModeLoosened Code = "MODE_LOOSENED"
	CodeEnvRedirect  Code = "ENV_REDIRECT"
	CodeRunsCommand  Code = "RUNS_COMMAND"
)

// ScanSettings reports what a settings file of a repository says about its own
// trust. None of it has an effect in this package: a repository does not vote on
// its own trust (CVE-2025-59536, CVE-2026-21852, CVE-2026-33068). The findings
// are for the prompt and the log. Give it the bytes of .claude/settings.json and
// its like, not of the user's own files. Errors: *[ConfigError].
func ScanSettings(data []byte, src Source) ([]Finding, error) {
	if len(data) > MaxFileBytes {
		return nil, &ConfigError{File: src.File, Code: CodeTooBig, Msg: "too big", Fix: "split the file"}
	}
	root, err := parseJSON(data, false)
	if err != nil {
		return nil, syntaxConfigError(src.File, data, err)
	}
	if root.kind != kindObject {
		return nil, &ConfigError{File: src.File, Line: 1, Code: CodeWrongType, Msg: "not an object", Fix: "write an object"}
	}
	var out []Finding
	add := func(code Code, field, text string) {
		if len(out) < MaxFindings {
			out = append(out, Finding{code, Escape(field), text, true})
		}
	}
	env := func(prefix string, n *node) {
		for i := range n.obj {
			if k := n.obj[i].key; loaderVariable(k) {
				add(CodeEnvRedirect, prefix+"."+k, "the repository sets a variable that decides which code runs or where data and credentials go")
			}
		}
	}
	for i := range root.obj {
		m := &root.obj[i]
		switch strings.ToLower(m.key) {
		case "enableallprojectmcpservers":
			if m.val.text != "false" || m.val.kind != kindBool {
				add(CodeSelfApproval, m.key, "the repository approves its own servers: this has no effect")
			}
		case "enabledmcpjsonservers":
			if m.val.kind != kindArray || len(m.val.list) > 0 {
				add(CodeSelfApproval, m.key, "the repository approves its own servers by name: this has no effect")
			}
		case "hastrustdialogaccepted", "hastrustdialoghooksaccepted", "trustedfolders", "trusted", "skipdangerousmodepermissionprompt":
			if m.val.text != "false" {
				add(CodeSelfApproval, m.key, "the repository declares itself trusted: this has no effect")
			}
		case "allowmanagedmcpserversonly":
			add(CodeSelfApproval, m.key, "this counts only in the organisation's own file")
		case "permissions":
			if mode := m.val.get("defaultMode"); mode != nil {
				switch mode.text {
				case "default", "plan", "dontAsk":
				default:
					add(CodeModeLoosened, "permissions.defaultMode", "the repository chooses a mode that asks less: this has no effect before trust")
				}
			}
		case "env":
			env(m.key, &m.val)
		case "apikeyhelper", "awsauthrefresh", "awscredentialexport", "otelheadershelper", "hooks", "statusline", "filesuggestion":
			if m.val.kind != kindNull && !(m.val.kind == kindObject && len(m.val.obj) == 0) {
				add(CodeRunsCommand, m.key, "the repository wants a command to run")
			}
		}
	}
	return out, nil
}
