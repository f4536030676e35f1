package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/permission/toolset"
	"github.com/clearance-go/clearance/scope"
)

// maxWalk is how many names Glob and Grep look at.
const maxWalk = 100_000

// input is what the file tools and Bash take.
type input struct {
	Command    string `json:"command"`
	FilePath   string `json:"file_path"`
	Content    string `json:"content"`
	OldString  string `json:"old_string"`
	NewString  string `json:"new_string"`
	ReplaceAll bool   `json:"replace_all"`
	Pattern    string `json:"pattern"`
	Path       string `json:"path"`
	URL        string `json:"url"`
	Prompt     string `json:"prompt"`
}

// fileTool does what a granted call of a file tool says, on the files that the
// guard and the grant permit. known is false for other tools.
func (h *host) fileTool(ctx context.Context, grant *permission.Grant, in input) (out string, known bool, err error) {
	files := toolset.Files(h.guard, grant)
	switch grant.Call().Tool {
	case "Read":
		b, err := files.ReadFile(in.FilePath)
		return string(b), true, err
	case "Write":
		return "written", true, files.WriteFile(in.FilePath, []byte(in.Content))
	case "Edit":
		b, version, err := files.ReadVersion(in.FilePath)
		if err != nil {
			return "", true, err
		}
		after, err := in.edit(b)
		if err != nil {
			return "", true, err
		}
		return "edited", true, files.Write(in.FilePath, after, scope.WriteOptions{Expect: &version})
	case "Glob":
		out, err := h.walk(ctx, files, grant, in.Path, false, func(rel string, _ []byte) string {
			if ok, _ := filepath.Match(filepath.Base(in.Pattern), filepath.Base(rel)); ok {
				return rel + "\n"
			}
			return ""
		})
		return out, true, err
	case "Grep":
		out, err := h.walk(ctx, files, grant, in.Path, true, func(rel string, data []byte) string {
			var out strings.Builder
			for i, line := range strings.Split(string(data), "\n") {
				if strings.Contains(line, in.Pattern) {
					fmt.Fprintf(&out, "%s:%d: %s\n", rel, i+1, line)
				}
			}
			return out.String()
		})
		return out, true, err
	}
	return "", false, nil
}

// edit returns the text after an Edit.
func (in input) edit(before []byte) ([]byte, error) {
	n := bytes.Count(before, []byte(in.OldString))
	switch {
	case in.OldString == "":
		return nil, errors.New("the old text is empty")
	case n == 0 || n > 1 && !in.ReplaceAll:
		return nil, fmt.Errorf("the old text stands %d times in the file, want once", n)
	}
	return bytes.ReplaceAll(before, []byte(in.OldString), []byte(in.NewString)), nil
}

// walk shows every file below a folder that may be read, and none that the
// rules or the guard hide.
func (h *host) walk(ctx context.Context, files *scope.Guard, grant *permission.Grant, dir string, content bool, show func(string, []byte) string) (string, error) {
	if dir == "" {
		dir = h.w.project
	}
	var out strings.Builder
	seen := 0
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if seen++; seen > maxWalk || out.Len() > maxResult {
			return fs.SkipAll
		}
		if d.IsDir() && d.Name() == ".git" {
			return fs.SkipDir
		}
		if !d.Type().IsRegular() || !grant.Permits(permission.List, name) {
			return nil
		}
		rel, err := filepath.Rel(h.w.project, name)
		if err != nil {
			return err
		}
		var data []byte
		if content {
			if data, err = files.ReadFile(name); err != nil {
				// Hidden by the guard: a file that may hold secrets.
				return nil
			}
		}
		out.WriteString(show(filepath.ToSlash(rel), data))
		return nil
	})
	return out.String(), err
}
