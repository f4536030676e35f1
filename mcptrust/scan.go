package mcptrust

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Codes of findings about text.
const (
	CodeHiddenUnicode Code = "HIDDEN_UNICODE"
	CodeBidi          Code = "BIDI_CONTROL"
	CodeControl       Code = "CONTROL_CHARACTER"
	CodePadding       Code = "PADDING"
	CodeTooLong       Code = "TOO_LONG"
	CodeMarkup        Code = "INSTRUCTION_MARKUP"
	CodePhrase        Code = "SUSPICIOUS_PHRASE"
	CodeEncoded       Code = "ENCODED_TEXT"
	CodeBadName       Code = "BAD_NAME"
	CodeConfusable    Code = "CONFUSABLE_NAME"
)

const (
	maxQuietText = 64 << 10
	padSpaces    = 40
	padLines     = 12
)

// scanText returns what is hidden in one string. multiline says that newlines
// and tabs are normal here.
func scanText(field, s string, multiline bool) []Finding {
	var out []Finding
	if code, what := hidden(s, multiline); code != "" {
		out = append(out, Finding{code, field, what, true})
	}
	if len(s) > maxQuietText {
		out = append(out, Finding{CodeTooLong, field, fmt.Sprintf("%d bytes of text, more than %d", len(s), maxQuietText), true})
	}
	if padded(s) {
		out = append(out, Finding{CodePadding, field, "a long run of blanks or empty lines pushes text out of sight", true})
	}
	return out
}

// hidden finds the first character that a person would not see as it is.
func hidden(s string, multiline bool) (Code, string) {
	ascii := true
	for i := range len(s) {
		c := s[i]
		if c >= utf8.RuneSelf {
			ascii = false
			continue
		}
		if c >= 0x20 && c != 0x7f || multiline && (c == '\n' || c == '\t') {
			continue
		}
		if multiline && c == '\r' && i+1 < len(s) && s[i+1] == '\n' {
			continue
		}
		if c == 0x1b {
			return CodeControl, "terminal escape sequence (ANSI)"
		}
		return CodeControl, fmt.Sprintf("control character U+%04X", c)
	}
	if ascii {
		return "", ""
	}
	rs := []rune(s)
	if !utf8.ValidString(s) {
		return CodeHiddenUnicode, "broken UTF-8"
	}
	for i := 0; i < len(rs); i++ {
		r := rs[i]
		switch {
		case r < 0x80:
		case r >= 0x80 && r < 0xA0:
			return CodeControl, fmt.Sprintf("control character U+%04X", r)
		case r == 0x061C || r == 0x200E || r == 0x200F || r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069:
			return CodeBidi, fmt.Sprintf("bidirectional control U+%04X changes the order in which text is shown", r)
		case r == 0x1F3F4 && flag(rs[i:]) > 0:
			i += flag(rs[i:]) - 1
		case r >= 0xE0000 && r <= 0xE007F:
			return CodeHiddenUnicode, "invisible tag characters that spell: " + Escape(tags(rs[i:]))
		case r == 0x200C || r == 0x200D:
			if !joined(rs, i) {
				return CodeHiddenUnicode, fmt.Sprintf("invisible joiner U+%04X", r)
			}
		case r == 0xFE0F || r == 0xFE0E:
			if i == 0 || !emojiBase(rs[i-1]) {
				return CodeHiddenUnicode, fmt.Sprintf("variation selector U+%04X", r)
			}
		case r == 0x2028 || r == 0x2029:
			return CodeHiddenUnicode, fmt.Sprintf("line separator U+%04X", r)
		case unicode.Is(unicode.Co, r):
			return CodeHiddenUnicode, fmt.Sprintf("private-use character U+%04X", r)
		case unicode.In(r, unicode.Zs, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S) && !invisible(r):
		default:
			return CodeHiddenUnicode, fmt.Sprintf("invisible or unassigned character U+%04X", r)
		}
	}
	return "", ""
}

// flag returns the length of one of the three subdivision flags that Unicode
// recommends (UTS #51, RGI_Emoji_Tag_Sequence): gbeng, gbsct, gbwls.
func flag(rs []rune) int {
	for _, f := range [...]string{"gbeng", "gbsct", "gbwls"} {
		if len(rs) < 7 || rs[6] != 0xE007F {
			return 0
		}
		same := true
		for j := range len(f) {
			same = same && rs[1+j] == 0xE0000+rune(f[j])
		}
		if same {
			return 7
		}
	}
	return 0
}

func tags(rs []rune) string {
	var b strings.Builder
	for _, r := range rs {
		if r < 0xE0000 || r > 0xE007F {
			break
		}
		if r >= 0xE0020 && r < 0xE007F {
			b.WriteRune(r - 0xE0000)
		}
	}
	return b.String()
}

// joined reports whether the joiner at i stands where orthography needs one:
// between letters or marks of a script that joins (UAX #31), or in an emoji.
func joined(rs []rune, i int) bool {
	if i == 0 || i+1 >= len(rs) {
		return false
	}
	a, b := rs[i-1], rs[i+1]
	if a == 0xFE0F && i >= 2 {
		a = rs[i-2]
	}
	if rs[i] == 0x200D && emojiBase(a) && emojiBase(b) {
		return true
	}
	return joining(a) && joining(b)
}

