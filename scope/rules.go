package scope

// Rule puts the paths that a pattern matches, and everything below them, into
// a class.
type Rule struct {
	// Name is the stable name of the rule: lower case letters, digits and "-".
	Name string
	// Class is Protected, Sensitive or Forbidden.
	Class Class
	// Patterns match from any directory; "~/" in front means the home
	// directory, "/" the root of the file system. "*" stands for any run of
	// characters in one component. The rule covers a matched path and
	// everything below it.
	Patterns []string
	// Except are patterns in the same form; a path that one of them matches is
	// not covered.
	Except []string
	// Reason is one sentence for a person.
	Reason string
}

// Rules returns the built-in rules of a profile, in order.
func Rules(p Profile) []Rule { return nil }
