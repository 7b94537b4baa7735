#!/usr/bin/env bash
# Scripts that take no switches tell what they do, and do nothing of it for --help or a wrong word.
set -euo pipefail
scripts=$(realpath "$(dirname "$0")/../../scripts")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
fail() {
  echo "help_test: $*" >&2
  exit 1
}
# Only what telling needs: a script that does not stop there finds nothing to install or build with.
mkdir bin
for tool in bash dirname sed; do ln -s "$(command -v $tool)" "bin/$tool"; done
ended() {
  local wanted=$1 status=0
  shift
  PATH=$dir/bin bash "$@" >out 2>err || status=$?
  [ "$status" = "$wanted" ] || fail "$* ends with $status: $(<err)"
}
for name in gather_facts gather_text setup setup_cuda setup_parquet test; do
  for switch in -h --help; do
    ended 0 "$scripts/$name" "$switch"
    [ "# $(head -n 1 out)" = "$(sed -n 2p "$scripts/$name")" ] || fail "$name $switch says: $(<out)"
    [ ! -s err ] || fail "$name $switch: $(<err)"
  done
  ended 2 "$scripts/$name" --hlep
  grep -q "unknown switch --hlep; .*$name --help tells" err || fail "$name --hlep: $(<err)"
done
for arguments in "" "a b c" "a middling"; do
  # shellcheck disable=SC2086
  ended 2 "$scripts/gather_text" $arguments
  grep -q '^usage: ' err || fail "gather_text $arguments: $(<err)"
done
ended 2 "$scripts/gather_facts"
grep -q '^usage: ' err || fail "gather_facts: $(<err)"
[ "$(ls)" = $'bin\nerr\nout' ] || fail "left $(ls)"
