package bashcheck

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

// spellings name a program, a setting or a place outside the project in ways that
// are easily taken for harmless: as the value of a flag, glued to other letters,
// by the beginning of a long flag, by a setting on the line, by the environment.
var spellings = []string{
	"git -c core.sshCommand=./x fetch", "git -c core.fsmonitor=./x status", "git -ccore.pager=./x log", "git --exec-path=./x status", "git -p log", "git --pag log", "git --config-env=core.pager=X log", "git -C d -c a.b=c log",
	"git --git-dir=x log", "git --work-tre x status", "GIT_SSH_COMMAND=./x git fetch", "GIT_EXTERNAL_DIFF=./x git diff", "GIT_EDITOR=./x git rebase -i HEAD~2", "GIT_SEQUENCE_EDITOR=./x git rebase -i HEAD~2", "GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=core.pager GIT_CONFIG_VALUE_0=./x git log", "GIT_PAGER=./x git log",
	"GIT_ASKPASS=./x git pull", "GIT_PROXY_COMMAND=./x git fetch", "GIT_DIR=x git checkout main", "GIT_TEMPLATE_DIR=x git init", "git fetch --upload-p ./x origin", "git rebase --ex ./x main", "git rebase --exe=./x main", "git rebase -ix ./x main",
	"git rebase -fqx./x main", "git rebase -x./x main", "git merge -ss2 f", "git merge --strat=./x f", "git merge -qs./x f", "git merge --no-ff -vs ./x f", "git pull -s./x", "git pull -qs x",
	"git pull --strategy x", "git pull --upload=./x", "git rebase --strateg x main", "git rebase -qsx main", "git revert --strategy=./x HEAD", "git cherry-pick --strateg ./x a", "git cherry-pick -xs --strategy=x a", "git grep -nO./x y",
	"git grep --open-files=./x y", "git difftool -x ./x", "git difftool -yx ./x", "git mergetool --tool=x", "git bisect run ./x", "git submodule foreach ./x", "git submodule update --init", "git clone -u./x . d",
	"git clone -qu ./x . d", "git clone --conf=core.fsmonitor=./x u", "git clone --templ ./x u", "git init --templ=./x", "git push --rece=./x", "git push --exe ./x origin", "git archive --rem=. --ex=./x HEAD", "git ls-remote --upload-p=./x .",
	"git send-email --smtp-server=./x p", "git filter-branch --tree-filter ./x", "git filter-branch -f --msg-filter ./x", "git interpret-trailers --trailer x", "git diff --ext-d", "git log -p --ext-diff", "git show --textc HEAD:f", "git p4 sync",
	"git web--browse x", "git instaweb", "git foo", "git ./x", "git checkout --recurse-submodul main", "git reset --recurse-submodules --hard", "git stash push --pathspec-from-fil=x", "git add --pathspec-from-f x",
	"git am --resolvem=x p", "git apply --unsaf p", "git apply -p1 --build-fake-ancestor=x p", "git worktree add --frob x", "git merge --fil=x f", "git commit --templ=x", "git restore --sourc=x f", "git switch --creat x",
	"git fetch --recurse-submodules",
	"docker -H ssh://h ps", "docker -Hssh://h ps", "DOCKER_HOST=ssh://x docker ps", "DOCKER_CONFIG=./d docker ps", "docker --config d ps", "docker --context x ps", "docker -cx ps", "docker -D --tlscacert=x ps",
	"docker foo", "docker ./x", "docker ps --host=x", "docker inspect -sf x --frob c", "docker compose -fhttps://x/y ps", "docker compose --project-d=/x ps", "docker compose --file=git@github.com:x/y.git ps", "docker compose --env-file e --dry-run up",
	"docker run -itv./a:/b x", "docker run --entrypoint=./x y", "docker exec -ite A=b c x", "docker buildx build --output=type=local,dest=/ .", "docker build --secret=id=a,src=f .", "docker compose exec web ./x", "docker top c -oenviron", "docker top c eww",
	"COMPOSE_FILE=https://x/y docker compose ps",
	"kubectl --kubeconfig=./x get pods", "kubectl get pods --kubeconfi ./x", "KUBECONFIG=./x kubectl get pods", "kubectl -s http://h get pods", "kubectl -shttp://h get pods", "kubectl get pods --server=http://h", "kubectl get po -o go-template-file=f", "kubectl get po -ojsonpath-file=f",
	"kubectl get po -Aocustom-columns-file=f", "kubectl krew", "kubectl ./x", "kubectl get -f x", "kubectl get -Rf x", "kubectl --as=x get pods", "kubectl --token x get pods", "KUBECTL_EXTERNAL_DIFF=./x kubectl diff -f x",
	"KUBE_EDITOR=./x kubectl edit x", "kubectl edit x", "kubectl get --raw=/x", "kubectl get pods --profile=cpu --profile-output=f", "kubectl get po --cache-dir=x", "kubectl get po --v=9 --log-file=f", "kubectl config view --flatten --raw", "kubectl logs p --insecure-skip-tls-verify-backend",
	"kubectl delete --dry-run pod p", "kubectl debug node/n --image x", "kubectl run p --image x --overrides={}",
	"npm --script-shell=./x run a", "npm i --script-shell ./x", "npm i --script-sh=./x", "npm i --node-options=--require=./x", "npm_config_script_shell=./x npm i", "NPM_CONFIG_GIT=./x npm i", "NODE_OPTIONS=--require=./x npm ls", "npm ls --node-options=--require=./x",
	"npm --git=./x i", "npm i --git=./x a", "npm i --gi ./x a", "npm --prefix=/x ls", "npm -C /x ls", "npm -C/x i", "npm ls --userconfig=./x", "npm --globalconfig ./x ls",
	"npm help --viewer=./x ls", "npm edit --editor=./x a", "npm pkg get x --prefix ../y", "npm x -c ./x", "npm x -yc ./x", "npm exec --call=./x", "npm explain a --init-module=./x", "npm ls --cache=/x",
	"npm i --before-script=./x", "npm ci --ignore-script=false --shell=./x", "npm version patch --sign-git-tag", "npm i --omi=dev a", "npm foo", "npm i -gC /x a", "npm update --location=global a", "npm i --globa a",
	"npm i -gf a",
	"cargo --config build.rustc=./x build", "cargo metadata --no-deps --config=build.rustc=./x", "RUSTC=./x cargo metadata --no-deps", "RUSTC_WRAPPER=./x cargo build", "CARGO_BUILD_RUSTC_WRAPPER=./x cargo metadata --no-deps", "CARGO_HOME=./x cargo --version", "RUSTUP_TOOLCHAIN=./x cargo --version", "cargo +./x --version",
	"cargo -Zunstable --version", "cargo -vVZx", "cargo -C d locate-project", "cargo -qC d version", "cargo metadata --no-deps --conf=x.y=z", "cargo metadata --no-deps --manifest=x", "cargo locate-project --config x.y=z", "cargo locate-project -Zx",
	"cargo read-manifest --config=x", "cargo frob", "cargo ./x", "cargo install --root=/x y", "cargo clean --target-dir=/", "cargo fmt -- --config-path=x", "cargo build --out-dir=x -Zx", "cargo vendor --sync=x y",
	"cargo --list --config x=y",
}

