#!/usr/bin/env bash
# shellcheck disable=SC2015
# The arguments of scripts/story, and how it goes on: no stage that computes runs here.
set -euo pipefail
story=$(realpath "$(dirname "$0")/../../scripts/story")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
fail() {
  echo "story_test: $*" >&2
  exit 1
}

"$story" --help >help
grep -q '^stages: text .* page$' help || fail "--help names no stages"
refused() {
  local message=$1 status=0
  shift
  "$story" "$@" >/dev/null 2>message || status=$?
  [ "$status" = 2 ] && grep -qF -- "$message" message || fail "$* ends with $status: $(<message)"
}
refused "unknown argument --colour" --colour
refused "--minutes needs a value" --minutes
refused "--minutes 0: not a number above 0" --minutes 0
refused "--minutes soon" --minutes soon
refused "--until sleep: no such stage" --until sleep
refused "--again raw: no such stage" --again raw
refused "--device tpu" --device tpu
refused "nowhere is no folder" --text nowhere
refused "no program" --fathom nowhere

mkdir -p text/english facts
echo Once >text/english/a.txt
run() { "$story" --fathom /bin/true --device cpu --work work --text text --facts facts "$@" >/dev/null 2>message; }
run --until facts || fail "$(<message)"
[ "$(readlink work/text)" = "$dir/text" ] && [ -e "work/done/text" ] || fail "the text is not taken"
run --until facts && grep -q 'stage 1 of 15: text: done' message || fail "a stage that is done is not left out: $(<message)"
run --until text --again text && grep -qE 'stage 1 of 15: text, about' message || fail "--again does not do it again"
[ ! -e work/done/facts ] && [ -e text/english/a.txt ] || fail "--again leaves a later stage done, or took the text"
status=0
run --until facts --tiny || status=$?
[ "$status" = 1 ] && grep -q 'was begun with tiny=no' message || fail "another size is taken: $status, $(<message)"
mkdir other && touch other/file
status=0
"$story" --fathom /bin/true --device cpu --work other --text text --until text 2>message || status=$?
[ "$status" = 1 ] && grep -q 'is not a folder of scripts/story' message || fail "a strange folder is taken: $(<message)"

# A stage that fails ends the story with its status, and the next run begins there.
status=0
run --until sets || status=$?
[ "$status" != 0 ] && grep -q 'stage sets ended with status' message || fail "a stage fails unseen: $(<message)"
[ ! -e work/done/sets ] && [ -e work/done/facts ] || fail "a stage that failed counts as done"
