package permission

import (
	"fmt"
	"strconv"
)

// Verdict is the answer to "may this call run". The zero Verdict is [Deny];
// verdicts combine by taking the smaller one.
type Verdict uint8

// The verdicts, strictest first.
const (
	Deny Verdict = iota
	Ask
	Allow
)

// Kind is what an action does to what it names.
type Kind uint8

// The kinds. Delete includes the source of a rename. Use is the use of
// something that is neither a file, a program nor a host: an MCP tool, a
// sub-agent, the environment of later commands, another process.
const (
	KindUnknown Kind = iota
	Read
	List
	Write
	Delete
	Run
	Connect
	Use
)

// Origin is who does an action.
type Origin uint8

// The origins: the tool itself, an operand of a command, or the shell on the
// command's behalf (a redirection), which no command rule covers.
const (
	OriginUnknown Origin = iota
	Tool
	Operand
	Shell
)

// Extent says how much a path action reaches.
type Extent uint8

// The extents. Anywhere is the zero value: the target is not known.
const (
	Anywhere Extent = iota
	Exact
	Glob
	Tree
	Within
)

// Zone is where a path lies. The zero Zone is [Outside].
type Zone uint8

// The zones: outside all roots, in an additional directory, in the project.
const (
	Outside Zone = iota
	Additional
	Inside
)

// Class is what kind of file a path names. The zero Class asks.
type Class uint8

// The classes. Writing Protected files asks in every mode but bypass; Sensitive
// files ask even to be read; Forbidden files are the host's own and are never
// granted.
const (
	Unclassified Class = iota
	Ordinary
	Protected
	Sensitive
	Forbidden
)

// Risk of a call as a person is told.
type Risk uint8

// The risks. The zero value is high.
const (
	RiskHigh Risk = iota
	RiskMedium
	RiskLow
)

// Confinement says whether a call must run inside a sandbox.
type Confinement uint8

// The confinements. The zero value is the strict one: only inside a sandbox.
const (
	ConfinementRequired Confinement = iota
	ConfinementNotRequired
)

var (
	verdictNames     = []string{"deny", "ask", "allow"}
	kindNames        = []string{"unknown", "read", "list", "write", "delete", "run", "connect", "use"}
	originNames      = []string{"unknown", "tool", "operand", "shell"}
	extentNames      = []string{"anywhere", "exact", "glob", "tree", "within"}
	zoneNames        = []string{"outside", "additional", "inside"}
	classNames       = []string{"unclassified", "ordinary", "protected", "sensitive", "forbidden"}
	riskNames        = []string{"high", "medium", "low"}
	confinementNames = []string{"required", "not-required"}
)

func name(names []string, i uint8) string {
	if int(i) < len(names) {
		return names[i]
	}
	return "invalid(" + strconv.Itoa(int(i)) + ")"
}

// parseName refuses what it does not know, so that a stored value of a later
// version is an error and never a looser meaning.
func parseName(names []string, text []byte, what string) (uint8, error) {
	for i, n := range names {
		if n == string(text) {
			return uint8(i), nil
		}
	}
	return 0, fmt.Errorf("permission: unknown %s %q", what, text)
}

// String returns "deny", "ask" or "allow".
func (v Verdict) String() string { return name(verdictNames, uint8(v)) }

// String returns the kind in lower case.
func (k Kind) String() string { return name(kindNames, uint8(k)) }

// String returns the origin in lower case.
func (o Origin) String() string { return name(originNames, uint8(o)) }

// String returns the extent in lower case.
func (e Extent) String() string { return name(extentNames, uint8(e)) }

// String returns the zone in lower case.
func (z Zone) String() string { return name(zoneNames, uint8(z)) }

// String returns the class in lower case.
func (c Class) String() string { return name(classNames, uint8(c)) }

// String returns "high", "medium" or "low".
func (r Risk) String() string { return name(riskNames, uint8(r)) }

// String returns "required" or "not-required".
func (c Confinement) String() string { return name(confinementNames, uint8(c)) }

// MarshalText writes the name of the value.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// MarshalText writes the name of the value.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// MarshalText writes the name of the value.
func (o Origin) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// MarshalText writes the name of the value.
func (e Extent) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// MarshalText writes the name of the value.
func (z Zone) MarshalText() ([]byte, error) { return []byte(z.String()), nil }

// MarshalText writes the name of the value.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// MarshalText writes the name of the value.
func (r Risk) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// MarshalText writes the name of the value.
func (c Confinement) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads a name and refuses an unknown one.
func (v *Verdict) UnmarshalText(b []byte) error {
	i, err := parseName(verdictNames, b, "verdict")
	*v = Verdict(i)
	return err
}

// UnmarshalText reads a name and refuses an unknown one.
func (k *Kind) UnmarshalText(b []byte) error {
	i, err := parseName(kindNames, b, "kind")
	*k = Kind(i)
	return err
}

// UnmarshalText reads a name and refuses an unknown one.
func (o *Origin) UnmarshalText(b []byte) error {
	i, err := parseName(originNames, b, "origin")
	*o = Origin(i)
	return err
}

// UnmarshalText reads a name and refuses an unknown one.
func (e *Extent) UnmarshalText(b []byte) error {
	i, err := parseName(extentNames, b, "extent")
	*e = Extent(i)
	return err
}

// UnmarshalText reads a name and refuses an unknown one.
func (z *Zone) UnmarshalText(b []byte) error {
	i, err := parseName(zoneNames, b, "zone")
	*z = Zone(i)
	return err
}

// UnmarshalText reads a name and refuses an unknown one.
func (c *Class) UnmarshalText(b []byte) error {
	i, err := parseName(classNames, b, "class")
	*c = Class(i)
	return err
}

// UnmarshalText reads a name and refuses an unknown one.
func (r *Risk) UnmarshalText(b []byte) error {
	i, err := parseName(riskNames, b, "risk")
	*r = Risk(i)
	return err
}

// UnmarshalText reads a name and refuses an unknown one.
func (c *Confinement) UnmarshalText(b []byte) error {
	i, err := parseName(confinementNames, b, "confinement")
	*c = Confinement(i)
	return err
}
