package bashcheck

// nameOf returns the name of a value, and the one of the strictest for a value
// that is none.
func nameOf(names []string, v uint8, strictest string) string {
	if int(v) < len(names) {
		return names[v]
	}
	return strictest
}

// String returns the kind in lower case ("write"); "unknown" for no kind.
func (k Kind) String() string {
	return nameOf([]string{"unknown", "read", "list", "write", "delete", "change", "execute", "connect", "environment", "process", "privilege"}, uint8(k), "unknown")
}

// String returns "high", "medium" or "low".
func (r Risk) String() string {
	return nameOf([]string{"high", "medium", "low"}, uint8(r), "high")
}

// String returns "notice", "suspicious" or "dangerous".
func (s Severity) String() string {
	return nameOf([]string{"notice", "suspicious", "dangerous"}, uint8(s), "dangerous")
}

// String returns the extent in lower case ("tree"); "anywhere" for no extent.
func (e Extent) String() string {
	return nameOf([]string{"anywhere", "exact", "glob", "tree", "within"}, uint8(e), "anywhere")
}

// String returns the class in lower case ("wrapper"); "unknown" for no class.
func (c Class) String() string {
	return nameOf([]string{"unknown", "plain", "wrapper", "interpreter", "shell", "runner"}, uint8(c), "unknown")
}

// String returns "bash", "sh", "zsh" or "any".
func (d Dialect) String() string {
	return nameOf([]string{"bash", "sh", "zsh", "any"}, uint8(d), "any")
}
