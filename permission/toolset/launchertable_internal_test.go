package toolset

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestLauncherTableIsStrict: the table is read whole, and what is wrong in one is
// an error that names the line.
func TestLauncherTableIsStrict(t *testing.T) {
	table, err := loadLaunchers(launcherText)
	require.NoError(t, err)
	assert.Greater(t, len(table), 40)
	const good = "program p\nwhy x\nbehind exec\nyes p\nno p\n"
	_, err = loadLaunchers(good)
	require.NoError(t, err)
	for text, want := range map[string]string{
		"why x\n":                   "launchers.txt:1: why stands before",
		good + "program p\nwhy x\n": "names p twice",
		good + "program q\nbehind\nyes q\nno q\n":  "launchers.txt:6: a program needs why",
		good + "program q\nwhy x\nyes q\nno q\n":   "launchers.txt:6: a program needs why",
		good + "program q\nwhy x\nbehind\nyes q\n": "launchers.txt:6: a program needs why",
		good + "behind x\n":                        "stands once",
		good + "frob x\n":                          "frob is no keyword",
		good + "program\n":                         "needs words",
	} {
		_, err := loadLaunchers(text)
		require.Error(t, err, text)
		assert.Contains(t, err.Error(), want)
	}
}

// LauncherExamples are the examples of the table, for the tests of the package's
// users.
func LauncherExamples(t *testing.T) (yes, no []string) {
	table, err := loadLaunchers(launcherText)
	require.NoError(t, err)
	seen := map[*launcher]bool{}
	for _, row := range table {
		if !seen[row] {
			seen[row] = true
			yes, no = append(yes, row.yes...), append(no, row.no...)
		}
	}
	return yes, no
}
