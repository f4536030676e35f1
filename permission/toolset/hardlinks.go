package toolset

import (
	"io/fs"
	"os"
	"path/filepath"

	"github.com/clearance-go/clearance/permission"
	"github.com/clearance-go/clearance/scope"
)

// A file with two names is one file. A rule names one of them, and an archive
// that is unpacked can give the same file another (a hard link entry of tar). So
// where a file with more than one name is read or written, the project and the
// usual places of secrets in the home directory are looked through, once a call,
// for names of it that rules or classes speak of. Not looked at are node_modules,
// whose files package managers link by the thousand, .git, names elsewhere, and
// what lies behind the first maxLinkWalk entries.

// maxLinkWalk bounds the entries that are looked at for other names of files.
const maxLinkWalk = 5000

// secretPlaces are the directories of the home directory that are looked at.
var secretPlaces = []string{"", ".ssh", ".aws", ".gnupg", ".kube", ".docker", ".config/gh", ".config/gcloud"}

// otherName is a name of a file with several names that something speaks of.
type otherName struct {
	info fs.FileInfo
	path permission.Path
}

// secondNames adds to what is known of a path, and to its details, what other
// names of the file say.
func (b *builder) secondNames(p *permission.Path, more *permission.PathDetails) {
	if b.t.o.Offline || b.others == nil && !b.findOthers() || len(b.others) == 0 {
		return
	}
	st, err := os.Lstat(p.Real)
	if err != nil {
		return
	}
	for i := range b.others {
		o := &b.others[i]
		if o.path.Real == p.Real || !os.SameFile(st, o.info) {
			continue
		}
		more.Also = append(more.Also, o.path.Clean)
		if p.Class == permission.Ordinary && o.path.Class != permission.Ordinary {
			p.Class, more.ClassName = o.path.Class, "the same file as "+o.path.Clean
			more.Secret = ""
		}
	}
}

// findOthers collects the files with several names that a rule or a class speaks
// of.
func (b *builder) findOthers() bool {
	b.others = []otherName{} // also while it looks
	look := func(dir string, below bool, left *int) {
		for queue := []string{dir}; len(queue) > 0; {
			at := queue[0]
			queue = queue[1:]
			entries, err := os.ReadDir(at)
			if err != nil {
				continue
			}
			for _, e := range entries {
				if *left--; *left < 0 {
					return
				}
				name := filepath.Join(at, e.Name())
				if e.IsDir() {
					if below && e.Name() != ".git" && e.Name() != "node_modules" {
						queue = append(queue, name)
					}
					continue
				}
				info, err := e.Info()
				if err != nil || !info.Mode().IsRegular() || !severalNames(info) {
					continue
				}
				p := b.ask("/", name, scope.Read).path
				if p.Class == permission.Sensitive || p.Class == permission.Forbidden || b.namedForWriting(&p) {
					b.others = append(b.others, otherName{info, p})
				}
			}
		}
	}
	left := maxLinkWalk
	if r, ok := b.t.o.Files.(interface{ Root() string }); ok {
		look(r.Root(), true, &left)
	}
	for _, d := range secretPlaces {
		if b.t.home != "" {
			left = maxLinkWalk / 10
			look(filepath.Join(b.t.home, d), false, &left)
		}
	}
	return true
}
