package bashcheck

import "strings"

// sqlOnlyReads accepts text that the shell of SQLite is given beside -readonly
// (sqlite.org/cli.html, sqlite.org/lang.html): the commands that show the
// schema, PRAGMA that ask, EXPLAIN, and one SELECT.
//
// A name in FROM may be a view, and a view of the database may call edit(),
// which runs a program, even where the database is opened for reading alone.
// With views set the shell runs in safe mode (-safe), in which it does not;
// else the tables must be those of the schema, which no view stands in for.
func sqlOnlyReads(s string, views bool) bool {
	s = strings.TrimSpace(s)
	if strings.HasPrefix(s, ".") {
		return sqlDotCommand(s)
	}
	s = strings.TrimSpace(strings.TrimSuffix(s, ";"))
	tokens, ok := sqlTokens(s)
	if !ok || len(tokens) == 0 {
		return false
	}
	explained := false
	switch tokens[0].lower() {
	case "pragma":
		return sqlPragma(tokens[1:])
	case "explain":
		explained, tokens = true, tokens[1:]
		if len(tokens) > 1 && tokens[0].lower() == "query" && tokens[1].lower() == "plan" {
			tokens = tokens[2:]
		}
	}
	if len(tokens) == 0 || tokens[0].lower() != "select" && (tokens[0].lower() != "with" || !explained && !views) {
		return false
	}
	return sqlSelect(tokens, explained || views)
}

// sqlDotCommand accepts commands that show the schema. Their arguments are
// plain words: in quotes and after a backslash the shell reads more.
func sqlDotCommand(s string) bool {
	words := strings.Fields(s)
	if strings.ContainsAny(s, "\n\r") || len(words) > 3 {
		return false
	}
	switch words[0] {
	case ".tables", ".schema", ".indexes", ".indices", ".databases":
	default:
		return false
	}
	for _, w := range words[1:] {
		if w != "--indent" && w != "--nosys" && strings.Trim(w, lettersAndDigits+"_%") != "" {
			return false
		}
	}
	return true
}

// sqlToken is a word, a number, a text in quotes or one sign of a statement.
type sqlToken struct {
	kind byte // 'a' a word, '0' a number, '\'' a text, '"' a quoted name, else the sign itself
	text string
}

// lower is the word in small letters, or "" for what is no word.
func (t sqlToken) lower() string {
	if t.kind != 'a' {
		return ""
	}
	return strings.ToLower(t.text)
}

// sqlTokens splits a statement. Comments, semicolons, parameters and what is no
// ASCII outside of quotes are not understood.
func sqlTokens(s string) (tokens []sqlToken, ok bool) {
	letter := func(c byte) bool {
		return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
	}
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n':
			i++
		case c == '\'' || c == '"':
			end := i + 1
			for ; end < len(s) && (s[end] != c || end+1 < len(s) && s[end+1] == c); end++ {
				if s[end] == c {
					end++
				}
			}
			if end >= len(s) {
				return nil, false
			}
			tokens, i = append(tokens, sqlToken{c, s[i+1 : end]}), end+1
		case letter(c):
			end := i
			for end < len(s) && (letter(s[end]) || c >= '0' && c <= '9' && s[end] == '.') {
				end++
			}
			kind := byte('a')
			if c >= '0' && c <= '9' {
				kind = '0'
			}
			tokens, i = append(tokens, sqlToken{kind, s[i:end]}), end
		case strings.HasPrefix(s[i:], "--"), strings.HasPrefix(s[i:], "/*"):
			return nil, false
		case strings.IndexByte("(),.*=<>+-/%|!&~", c) >= 0:
			tokens, i = append(tokens, sqlToken{c, s[i : i+1]}), i+1
		default:
			return nil, false
		}
	}
	return tokens, true
}

// sqlPragma accepts a PRAGMA that asks: without a value, or with the name of a
// table or an index in parentheses (sqlite.org/pragma.html).
func sqlPragma(tokens []sqlToken) bool {
	if len(tokens) == 0 {
		return false
	}
	named := false
	switch tokens[0].lower() {
	case "table_info", "table_xinfo", "index_list", "index_info", "index_xinfo", "foreign_key_list":
		named = true
	case "table_list", "database_list", "collation_list", "function_list", "module_list", "compile_options", "user_version", "schema_version", "application_id",
		"encoding", "page_count", "page_size", "freelist_count", "journal_mode", "foreign_keys", "auto_vacuum":
	default:
		return false
	}
	if !named {
		return len(tokens) == 1
	}
	return len(tokens) == 4 && tokens[1].kind == '(' && tokens[3].kind == ')' && strings.IndexByte("a'\"", tokens[2].kind) >= 0
}

