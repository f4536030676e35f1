package toolset

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"syscall"
)

// Limits of one look into a repository.
const (
	maxGitObjects = 20_000   // commits and trees that are read
	maxGitBytes   = 64 << 20 // bytes that are unpacked
	maxGitObject  = 8 << 20  // bytes of one of them
	maxGitFile    = 8 << 20  // bytes of packed-refs, or of one reflog
	maxGitRefs    = 10_000
	maxDeltaChain = 4096
	maxGitProbes  = 500_000 // names that are compared in the indexes of packs
	keptBases     = 8 << 20 // bytes of delta bases that are kept
)

var (
	errGitLimit  = errors.New("too much history to look at")
	errGitFormat = errors.New("the repository is laid out in a way that is not understood")
	errNoObject  = errors.New("the object is not there")
)

// gitHash is the SHA-1 name of an object.
type gitHash [20]byte

func (h gitHash) text() string { return hex.EncodeToString(h[:]) }

// gitKind is the type of an object, with the numbers of a pack.
type gitKind byte

const (
	gitCommit gitKind = 1
	gitTree   gitKind = 2
	gitBlob   gitKind = 3
	gitTag    gitKind = 4
	ofsDelta  gitKind = 6
	refDelta  gitKind = 7
)

// gitStore reads the references, commits and trees of a repository
// (gitrepository-layout(5), gitformat-pack(5)) without running git, which would
// do what its configuration says. It changes nothing and is for one inspection.
// What it does not understand is an error: SHA-256, reftable, replaced objects,
// grafts.
type gitStore struct {
	dir, common string // .git, and the one that work trees share
	objects     []string
	packs       []*gitPack
	shallow     map[gitHash]bool
	packed      map[string]gitHash // packed-refs
	read        int
	probes      int
	unpacked    int64
	bases       map[baseKey]gitObject
	kept        int
	commits     map[gitHash]gitCommitInfo
}

type baseKey struct {
	pack *gitPack
	at   int64
}

type gitObject struct {
	kind gitKind
	data []byte
}

type gitPack struct {
	f, idx *os.File
	fanout [256]uint32
	size   int64
	probes *int // of the store
}

// openRegular opens a file for reading. A pipe of that name would wait for a
// writer, so it is opened without waiting and then refused.
func openRegular(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = errGitFormat
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// gitDirs finds the directory of a repository and the one that its work trees
// share, for a directory with an entry .git.
func gitDirs(top string) (dir, common string, ok bool) {
	dir = filepath.Join(top, ".git")
	st, err := os.Lstat(dir)
	if err != nil {
		return "", "", false
	}
	if !st.IsDir() {
		target, found := strings.CutPrefix(firstLine(dir), "gitdir: ")
		if !st.Mode().IsRegular() || !found || target == "" {
			return "", "", false
		}
		if dir = target; !filepath.IsAbs(dir) {
			dir = filepath.Join(top, dir)
		}
	}
	common = dir
	if shared := firstLine(filepath.Join(dir, "commondir")); shared != "" {
		if common = shared; !filepath.IsAbs(common) {
			common = filepath.Join(dir, common)
		}
	}
	return dir, common, true
}

// firstLine reads a file of one short line.
func firstLine(name string) string {
	data, err := readSmall(name, 8<<10)
	if err != nil {
		return ""
	}
	return strings.TrimRight(string(data), "\r\n")
}

func readSmall(name string, limit int64) ([]byte, error) {
	st, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, errGitFormat
	}
	if st.Size() > limit {
		return nil, errGitLimit
	}
	return os.ReadFile(name)
}