func joining(r rune) bool {
	return unicode.In(r, unicode.Arabic, unicode.Syriac, unicode.Mongolian, unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi,
		unicode.Gujarati, unicode.Oriya, unicode.Tamil, unicode.Telugu, unicode.Kannada, unicode.Malayalam, unicode.Sinhala,
		unicode.Khmer, unicode.Myanmar, unicode.Tibetan) && unicode.In(r, unicode.L, unicode.M)
}

func emojiBase(r rune) bool {
	return r >= 0x1F000 && r <= 0x1FAFF || r >= 0x2190 && r <= 0x2BFF || r >= 0x3030 && r <= 0x3299 ||
		r == '#' || r == '*' || r >= '0' && r <= '9' || r == 0xA9 || r == 0xAE || r == 0x203C || r == 0x2049 || r == 0x2122 || r == 0x2139
}

// padded reports a run of blanks or empty lines with text behind it.
func padded(s string) bool {
	blanks, lines := 0, 0
	for _, r := range s {
		switch {
		case r == '\n':
			lines++
			blanks = 0
		case unicode.IsSpace(r):
			blanks++
		default:
			if blanks >= padSpaces || lines >= padLines {
				return true
			}
			blanks, lines = 0, 0
		}
	}
	return false
}

// Phrases are hints: published measurements show that they find almost none of
// the realistic attacks. They never decide anything but whether a plain yes is
// enough, and those that honest tools use do not even that.
var (
	reQuoted   = regexp.MustCompile("(?s)'[^'\n]{0,200}'|\"[^\"\n]{0,200}\"|`[^`\n]{0,200}`")
	reMarkup   = regexp.MustCompile(`(?i)</?\s*(system|important|instructions?|assistant|secret|hidden)\s*>|<!--|\[/?(INST|SYSTEM)\]|<\|im_(start|end)\|>`)
	reOverride = regexp.MustCompile(`(?i)\b(ignore|disregard|forget|override)\b.{0,30}\b(previous|prior|above|earlier|all|other)\b.{0,30}\b(instructions?|rules?|prompts?|tools?)\b`)
	reSecrecy  = regexp.MustCompile(`(?i)\b(do not|don't|never|without)\b.{0,25}\b(tell|telling|mention|mentioning|inform|informing|notify|reveal|show)\b.{0,25}\b(the )?user\b`)
	reUniverse = regexp.MustCompile(`(?i)\b(for any|for every|before (any|every|using any|calling any|all)|always)\b.{0,40}\b(call|use|run|invoke|request|tool)\b.{0,60}\b(first|before|conversation|request)\b`)
	reContext  = regexp.MustCompile(`(?i)\b(complete|entire|full|whole)\b.{0,15}\b(conversation|chat|context|history|system prompt)\b`)
	reSecrets  = regexp.MustCompile(`(?i)(~|\$HOME|/root|/home/\w+)/\.(ssh|aws|gnupg|kube|netrc|config/gcloud|docker)|\bid_(rsa|ed25519|ecdsa)\b|/etc/(shadow|passwd)\b`)
	reSink     = regexp.MustCompile(`(?i)\b(post|send|upload|forward|report|exfiltrate|submit)\b.{0,60}\bhttps?://`)
	reBase64   = regexp.MustCompile(`[A-Za-z0-9+/_-]{24,}={0,2}`)
)

func scanPhrases(field, s string) []Finding {
	return phrases(field, s, true)
}

func phrases(field, s string, decode bool) []Finding {
	if len(s) > maxQuietText {
		s = s[:maxQuietText]
	}
	if len(s) < 8 {
		return nil
	}
	plain := reQuoted.ReplaceAllString(s, " ")
	hint := func(code Code, text string) []Finding { return []Finding{{code, field, text, true}} }
	switch {
	case reMarkup.MatchString(plain) || reMarkup.MatchString(s) && !reQuoted.MatchString(s):
		return hint(CodeMarkup, "markup that imitates instructions to the model")
	case reOverride.MatchString(plain):
		return hint(CodePhrase, "text that tells the model to ignore instructions")
	case reSecrecy.MatchString(plain):
		return hint(CodePhrase, "text that asks to keep something from the user")
	case reUniverse.MatchString(plain) && reContext.MatchString(plain):
		return hint(CodePhrase, "text that wants the whole conversation on every request")
	case reUniverse.MatchString(plain):
		// Honest tools say so too: not worth a typed name.
		return []Finding{{CodePhrase, field, "text that wants to be called on every request", false}}
	case reSecrets.MatchString(plain):
		return hint(CodePhrase, "text that names places of credentials")
	case reSink.MatchString(plain):
		return []Finding{{CodePhrase, field, "text that sends data to an address", false}}
	}
	if decode {
		for _, m := range reBase64.FindAllString(s, 32) {
			for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
				if b, err := enc.DecodeString(strings.TrimRight(m, "=")); err == nil && len(phrases(field, string(b), false)) > 0 {
					return hint(CodeEncoded, "base64 that decodes to suspicious text")
				}
			}
		}
	}
	return nil
}
