package credstore

import "time"

// What the tests of package credstore_test put in place of the real thing.
type (
	Disk     = disk
	DiskFile = diskFile
)

func OSDisk() Disk { return osDisk{} }

func WithDisk(o Options, d Disk) Options { o.disk = d; return o }

func WithElapsed(o Options, elapsed func() time.Duration) Options { o.elapsed = elapsed; return o }

// PatternExamples returns, for each row of the vendor patterns, its id and examples.
func PatternExamples() (ids []string, yes, no [][]string, err error) {
	rows, err := loadPatterns(patternFile)
	for _, r := range rows {
		ids, yes, no = append(ids, r.ID), append(yes, r.Yes), append(no, r.No)
	}
	return ids, yes, no, err
}
