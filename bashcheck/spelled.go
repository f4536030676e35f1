package bashcheck

import (
	"path"
	"strconv"
	"strings"
)

// Kinds of words that are understood only as they are spelled.

const (
	lettersAndDigits = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	plainNameBytes   = lettersAndDigits + "._-/"
)

// oneOf says that the word is one of the words in list.
func oneOf(list, word string) bool {
	for w := range strings.SplitSeq(list, ",") {
		if w == word {
			return true
		}
	}
	return false
}

// plainWord says that the word is a name and no path: with a slash man formats a
// file (man(1)), and with a semicolon nft reads another command.
func plainWord(s string) bool {
	return s != "" && s[0] != '-' && s[0] != '.' && strings.Trim(s, lettersAndDigits+"._-+:@") == ""
}

// plainName says that the word is a file for every program: no address, no
// NAME| that perl runs, no @FILE, no pattern of the program's own. A glob is one
// only where its folder and the end of its names are spelled.
func (o word) plainName() bool {
	g := o.guessed()
	for _, x := range g.one {
		if !(word{Word: x}).plainName() {
			return false
		}
	}
	if len(g.one) > 0 {
		return true
	}
	if !o.Static || o.Text == "" || o.Text[0] == '-' {
		return false
	}
	if !o.Glob {
		return strings.Trim(o.Text, plainNameBytes) == ""
	}
	first, last := strings.IndexAny(o.Text, "*?["), strings.LastIndexAny(o.Text, "*?]")
	return first >= 0 && strings.Contains(o.Text[:first], "/") && strings.Contains(o.Text[last+1:], ".") &&
		strings.Trim(o.Text, plainNameBytes+"*?") == ""
}

// endsIn says that all names that the word stands for have one of the endings,
// in any case.
func (o word) endsIn(list string) bool {
	if one := o.guessed().one; len(one) > 0 {
		for _, x := range one {
			if !(word{Word: x}).endsIn(list) {
				return false
			}
		}
		return true
	}
	return oneOf(list, strings.ToLower(path.Ext(o.Text)))
}

// unpacked adds what is read below a file or folder that is no archive.
func (w *walker) unpacked(o word, j *judged) bool {
	if !o.Static || o.Glob || o.Text == "" || o.Text == "-" || len(o.Text) >= 7 && strings.Trim(o.Text, "0123456789abcdef:") == "" {
		return false // what may be a commit (cloc(1))
	}
	switch ext := strings.ToLower(path.Ext(o.Text)); {
	case ext == "", ext == ".", strings.HasSuffix(o.Text, "/"), strings.HasSuffix(o.Text, ".."):
	case strings.Contains(" .c .h .cc .cpp .cxx .hpp .cs .css .dart .ex .exs .erl .go .hs .html .java .js .json .jsx .kt .lua .md .ml .mjs .php .pl .pm .proto .py .r .rb .rs .scala .scss .sh .sql .swift .tf .toml .ts .tsx .txt .vue .xml .yaml .yml .zig ", " "+ext+" "):
	default:
		return false
	}
	return w.usePath(pathOf(Read, Tree), o, j)
}

// pcapFilter accepts a part of a filter of packets: its words, numbers and
// addresses. A name after host or net would be looked up (pcap-filter(7)).
func pcapFilter(s string) bool {
	for f := range strings.FieldsSeq(s) {
		f = strings.Trim(f, "()")
		switch f {
		case "", "port", "portrange", "host", "net", "src", "dst", "and", "or", "not", "!", "&&", "||", "tcp", "udp", "icmp", "icmp6", "arp", "ip", "ip6",
			"less", "greater", "http", "https", "domain", "ssh":
			continue
		}
		if _, err := strconv.ParseUint(f, 10, 32); err == nil {
			continue
		}
		if strings.Trim(f, "0123456789./-") == "" || strings.Contains(f, ":") && strings.Trim(f, "0123456789abcdefABCDEF:/") == "" {
			continue
		}
		return false
	}
	return true
}
