package mcptrust_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/clearance-go/clearance/mcptrust"
)

func Example() {
	ctx := context.Background()
	tmp, err := os.MkdirTemp("", "mcptrust")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(tmp)
	project := filepath.Join(tmp, "project")
	if err := os.Mkdir(project, 0o700); err != nil {
		fmt.Println(err)
		return
	}
	trust, err := mcptrust.Open(mcptrust.Options{Dir: filepath.Join(tmp, "trust")})
	if err != nil {
		fmt.Println(err)
		return
	}
	check := func(file string) mcptrust.ServerCheck {
		servers, err := mcptrust.Parse([]byte(file), mcptrust.ParseOptions{
			Source: mcptrust.Source{Scope: mcptrust.ScopeProject, File: ".mcp.json"}, Lookup: os.LookupEnv,
		})
		if err != nil {
			fmt.Println(err)
			return mcptrust.ServerCheck{}
		}
		c, err := trust.Check(ctx, project, servers[0])
		if err != nil {
			fmt.Println(err)
		}
		return c
	}
	c := check(`{"mcpServers": {"files": {"command": "node", "args": ["server.js"]}}}`)
	fmt.Println(c.Status) // show c.Prompt to a person; on yes:
	if err := trust.Approve(ctx, c.Token); err != nil {
		fmt.Println(err)
	}
	fmt.Println(check(`{"mcpServers": {"files": {"command": "node", "args": ["server.js"]}}}`).Status)

	c = check(`{"mcpServers": {"files": {"command": "node", "args": ["other.js"]}}}`)
	fmt.Println(c.Status, c.Diff[0].Field, c.Diff[0].Old, "->", c.Diff[0].New)
	check(`{"mcpServers": {"files": {"url": "https://mcp.example.com/mcp"}}}`)
	// Output:
	// unknown
	// trusted
	// changed args[0] "server.js" -> "other.js"
	// mcptrust: .mcp.json:1: server "files": url without type: add "type": "http" (or "sse", "ws")
}
