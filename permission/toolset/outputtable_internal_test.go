package toolset

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestOutputTableIsStrict: the table is read whole, and what is wrong in one is
// an error that names the line.
func TestOutputTableIsStrict(t *testing.T) {
	table, err := loadOutputs(outputText)
	require.NoError(t, err)
	assert.Greater(t, len(table), 80)
	const good = "program *\nwhy x\nyes a\nno b\nprogram p\nwhy x\noutput -o\nyes p\nno p\n"
	_, err = loadOutputs(good)
	require.NoError(t, err)
	for text, want := range map[string]string{
		"why x\n":                          "outputs.txt:1: why stands before",
		"":                                 "* is missing",
		good + "program p\nwhy x\n":        "names p twice",
		good + "program q\nyes q\nno q\n":  "outputs.txt:10: a program needs why",
		good + "program q\nwhy x\nyes q\n": "outputs.txt:10: a program needs why",
		good + "frob x\n":                  "frob is no keyword",
		good + "output --\n":               "takes -x and --name",
		good + "output -out\n":             "takes -x and --name",
		good + "output o\n":                "takes -x and --name",
		good + "output --a --a\n":          "takes -x and --name",
		good + "last x\n":                  "stands alone",
		good + "behind a\n":                "needs two words",
		good + "guards all\n":              "takes delete or nothing",
		good + "assigned\n":                "needs words",
		good + "program\n":                 "needs words",
	} {
		_, err := loadOutputs(text)
		require.Error(t, err, text)
		assert.Contains(t, err.Error(), want)
	}
}
