package mcptrust

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Sources names the files that define servers.
type Sources struct {
	// Project is the project's folder: .mcp.json in it.
	Project string
	// Home is the user's home folder: .claude.json in it. Empty: no user file.
	Home string
	// Managed is the path of the organisation's managed-mcp.json. If that file
	// exists, its servers are the only ones, and a mistake in it means none.
	Managed string
	// Editors adds .vscode/mcp.json and .cursor/mcp.json of the project. Of two
	// files of the project that define one name, .mcp.json counts.
	Editors bool
	// Lookup supplies variables, as in [ParseOptions].
	Lookup func(name string) (string, bool)
}

// Set is what the files define.
type Set struct {
	// Servers are those in force, ordered by name. They are not trusted: give
	// each to [Registry.Check].
	Servers []Server
	// Shadowed are those that another one of the same name, or a plugin's of the
	// same endpoint, displaces. Show them: a repository can displace a user's
	// server by its name.
	Shadowed []Server
	// Managed says that the organisation's file is the only source.
	Managed bool
	// Files are the files that were read, in order.
	Files []string
}

// Load reads the files that exist. The error joins *[ConfigError] values; what
// could be read stands beside it.
func Load(src Sources) (*Set, error) {
	set := &Set{}
	var all []Server
	var errs []error
	read := func(file string, format Format, scope Scope) bool {
		servers, err := ReadFile(ParseOptions{Format: format, Source: Source{Scope: scope, File: file}, Lookup: src.Lookup, Project: src.Project})
		if errors.Is(err, fs.ErrNotExist) {
			if _, link := os.Lstat(file); scope != ScopeManaged || link != nil {
				return false
			}
			// The organisation's file is there, as a link to nothing.
			err = &ConfigError{File: file, Code: CodeBadText, Msg: "a link to a file that is gone", Fix: "restore the file, or remove the link"}
		}
		if err != nil {
			errs = append(errs, err)
		}
		if !slices.Contains(set.Files, file) {
			set.Files = append(set.Files, file)
		}
		all = append(all, servers...)
		return true
	}
	if src.Managed != "" && read(src.Managed, FormatMCP, ScopeManaged) {
		set.Managed = true
	} else {
		if src.Home != "" {
			user := filepath.Join(src.Home, ".claude.json")
			read(user, FormatClaudeUser, ScopeLocal)
			read(user, FormatClaudeUser, ScopeUser)
		}
		if src.Project != "" {
			read(filepath.Join(src.Project, ".mcp.json"), FormatMCP, ScopeProject)
			if src.Editors {
				read(filepath.Join(src.Project, ".vscode", "mcp.json"), FormatVSCode, ScopeProject)
				read(filepath.Join(src.Project, ".cursor", "mcp.json"), FormatCursor, ScopeProject)
			}
		}
	}
	set.Servers, set.Shadowed = Merge(all...)
	return set, errors.Join(errs...)
}

// Merge applies the documented precedence: the command line, then local,
// project, user, plugin; the whole definition wins and no field is mixed. Any
// managed server makes all others inert. Of equal scopes the first counts. A
// plugin's server with the endpoint of another one is displaced. Both results
// are ordered by name.
func Merge(servers ...Server) (active, shadowed []Server) {
	managed := slices.ContainsFunc(servers, func(s Server) bool { return s.Source.Scope == ScopeManaged })
	order := func(s Server) int {
		switch s.Source.Scope {
		case ScopeManaged:
			return 0
		case ScopeCommandLine:
			return 1
		case ScopeLocal:
			return 2
		case ScopeProject:
			return 3
		case ScopeUser:
			return 4
		}
		return 5
	}
	sorted := slices.Clone(servers)
	slices.SortStableFunc(sorted, func(a, b Server) int { return cmp.Compare(order(a), order(b)) })
	names, endpoints := map[string]bool{}, map[string]bool{}
	for _, s := range sorted {
		end := endpoint(&s)
		switch {
		case managed && s.Source.Scope != ScopeManaged, names[s.Name], s.Source.Scope == ScopePlugin && endpoints[end]:
			shadowed = append(shadowed, s)
			continue
		}
		names[s.Name], endpoints[end] = true, true
		active = append(active, s)
	}
	byName := func(a, b Server) int { return cmp.Compare(a.Name, b.Name) }
	slices.SortStableFunc(active, byName)
	slices.SortStableFunc(shadowed, byName)
	return active, shadowed
}

// endpoint is what a server reaches: its command line or its address.
func endpoint(s *Server) string {
	if s.Transport == Stdio {
		return strings.Join(s.Argv(), "\x00")
	}
	if u, err := parseServerURL(s.URL.Expanded(), s.Transport); err == nil {
		return normalURL(u)
	}
	return s.URL.Expanded()
}
