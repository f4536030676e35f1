package bashcheck

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A kind says what a flag's value or an operand is: what happens to it, and
// behind colons which values are understood (read:local:single).

// valueKind is how a value is used.
type valueKind uint8

const (
	vNone valueKind = iota
	vText
	vNumber
	vPath   // a path; effect and extent say what happens to it
	vRemote // a path that may lie on another machine
	vRefuse
	vUpload // a text that is sent, or @FILE, which is read and sent
	vPacked // a packed file, which is read and replaced by what it holds
	vStart  // a folder that the operands behind it are relative to
	vHost
	vURL
	vCommand
	vShell
	vCode
	vSed
	vAwk
	vJq
	vFind
	vTest
	vDD
	vPair
	vPairFile
	vAssign
	vEnvName
	vVarName
	vPattern
	vDateFormat
	vFileMode
	vUserName
	vPIDs
	vAwkVar
	vFormat
	vGitKey
	vGitSort
	vRevision
	vKubeOutput
	vInet
	vPcapFilter
	vPrintf
	vPSLetters
	vPSFormat
	vSetOption
	vSSFilter
	vSysctlName
	vReplace

	// Files that one program alone takes.
	vZipFile
	vGzipFile
	vSource
	vAwkFile
	vCharset
	vChart
	vGitObject
	vUnpacked
	vUsedFile
	vOutput
	vComposeFile

	firstFileKind = vZipFile
)

// narrowing says which values are understood; all of it must hold.
type narrowing uint8

const (
	nSpelled narrowing = 1 << iota
	nLocal
	nSingle
	nPlain
	nWord
	nOne
	nEnding
	nNot
)

// valueSpec is a kind as it was read.
type valueSpec struct {
	kind   valueKind
	effect Kind // for vPath and vRemote
	extent Extent
	kept   bool // what is read is not sent, and what is deleted lives on elsewhere
	narrow narrowing
	list   string // of nOne, nEnding or nNot, separated by commas
}

// pathOf is the kind of any path to which that happens.
func pathOf(effect Kind, extent Extent) valueSpec {
	return valueSpec{kind: vPath, effect: effect, extent: extent}
}

// effectWords are what can happen to something.
var effectWords = map[string]Kind{
	"read": Read, "list": List, "write": Write, "delete": Delete, "change": Change,
	"execute": Execute, "connect": Connect, "environment": Environment,
	"process": Process, "privilege": Privilege, "unknown": Unknown,
}

// pathWords are those that happen to paths.
var pathWords = []string{"read", "list", "write", "delete", "change", "execute"}

// kindWords are the kinds that stand by themselves, besides effects on paths.
var kindWords = map[string]valueSpec{
	"text": {kind: vText}, "number": {kind: vNumber}, "process": {kind: vPath, effect: Process, extent: Exact},
	"use": {kind: vPath, effect: Read, extent: Exact, kept: true}, "move": {kind: vPath, effect: Delete, extent: Tree, kept: true},
	"unpack": {kind: vPacked}, "enter": {kind: vStart}, "upload": {kind: vUpload}, "refuse": {kind: vRefuse},
}

// formWords narrow the kinds text and those of paths.
var formWords = map[string]narrowing{"spelled": nSpelled, "local": nLocal, "single": nSingle, "plain": nPlain, "word": nWord}

// listWords narrow to, or by, a list behind an equals sign.
var listWords = map[string]narrowing{"one": nOne, "ending": nEnding, "not": nNot}

const remoteForm = "remote"

// readerWords are the kinds that have a reader of their own: one way to write
// each.
var readerWords = map[string]valueKind{
	"connect:host": vHost, "connect:url": vURL,
	"run:command": vCommand, "run:shell": vShell, "run:code": vCode, "run:sed": vSed, "run:awk": vAwk, "run:jq": vJq,
	"args:find": vFind, "args:test": vTest, "args:dd": vDD,
	"pair:text": vPair, "pair:read": vPairFile,
	"environment:set": vAssign, "environment:shown": vEnvName, "environment:variable": vVarName,
	"text:pattern": vPattern, "text:user": vUserName, "text:pids": vPIDs, "text:date-format": vDateFormat, "text:file-mode": vFileMode, "text:awk-variable": vAwkVar,
	"text:git-format": vFormat, "text:git-key": vGitKey, "text:git-sort": vGitSort, "text:git-revision": vRevision,
	"text:kubectl-output": vKubeOutput, "text:lsof-socket": vInet, "text:pcap-filter": vPcapFilter, "text:printf-format": vPrintf,
	"text:ps-letters": vPSLetters, "text:ps-columns": vPSFormat, "text:set-option": vSetOption, "text:ss-filter": vSSFilter,
	"text:sysctl-name": vSysctlName, "text:xargs-replace": vReplace,
	"read:unzip-file": vZipFile, "read:gzip-file": vGzipFile, "read:c-source": vSource, "read:awk-file": vAwkFile, "read:iconv-charset": vCharset,
	"read/tree:helm-chart": vChart, "read/tree:git-object": vGitObject, "read/tree:cloc-source": vUnpacked,
	"list:fuser-file": vUsedFile, "write:dash": vOutput, "use:compose-file": vComposeFile,
}

