package mcptrust

// Policy is the organisation's allow and deny lists.
type Policy struct{}

// PolicySource is one settings file that may hold the policy keys.
type PolicySource struct {
	File    string
	Managed bool   // the organisation's own file
	Pending bool   // not loaded yet: every check fails with ErrPolicyPending
	Data    []byte // the settings file: a JSON object
}

// LoadPolicy reads the policy keys of all sources.
func LoadPolicy(sources []PolicySource, lookup func(string) (string, bool)) (*Policy, error) {
	return nil, errClosed
}