// sqlSelect accepts one query. Functions are a positive list, and no word may
// be the beginning of another statement. anyTable: tables may have any name but
// those of the virtual tables that read files.
func sqlSelect(tokens []sqlToken, anyTable bool) bool {
	from := false // in the list of tables
	var opened []bool
	for i, t := range tokens {
		word := t.lower()
		call := i+1 < len(tokens) && tokens[i+1].kind == '('
		switch word {
		case "insert", "update", "delete", "replace", "attach", "detach", "vacuum", "create", "drop", "alter", "reindex", "analyze", "begin", "commit", "rollback", "savepoint", "release", "pragma":
			if word != "replace" || !call {
				return false
			}
		}
		if word == "in" && !call {
			return false // IN TABLE
		}
		if (t.kind == 'a' || t.kind == '"') && call && !sqlFunction(word) {
			// pragma_table_info(t) and its like have no effect; WITH t(a) AS names columns.
			pragma := from && sqlTable(tokens, i) && strings.HasPrefix(word, "pragma_")
			columns := anyTable && word != "" && i > 0 && (tokens[i-1].lower() == "with" || tokens[i-1].lower() == "recursive")
			if !pragma && !columns {
				return false
			}
		}
		switch {
		case t.kind == '(':
			opened, from = append(opened, from), from && i > 0 && sqlTable(tokens, i)
		case t.kind == ')':
			if len(opened) == 0 {
				return false
			}
			from, opened = opened[len(opened)-1], opened[:len(opened)-1]
		case word == "from" || word == "join":
			from = true
		case word == "where" || word == "group" || word == "order" || word == "limit" || word == "union" || word == "having" ||
			word == "window" || word == "intersect" || word == "except" || word == "select" || word == "values":
			from = false
		case from && sqlTable(tokens, i) && (t.kind == 'a' || t.kind == '"' || t.kind == '\''):
			name := strings.ToLower(t.text)
			if i+2 < len(tokens) && tokens[i+1].kind == '.' {
				name = strings.ToLower(tokens[i+2].text)
			}
			switch {
			case name == "fsdir" || name == "zipfile":
				return false
			case anyTable, name == "sqlite_master", name == "sqlite_schema", strings.HasPrefix(name, "pragma_") && call:
			default:
				return false
			}
		case word == "fsdir" || word == "zipfile":
			return false
		}
	}
	return len(opened) == 0
}

// sqlTable says that a table is named at i: after FROM, JOIN, a comma or an
// opening parenthesis.
func sqlTable(tokens []sqlToken, i int) bool {
	if i == 0 {
		return false
	}
	switch p := tokens[i-1]; {
	case p.kind == ',' || p.kind == '(':
		return true
	default:
		return p.lower() == "from" || p.lower() == "join"
	}
}

// sqlFunction says that what stands before a parenthesis computes
// (sqlite.org/lang_corefunc.html and its like) or is a word of a query.
func sqlFunction(name string) bool {
	switch name {
	case "select", "from", "where", "and", "or", "not", "in", "as", "on", "using", "exists", "values", "over", "filter", "between", "like", "glob", "is", "case", "when", "then", "else", "by", "limit", "offset", "having", "distinct", "all", "union", "except", "intersect", "join", "cast", "partition", "materialized", "with",
		"count", "sum", "avg", "min", "max", "total", "group_concat", "string_agg", "abs", "round", "sign", "length", "lower", "upper", "substr", "substring", "trim", "ltrim", "rtrim", "replace", "instr", "hex", "quote", "typeof",
		"coalesce", "ifnull", "nullif", "iif", "char", "unicode", "printf", "format", "random", "date", "time", "datetime", "julianday", "strftime", "unixepoch",
		"json", "json_extract", "json_array_length", "json_type", "json_valid", "json_each", "json_tree", "json_object", "json_array", "json_group_array", "json_group_object",
		"row_number", "rank", "dense_rank", "percent_rank", "ntile", "lag", "lead", "first_value", "last_value", "ceil", "floor", "sqrt", "power", "pow", "mod":
		return true
	}
	return false
}
