package toolset_test

import (
	"strings"
	"testing"

	"github.com/clearance-go/clearance/permission/internal/vectortest"
	"github.com/clearance-go/clearance/permission/toolset"
	"github.com/stretchr/testify/assert"
)

// mayRunRules are the rules of the tests below: every command is allowed but for a
// few, which other programs can run too.
var mayRunRules = map[string]any{
	"deny":  []string{"Bash(rm:*)", "Bash(git push:*)", "Bash(curl:*)", "Bash(kill:*)", "Bash(sudo:*)"},
	"ask":   []string{"Bash(docker:*)", "Bash(npm publish:*)"},
	"allow": []string{"Bash"},
}

func decideMayRun(t *testing.T, mode, command string, rules map[string]any) (verdict, why string) {
	return decideVector(t, vectortest.Vector{
		"mode": mode, "tool": "Bash", "input": map[string]any{"command": command}, "cwd": "/home/u/proj", "rules": rules,
	})
}

// running are commands by which another program runs rm or git push.
var running = []string{
	"busybox rm x", "toybox rm x", "busybox sh -c 'rm x'", "./busybox rm x", "busybox find x -name y -exec rm {} +", "mywrap rm x", "mywrap -n 3 rm x",
	"./wrap.sh rm x", "mywrap 'rm x'", "mywrap sh -c 'rm x'", "mywrap -- git push", "python3 -c 'import os; os.system(\"rm x\")'",
	"perl -e 'system(\"rm x\")'", "node -e 'require(\"child_process\").execSync(\"rm x\")'", "awk 'BEGIN{system(\"rm x\")}'", "vim -c '!rm x'",
	"ssh h rm x", "docker exec c rm x", "kubectl exec p -- rm x", "tmux new-session -d 'rm x'", "screen -dm rm x", "git -c alias.z='!rm x' z",
	"make SHELL='rm x'", "find . | parallel rm", "entr rm x", "watch rm x", "at now <<< 'rm x'", "crontab - <<< '* * * * * rm x'", "echo 'rm x' | sh",
	"echo 'rm x' | at now", "printf 'rm x' > s.sh; sh s.sh", "xargs -a f rm", "strace rm x", "gdb -ex 'shell rm x'", "systemd-run rm x", "su -c 'rm x'",
	"script -c 'rm x'", "expect -c 'spawn rm x'", "sqlite3 db '.shell rm x'", "psql -c '\\! rm x'", "git bisect run rm x", "git submodule foreach 'rm x'",
	"git rebase --exec 'rm x' HEAD~2", "npx rm x", "npm exec -- rm x", "uv run rm x", "poetry run rm x", "bundle exec rm x", "direnv exec . rm x",
	"nix-shell --run 'rm x'", "conda run rm x", "mise exec -- rm x", "hyperfine 'rm x'", "time -p rm x", "perf stat rm x", "valgrind rm x", "ltrace rm x",
	"firejail rm x", "bwrap --ro-bind / / rm x", "unshare rm x", "nsenter -t 1 rm x", "chroot . rm x", "proot rm x", "fakeroot rm x",
	"dbus-run-session rm x", "xvfb-run rm x", "runcon x rm x", "setpriv rm x", "capsh -- -c 'rm x'", "start-stop-daemon --exec /bin/rm -- x",
	"rlwrap rm x", "faketime x rm x", "torsocks rm x", "proxychains rm x", "aws-vault exec p -- rm x", "op run -- rm x", "dotenv run rm x",
	"doppler run -- rm x", "chamber exec x -- rm x", "with-contenv rm x", "flatpak-spawn --host rm x", "wsl rm x", "rtk rm x", "tini -- rm x",
	"dumb-init rm x", "gosu u rm x", "catchsegv rm x", "env -S 'rm x'", "ionice rm x", "taskset 1 rm x", "numactl rm x", "cgexec -g x rm x",
	"prlimit rm x", "choom -n 1 -- rm x", "nice rm x", "stdbuf -o0 rm x", "unbuffer rm x", "linux64 rm x", "setarch x86_64 rm x", "x86_64 rm x",
	"i386 rm x", "ld.so /bin/rm x", "/lib64/ld-linux-x86-64.so.2 /bin/rm x", "doas rm x", "sg g -c 'rm x'", "parallel rm ::: x",
	"xargs -I{} sh -c 'rm {}'", "fd -x rm", "rg --pre 'rm x' a", "tar --to-command='rm x' -xf a", "tar -cf a --checkpoint-action=exec='rm x' f",
	"rsync -e 'rm x' a b", "zip a -T -TT 'rm x' f", "sort --compress-program=rm f", "man -P 'rm x' ls", "PAGER='rm x' man ls", "GIT_PAGER='rm x' git log",
	"less +'!rm x' f", "ed <<< '!rm x'", "nvim --headless -c '!rm x'", "emacs --batch --eval '(shell-command \"rm x\")'", "ruby -e '`rm x`'",
	"php -r 'system(\"rm x\");'", "lua -e 'os.execute(\"rm x\")'", "osascript -e 'do shell script \"rm x\"'", "tclsh <<< 'exec rm x'", "./x rm x",
	"ansible all -a 'rm x'", "vagrant ssh -c 'rm x'", "gh alias set x '!rm x'", "git config alias.x '!rm x'", "alias x='rm y'; x", "trap 'rm x' EXIT",
	"f() { rm x; }; f", "PROMPT_COMMAND='rm x' bash -i", "BASH_ENV=<(echo rm x) bash -c :", "coproc rm x", "exec -a y rm x", "command -p rm x",
	"builtin eval rm x", "bind -x '\"a\":rm x'", "complete -C 'rm x' y", "compgen -C 'rm x'", "mapfile -C 'rm x' -c 1 a < f", "hash -p /bin/rm q; q x",
}

