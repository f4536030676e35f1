package credstore

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// maxImport is the most that an imported file may have.
const maxImport = MaxValue * 4

// Candidate is a credential that was found in another format, ready to be stored.
type Candidate struct {
	Name  string
	Token Token
	Meta  Meta
}

// ImportFile is a file or directory in which another program keeps credentials.
type ImportFile struct {
	Format string // of ImportFormats
	Path   string
	// Encrypted: it is a directory of encrypted files, and ReadImport needs a passphrase or gpg.
	Encrypted bool
}

// importer reads one format. where are the places below the home directory that programs keep it in.
type importer struct {
	format string
	where  []string
	parse  func(data []byte) ([]Candidate, error)
	tree   func(ctx context.Context, dir string, options ImportOptions) ([]Candidate, error) // in place of parse
}

// importers is the table of what can be imported.
func importers() []importer {
	return []importer{
		{format: "json", parse: importExport},
		{format: "dotenv", parse: importDotenv},
		{format: "claude-code", where: []string{".claude/.credentials.json"}, parse: importClaude},
		{format: "codex", where: []string{".codex/auth.json"}, parse: importCodex},
		{format: "gemini", where: []string{".gemini/oauth_creds.json"}, parse: importGemini},
		{format: "gh", where: []string{".config/gh/hosts.yml"}, parse: importGH},
		{format: "aws", where: []string{".aws/credentials"}, parse: importAWS},
		{format: "netrc", where: []string{".netrc"}, parse: importNetrc},
		{format: "docker", where: []string{".docker/config.json"}, parse: importDocker},
		{format: "sops-json", parse: importSops},
		{format: "keyring-files", where: []string{".awsvault/keys"}, tree: readKeyringFiles},
		{format: "pass", where: []string{".password-store"}, tree: readPass},
	}
}

// ImportFormats returns the names of the formats that ReadImport reads: json (what Export writes), dotenv, claude-code
// (.credentials.json), codex (auth.json), gemini (oauth_creds.json), gh (hosts.yml), aws (credentials), netrc, docker
// (config.json) and sops-json (the output of sops -d); and two directories: keyring-files (the file backend of
// github.com/99designs/keyring, as aws-vault uses it) and pass (password-store). agex reads age files that hold one of the
// others.
func ImportFormats() []string {
	var out []string
	for _, i := range importers() {
		out = append(out, i.format)
	}
	return out
}

// FindImports returns the files and directories of the import table that exist below home. It opens none of them.
func FindImports(home string) []ImportFile {
	var out []ImportFile
	for _, i := range importers() {
		for _, where := range i.where {
			path := filepath.Join(home, filepath.FromSlash(where))
			info, err := os.Stat(path)
			if err == nil && (i.tree == nil && info.Mode().IsRegular() || i.tree != nil && info.IsDir()) {
				out = append(out, ImportFile{Format: i.format, Path: path, Encrypted: i.tree != nil})
			}
		}
	}
	return out
}

// ReadImport reads the credentials of a file or directory, and changes nothing: other programs go on using their own. Errors:
// ErrImport, ErrTooLarge, and those of the file system; for keyring-files ErrEmptyPassphrase and ErrWrongKey; for pass
// ErrHelper when gpg is missing or fails.
func ReadImport(ctx context.Context, file ImportFile, options ImportOptions) ([]Candidate, error) {
	for _, i := range importers() {
		if i.format != file.Format || i.tree == nil {
			continue
		}
		out, err := i.tree(ctx, file.Path, options)
		if err == nil {
			err = checkCandidates(out)
		}
		if err != nil {
			return nil, fmt.Errorf("credstore: %s as %s: %w", file.Path, file.Format, err)
		}
		return out, nil
	}
	f, err := os.OpenFile(file.Path, os.O_RDONLY|noWait, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("credstore: %s: %w", file.Path, ErrNotRegular)
	}
	if info.Size() > maxImport {
		return nil, fmt.Errorf("credstore: %s: %w of %d bytes", file.Path, ErrTooLarge, maxImport)
	}
	data := make([]byte, info.Size())
	defer clear(data)
	n, err := f.ReadAt(data, 0)
	if err != nil && n < len(data) {
		return nil, err
	}
	out, err := ParseImport(file.Format, data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file.Path, err)
	}
	return out, nil
}

