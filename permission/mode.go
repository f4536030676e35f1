package permission

import "fmt"

// Mode is what a session runs without asking
// (https://code.claude.com/docs/en/permission-modes). The zero Mode is default.
type Mode uint8

// The modes. Auto without a [Classifier] is default.
const (
	ModeDefault Mode = iota
	ModeAcceptEdits
	ModePlan
	ModeAuto
	ModeDontAsk
	ModeBypass
)

var modeNames = []string{"default", "acceptEdits", "plan", "auto", "dontAsk", "bypassPermissions"}

// String returns the documented name.
func (m Mode) String() string { return name(modeNames, uint8(m)) }

// ParseMode reads a documented mode name ("manual" is default). An unknown
// name is an error.
func ParseMode(s string) (Mode, error) {
	if s == "manual" {
		return ModeDefault, nil
	}
	for i, n := range modeNames {
		if n == s {
			return Mode(i), nil
		}
	}
	return ModeDefault, fmt.Errorf("unknown permission mode %q: write one of default, acceptEdits, plan, auto, dontAsk, bypassPermissions", s)
}

// MarshalText writes the documented name.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads a documented name and refuses an unknown one.
func (m *Mode) UnmarshalText(b []byte) error {
	v, err := ParseMode(string(b))
	*m = v
	return err
}