// openGit opens the repository whose work tree is top.
func openGit(top string) (*gitStore, error) {
	dir, common, ok := gitDirs(top)
	if !ok {
		return nil, errGitFormat
	}
	s := &gitStore{dir: dir, common: common, bases: map[baseKey]gitObject{}, commits: map[gitHash]gitCommitInfo{}, shallow: map[gitHash]bool{}}
	for _, odd := range []string{"refs/replace", "info/grafts", "reftable"} {
		if st, err := os.Stat(filepath.Join(common, odd)); err == nil {
			if st.IsDir() {
				if entries, err := os.ReadDir(filepath.Join(common, odd)); err == nil && len(entries) == 0 {
					continue
				}
			}
			return nil, errGitFormat
		}
	}
	data, err := readSmall(filepath.Join(common, "shallow"), maxGitFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, line := range strings.Fields(string(data)) {
		h, ok := parseHash(line)
		if !ok {
			return nil, errGitFormat
		}
		s.shallow[h] = true
	}
	if err := s.readPacked(); err != nil {
		return nil, err
	}
	if err := s.addObjects(filepath.Join(common, "objects"), 0); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *gitStore) close() {
	for _, p := range s.packs {
		p.f.Close()
		p.idx.Close()
	}
}

// addObjects opens the packs of an object directory and of its alternates.
func (s *gitStore) addObjects(dir string, depth int) error {
	if depth > 5 || len(s.objects) > 16 {
		return errGitFormat
	}
	s.objects = append(s.objects, dir)
	names, err := filepath.Glob(filepath.Join(quoteGlob(dir), "pack", "*.idx"))
	if err != nil {
		return errGitFormat
	}
	for _, name := range names {
		if len(s.packs) > 500 {
			return errGitLimit
		}
		p, err := openPack(name, &s.probes)
		if err != nil {
			return err
		}
		s.packs = append(s.packs, p)
	}
	data, err := readSmall(filepath.Join(dir, "info", "alternates"), maxGitFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, line := range strings.Split(string(data), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		if line[0] == '"' {
			return errGitFormat
		}
		if !filepath.IsAbs(line) {
			line = filepath.Join(dir, line)
		}
		if err := s.addObjects(line, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func quoteGlob(s string) string {
	return strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `\`, `\\`).Replace(s)
}

func openPack(idx string, probes *int) (*gitPack, error) {
	p := &gitPack{probes: probes}
	var err error
	if p.idx, err = openRegular(idx); err != nil {
		return nil, err
	}
	if p.f, err = openRegular(strings.TrimSuffix(idx, ".idx") + ".pack"); err != nil {
		p.idx.Close()
		return nil, err
	}
	var head [8 + 1024]byte
	st, err := p.f.Stat()
	if err == nil {
		p.size = st.Size()
		_, err = p.idx.ReadAt(head[:], 0)
	}
	if err == nil && (string(head[:4]) != "\xfftOc" || binary.BigEndian.Uint32(head[4:]) != 2) {
		err = errGitFormat
	}
	last := uint32(0)
	for i := range p.fanout {
		p.fanout[i] = binary.BigEndian.Uint32(head[8+4*i:])
		if p.fanout[i] < last {
			err = errGitFormat
		}
		last = p.fanout[i]
	}
	// The table of a SHA-256 repository has other lengths.
	if st, e := p.idx.Stat(); err == nil && (e != nil || st.Size() < 8+1024+int64(last)*28+40 || st.Size() > 8+1024+int64(last)*36+40) {
		err = errGitFormat
	}
	if err != nil {
		p.f.Close()
		p.idx.Close()
		return nil, err
	}
	return p, nil
}

// find returns the places in the pack of the objects whose names start with
// the first digits (in hex) of h.
func (p *gitPack) find(h gitHash, digits int, found func(gitHash, int64) error) error {
	lo, hi := uint32(0), p.fanout[h[0]]
	if h[0] > 0 {
		lo = p.fanout[h[0]-1]
	}
	name := func(i uint32) (n gitHash, err error) {
		if *p.probes++; *p.probes > maxGitProbes {
			return n, errGitLimit
		}
		_, err = p.idx.ReadAt(n[:], 8+1024+int64(i)*20)
		return n, err
	}
	var failed error
	first := lo + uint32(sort.Search(int(hi-lo), func(i int) bool {
		n, err := name(lo + uint32(i))
		if err != nil {
			failed = err
		}
		return bytes.Compare(n[:], h[:]) >= 0
	}))
	if failed != nil {
		return failed
	}
	total := int64(p.fanout[255])
	for i := first; i < hi; i++ {
		n, err := name(i)
		if err != nil {
			return err
		}
		if !samePrefix(n, h, digits) {
			break
		}
		var b [8]byte
		if _, err := p.idx.ReadAt(b[:4], 8+1024+total*24+int64(i)*4); err != nil {
			return err
		}
		at := int64(binary.BigEndian.Uint32(b[:4]))
		if at&(1<<31) != 0 {
			if _, err := p.idx.ReadAt(b[:], 8+1024+total*28+(at&^(1<<31))*8); err != nil {
				return err
			}
			at = int64(binary.BigEndian.Uint64(b[:]))
		}
		if err := found(n, at); err != nil {
			return err
		}
	}
	return nil
}

func samePrefix(a, b gitHash, digits int) bool {
	n := digits / 2
	return bytes.Equal(a[:n], b[:n]) && (digits%2 == 0 || a[n]>>4 == b[n]>>4)
}

func parseHash(s string) (h gitHash, ok bool) {
	if len(s) != 40 {
		return h, false
	}
	_, err := hex.Decode(h[:], []byte(s))
	return h, err == nil
}

// charge counts what was read against the limits.
func (s *gitStore) charge(n int) error {
	s.read++
	s.unpacked += int64(n)
	if s.read > maxGitObjects || s.unpacked > maxGitBytes {
		return errGitLimit
	}
	return nil
}

// object reads an object; of a blob it tells only what it is.
func (s *gitStore) object(h gitHash) (gitObject, error) {
	if h == emptyTree {
		return gitObject{kind: gitTree}, nil
	}
	for _, p := range s.packs {
		at := int64(-1)
		if err := p.find(h, 40, func(_ gitHash, o int64) error { at = o; return nil }); err != nil {
			return gitObject{}, err
		}
		if at >= 0 {
			return s.packedObject(p, at)
		}
	}
	text := h.text()
	for _, dir := range s.objects {
		f, err := openRegular(filepath.Join(dir, text[:2], text[2:]))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return gitObject{}, err
		}
		o, err := s.loose(f)
		f.Close()
		return o, err
	}
	return gitObject{}, errNoObject
}

func (s *gitStore) loose(f io.Reader) (gitObject, error) {
	z, err := zlib.NewReader(bufio.NewReader(f))
	if err != nil {
		return gitObject{}, errGitFormat
	}
	r := bufio.NewReaderSize(z, 4096)
	head, err := r.Peek(32)
	if err != nil && err != io.EOF {
		return gitObject{}, errGitFormat
	}
	head, _, ok := bytes.Cut(head, []byte{0})
	kind, length, ok2 := strings.Cut(string(head), " ")
	n, err := strconv.Atoi(length)
	kinds := map[string]gitKind{"commit": gitCommit, "tree": gitTree, "blob": gitBlob, "tag": gitTag}
	if !ok || !ok2 || err != nil || n < 0 || kinds[kind] == 0 {
		return gitObject{}, errGitFormat
	}
	o := gitObject{kind: kinds[kind]}
	if o.kind == gitBlob {
		return o, s.charge(0)
	}
	if n > maxGitObject {
		return gitObject{}, errGitLimit
	}
	if err := s.charge(n); err != nil {
		return gitObject{}, err
	}
	if _, err := r.Discard(len(head) + 1); err != nil {
		return gitObject{}, errGitFormat
	}
	o.data = make([]byte, n)
	if _, err := io.ReadFull(r, o.data); err != nil {
		return gitObject{}, errGitFormat
	}
	return o, nil
}

// entry is the head of an entry of a pack.
type packEntry struct {
	kind gitKind
	size int64
	base int64   // of an ofsDelta
	ref  gitHash // of a refDelta
	data int64   // where the compressed bytes start
}

func (p *gitPack) entry(at int64) (e packEntry, err error) {
	var b [64]byte
	n, err := p.f.ReadAt(b[:], at)
	if err != nil && err != io.EOF || n < 4 || at < 12 || at >= p.size {
		return e, errGitFormat
	}
	i := 0
	next := func() byte {
		if i >= n {
			err = errGitFormat
			return 0
		}
		i++
		return b[i-1]
	}
	err = nil
	c := next()
	e.kind, e.size = gitKind(c>>4&7), int64(c&15)
	for shift := 4; c&0x80 != 0; shift += 7 {
		if c = next(); shift > 50 {
			return e, errGitFormat
		}
		e.size |= int64(c&0x7f) << shift
	}
	switch e.kind {
	case gitCommit, gitTree, gitBlob, gitTag:
	case ofsDelta:
		c = next()
		off := int64(c & 0x7f)
		for c&0x80 != 0 {
			if c = next(); off > 1<<50 {
				return e, errGitFormat
			}
			off = (off+1)<<7 | int64(c&0x7f)
		}
		if e.base = at - off; off <= 0 || e.base < 12 {
			return e, errGitFormat
		}
	case refDelta:
		if i+20 > n {
			return e, errGitFormat
		}
		copy(e.ref[:], b[i:])
		i += 20
	default:
		return e, errGitFormat
	}
	e.data = at + int64(i)
	return e, err
}

func (p *gitPack) inflate(e packEntry) ([]byte, error) {
	if e.size > maxGitObject {
		return nil, errGitLimit
	}
	z, err := zlib.NewReader(bufio.NewReader(io.NewSectionReader(p.f, e.data, p.size-e.data)))
	if err != nil {
		return nil, errGitFormat
	}
	data := make([]byte, e.size)
	if _, err := io.ReadFull(z, data); err != nil {
		return nil, errGitFormat
	}
	return data, nil
}

// packedObject reads an object of a pack, through its chain of deltas.
func (s *gitStore) packedObject(p *gitPack, at int64) (gitObject, error) {
	var chain []packEntry
	var places []int64
	var base gitObject
	for {
		if o, ok := s.bases[baseKey{p, at}]; ok {
			base = o
			break
		}
		e, err := p.entry(at)
		if err != nil {
			return gitObject{}, err
		}
		if e.kind == gitBlob {
			return gitObject{kind: gitBlob}, s.charge(0)
		}
		if e.kind != ofsDelta && e.kind != refDelta {
			data, err := p.inflate(e)
			if err != nil {
				return gitObject{}, err
			}
			if err := s.charge(len(data)); err != nil {
				return gitObject{}, err
			}
			base = gitObject{e.kind, data}
			s.keepBase(p, at, base)
			break
		}
		if len(chain) > maxDeltaChain {
			return gitObject{}, errGitFormat
		}
		chain, places = append(chain, e), append(places, at)
		if e.kind == ofsDelta {
			at = e.base
			continue
		}
		next := int64(-1)
		if err := p.find(e.ref, 40, func(_ gitHash, o int64) error { next = o; return nil }); err != nil {
			return gitObject{}, err
		}
		if next < 0 {
			return gitObject{}, errGitFormat // only packs in transfer leave bases out
		}
		at = next
	}
	for i := len(chain) - 1; i >= 0; i-- {
		if s.unpacked += chain[i].size; s.unpacked > maxGitBytes {
			return gitObject{}, errGitLimit
		}
		delta, err := p.inflate(chain[i])
		if err != nil {
			return gitObject{}, err
		}
		data, err := applyDelta(base.data, delta)
		if err != nil {
			return gitObject{}, err
		}
		if err := s.charge(len(data)); err != nil {
			return gitObject{}, err
		}
		base.data = data
		s.keepBase(p, places[i], base)
	}
	return base, nil
}

func (s *gitStore) keepBase(p *gitPack, at int64, o gitObject) {
	if s.kept += len(o.data); s.kept > keptBases {
		clear(s.bases)
		s.kept = len(o.data)
	}
	s.bases[baseKey{p, at}] = o
}

// applyDelta makes an object out of its base (gitformat-pack(5)).
func applyDelta(base, delta []byte) ([]byte, error) {
	length := func() int {
		n, shift := 0, 0
		for len(delta) > 0 && shift < 40 {
			c := delta[0]
			delta = delta[1:]
			n |= int(c&0x7f) << shift
			if shift += 7; c&0x80 == 0 {
				return n
			}
		}
		return -1
	}
	from, to := length(), length()
	if from != len(base) || to < 0 || to > maxGitObject {
		return nil, errGitFormat
	}
	out := make([]byte, 0, to)
	for len(delta) > 0 {
		c := delta[0]
		delta = delta[1:]
		if c == 0 {
			return nil, errGitFormat
		}
		if c&0x80 == 0 {
			if int(c) > len(delta) {
				return nil, errGitFormat
			}
			out = append(out, delta[:c]...)
			delta = delta[c:]
		} else {
			var v [7]int
			for i := range v {
				if c&(1<<i) != 0 {
					if len(delta) == 0 {
						return nil, errGitFormat
					}
					v[i] = int(delta[0])
					delta = delta[1:]
				}
			}
			at, n := v[0]|v[1]<<8|v[2]<<16|v[3]<<24, v[4]|v[5]<<8|v[6]<<16
			if n == 0 {
				n = 0x10000
			}
			if at < 0 || at+n > len(base) {
				return nil, errGitFormat
			}
			out = append(out, base[at:at+n]...)
		}
		if len(out) > to {
			return nil, errGitFormat
		}
	}
	if len(out) != to {
		return nil, errGitFormat
	}
	return out, nil
}

// gitCommitInfo is what is needed of a commit.
type gitCommitInfo struct {
	tree    gitHash
	parents []gitHash
	date    int64
}

func (s *gitStore) commit(h gitHash) (gitCommitInfo, error) {
	if c, ok := s.commits[h]; ok {
		return c, nil
	}
	o, err := s.object(h)
	if err != nil {
		return gitCommitInfo{}, err
	}
	if o.kind != gitCommit {
		return gitCommitInfo{}, errGitFormat
	}
	var c gitCommitInfo
	hasTree := false
	for _, line := range strings.Split(string(o.data), "\n") {
		key, value, _ := strings.Cut(line, " ")
		switch key {
		case "tree":
			c.tree, hasTree = parseHash(value)
		case "parent":
			p, ok := parseHash(value)
			if !ok {
				return c, errGitFormat
			}
			c.parents = append(c.parents, p)
		case "committer":
			if f := strings.Fields(value); len(f) > 1 {
				c.date, _ = strconv.ParseInt(f[len(f)-2], 10, 64)
			}
		}
		if line == "" {
			break
		}
	}
	if !hasTree {
		return c, errGitFormat
	}
	if s.shallow[h] {
		c.parents = nil
	}
	s.commits[h] = c
	return c, nil
}

// treeEntry is an entry of a tree.
type treeEntry struct {
	name string
	hash gitHash
	dir  bool
	link bool // a commit of another repository
	mode string
}

func (s *gitStore) tree(h gitHash) ([]treeEntry, error) {
	o, err := s.object(h)
	if err != nil {
		return nil, err
	}
	if o.kind != gitTree {
		return nil, errGitFormat
	}
	var out []treeEntry
	for data := o.data; len(data) > 0; {
		end := bytes.IndexByte(data, 0)
		if end < 0 || len(data) < end+21 {
			return nil, errGitFormat
		}
		mode, name, ok := strings.Cut(string(data[:end]), " ")
		if !ok || name == "" || strings.Contains(name, "/") {
			return nil, errGitFormat
		}
		e := treeEntry{name: name, mode: mode, dir: mode == "40000" || mode == "040000", link: mode == "160000"}
		copy(e.hash[:], data[end+1:])
		out = append(out, e)
		data = data[end+21:]
	}
	return out, nil
}

// emptyTree is the folder without entries, which every repository has.
var emptyTree = gitHash{0x4b, 0x82, 0x5d, 0xc6, 0x42, 0xcb, 0x6e, 0xb9, 0xa0, 0x60, 0xe5, 0x4b, 0xf8, 0xd6, 0x92, 0x88, 0xfb, 0xee, 0x49, 0x04}

// folder finds what a path names in a revision: a folder, or not.
func (s *gitStore) folder(rev gitHash, name string) (h gitHash, dir bool, err error) {
	h, kind, err := s.peel(rev)
	if err == nil && kind == gitCommit {
		var c gitCommitInfo
		c, err = s.commit(h)
		h, kind = c.tree, gitTree
	}
	if err != nil || kind != gitTree {
		return h, false, err
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." {
			continue
		}
		list, err := s.tree(h)
		if err != nil {
			return h, false, err
		}
		i := slices.IndexFunc(list, func(e treeEntry) bool { return e.name == part })
		if i < 0 || !list[i].dir {
			return h, false, nil
		}
		h = list[i].hash
	}
	return h, true, nil
}

// readPacked reads packed-refs.
func (s *gitStore) readPacked() error {
	s.packed = map[string]gitHash{}
	data, err := readSmall(filepath.Join(s.common, "packed-refs"), maxGitFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, line := range strings.Split(string(data), "\n") {
		if line == "" || line[0] == '#' || line[0] == '^' {
			continue
		}
		hash, name, _ := strings.Cut(line, " ")
		h, ok := parseHash(hash)
		if !ok || name == "" {
			return errGitFormat
		}
		s.packed[name] = h
	}
	return nil
}

// ref reads a reference by its full name.
func (s *gitStore) ref(name string, depth int) (h gitHash, ok bool, err error) {
	if depth > 8 {
		return h, false, errGitFormat
	}
	for _, dir := range []string{s.dir, s.common} {
		data, err := readSmall(filepath.Join(dir, filepath.FromSlash(name)), maxGitFile)
		if err != nil {
			continue // a directory, or not there
		}
		text := strings.TrimSpace(string(data))
		if to, found := strings.CutPrefix(text, "ref:"); found {
			to = strings.TrimSpace(to)
			if !plainRef(to) {
				return h, false, errGitFormat
			}
			return s.ref(to, depth+1)
		}
		if len(text) < 40 {
			return h, false, errGitFormat
		}
		if h, ok = parseHash(text[:40]); !ok { // FETCH_HEAD has more on its line
			return h, false, errGitFormat
		}
		return h, true, nil
	}
	h, ok = s.packed[name]
	return h, ok, nil
}

// plainRef says that a name holds nothing that leads out of the repository or
// that git gives another meaning.
func plainRef(name string) bool {
	if name == "" || len(name) > 500 || strings.Contains(name, "..") || strings.HasPrefix(name, "/") {
		return false
	}
	for i := 0; i < len(name); i++ {
		if c := name[i]; c <= ' ' || strings.IndexByte(`~^:?*[\`, c) >= 0 || c == 0x7f {
			return false
		}
	}
	return true
}

// allRefs returns every reference, with HEAD; logs adds what the reflogs name.
func (s *gitStore) allRefs(logs bool) ([]gitHash, error) {
	var out []gitHash
	if h, ok, err := s.ref("HEAD", 0); err != nil {
		return nil, err
	} else if ok {
		out = append(out, h)
	}
	for _, h := range s.packed {
		out = append(out, h)
	}
	for _, dir := range []string{s.common, s.dir} {
		err := filepath.WalkDir(filepath.Join(dir, "refs"), func(name string, d os.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) || err == nil && d.IsDir() {
				return nil
			}
			if err != nil {
				return err
			}
			if len(out) > maxGitRefs {
				return errGitLimit
			}
			rel, err := filepath.Rel(dir, name)
			if err != nil {
				return err
			}
			h, ok, err := s.ref(filepath.ToSlash(rel), 0)
			if err != nil {
				if strings.HasSuffix(rel, ".lock") {
					return nil
				}
				return err
			}
			if ok {
				out = append(out, h)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if dir == s.dir && s.dir == s.common {
			break
		}
	}
	if logs {
		for _, dir := range []string{s.common, s.dir} {
			err := filepath.WalkDir(filepath.Join(dir, "logs"), func(name string, d os.DirEntry, err error) error {
				if errors.Is(err, fs.ErrNotExist) || err == nil && d.IsDir() {
					return nil
				}
				if err != nil {
					return err
				}
				more, err := logHashes(name)
				if out = append(out, more...); err == nil && len(out) > 4*maxGitRefs {
					err = errGitLimit
				}
				return err
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// stash returns everything that is or was kept aside, as far as it is noted.
func (s *gitStore) stash() ([]gitHash, error) {
	var out []gitHash
	h, ok, err := s.ref("refs/stash", 0)
	if err != nil {
		return nil, err
	}
	if ok {
		out = append(out, h)
	}
	more, err := logHashes(filepath.Join(s.common, "logs", "refs", "stash"))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return append(out, more...), err
}

// logHashes returns the objects that a reflog names.
func logHashes(name string) ([]gitHash, error) {
	data, err := readSmall(name, maxGitFile)
	if err != nil {
		return nil, err
	}
	var out []gitHash
	for _, line := range strings.Split(string(data), "\n") {
		if len(line) < 81 {
			continue
		}
		for _, text := range []string{line[:40], line[41:81]} {
			if h, ok := parseHash(text); ok && h != (gitHash{}) {
				out = append(out, h)
			}
		}
	}
	return out, nil
}

// abbreviated returns the objects whose names start with some digits.
func (s *gitStore) abbreviated(digits string) ([]gitHash, error) {
	if len(digits) < 4 || len(digits) > 40 || strings.Trim(digits, "0123456789abcdefABCDEF") != "" {
		return nil, nil
	}
	digits = strings.ToLower(digits)
	var h gitHash
	if _, err := hex.Decode(h[:], []byte(digits+strings.Repeat("0", 40-len(digits)))); err != nil {
		return nil, err
	}
	var out []gitHash
	add := func(n gitHash) error {
		if out = append(out, n); len(out) > 100 {
			return errGitLimit
		}
		return nil
	}
	for _, p := range s.packs {
		if err := p.find(h, len(digits), func(n gitHash, _ int64) error { return add(n) }); err != nil {
			return nil, err
		}
	}
	for _, dir := range s.objects {
		entries, err := os.ReadDir(filepath.Join(dir, digits[:2]))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if n, ok := parseHash(digits[:2] + e.Name()); ok && strings.HasPrefix(e.Name(), digits[2:]) {
				if err := add(n); err != nil {
					return nil, err
				}
			}
		}
	}
	return out, nil
}

// errRevision is a revision in a form that is not understood.
var errRevision = errors.New("a revision that is not understood")

// revision returns the objects that a revision may mean (gitrevisions(7)):
// usually one, none where there is no such thing, and more where only a bound
// of them is found.
func (s *gitStore) revision(text string) ([]gitHash, error) {
	if text == "" || len(text) > 500 {
		return nil, errRevision
	}
	base := text
	if i := strings.IndexAny(text, "~^"); i >= 0 {
		base = text[:i]
	}
	suffix := text[len(base):]
	if strings.Contains(base, ":") {
		return nil, errRevision
	}
	var list []gitHash
	if name, at, ok := strings.Cut(base, "@{"); ok {
		if !strings.HasSuffix(at, "}") || strings.ContainsAny(at[:len(at)-1], "{}") || name != "" && !plainRef(name) {
			return nil, errRevision
		}
		var err error
		if number(at[:len(at)-1]) && name == "stash" {
			list, err = s.stash()
		} else {
			// An entry of a reflog, an upstream branch, a branch of before: all
			// that it may be.
			list, err = s.allRefs(true)
		}
		if err != nil {
			return nil, err
		}
	} else {
		if base == "@" {
			base = "HEAD"
		}
		if !plainRef(base) {
			return nil, errRevision
		}
		if h, ok := parseHash(strings.ToLower(base)); ok {
			list = append(list, h)
		}
		for _, prefix := range []string{"", "refs/", "refs/tags/", "refs/heads/", "refs/remotes/"} {
			if prefix == "" && !strings.HasPrefix(base, "refs/") && strings.Trim(base, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") != "" {
				continue // other files of the repository
			}
			h, ok, err := s.ref(prefix+base, 0)
			if err != nil {
				return nil, err
			}
			if ok {
				list = append(list, h)
			}
		}
		if h, ok, err := s.ref("refs/remotes/"+base+"/HEAD", 0); err != nil {
			return nil, err
		} else if ok {
			list = append(list, h)
		}
		if len(list) == 0 {
			digits := base
			if i := strings.LastIndex(base, "-g"); i >= 0 {
				digits = base[i+2:] // as git describe writes it
			}
			more, err := s.abbreviated(digits)
			if err != nil {
				return nil, err
			}
			list = append(list, more...)
		}
	}
	for suffix != "" {
		op := suffix[0]
		suffix = suffix[1:]
		if op == '^' && strings.HasPrefix(suffix, "{") {
			inside, rest, ok := strings.Cut(suffix[1:], "}")
			if !ok || inside != "" && inside != "commit" && inside != "tree" && inside != "object" {
				return nil, errRevision
			}
			suffix = rest
			continue // peeled where it is used
		}
		digits := 0
		for digits < len(suffix) && suffix[digits] >= '0' && suffix[digits] <= '9' {
			digits++
		}
		n := 1
		if digits > 0 {
			v, err := strconv.Atoi(suffix[:digits])
			if err != nil || v > maxGitObjects {
				return nil, errRevision
			}
			n = v
		}
		suffix = suffix[digits:]
		steps := 1
		if op == '~' {
			steps = n
		} else if op != '^' {
			return nil, errRevision
		} else if n == 0 {
			continue
		}
		for range steps {
			var up []gitHash
			for _, h := range list {
				h, kind, err := s.peel(h)
				if err != nil {
					return nil, err
				}
				if kind != gitCommit {
					continue
				}
				c, err := s.commit(h)
				if err != nil {
					return nil, err
				}
				switch {
				case op == '~' && len(c.parents) > 0:
					up = append(up, c.parents[0])
				case op == '^' && n <= len(c.parents):
					up = append(up, c.parents[n-1])
				}
			}
			list = up
		}
	}
	return list, nil
}

// peel follows tags to what they name.
func (s *gitStore) peel(h gitHash) (gitHash, gitKind, error) {
	for range 16 {
		o, err := s.object(h)
		if err != nil {
			return h, 0, err
		}
		if o.kind != gitTag {
			return h, o.kind, nil
		}
		line, _, _ := strings.Cut(string(o.data), "\n")
		var ok bool
		if h, ok = parseHash(strings.TrimPrefix(line, "object ")); !ok {
			return h, 0, errGitFormat
		}
	}
	return h, 0, fmt.Errorf("%w: tags of tags", errGitFormat)
}
