package bashcheck

import (
	"net"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestFilesThatAct: what a file of the workspace can make a program do that only
// seems to look at it. Each is first shown to do it, and is then no read-only
// command; what stands beside it is, and does nothing.
func TestFilesThatAct(t *testing.T) {
	bash := need(t, "bash")
	for name, c := range map[string]struct {
		program    string
		make       func(t *testing.T, dir string)
		harm, fine string
	}{
		"a PreLoad.cmake": {"cmake", func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(dir+"/PreLoad.cmake", []byte("execute_process(COMMAND touch HIT)\n"), 0o600))
			require.NoError(t, os.WriteFile(dir+"/CMakeCache.txt", []byte("CMAKE_HOME_DIRECTORY:INTERNAL="+dir+"\nCMAKE_CACHEFILE_DIR:INTERNAL="+dir+"\n"), 0o600))
		}, "cmake -N -LA .", "cmake --help-command add_executable"},
		"a .mlrc": {"mlr", func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(dir+"/.mlrc", []byte("prepipe touch HIT; cat <\nprepipex touch HIT; cat\n"), 0o600))
			require.NoError(t, os.WriteFile(dir+"/f.csv", []byte("a\n1\n"), 0o600))
		}, "mlr --icsv --prepipe 'touch HIT; cat' cat f.csv", "mlr --icsv --ojson cat f.csv"},
		"a second verb of mlr": {"mlr", func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(dir+"/f.csv", []byte("a\n1\n"), 0o600))
		}, "mlr --icsv top -f a -a then tee HIT f.csv", "mlr --icsv head -n 1 f.csv"},
		"a format of exiftool": {"exiftool", func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(dir+"/f.jpg", []byte("x"), 0o600))
		}, "exiftool -p '${filename;system(\"touch HIT\")}' f.jpg", "exiftool -FileSize f.jpg"},
		"a coverage profile": {"go", func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(dir+"/go.mod", []byte("module x\n\ngo 1.24\n"), 0o600))
			require.NoError(t, os.WriteFile(dir+"/c.out", []byte("mode: set\n-toolexec=./t/x.go:2.16,2.28 1 1\nx/x.go:2.16,2.28 1 1\n"), 0o600))
			require.NoError(t, os.WriteFile(dir+"/x.go", []byte("package x\n"), 0o600))
			require.NoError(t, os.WriteFile(dir+"/t", []byte("#!/bin/sh\ntouch HIT\nexec \"$@\"\n"), 0o700))
		}, "go tool cover -func=c.out", "go version"},
	} {
		t.Run(name, func(t *testing.T) {
			need(t, c.program)
			dir := t.TempDir()
			c.make(t, dir)
			env := SafeEnv(EnvOptions{Home: t.TempDir()})
			in(dir, env, bash, "-c", c.fine)
			assert.False(t, hit(dir), "%s: does nothing", c.fine)
			assert.True(t, Analyze(c.fine).ReadOnly(), "%s: %s", c.fine, Analyze(c.fine).Explain())
			in(dir, env, bash, "-c", c.harm)
			assert.True(t, hit(dir), "%s: acts", c.harm)
			assert.False(t, Analyze(c.harm).ReadOnly(), c.harm)
		})
	}
}

// TestFilesThatConnect: a playlist called film.mp4 names an address. mediainfo
// goes there; ffprobe opens nothing but files for a local file.
func TestFilesThatConnect(t *testing.T) {
	bash := need(t, "bash")
	for program, connects := range map[string]bool{"mediainfo": true, "ffprobe": false} {
		t.Run(program, func(t *testing.T) {
			assert.Equal(t, !connects, Analyze(program+" film.mp4").ReadOnly())
			if _, err := exec.LookPath(program); err != nil && program == "ffprobe" {
				t.Skip("ffprobe is missing, and CI does not install it: ffmpeg is as large as all other programs together")
			}
			need(t, program)
			server, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			asked := make(chan bool, 1)
			go func() {
				for {
					c, err := server.Accept()
					if err != nil {
						close(asked)
						return
					}
					c.Close()
					select {
					case asked <- true:
					default:
					}
				}
			}()
			dir := t.TempDir()
			list := "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXTINF:9,\nhttp://" + server.Addr().String() + "/a.ts\n#EXT-X-ENDLIST\n"
			require.NoError(t, os.WriteFile(dir+"/film.mp4", []byte(list), 0o600))
			in(dir, SafeEnv(EnvOptions{Home: dir}), bash, "-c", program+" film.mp4")
			server.Close()
			assert.Equal(t, connects, <-asked)
		})
	}
}

// TestSafeEnvExifTool: without HOME exiftool runs the .ExifTool_config of the
// current folder.
func TestSafeEnvExifTool(t *testing.T) {
	assert.Contains(t, Analyze("exiftool f.jpg").Assumptions, AssumeExifToolConfig)
	need(t, "exiftool")
	bash := need(t, "bash")
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(dir+"/f.jpg", []byte("x"), 0o600))
	require.NoError(t, os.WriteFile(dir+"/.ExifTool_config", []byte("system('touch HIT'); 1;\n"), 0o600))
	env := SafeEnv(EnvOptions{Home: t.TempDir()})
	in(dir, env, bash, "-c", "exiftool f.jpg")
	assert.False(t, hit(dir))
	in(dir, without(env, "HOME"), bash, "-c", "exiftool f.jpg")
	assert.True(t, hit(dir), "exiftool runs the file")
}

// TestFlagsThatRead: a file that only a flag names is read like an operand.
func TestFlagsThatRead(t *testing.T) {
	for command, file := range map[string]string{
		"tree -H . --hintro .env": ".env", "tree --houtro=.env": ".env", "tree --infofile .env": ".env", "grep -f .env x": ".env", "file -f .env": ".env",
	} {
		r := Analyze(command)
		assert.True(t, slices.ContainsFunc(r.Effects(), func(e Effect) bool { return e.Kind == Read && (e.Target == file || e.Extent == Anywhere) }), command)
	}
}