// TestMayRun: what a deny rule names is not run by another program
// either, in the mode that asks least. Without the deny rules all of it runs.
func TestMayRun(t *testing.T) {
	for _, c := range running {
		for _, mode := range []string{"default", "bypassPermissions"} {
			got, why := decideMayRun(t, mode, c, mayRunRules)
			assert.NotEqual(t, "allow", got, "%s: %s: %s", mode, c, why)
		}
		got, why := decideMayRun(t, "bypassPermissions", c, map[string]any{"allow": []string{"Bash"}})
		assert.Equal(t, "allow", got, "without the rule: %s: %s", c, why)
	}
}

// TestMayRunQuiet: names of targets, packages, scripts and tests, and
// texts that nobody runs, are no commands.
func TestMayRunQuiet(t *testing.T) {
	for _, c := range []string{
		"make docker", "make kill", "just docker", "npm run docker", "npm test -- --grep 'rm -rf'", "yarn docker", "pytest tests/test_curl.py -k 'curl and not kill'", "go test ./... -run TestCurl",
		"go run ./cmd/docker", "vitest run docker", "jest -t 'rm'", "cargo run -- curl", "npm install curl", "pip install docker", "brew install curl", "git commit -m 'fix: rm x and curl'",
		"git log --grep curl", "git branch rm", "git rm x", "gh issue list --search docker", "gh pr create --title 'use curl' --body 'we rm x'", "echo rm x", "echo 'rm x' > notes.txt",
		"grep -rn 'git push' .", "rg 'rm -rf' src", "echo curl | python3 x.py", "cat <<'EOF' > f\nrm x\nEOF", "printf 'curl x' | wc -c", "ls kill", "kubectl get pods -l app=docker", "terraform plan -target=docker.x",
	} {
		got, why := decideMayRun(t, "default", c, mayRunRules)
		if strings.Contains(why, "Its words hold") {
			assert.Fail(t, "asked needlessly", "%s: %s: %s", c, got, why)
		}
	}
}

// TestMayRunBound: a text that names more than is kept, or that is too
// long to look through, may be anything.
func TestMayRunBound(t *testing.T) {
	for _, c := range []string{"unknown-program '" + strings.Repeat("rm x; curl y; kill z; ", 200) + "'", "unknown-program " + strings.Repeat("x", 300<<10) + " rm y"} {
		got, why := decideMayRun(t, "bypassPermissions", c, mayRunRules)
		assert.NotEqual(t, "allow", got, why)
		assert.Less(t, len(why), 1<<20)
	}
}

// TestLauncherExamples: the examples of launchers.txt, each of which runs without
// the deny rule.
func TestLauncherExamples(t *testing.T) {
	yes, no := toolset.LauncherExamples(t)
	for _, c := range yes {
		for _, mode := range []string{"default", "bypassPermissions"} {
			got, why := decideMayRun(t, mode, c, mayRunRules)
			assert.NotEqual(t, "allow", got, "%s: %s: %s", mode, c, why)
		}
		got, why := decideMayRun(t, "bypassPermissions", c, map[string]any{"allow": []string{"Bash"}})
		assert.Equal(t, "allow", got, "without the rule: %s: %s", c, why)
	}
	for _, c := range no {
		got, why := decideMayRun(t, "default", c, map[string]any{"deny": []string{"Bash(rm:*)"}, "allow": []string{"Bash"}})
		assert.Equal(t, "allow", got, "asked needlessly: %s: %s", c, why)
	}
}
