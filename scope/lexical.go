package scope

// Lexical judges paths of a machine that need not exist.
type Lexical struct{}

// NewLexical returns a checker.
func NewLexical(root string, opts Options, links map[string]string) (*Lexical, error) {
	return nil, ErrUnresolved
}

// Check tells about a path.
func (l *Lexical) Check(path string, op Op) Resolution { return Resolution{Path: path} }

// CheckFrom tells about a path.
func (l *Lexical) CheckFrom(dir, path string, op Op) Resolution { return Resolution{Path: path} }
