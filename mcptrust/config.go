package mcptrust

// Format is the file format of a server configuration.
type Format uint8

const (
	// FormatMCP is .mcp.json and .cursor/mcp.json: strict JSON, key mcpServers.
	FormatMCP Format = iota
	// FormatVSCode is .vscode/mcp.json: JSON with comments, key servers.
	FormatVSCode
)

// ParseOptions says what a file is and where variables come from.
type ParseOptions struct {
	Format Format
	Source Source // Line is set for each server
	// Lookup supplies ${VAR}. Nil knows no variable: give os.LookupEnv.
	Lookup func(name string) (string, bool)
}

// Parse reads server definitions. Servers that are broken are left out and
// reported; the others are returned beside the error.
func Parse(data []byte, opts ParseOptions) ([]Server, error) { return nil, errClosed }

// ReadFile reads opts.Source.File (at most 1 MiB) and parses it.
func ReadFile(opts ParseOptions) ([]Server, error) { return nil, errClosed }

// ParseTool reads one tool from the server's own bytes.
func ParseTool(raw []byte) (Tool, error) { return Tool{}, errClosed }
