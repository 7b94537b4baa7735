#!/usr/bin/env bash
# shellcheck disable=SC2015
# scripts/story_sets on a small sample: what it writes, and that nothing held out is learned.
set -euo pipefail
export LC_ALL=C.UTF-8
sets=$(realpath "$(dirname "$0")/../../scripts/story_sets")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() {
  echo "story_sets_test: $*" >&2
  exit 1
}

mkdir "$dir/facts"
for i in $(seq 400); do
  printf 'lib%s%s-dev\tlibdevel\tlibrary number %s for testing\n' "$(printf %03d "$i" | tr 0-9 a-j)" x "$i"
done >"$dir/facts/packages.tsv"
printf 'quoted\tgames\ta "game" of C:\\ paths\n' >>"$dir/facts/packages.tsv"
for i in $(seq 300); do printf 'cmd%s\tprints the number %s\n' "$(printf %03d "$i" | tr 0-9 a-j)" "$i"; done >"$dir/facts/manuals.tsv"
for i in $(seq 300); do printf 'cmd%s\t显示数字%s的命令\n' "$(printf %03d "$i" | tr 0-9 a-j)" "$i"; done >"$dir/facts/manuals-zh.tsv"

"$sets" make "$dir/facts" "$dir/one" --rows 1000 --questions 50 2>/dev/null
"$sets" make "$dir/facts" "$dir/two" --rows 1000 --questions 50 2>/dev/null
diff -r "$dir/one" "$dir/two" >/dev/null || fail "two runs differ"

# A name that is asked about, in any form and language, is in no row that is learned or sampled.
asked=$(sed -nE 's/.*"question": "(What is (the Debian package )?|In which section of Debian is |)(lib[a-z]*-dev|cmd[a-z]*).*/\3/p' \
  "$dir"/one/tasks/*.jsonl | sort -u)
[ "$(wc -l <<<"$asked")" -gt 20 ] || fail "only $(wc -l <<<"$asked") names are asked about"
learned=$(grep -ohE '\b(lib[a-z]+-dev|cmd[a-z]+)' "$dir"/one/train/*.jsonl "$dir/one/prompts.jsonl" | sort -u)
both=$(comm -12 <(echo "$asked") <(echo "$learned"))
[ -z "$both" ] || fail "asked and learned: $both"
sampled=$(grep -ohE '\b(lib[a-z]+-dev|cmd[a-z]+)' "$dir/one/prompts.jsonl" | sort -u)
both=$(comm -12 <(echo "$sampled") <(grep -ohE '\b(lib[a-z]+-dev|cmd[a-z]+)' "$dir"/one/train/*.jsonl | sort -u))
[ -n "$sampled" ] && [ -z "$both" ] || fail "learned and sampled: $both"

# Sums in either order are in one part.
sums() { sed -nE 's/.*What is ([0-9]+) plus ([0-9]+)\?.*/\1 \2/p' "$@" | awk '{ print ($1 < $2 ? $1 " " $2 : $2 " " $1) }' | sort -u; }
both=$(comm -12 <(sums "$dir/one/train/arithmetic.jsonl") <(sums "$dir/one/tasks/arithmetic.jsonl"))
[ -z "$both" ] || fail "sums learned and asked: $both"

# The right choice is at its place, four different ones.
perl -CSD -ne '
  /"question": "What is ([0-9]+) plus ([0-9]+)\?", "choices": \[(.*)\], "gold": ([0-3])\}/ or next;
  my @choices = split /, /, $3;
  my %different = map { $_ => 1 } @choices;
  $choices[$4] eq "\"$1 plus $2 is " . ($1 + $2) . ".\"" && keys %different == 4 or die "wrong: $_";
  ++$n;
  END { $n or die "no sums" }' "$dir/one/tasks/arithmetic.jsonl" || fail "a sum's choices are wrong"
grep -qF '"quoted: a \"game\" of C:\\ paths."' "$dir"/one/train/packages.jsonl "$dir"/one/held-out.jsonl "$dir/one/prompts.jsonl" ||
  fail "quotes and backslashes are not as JSON has them"
[ "$(wc -l <"$dir/one/questions.jsonl")" -ge 18 ] || fail "too few questions"

# Scores: right and whole, half of it, whole, cut short, empty.
echo '{"prompt": "q", "reference": "a \"b\"."}' >"$dir/prompts.jsonl"
answer() { printf '{"answer":"%s","tokens":3,"ended":%s,"repeats":false}' "$1" "$2"; }
printf '{"prompt":[],"answers":[%s,%s,%s,%s,%s]}\n' "$(answer ' a \"b\".' true)" "$(answer ' a \"' true)" "$(answer c true)" "$(answer c false)" "$(answer '' true)" |
  "$sets" score "$dir/prompts.jsonl" | grep -qxF '[3, 1.5, 1, 0, 0]' || fail "scores are wrong"

# Names of manuals, with their marks of roff.
printf '.SH NAME\nls, dir \\- list \\fIdirectory\\fR contents\n' >"$dir/ls.1"
echo ls.1 | "$sets" names "$dir/" | grep -qxP 'ls\tlist directory contents' || fail "a manual's name is wrong"

# Held out: so many bytes, the same each time.
mkdir "$dir/text"
for i in $(seq 50); do head -c 1000 /dev/zero | tr '\0' x >"$dir/text/$i.txt"; done
"$sets" hold-out "$dir/text" "$dir/held" 5000
[ "$(find "$dir/held" -type l | wc -l)" = 5 ] || fail "$(find "$dir/held" -type l | wc -l) files are held out, not 5"

for words in "" "nothing" "make" "make a b --rows x" "make a b --colour red" "make $dir/none $dir/out"; do
  status=0
  # shellcheck disable=SC2086
  "$sets" $words >/dev/null 2>"$dir/message" || status=$?
  [ "$status" = 2 ] && grep -q '^story_sets: ' "$dir/message" || fail "'$words' ends with $status: $(<"$dir/message")"
done