// plainSpellings are like them and mean nothing more than they say.
var plainSpellings = []string{
	"git merge -s ours -Xtheirs f", "git merge --no-ff -qm x f", "git rebase -qs ort main", "git pull -qs recursive", "git checkout -qb x", "git switch -qc x", "git restore -SWs HEAD~1 f", "git reset -q --keep HEAD~1",
	"git cherry-pick -xm 1 a", "git revert --no-edit --strategy=ort HEAD", "git mv -kv a b", "git rm -rq --cached d", "git am -3 p", "git stash push -um x", "git stash pop -q", "git fetch -pt --depth 1", "git pull --rebase", "git worktree lock --reason=x w",
	"kubectl get pods -owide -n x", "kubectl -n x logs -f p", "docker ps -aqf name=x", "docker logs -fn 5 c", "npm i -D x", "npm ci --omit=dev", "npm ls --depth=0", "cargo metadata --no-deps --manifest-path a/Cargo.toml",
}

// TestSpellings: no such command is described to its end with effects that are
// its own business; the plain ones are.
func TestSpellings(t *testing.T) {
	a := New(Options{Home: "/home/u"})
	open := func(src string) bool {
		r := a.Analyze(src)
		return slices.ContainsFunc(r.Commands, func(c Command) bool {
			return !c.Described || slices.ContainsFunc(c.Effects, func(e Effect) bool {
				switch e.Kind {
				case Unknown, Execute, Environment:
					return !e.Own
				case Read, List, Write, Delete, Change:
					return !e.Own && (e.Extent == Anywhere || e.Target != "" && e.Target[0] == '/')
				}
				return false
			})
		})
	}
	for _, src := range spellings {
		assert.True(t, open(src), "%s: %s", src, a.Analyze(src).Explain())
		assert.False(t, a.Analyze(src).ReadOnly(), src)
	}
	for _, src := range plainSpellings {
		assert.False(t, open(src), "%s: %s", src, a.Analyze(src).Explain())
	}
}
