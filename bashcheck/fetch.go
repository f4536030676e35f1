package bashcheck

import "strings"

// plainGet says that a call of curl or wget is one plain GET of each literal
// URL and nothing else: no start-up file, no upload, method, header, cookie,
// credentials, proxy, resolver or redirect option, and no URL that the program
// would expand or that holds a user name. The lists are what is understood
// (curl(1) 8, wget(1) 1.21); any other word makes it no plain GET.
func plainGet(argv []word) bool {
	if len(argv) < 2 {
		return false
	}
	name := baseName(argv[0].Text)
	if name != "curl" && name != "wget" {
		return false
	}
	for i := range argv {
		if a := &argv[i]; !a.Static || a.Glob || a.fields {
			return false
		}
	}
	need := map[string]bool{}
	switch name {
	case "curl":
		// Only as the first word does -q keep curl from reading .curlrc.
		if argv[1].Text != "-q" && argv[1].Text != "--disable" {
			return false
		}
		argv = argv[1:]
	case "wget":
		// wget follows redirects and keeps state unless it is told not to.
		need["--no-config"], need["--max-redirect=0"], need["--no-netrc"], need["--no-hsts"] = true, true, true, true
	default:
		return false
	}
	curl := len(need) == 0
	urls := 0
	for i := 1; i < len(argv); i++ {
		t := argv[i].Text
		switch {
		case need[t]:
			delete(need, t)
		case strings.HasPrefix(t, "http://") || strings.HasPrefix(t, "https://"):
			if !plainURL(t) {
				return false
			}
			urls++
		case curl && getFlag(t, "sSfivg#", "--silent", "--show-error", "--fail", "--include", "--verbose", "--globoff", "--no-progress-meter", "--compressed"),
			!curl && getFlag(t, "q", "--quiet", "-nv", "--no-verbose", "-O-"):
		case curl && (t == "-m" || t == "--max-time" || t == "--connect-timeout"), !curl && (t == "-T" || t == "-t" || t == "--tries" || t == "--timeout"):
			if i++; i >= len(argv) || !number(argv[i].Text) {
				return false
			}
		case curl && (t == "-o" || t == "--output"), !curl && (t == "-O" || t == "--output-document"):
			// Where the answer is written is an effect of its own.
			if i++; i >= len(argv) || argv[i].Text == "" || argv[i].Text[0] == '-' && argv[i].Text != "-" || strings.Contains(argv[i].Text, "#") {
				return false
			}
		default:
			return false
		}
	}
	return urls > 0 && len(need) == 0
}

// getFlag says that t is one of the words, or a cluster of the letters.
func getFlag(t, letters string, words ...string) bool {
	for _, w := range words {
		if t == w {
			return true
		}
	}
	return len(t) > 1 && t[0] == '-' && strings.Trim(t[1:], letters) == ""
}

// plainURL says that curl and wget take the URL as it stands.
func plainURL(u string) bool {
	for i := range len(u) {
		if c := u[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("{}[]\\^`|<>\"", c) >= 0 {
			return false
		}
	}
	_, rest, _ := strings.Cut(u, "://")
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	host, _ := hostOf(u)
	return host != "" && !strings.Contains(rest, "@") && !strings.Contains(rest, "%")
}