// ParseImport reads credentials from data in a format of ImportFormats. Errors: ErrImport, which quotes nothing of data.
func ParseImport(format string, data []byte) ([]Candidate, error) {
	if len(data) > maxImport {
		return nil, fmt.Errorf("credstore: import: %w of %d bytes", ErrTooLarge, maxImport)
	}
	for _, i := range importers() {
		if i.format != format {
			continue
		}
		if i.tree != nil {
			return nil, fmt.Errorf("credstore: %w: %s is a directory of encrypted files: use ReadImport", ErrImport, format)
		}
		out, err := i.parse(data)
		if err == nil {
			err = checkCandidates(out)
		}
		if err != nil {
			return nil, fmt.Errorf("credstore: as %s: %w", format, err)
		}
		return out, nil
	}
	return nil, fmt.Errorf("credstore: %w: unknown format %+q; known are %s", ErrImport, format, strings.Join(ImportFormats(), ", "))
}

func checkCandidates(all []Candidate) error {
	seen := map[string]bool{}
	for _, c := range all {
		if err := checkName(c.Name); err != nil {
			return fmt.Errorf("%w: %w", ErrImport, err)
		}
		if seen[c.Name] {
			return fmt.Errorf("%w: %q stands there twice", ErrImport, c.Name)
		}
		seen[c.Name] = true
		if err := checkToken(c.Token); err != nil {
			return fmt.Errorf("%w: %q: %w", ErrImport, c.Name, err)
		}
	}
	return nil
}

// Import stores candidates, all or none, in one save. Names that exist already are left alone and returned, unless overwrite.
// Errors as for Set.
func (s *Store) Import(ctx context.Context, candidates []Candidate, overwrite bool) (existing []string, err error) {
	err = s.Update(ctx, func(tx *Tx) error {
		existing = nil
		for _, c := range candidates {
			if tx.body.Entries[c.Name] != nil && !overwrite {
				existing = append(existing, c.Name)
				continue
			}
			if err := tx.SetToken(c.Name, c.Token, c.Meta); err != nil {
				return err
			}
		}
		return nil
	})
	return existing, err
}

// EraseImported overwrites a file with zeros and removes it, if it still holds exactly the credentials that the store has.
// On SSDs, copy-on-write file systems and backups the old bytes may live on: change the credentials where they were issued.
// Errors: ErrImport when something in the file is not in the store, and for a directory: its own program removes what it
// encrypted.
func (s *Store) EraseImported(ctx context.Context, file ImportFile) error {
	if info, err := os.Stat(file.Path); err == nil && info.IsDir() {
		return fmt.Errorf("credstore: %s: %w: remove its entries with the program that made it", file.Path, ErrImport)
	}
	found, err := ReadImport(ctx, file, ImportOptions{})
	if err != nil {
		return err
	}
	for _, c := range found {
		e, err := s.look(ctx, c.Name, "", "")
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if err != nil || !e.value.Equal(c.Token.Value) {
			return fmt.Errorf("credstore: %s: %w: %q is not in the store as it stands there; import it first", file.Path, ErrImport, c.Name)
		}
	}
	info, err := os.Lstat(file.Path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("credstore: %s: %w", file.Path, ErrNotRegular)
	}
	f, err := os.OpenFile(file.Path, os.O_WRONLY|noFollow, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, info.Size()))
	if e := f.Sync(); err == nil {
		err = e
	}
	if e := f.Truncate(0); err == nil {
		err = e
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if e := os.Remove(file.Path); err == nil && !errors.Is(e, fs.ErrNotExist) {
		err = e
	}
	return err
}

var errNotJSON = fmt.Errorf("%w: not JSON of the expected shape", ErrImport)

// field is a string in JSON that may be missing or null.
func field(raw json.RawMessage) (Secret, error) {
	var s Secret
	if raw == nil || string(raw) == "null" {
		return s, nil
	}
	if err := s.UnmarshalJSON(raw); err != nil {
		return s, errNotJSON
	}
	return s, nil
}

