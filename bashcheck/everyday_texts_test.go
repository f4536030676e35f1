package bashcheck

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// everydayTexts are commands with a program text or an expression as people and
// models write them every day. None may ask. One a line.
const everydayTexts = `
awk '{print $1}' f
awk '{ print $1, $3 }' access.log
awk -F: '{print $1}' /etc/passwd
awk -F, '{print $2}' data.csv
awk -F'\t' '{print $3}' f.tsv
awk -F '\t' '{ print $1 "\t" $2 }' f.tsv
awk 'NR==5' f
awk 'NR==5,NR==10' f
awk 'NR>1' data.csv
awk 'NR>=10 && NR<=20' f
awk 'NR>=10 && NR<=20 {print NR": "$0}' main.go
awk 'END{print NR}' f
awk 'END {print $NF}' f
awk '{s+=$1} END {print s}' f
awk '{sum += $1} END {print sum/NR}' f
awk '{ total += $5 } END { print total / 1024 / 1024 " MB" }' f
awk '{ total += $5 } END { printf "%.2f\n", total/1e6 }' f
awk '!seen[$0]++' f
awk '!x[$1]++' f
awk '{a[$1]++} END {for (k in a) print k, a[k]}' f
awk '{count[$1]++} END {for (w in count) print count[w], w}' f
awk '{a[$1]+=$2} END {for (i in a) printf "%s %d\n", i, a[i]}' f
awk 'length > 80' f
awk 'length($0) > 120 {print FILENAME": "FNR": "length($0)}' main.go
awk 'length>100{print FNR": "$0}' main.go
awk '{print length}' f
awk '/error/' log
awk '/error/ {print $0}' log
awk '/ERROR|WARN/ {print $1, $2, $NF}' app.log
awk '/start/,/end/' f
awk '/^func /{print FILENAME": "$0}' main.go
awk '/BEGIN/{flag=1;next}/END/{flag=0}flag' f
awk '/^## /{p=0} /^## Usage/{p=1} p' README.md
awk '/^## \[/{if(p)exit;p=1}p' CHANGELOG.md
awk '$3 > 100' f
awk '$3 > 100 {print $1}' f
awk '$1 == "foo" {print $2}' f
awk '$1 ~ /^a/' f
awk '$NF !~ /x$/ {print}' f
awk '{$1=""; print $0}' f
awk '{$1=""; print substr($0,2)}' f
awk '{print $NF}' f
awk '{print $(NF-1)}' f
awk '{print NF}' f
awk '{printf "%s ", $1}' f
awk '{printf("%s\n", $1)}' f
awk '{printf "%-20s %10d\n", $1, $2}' f
awk 'BEGIN{FS=","} {print $1}' f
awk 'BEGIN {FS=OFS=","} {$2="x"; print}' f
awk 'BEGIN { for (i=1; i<=10; i++) print i }'
awk 'BEGIN{print 1/3}'
awk 'BEGIN{printf "%.3f\n", 22/7}'
awk 'BEGIN { print 10 * 1024 * 1024 }'
awk 'BEGIN{print 2**10}'
awk 'BEGIN{print substr("hello",2,3)}'
awk '{gsub(/foo/,"bar"); print}' f
awk '{gsub(/"/, ""); print}' f
awk '{gsub(/[ \t]+/, " "); print}' f
awk '{gsub(/^[ \t]+|[ \t]+$/, ""); print}' f
awk '{sub(/^[ \t]+/, ""); print}' f
awk '{gsub(/[^a-zA-Z0-9]/, "_"); print}' f
awk '{sub(/\r$/, ""); print}' f
awk '{print toupper($0)}' f
awk '{print tolower($1)}' f
awk '{split($0,a,":"); print a[1]}' f
awk '{n=split($1,a,"/"); print a[n]}' f
awk -F/ '{print $NF}' f
awk -F"[: ]" '{print $2}' f
awk -F'[/:]' '{print $4}' f
awk -F'"' '{print $2}' f
awk -F= '/^version/{print $2}' f
awk -F'=' '$1=="NAME"{gsub(/"/,"",$2); print $2}' /etc/os-release
awk 'NF' f
awk 'NF > 0' f
awk '/./' f
awk 'NR%2==0' f
awk 'NR % 2' f
awk 'NR==FNR{a[$1];next} $1 in a' f g
awk 'NR==FNR {a[$1]=$2; next} ($1 in a) {print $0, a[$1]}' f g
awk 'FNR==1{print FILENAME}' f g
awk '{print "bad: " $0 > "/dev/stderr"}' f
awk -v n=3 'NR==n' f
awk -v s="$x" '$1 == s' f
awk -v OFS='\t' '{print $1, $2}' f
awk -v pat=foo '$0 ~ pat {print FNR": "$0}' f
awk 'max < $1 {max = $1} END {print max}' f
awk 'NR==1{min=$1} $1<min{min=$1} END{print min}' f
awk '{if ($1 > max) max = $1} END {print max}' f
awk '{ if ($3 >= 50) print $1; else print $2 }' f
awk '{print ($1 > 5 ? "big" : "small")}' f
awk '{ $1 = $1 } 1' f
awk 1 f g
awk '{print NR ": " $0}' f
awk '{printf "%5d  %s\n", NR, $0}' main.go
awk '{lines[NR]=$0} END {for (i=NR; i>0; i--) print lines[i]}' f
awk 'BEGIN{RS=""} /foo/' f
awk 'BEGIN{RS="";ORS="\n\n"} /foo/' f
awk -v RS= '/pat/' f
awk '{while (match($0, /[0-9]+/)) {print substr($0, RSTART, RLENGTH); $0 = substr($0, RSTART+RLENGTH)}}' f
awk 'match($0, /v[0-9]+\.[0-9]+/) {print substr($0, RSTART, RLENGTH)}' f
awk '{x=$1/$2; print x}' f
awk '{print $1/1024 "K", $2}' f
awk '{print int($1/1024) "K"}' f
awk '{print ($2/$3)*100 "%"}' f
awk '{a=$1; b=a/2; print b}' f
awk '/^total/ {print $2} # the size' f
awk 'BEGIN{srand(); print int(rand()*100)}'
awk '{c[length($1)]++} END{for(i in c) print i,c[i]}' f
awk '{for(i=1;i<=NF;i++) w[$i]++} END{for(k in w) print w[k],k}' f
awk '{for (i=NF; i>0; i--) printf "%s%s", $i, (i>1 ? OFS : ORS)}' f
awk '{ if (/foo/) n++ } END { print n+0 }' f
awk '$0 !~ /^#/ && NF' f
awk '!/^#/ && !/^$/' f
awk '/^$/{next} {print}' f
awk '/^\[tool/{f=1} f' pyproject.toml
awk '/"version":/ {print $2}' package.json
awk -F'"' '/"version"/ {print $4; exit}' package.json
awk '/^go /{print $2}' go.mod
awk '/^require \(/{f=1;next} /^\)/{f=0} f{print $1"@"$2}' go.mod
awk '{d[NR%5]=$0} END{for(i=NR+1;i<=NR+5;i++) print d[i%5]}' f
awk '{print; if (NR==10) exit}' f
awk 'function max(a,b){return a>b?a:b} {m=max(m,$1)} END{print m}' f
awk '{n++; s+=$1; q+=$1*$1} END {print sqrt(q/n-(s/n)^2)}' f
ps aux | awk '{print $2, $11}'
ps aux | awk '$3 > 10.0 {print $2, $3, $11}'
df -h | awk '$5+0 > 80 {print $6, $5}'
df -h | awk 'NR>1 {print $5, $6}' | sort -rn
ls -l | awk '{print $5, $9}' | sort -n
ls -l | awk '{s+=$5} END {print s}'
git log --format='%an' | awk '{a[$0]++} END{for(k in a) print a[k], k}' | sort -rn
git diff --numstat | awk '{a+=$1; d+=$2} END {print a, d}'
git branch | awk '/^\*/ {print $2}'
git status --porcelain | awk '{print $2}'
sort f | uniq -c | sort -rn | awk '{print $2 "\t" $1}'
grep -c . *.go | awk -F: '{s+=$2} END {print s}'
wc -l *.go | awk '{print $1}' | sort -n | tail -5
cat f | awk '{print $1}' | sort | uniq -c | sort -rn | head
du -k dir | awk '{print $1/1024 " MB\t" $2}'
sed -n 5p f
sed -n '5p' f
sed -n '10,20p' f
sed -n '10,20p;20q' f
sed -n '10,20p;21q' f
sed -n '10,$p' f
sed -n '$p' f
sed -n '$=' f
sed -n '/foo/p' f
sed -n '/foo/,/bar/p' f
sed -n '/^## Usage/,/^## /p' README.md
sed -n '/start/,/end/{p}' f
sed -n '/start/,/end/{/start/d;/end/d;p;}' f
sed -n '/start/,/end/{//!p}' f
sed -n '/foo/{n;p}' f
sed -n '/foo/{p;q}' f
sed -n '/foo/{=;p;}' f
sed -n '/foo/=' f
sed -n '/pat/,+5p' f
sed -n '1~2p' f
sed -n '1!G;h;$p' f
sed -n '1,5p;10,15p' f
sed -n -e '1,5p' -e '10p' f
sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml
sed -n 's/.*"version": "\([^"]*\)".*/\1/p' package.json
sed -n 's/^go //p' go.mod
sed -n 's/^module \(.*\)$/\1/p' go.mod
sed -nE 's/.*v([0-9]+)\.([0-9]+).*/\1.\2/p' f
sed -rn 's/(.*)=(.*)/\2/p' f
sed -ne '/a/,/b/p' f
sed -n '/[0-9]\{3\}/p' f
sed -n "5,10p" main.go
sed 's/foo/bar/' f
sed 's/foo/bar/g' f
sed 's/foo/bar/gi' f
sed 's/foo/bar/2' f
sed "s/foo/bar/g" f
sed 's|/usr/local|/opt|g' f
sed 's#http://#https://#g' f
sed 's,a/b,c/d,' f
sed 's@a@b@' f
sed 's/^/    /' f
sed 's/$/;/' f
sed 's/^[ \t]*//' f
sed 's/[ \t]*$//' f
sed 's/^[[:space:]]*//;s/[[:space:]]*$//' f
sed 's/[[:space:]]\+/ /g' f
sed 's/[^a-z]//g' f
sed 's/[^[:alnum:]]/_/g' f
sed 's/[aeiou]/X/g' f
sed 's/\t/    /g' f
sed 's/\r$//' f
sed 's/\x1b\[[0-9;]*m//g' f
sed -E 's/\x1b\[[0-9;]*[mK]//g' f
sed 's/#.*//' f
sed 's/#.*$//;/^$/d' f
sed 's/\/\/.*//' f
sed 's/.*\///' f
sed 's/\.[^.]*$//' f
sed 's/\([^,]*\),\(.*\)/\2,\1/' f
sed -E 's/([a-z]+)-([0-9]+)/\2-\1/' f
sed -E 's/^([^:]+):.*/\1/' f
sed -E 's/"([^"]*)"/\1/g' f
sed -E 's/(^|_)([a-z])/\U\2/g' f
sed 's/\(.*\)/\L\1/' f
sed 's/.*/"&"/' f
sed 's/foo/&bar/' f
sed "s/'//g" f
sed 's/"//g' f
sed '/^$/d' f
sed '/^#/d' f
sed '/^\s*$/d' f
sed '/^[[:space:]]*#/d;/^$/d' f
sed '/^[ \t]*$/d' f
sed '/foo/d' f
sed '/foo/!d' f
sed '/foo/I!d' f
sed '1d' f
sed '$d' f
sed '1,3d' f
sed '2,$d' f
sed '5q' f
sed 10q f
sed 1d data.csv
sed '1i header' f
sed '1i\header' f
sed '$a footer' f
sed '/foo/a bar' f
sed '/foo/i\    bar' f
sed '2c new line' f
sed = f
sed G f
sed 'n;d' f
sed '$!N;s/\n/ /' f
sed ':a;N;$!ba;s/\n/,/g' f
sed -e ':a' -e 'N' -e '$!ba' -e 's/\n/ /g' f
sed -e :a -e '$q;N;11,$D;ba' f
sed '$!N;$!D' f
sed -e 's/a/b/' -e 's/c/d/' f
sed -e '/a/{' -e 's/b/c/' -e '}' f
sed '/a/{s/b/c/;s/d/e/}' f
sed '/a/s/b/c/g' f
sed '/a/,/b/s/x/y/' f
sed '1,10s/a/b/' f
sed '1!s/^/  /' f
sed 'y/abc/xyz/' f
sed 'y/ABCDEFGHIJKLMNOPQRSTUVWXYZ/abcdefghijklmnopqrstuvwxyz/' f
sed --quiet '3p' f
sed --expression='s/a/b/' f
sed --version
sed -z 's/\n/,/g' f
sed -s -n '1p' a b
sed -n 'l' f
sed -n '1l' f
sed 's/a/b/;t;s/c/d/' f
sed '/a/b;s/c/d/' f
sed -n '/a/h;$!d;x;p' f
sed -n 'x;p' f
sed -n '\,/usr/bin,p' f
sed -n '\|foo|p' f
sed '\#^/#d' f
cat f | sed 's/a/b/' | head
echo "$x" | sed 's/a/b/'
git branch -r | sed 's/origin\///'
git ls-files | sed 's|/[^/]*$||' | sort -u
go list ./... | sed 's/^/- /'
ls | sed -n '1,10p'
ls | sed 's/\.go$//'
jq . f.json
jq -r .name package.json
jq '.version' package.json
jq -r '.scripts | keys[]' package.json
jq '.dependencies | keys' package.json
jq -r '.dependencies | to_entries[] | "\(.key)@\(.value)"' package.json
jq '.dependencies | length' package.json
jq '.[0]' f.json
jq '.[-1]' f.json
jq '.[2:5]' f.json
jq '.[] | .name' f.json
jq -r '.[].name' f.json
jq '.items[] | {name, size}' f.json
jq '.items[] | {name: .metadata.name, ns: .metadata.namespace}' f.json
jq -r '.items[] | [.name, .size] | @csv' f.json
jq -r '.items[] | [.a, .b] | @tsv' f.json
jq '.items | length' f.json
jq '[.[] | select(.age > 30)]' f.json
jq '.[] | select(.name == "foo")' f.json
jq '.[] | select(.name | test("^a"))' f.json
jq '.[] | select(.tags | contains(["x"]))' f.json
jq '.[] | select(.a == 1 and .b != 2)' f.json
jq '.[] | select(has("x") | not)' f.json
jq 'map(.price) | add' f.json
jq 'map(select(.active)) | length' f.json
jq 'map({(.name): .value}) | add' f.json
jq 'group_by(.type) | map({type: .[0].type, count: length})' f.json
jq 'sort_by(.date) | reverse | .[0]' f.json
jq 'sort_by(-.size) | .[:10]' f.json
jq 'unique_by(.id)' f.json
jq 'to_entries | map("\(.key)=\(.value)") | .[]' f.json
jq 'keys' f.json
jq 'keys_unsorted' f.json
jq 'paths' f.json
jq -c 'paths(scalars)' f.json
jq 'type' f.json
jq 'del(.x)' f.json
jq '.a.b.c // "none"' f.json
jq '.a?' f.json
jq '.. | .name? // empty' f.json
jq '.. | objects | select(has("id")) | .id' f.json
jq -e '.ok' f.json
jq -c '.[]' f.json
jq -s 'add' a.json b.json
jq -s '.[0] * .[1]' a.json b.json
jq -n '1 + 2'
jq -n --arg v "$x" '{v: $v}'
jq --arg n foo '.[] | select(.name == $n)' f.json
jq --argjson n 3 '.[$n]' f.json
jq -R . f
jq -Rs 'split("\n")' f
jq -r 'if .a then "y" else "n" end' f.json
jq '.a as $x | .b + $x' f.json
jq 'reduce .[] as $i (0; . + $i)' f.json
jq '[limit(3; .[])]' f.json
jq 'first(.[] | select(.x))' f.json
jq -r '.[] | "\(.a)\t\(.b)"' f.json
jq '.a |= . + 1' f.json
jq '.version = "2.0.0"' package.json
jq '.["foo-bar"]' f.json
jq '."foo-bar".baz' f.json
jq -r '.a | join(",")' f.json
jq -r '.a | ascii_downcase' f.json
jq 'with_entries(select(.value > 1))' f.json
jq 'with_entries(.key |= ascii_upcase)' f.json
jq '.a | tostring' f.json
jq '.d | fromdate | strftime("%F")' f.json
jq 'any(.[]; . > 3)' f.json
jq '[.[] | .a, .b]' f.json
jq 'walk(if type == "object" then del(.x) else . end)' f.json
jq -r '@base64d' f.json
jq 'def f: . + 1; map(f)' f.json
jq '.x[1:] | map(.+1)' f.json
jq '.[] | select(.s | startswith("a") or endswith("b"))' f.json
jq -r '.tag_name' f.json
jq --version
jq -S . a.json
jq --tab . a.json
jq '.x | @json' f.json
jq empty f.json
jq 'input' f.json
jq '.a | tonumber * 1.5' f.json
jq '.a * 1e3' f.json
jq '[.[]|.n]|min,max' f.json
jq 'error("x")' f.json
jq 'try error("x") catch .' f.json
jq '{a: .b, "c": .d}' f.json
jq '{"a": 1} + .' f.json
jq '[range(5)]' f.json
jq '[paths | join(".")]' f.json || true
jq -r 'to_entries | .[] | select(.value.enabled) | .key' f.json
jq '.items[0].spec.containers[].image' f.json
jq '.data | map(.id) | index(3)' f.json
jq 'limit(2; .[])' f.json
jq '.a,.b' f.json
jq -c '{env: .env, input_filename: 1}' f.json
find . -name '*.go'
find . -type f
find . -type f -name '*.go' -not -path './vendor/*'
find . -path ./node_modules -prune -o -name '*.js' -print
find . -name node_modules -prune -o -type f -print
find . \( -name node_modules -o -name .git \) -prune -o -type f -name '*.ts' -print
find . -type d -name test
find . -type d -empty
find . -maxdepth 1 -type d
find . -maxdepth 2 -not -path '*/.*'
find . -mtime -1
find . -mtime +30 -type f
find . -mmin -60
find . -newer go.mod
find . -newermt '2024-01-01'
find . -size +10M
find . -type f -size +100k -size -1M
find . -perm -u+x -type f
find . -perm /111 -type f
find . -user root
find . -iname '*readme*'
find . -regex '.*\.\(c\|h\)'
find . -regextype posix-extended -regex '.*\.(c|h)'
find . -type f -printf '%s %p\n'
find . -type f -printf '%T@ %p\n' | sort -n | tail -5
find . -type f -print0
find . -type f -print0 | xargs -0 wc -l
find . -name '*.go' | xargs grep -l foo
find . -name '*.go' -print0 | xargs -0 grep -n 'TODO'
find . -name '*.go' -exec grep -l foo {} \;
find . -name '*.go' -exec grep -Hn foo {} +
find . -name '*.go' -exec wc -l {} +
find . -name '*.go' | wc -l
find . -name '*.md' -exec head -5 {} \;
find . -type f -name '*.json' -exec cat {} \;
find . -type f -exec ls -la {} \;
find . -type f -exec stat -c '%n %s' {} +
find . -type f -exec md5sum {} +
find . -type f -exec file {} \;
find . -type l
find -L . -type l
find . -xtype l
find src test -name '*.ts' -o -name '*.tsx'
find src \( -name '*.ts' -o -name '*.tsx' \) -type f
find . ! -name '*.go' -type f
find . -depth -type d
find . -links +1
find . -name '*.log' -ls
find /usr -maxdepth 1
find / -name foo 2>/dev/null
find ~ -maxdepth 1 -name '.*rc'
find . -type f -name '*.py' | head -20
find . -type f | sed 's/.*\.//' | sort | uniq -c | sort -rn
find . -type f -name '*.go' | awk -F/ '{print $2}' | sort | uniq -c
find . -quit
find . -samefile go.mod
find . -inum 5
find . -executable -type f
find . -type f -newer a ! -newer b
find . -iregex '.*test.*'
find . -path '*/test/*' -name '*.go'
find . -wholename './a/*'
find . -type f,l
find . -name a -or -name b
find . -cmin -5 -print
find . -atime +7
xargs -n1 echo < f
cat f | xargs -n 1 basename
cat f | xargs -I{} echo {}
cat f | xargs -I {} grep -n foo {}
cat list | xargs wc -l
git ls-files | xargs wc -l
git ls-files -z | xargs -0 wc -l
git ls-files '*.go' | xargs grep -n foo
git ls-files | xargs -n 50 grep -l foo
ls *.go | xargs head -n 3
echo a b c | xargs -n1
cat f | xargs -d '\n' -n1 echo
cat f | xargs -L1 echo
cat f | xargs -P4 -n1 ls
grep -rlZ foo . | xargs -0 grep -c bar
sort f
sort -n f
sort -rn f
sort -k2,2 f
sort -k2 -n -r f
sort -k 2,2nr -k 1,1 f
sort -t, -k3 f
sort -t: -k3n /etc/passwd
sort -t $'\t' -k2 f
sort -u f g
sort -h f
sort -V f
sort --version-sort f
sort -c f
sort -f f
sort -R f
sort --reverse --numeric-sort f
sort --key=2 f
sort -s -k1,1 f
sort -z f
sort -nk2 f
sort -rnk2 f
sort -k1.2,1.5 f
sort f | uniq
sort f | uniq -c
sort f | uniq -d
uniq -c f
uniq -f 1 f
uniq -i -c f
uniq -w 5 f
date
date +%s
date +%F
date '+%Y-%m-%d %H:%M:%S'
date -u +%Y-%m-%dT%H:%M:%SZ
date -d yesterday
date -d '2 days ago' +%F
date -d @1700000000
date -d "@1700000000" '+%F %T'
date --date='1 week ago'
date -r f
date -Iseconds
date -I
date -R
date --iso-8601=seconds
date --utc
date -u -d @0
date +"%A, %d %B"
stat f
stat -c %s f
stat -c '%n %s %y' *.go
stat --format=%s f
stat --printf='%s\n' f
stat -f f
stat -L f
printf '%s\n' a b c
printf '%d\n' 0x1f
printf 'a\tb\n'
printf "%s\n" "$x"
printf '%-10s|%5.2f|\n' a 1.5
printf '%b' 'a\n'
printf '%q\n' 'a b'
printf '%(%F)T\n' -1
printf '%%\n'
printf '\033[1m%s\033[0m\n' x
printf '%x %o %X %e %g\n' 255 255 255 1.5 1.5
printf '=%.0s' 1 2 3
printf '%s\0' a b
printf "hello\n"
printf '%s' "$(date +%F)"
tr a-z A-Z < f
tr -d '\r' < f
tr -s ' ' < f
tr '\n' ' ' < f
tr -dc '[:alnum:]' < f
tr -cd '[:print:]\n' < f
tr ':' '\n' < f
tr '[:upper:]' '[:lower:]' < f
echo "$PATH" | tr ':' '\n'
cut -d: -f1 /etc/passwd
cut -d, -f1,3 f.csv
cut -d ' ' -f 2- f
cut -f2 f
cut -c1-10 f
cut -b 1-3 f
cut -d'"' -f4 f
cut -d= -f2- f
cut --delimiter=, --fields=1 f
cut -f1 --complement f
cut -d' ' -f1 f | sort -u
cut -s -d: -f2 f
dd if=f bs=1 count=16
dd if=/dev/urandom bs=16 count=1 2>/dev/null
dd if=f bs=512 skip=1 count=1 status=none | xxd
head -c 16 /dev/urandom | od -An -tx1
od -c f
od -A d -t x1z f
xxd f
xxd -l 32 f
xxd -p f
xxd -s 16 -l 16 f
hexdump -C f
wc -l < f
tail -n +2 data.csv
tail -n 20 f
head -n -1 f
nl -ba f
paste -sd, f
paste -d' ' a b
column -t -s, f
comm -12 a b
join -t, a b
fold -w 80 f
diff -u a b
diff -r a b
diff <(sort a) <(sort b)
cmp a b
tac f
rev f
shuf -n 1 f
seq 1 10
seq -w 1 2 10
`

// TestEverydayTexts: commands of every day are proven to read only.
func TestEverydayTexts(t *testing.T) {
	n := 0
	for line := range strings.Lines(everydayTexts) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		n++
		assert.True(t, Analyze(line).ReadOnly(), line)
	}
	t.Logf("%d commands", n)
}