// parseEffect reads an effect: read, write/tree.
func parseEffect(w string) (k Kind, e Extent, problem string) {
	base, suffix, has := strings.Cut(w, "/")
	k, ok := effectWords[base]
	switch {
	case !ok:
		return 0, 0, fmt.Sprintf("unknown effect %q: write %s", w, alternatives(slices.Sorted(maps.Keys(effectWords))))
	case !has:
		return k, Exact, ""
	case !slices.Contains(pathWords, base):
		return 0, 0, fmt.Sprintf("unknown effect %q: only paths have something below them; write %s", w, base)
	case suffix == "tree":
		return k, Tree, ""
	case suffix == "within":
		return k, Within, ""
	}
	return 0, 0, fmt.Sprintf("unknown effect %q: write %s, %s/tree or %s/within", w, base, base, base)
}

// parseKind reads a kind.
func parseKind(w string) (v valueSpec, problem string) {
	if k, ok := readerWords[w]; ok {
		return valueSpec{kind: k}, ""
	}
	what, forms, narrowed := strings.Cut(w, ":")
	base, _, _ := strings.Cut(what, "/")
	switch {
	case slices.Contains(pathWords, base):
		if v.effect, v.extent, problem = parseEffect(what); problem != "" {
			return v, strings.Replace(problem, "effect", "kind", 1)
		}
		v.kind = vPath
	case kindWords[what].kind != vNone:
		v = kindWords[what]
	default:
		return v, fmt.Sprintf("unknown kind %q: it begins with what happens to the value: write %s", w, alternatives(firstWords()))
	}
	if !narrowed {
		return v, ""
	}
	if v.kind != vText && (v.kind != vPath || v.effect == Process) {
		return v, fmt.Sprintf("unknown kind %q: nothing stands behind %s; write %s", w, what, what)
	}
	if forms == remoteForm && v.kind == vPath && !v.kept {
		v.kind = vRemote
		return v, ""
	}
	for form := range strings.SplitSeq(forms, ":") {
		name, list, lists := strings.Cut(form, "=")
		n := formWords[name]
		if lists {
			n = listWords[name]
		}
		switch {
		case n == 0:
			return v, fmt.Sprintf("unknown kind %q: %s", w, misplaced(what, form))
		case v.narrow&n != 0 || lists && v.list != "":
			return v, fmt.Sprintf("unknown kind %q: write %s once, and one list", w, name)
		case lists && strings.Contains(","+list+",", ",,"):
			return v, fmt.Sprintf("unknown kind %q: write %s=WORD,WORD,…", w, name)
		case (n == nEnding || n == nNot) && v.narrow&(nSpelled|nPlain|nWord) == 0:
			return v, fmt.Sprintf("unknown kind %q: the value must be known for that; write %s:spelled:%s or %s:plain:%s", w, what, form, what, form)
		}
		if v.narrow |= n; lists {
			v.list = list
		}
	}
	return v, ""
}

// firstWords are the words that a kind may begin with.
func firstWords() []string {
	words := slices.Clone(pathWords)
	for k := range kindWords {
		words = append(words, k)
	}
	for k := range readerWords {
		if what, _, _ := strings.Cut(k, ":"); !slices.Contains(words, what) && !strings.Contains(what, "/") {
			words = append(words, what)
		}
	}
	slices.Sort(words)
	return words
}

// misplaced says what to write in place of a form that does not stand behind
// what.
func misplaced(what, form string) string {
	var behind []string
	for k := range readerWords {
		first, name, _ := strings.Cut(k, ":")
		if name == form {
			return fmt.Sprintf("%s stands behind %s; write %s", form, first, k)
		}
		if first == what {
			behind = append(behind, name)
		}
	}
	for k := range formWords {
		behind = append(behind, k)
	}
	for k := range listWords {
		behind = append(behind, k+"=…")
	}
	if what != "text" {
		behind = append(behind, remoteForm)
	}
	slices.Sort(behind)
	return fmt.Sprintf("%q says nothing about a value; behind %s: write %s", form, what, alternatives(behind))
}

// alternatives joins words for a sentence.
func alternatives(words []string) string {
	if n := len(words) - 1; n > 0 {
		return strings.Join(words[:n], ", ") + " or " + words[n]
	}
	return strings.Join(words, "")
}

// fits says that a value is one of those that the kind is narrowed to.
func (v *valueSpec) fits(o *word) bool {
	n := v.narrow
	return (n&nSpelled == 0 || o.Static && !o.Glob) &&
		(n&nLocal == 0 || o.isLocalFile()) &&
		(n&nSingle == 0 || !o.Static || o.Glob || !strings.ContainsAny(o.Text, "*?[")) &&
		(n&nPlain == 0 || o.plainName()) &&
		(n&nWord == 0 || o.Static && !o.Glob && plainWord(o.Text)) &&
		(n&nOne == 0 || o.Static && !o.Glob && oneOf(v.list, o.Text)) &&
		(n&nEnding == 0 || o.endsIn(v.list)) &&
		(n&nNot == 0 || !oneOf(v.list, o.Text))
}

// harmless says that a value can do no more than be read, whatever it is.
func (v valueSpec) harmless() bool {
	switch v.kind {
	case vText:
		return v.narrow&^nOne == 0
	case vPath:
		return (v.effect == Read || v.effect == List) && v.narrow == 0 && !v.kept
	case vNone, vNumber, vPattern, vDateFormat, vRefuse, vZipFile, vGzipFile, vCharset:
		return true
	}
	return false
}

// equalsSign says that an equals sign before the attached value of a short flag
// changes nothing: -o=f is f to some programs and =f to others.
func (v valueSpec) equalsSign() bool {
	switch v.kind {
	case vText:
		return v.narrow&nLocal == 0
	case vPattern, vAwkVar:
		return true
	}
	return false
}
