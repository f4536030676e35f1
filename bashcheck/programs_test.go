package bashcheck

import (
	"net"
	"os"
	"os/exec"
	"strings"
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
		"a view of a database that is only opened for reading (edit)": {"sqlite3", func(t *testing.T, dir string) {
			out, err := exec.Command("sqlite3", dir+"/app.db", "create view users as select edit('x', 'touch HIT; true') as name").CombinedOutput()
			require.NoError(t, err, "%s", out)
		}, "sqlite3 -readonly app.db 'select name from users'", "sqlite3 -readonly -safe app.db 'select name from users'; sqlite3 -readonly app.db .schema; sqlite3 -readonly app.db 'pragma table_info(users)'; sqlite3 -readonly app.db 'explain query plan select name from users'"},
		"the same behind IN": {"sqlite3", func(t *testing.T, dir string) {
			out, err := exec.Command("sqlite3", dir+"/app.db", "create view users as select edit('x', 'touch HIT; true') as name").CombinedOutput()
			require.NoError(t, err, "%s", out)
		}, "sqlite3 -readonly app.db 'select 1 from sqlite_master where name in users'", "sqlite3 -readonly app.db 'select name from sqlite_master'"},
		"the same behind ON and a comma": {"sqlite3", func(t *testing.T, dir string) {
			out, err := exec.Command("sqlite3", dir+"/app.db", "create view users as select edit('x', 'touch HIT; true') as name").CombinedOutput()
			require.NoError(t, err, "%s", out)
		}, "sqlite3 -readonly app.db 'select * from sqlite_master a join sqlite_master b on 1, users'", "sqlite3 -readonly app.db 'select 1 from sqlite_master a join sqlite_master b on a.name = b.name'"},
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
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(c.program); err != nil {
				t.Skipf("%s is missing, so the attack cannot be run", c.program)
			}
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
			if _, err := exec.LookPath(program); err != nil {
				t.Skipf("%s is missing, so the attack cannot be run", program)
			}
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
	if _, err := exec.LookPath("exiftool"); err != nil {
		t.Skip("exiftool is missing, so the attack cannot be run")
	}
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

// TestSQLOnlyReads: texts for the shell of SQLite, beside -readonly, and with
// -safe too.
func TestSQLOnlyReads(t *testing.T) {
	for sql, want := range map[string]string{
		".tables": "schema", ".schema users": "schema", ".schema --indent": "schema", ".indexes t": "schema",
		".tables\n.shell id": "", ".shell id": "", ".schema 'a'": "", ".open f": "", ".output f": "", ".fullschema": "", ".dump": "", ".tables a b c": "",
		"pragma table_info(users)": "schema", "PRAGMA table_info('a b')": "schema", "pragma user_version": "schema", "pragma user_version = 2": "", "pragma user_version(2)": "",
		"pragma main.table_info(t)": "", "pragma integrity_check": "", "pragma writable_schema=1": "", "pragma optimize": "", "pragma": "",
		"explain select edit(1, 2) from t": "", "explain query plan select a from t, u where a in (select b from v)": "schema", "explain query plan with t as (select 1) select * from t": "schema",
		"explain pragma user_version(3)": "", "explain delete from t": "", "explain": "", "explain query plan": "",
		"select 1": "schema", "select name from sqlite_master": "schema", "select name from sqlite_schema where type='table' order by name limit 5;": "schema",
		"select * from pragma_table_info('users')": "schema", "select m.name, p.name from sqlite_master m join pragma_table_info(m.name) p": "schema",
		"select count(*) from sqlite_master where sql like '%edit(%'": "schema",
		"select * from users": "safe", "select a, count(*) from t group by a having count(*) > 1 order by 2 desc": "safe", "select * from \"a b\"": "safe", "select * from main.users": "safe",
		"select * from sqlite_master, users": "safe", "select * from sqlite_master where 1 in users": "", "select (select a from users)": "safe", "select * from (users)": "safe",
		"select * from sqlite_master union select * from users": "safe", "select * from sqlite_master a join sqlite_master b on a.x = b.x, users": "safe", "select * from 'users'": "safe",
		"with t(a) as (select 1) select a from t": "safe", "with t as (select 1) insert into u select * from t": "", "select * from json_each('[1]')": "safe",
		"select edit(a) from t": "", "select \"edit\"(a) from t": "", "select EDIT (a) from t": "", "select writefile('f', 1)": "", "select readfile('f')": "", "select load_extension('x')": "",
		"select * from fsdir('/')": "", "select * from 'fsdir'": "", "select * from main.fsdir": "", "select a from t -- x": "", "select a from t /* x */": "", "select 1; select 2": "",
		"select [a] from t": "", "select `a` from t": "", "select ?1": "", "select 'it''s' from sqlite_master": "schema", "select 'a": "", "attach 'f' as f": "", "vacuum": "", "insert into t values (1)": "",
		"": "", ";": "", "select": "schema", "values (1)": "", "select a from t)": "",
	} {
		assert.Equal(t, want == "schema", sqlOnlyReads(sql, false), "-readonly: %s", sql)
		assert.Equal(t, want != "", sqlOnlyReads(sql, true), "-readonly -safe: %s", sql)
	}
}

// FuzzSQLOnlyReads: what is accepted without -safe is accepted with it, and holds
// none of the words by which SQLite's shell does more than compute.
func FuzzSQLOnlyReads(f *testing.F) {
	for _, s := range []string{"select 1", ".tables", "pragma table_info(t)", "explain select 1", "select * from sqlite_master where a in (select 'edit(' from t)", "select \"a\"\"b\" from t"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		schema, safe := sqlOnlyReads(s, false), sqlOnlyReads(s, true)
		if schema && !safe {
			t.Errorf("%q: accepted without -safe alone", s)
		}
		if !safe {
			return
		}
		tokens, _ := sqlTokens(s)
		for i, x := range tokens {
			if i+1 < len(tokens) && tokens[i+1].kind == '(' {
				switch strings.ToLower(x.text) {
				case "edit", "writefile", "readfile", "load_extension", "fsdir", "zipfile":
					if x.kind == 'a' || x.kind == '"' {
						t.Errorf("%q is accepted", s)
					}
				}
			}
		}
	})
}