func importExport(data []byte) ([]Candidate, error) {
	var file struct {
		Entries []exported `json:"entries"`
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if d.Decode(&file) != nil || file.Entries == nil || d.More() {
		return nil, errNotJSON
	}
	var out []Candidate
	for _, e := range file.Entries {
		c := Candidate{Name: e.Name, Meta: e.Meta}
		var err error
		if c.Token.Value, err = field(e.Value); err == nil {
			c.Token.Refresh, err = field(e.Refresh)
		}
		if err != nil {
			return nil, err
		}
		if e.Base64 != nil {
			c.Token.Value = ownSecret(e.Base64)
		}
		if e.Again != nil {
			c.Token.Refresh = ownSecret(e.Again)
		}
		clear(e.Value)
		clear(e.Refresh)
		c.Token.Expires = e.Meta.Expires
		out = append(out, c)
	}
	return out, nil
}

// importDotenv reads NAME=value lines: with or without export, unquoted, in single quotes (literal) or in double quotes with
// \n, \", \\ and \$. Anything that a shell would expand is refused: what it means is not in the file.
func importDotenv(data []byte) ([]Candidate, error) {
	var out []Candidate
	number := 0
	for line := range bytes.Lines(data) {
		number++
		bad := func(why string) ([]Candidate, error) {
			return nil, fmt.Errorf("%w: line %d: %s", ErrImport, number, why)
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		line = bytes.TrimLeft(bytes.TrimPrefix(line, []byte("export ")), " \t")
		variable, rest, ok := bytes.Cut(line, []byte("="))
		name := string(bytes.TrimSpace(variable))
		if !ok || !variableName(name) {
			return bad("not NAME=value")
		}
		rest = bytes.TrimLeft(rest, " \t")
		var value []byte
		switch {
		case len(rest) > 0 && rest[0] == '\'':
			body, after, closed := bytes.Cut(rest[1:], []byte("'"))
			if !closed || !comment(after) {
				return bad("the quotes are not closed on the line")
			}
			value = bytes.Clone(body)
		case len(rest) > 0 && rest[0] == '"':
			i := 1
			for ; i < len(rest) && rest[i] != '"'; i++ {
				switch {
				case rest[i] == '$' || rest[i] == '`':
					return bad("an expansion")
				case rest[i] == '\\' && i+1 < len(rest):
					i++
					switch rest[i] {
					case 'n':
						value = append(value, '\n')
					case '"', '\\', '$', '`':
						value = append(value, rest[i])
					default:
						return bad("an unknown escape")
					}
				default:
					value = append(value, rest[i])
				}
			}
			if i >= len(rest) || !comment(rest[i+1:]) {
				return bad("the quotes are not closed on the line")
			}
		default:
			value = bytes.Clone(rest)
			if at := bytes.Index(value, []byte(" #")); at >= 0 {
				value = value[:at]
			}
			value = bytes.TrimRight(value, " \t")
			if bytes.ContainsAny(value, "$`\"'\\ ") {
				return bad("quotes or an expansion inside an unquoted value")
			}
		}
		if len(value) == 0 {
			continue // an empty variable holds nothing
		}
		c := Candidate{Name: "env/" + name, Token: Token{Value: ownSecret(value)}}
		if !dangerousVariable(name) {
			c.Meta.Env = name
		}
		out = append(out, c)
	}
	return out, nil
}

func comment(after []byte) bool {
	after = bytes.TrimSpace(after)
	return len(after) == 0 || after[0] == '#'
}

func importClaude(data []byte) ([]Candidate, error) {
	var file struct {
		OAuth *struct {
			Access  json.RawMessage `json:"accessToken"`
			Refresh json.RawMessage `json:"refreshToken"`
			Expires int64           `json:"expiresAt"`
		} `json:"claudeAiOauth"`
	}
	if json.Unmarshal(data, &file) != nil || file.OAuth == nil {
		return nil, errNotJSON
	}
	return oauth("claude-code/oauth", file.OAuth.Access, file.OAuth.Refresh, millis(file.OAuth.Expires))
}

func millis(ms int64) time.Time {
	if ms <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func oauth(name string, access, refresh json.RawMessage, expires time.Time) ([]Candidate, error) {
	value, err := field(access)
	if err != nil {
		return nil, err
	}
	again, err := field(refresh)
	if err != nil {
		return nil, err
	}
	if value.Len() == 0 {
		return nil, errNotJSON
	}
	return []Candidate{{Name: name, Token: Token{Value: value, Refresh: again, Expires: expires}}}, nil
}

func importCodex(data []byte) ([]Candidate, error) {
	var file struct {
		Key    json.RawMessage `json:"OPENAI_API_KEY"`
		Tokens *struct {
			Access  json.RawMessage `json:"access_token"`
			Refresh json.RawMessage `json:"refresh_token"`
		} `json:"tokens"`
	}
	if json.Unmarshal(data, &file) != nil {
		return nil, errNotJSON
	}
	var out []Candidate
	if key, err := field(file.Key); err != nil {
		return nil, err
	} else if key.Len() > 0 {
		out = append(out, Candidate{Name: "codex/api-key", Token: Token{Value: key}, Meta: Meta{Hosts: []string{"api.openai.com"}, Env: "OPENAI_API_KEY"}})
	}
	if file.Tokens != nil {
		more, err := oauth("codex/oauth", file.Tokens.Access, file.Tokens.Refresh, time.Time{})
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	if out == nil {
		return nil, errNotJSON
	}
	return out, nil
}

func importGemini(data []byte) ([]Candidate, error) {
	var file struct {
		Access  json.RawMessage `json:"access_token"`
		Refresh json.RawMessage `json:"refresh_token"`
		Expires int64           `json:"expiry_date"`
	}
	if json.Unmarshal(data, &file) != nil {
		return nil, errNotJSON
	}
	return oauth("gemini/oauth", file.Access, file.Refresh, millis(file.Expires))
}

// importGH reads the part of YAML that gh writes: hosts at the margin, "key: value" below them, accounts below "users:".
func importGH(data []byte) ([]Candidate, error) {
	var out []Candidate
	host, user, users, depth := "", "", false, 0
	number := 0
	for line := range bytes.Lines(data) {
		number++
		text := strings.TrimRight(string(line), " \r\n")
		trimmed := strings.TrimLeft(text, " ")
		if trimmed == "" || trimmed[0] == '#' {
			continue
		}
		indent := len(text) - len(trimmed)
		key, value, ok := strings.Cut(trimmed, ":")
		value = strings.TrimSpace(value)
		if !ok || strings.ContainsAny(text, "\t&*{}[]|>") || value != "" && strings.ContainsAny(value, "\"'#: ") {
			return nil, fmt.Errorf("%w: line %d: not the YAML that gh writes", ErrImport, number)
		}
		switch {
		case indent == 0 && value != "":
			return nil, fmt.Errorf("%w: line %d: not a host", ErrImport, number)
		case indent == 0:
			host, users = key, false
		case key == "users" && value == "":
			users, depth = true, indent
		case users && indent <= depth:
			users = false
		case users && value == "":
			user = key
		}
		if key == "oauth_token" && value != "" {
			if host == "" {
				return nil, fmt.Errorf("%w: line %d: a token without a host", ErrImport, number)
			}
			name := "gh/" + host
			if users {
				name += "/" + user
			}
			hosts := []string{host}
			if host == "github.com" {
				hosts = append(hosts, "api.github.com")
			}
			out = append(out, Candidate{Name: name, Token: Token{Value: NewSecret([]byte(value))}, Meta: Meta{Hosts: hosts, Env: "GH_TOKEN"}})
		}
	}
	return out, nil
}

func importAWS(data []byte) ([]Candidate, error) {
	var out []Candidate
	section, number := "", 0
	for line := range bytes.Lines(data) {
		number++
		line = bytes.TrimSpace(line)
		switch {
		case len(line) == 0 || line[0] == '#' || line[0] == ';':
		case line[0] == '[' && line[len(line)-1] == ']':
			section = strings.TrimSpace(string(line[1 : len(line)-1]))
		default:
			key, value, ok := bytes.Cut(line, []byte("="))
			if !ok || section == "" {
				return nil, fmt.Errorf("%w: line %d: not key = value below a [profile]", ErrImport, number)
			}
			name := strings.ToLower(string(bytes.TrimSpace(key)))
			variable := map[string]string{"aws_access_key_id": "AWS_ACCESS_KEY_ID", "aws_secret_access_key": "AWS_SECRET_ACCESS_KEY", "aws_session_token": "AWS_SESSION_TOKEN"}[name]
			if value = bytes.TrimSpace(value); variable != "" && len(value) > 0 {
				out = append(out, Candidate{Name: "aws/" + section + "/" + name, Token: Token{Value: NewSecret(value)}, Meta: Meta{Env: variable}})
			}
		}
	}
	return out, nil
}

// importNetrc reads machine, login and password; macros are refused.
func importNetrc(data []byte) ([]Candidate, error) {
	var out []Candidate
	machine, login, fields := "", "", bytes.Fields(data)
	for i := 0; i < len(fields); i++ {
		word := string(fields[i])
		if word == "default" {
			machine, login = "default", ""
			continue
		}
		if i+1 >= len(fields) || !slices.Contains([]string{"machine", "login", "password", "account"}, word) || strings.HasPrefix(word, "#") {
			return nil, fmt.Errorf("%w: word %d is not machine, default, login, password or account", ErrImport, i+1)
		}
		i++
		switch word {
		case "machine":
			machine, login = string(fields[i]), ""
		case "login":
			login = string(fields[i])
		case "password":
			if machine == "" {
				return nil, fmt.Errorf("%w: a password without a machine", ErrImport)
			}
			// Some services take the token as the login and anything as the password. Names and labels are shown.
			value := fields[i]
			if credentialShape(login) {
				value, login = []byte(login), ""
			}
			c := Candidate{Name: "netrc/" + machine, Token: Token{Value: NewSecret(value)}, Meta: Meta{Label: login}}
			if machine != "default" {
				c.Meta.Hosts = []string{strings.ToLower(machine)}
			}
			if login != "" {
				c.Name += "/" + login
			}
			out = append(out, c)
		}
	}
	return out, nil
}

func importDocker(data []byte) ([]Candidate, error) {
	var file struct {
		Auths map[string]struct {
			Auth     json.RawMessage `json:"auth"`
			Identity json.RawMessage `json:"identitytoken"`
		} `json:"auths"`
	}
	if json.Unmarshal(data, &file) != nil {
		return nil, errNotJSON
	}
	var out []Candidate
	for _, registry := range slices.Sorted(maps.Keys(file.Auths)) {
		auth := file.Auths[registry]
		host := strings.TrimPrefix(strings.TrimPrefix(registry, "https://"), "http://")
		host, _, _ = strings.Cut(host, "/")
		token, err := field(auth.Identity)
		if err != nil {
			return nil, err
		}
		basic, err := field(auth.Auth)
		if err != nil {
			return nil, err
		}
		c := Candidate{Name: "docker/" + host, Meta: Meta{Hosts: []string{strings.ToLower(host)}}}
		if basic.Len() > 0 {
			encoded := basic.bytes()
			plain := make([]byte, base64.StdEncoding.DecodedLen(len(encoded)))
			n, err := base64.StdEncoding.Decode(plain, encoded)
			clear(encoded)
			user, password, ok := bytes.Cut(plain[:n], []byte(":"))
			if err != nil || !ok {
				return nil, fmt.Errorf("%w: auth of %+q is not base64 of user:password", ErrImport, registry)
			}
			if credentialShape(string(user)) {
				user, password = nil, bytes.Clone(user)
			}
			c.Meta.Label, c.Token.Value = string(user), NewSecret(password)
			clear(plain)
		}
		if token.Len() > 0 {
			c.Token.Value = token
		}
		if c.Token.Value.Len() == 0 {
			continue // a credential helper keeps it
		}
		out = append(out, c)
	}
	return out, nil
}

// importSops reads decrypted JSON: nested objects of strings, numbers and booleans; the names of the levels are joined by /.
func importSops(data []byte) ([]Candidate, error) {
	var out []Candidate
	var walk func(prefix string, raw json.RawMessage, depth int) error
	walk = func(prefix string, raw json.RawMessage, depth int) error {
		raw = bytes.TrimSpace(raw)
		if depth > 8 || len(raw) == 0 {
			return errNotJSON
		}
		switch raw[0] {
		case '{':
			var level map[string]json.RawMessage
			if json.Unmarshal(raw, &level) != nil {
				return errNotJSON
			}
			for _, key := range slices.Sorted(maps.Keys(level)) {
				if depth == 0 && key == "sops" {
					return fmt.Errorf("%w: it is still encrypted: run sops -d first", ErrImport)
				}
				if err := walk(prefix+"/"+key, level[key], depth+1); err != nil {
					return err
				}
			}
		case '"':
			value, err := field(raw)
			if err != nil {
				return err
			}
			if value.Len() > 0 {
				out = append(out, Candidate{Name: prefix, Token: Token{Value: value}})
			}
		case '[':
			return fmt.Errorf("%w: %+q is a list", ErrImport, prefix)
		case 'n':
		default:
			if depth == 0 {
				return errNotJSON
			}
			out = append(out, Candidate{Name: prefix, Token: Token{Value: NewSecret(raw)}})
		}
		return nil
	}
	if !json.Valid(data) {
		return nil, errNotJSON
	}
	if err := walk("sops", data, 0); err != nil {
		return nil, err
	}
	return out, nil
}