// TestSpelledWords: kinds of operands that are understood only as they are
// spelled.
func TestSpelledWords(t *testing.T) {
	for src, want := range map[string]bool{
		"ffprobe a.mp4": true, "ffprobe dir/a.mp4": true, "ffprobe ./*.mp4": false, "ffprobe a:b.mp4": false, "ffprobe 'a|'": false, "ffprobe @a": false, `ffprobe "$f"`: false,
		"for f in a.mp4 b.mp4; do ffprobe $f; done": true, "exiftool dir/*.jpg": true, "exiftool ./*.jpg": true, "exiftool ./*": false, "exiftool *.jpg": false,
		"cloc .": true, "cloc src": true, "cloc a.zip": false, "cloc a.tar.gz": false, "cloc deadbeef": false, "cloc main.go": true, "cloc a.whl": false, `cloc "$d"`: false,
		"man ls": true, "man 3 printf": true, "man ./ls": false, "man -- -x": false, "man .profile": false, "man ..": false,
		"nft list table inet filter": true, "nft list table ';'": false, "nft list ruleset 'a;flush ruleset'": false,
		"tcpdump -nn -r f.pcap port 80": true, "tcpdump -nn -r f.pcap 'tcp and (port 80 or port 443)'": true, "tcpdump -nn -r f.pcap host 10.0.0.1": true, "tcpdump -nn -r f.pcap src net 10.0.0.0/8": true,
		"tcpdump -nn -r f.pcap host h.example": false, "tcpdump -nn -r f.pcap ether host x": false, "tcpdump -r f.pcap": false, "tcpdump -nn -r f.pcap host ::1": true,
		"pandoc -t plain a.md": true, "pandoc -t plain a.html": false, "pandoc -t pdf a.md": false, "pandoc -t plain a": false, "pandoc -f gfm -t plain a": true,
		"mlr --icsv cat f.csv": true, "mlr --icsv cat then": false, "mlr --icsv cat f.csv then": false,
		"webpinfo -qd a.webp": false, "exiftool -jn a.jpg": false, "ffprobe -hide_bannerx a.mp4": false, "sqlite3 -readonlyx a.db .tables": false,
	} {
		r := Analyze(src)
		assert.Equal(t, want, r.ReadOnly(), "%s: %s", src, r.Explain())
	}
}
