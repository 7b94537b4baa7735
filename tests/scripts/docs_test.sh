#!/usr/bin/env bash
# shellcheck disable=SC2015,SC2016
# README and docs/ are right by scripts/check_docs, which finds what is wrong in a small book.
set -euo pipefail
check=$(realpath "$(dirname "$0")/../../scripts/check_docs")
"$check"

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() {
  echo "docs_test: $*" >&2
  exit 1
}
"$check" --help | grep -q '^usage: scripts/check_docs' || fail "--help says nothing"
status=0
"$check" --hlep 2>/dev/null || status=$?
[ "$status" = 2 ] || fail "an unknown switch ends with $status"
mkdir -p "$dir/docs/pictures" "$dir/src/part/of"
touch "$dir"/src/{here.cpp,part/one.h,part/of/two.cu}
echo picture >"$dir/docs/pictures/a.png"
write() {
  cat >"$dir/README.md" <<'END'
# A thing
See the [book](docs/README.md), the [second part, "of `a`"
of one](docs/one.md#2-of-a-and-b) and [here](#a-thing), `src/here.cpp`, `part/one.h`, `of/two.cu`, `a/b`.
```
# [no link](nowhere.md)
```
END
  printf '# Book\n| [One](one.md) | x |\n| [Two](two.md) | y |\n\nNext: [One](one.md)\n' >"$dir/docs/README.md"
  printf '# One\n## 2. Of `a` and b\n![A](pictures/a.png)\n## Same\n## Same\n\nNext: [Two](two.md)\n' >"$dir/docs/one.md"
  printf '# Two\n[again](one.md#same-1), [elsewhere](https://example.org/x#y)\n\nBack to [all](README.md)\n' >"$dir/docs/two.md"
}
write
"$check" "$dir" || fail "a right book is refused"

# refused MESSAGE FILE EDIT: after the edit of the file, by sed.
refused() {
  local status=0
  write
  sed -i "$3" "$dir/$2"
  "$check" "$dir" >"$dir/said" || status=$?
  [ "$status" = 1 ] && grep -qF -- "$1" "$dir/said" || fail "$2, $3: ends with $status: $(<"$dir/said")"
}
refused "README.md:2: docs/gone.md: no such file" README.md 's|docs/README.md|docs/gone.md|'
refused "README.md:2: docs/one.md#2-of-a: no such heading" README.md 's|#2-of-a-and-b|#2-of-a|'
refused "README.md:3: #things: no such heading" README.md 's|#a-thing|#things|'
refused "README.md:3: src/gone.cpp: no such file" README.md 's|src/here|src/gone|'
refused "README.md:3: part/three.h: no such file" README.md 's|part/one|part/three|'
refused "README.md:3: off/two.cu: no such file" README.md 's|of/two|off/two|'
refused "docs/two.md:2: one.md#same-2: no such heading" docs/two.md 's|same-1|same-2|'
refused "docs/one.md:3: pictures/b.png: no such file" docs/one.md 's|a.png|b.png|'
refused "docs/one.md:3: pictures/a.png: a picture without a text" docs/one.md 's|!\[A\]|![]|'
refused "docs/pictures/a.png: no page shows it" docs/one.md '/pictures/d'
refused "lists docs/two.md 0 times" docs/README.md '/Two/d'
refused "docs/one.md: the last line is 'Next: [Three](two.md)', without 'Next: [Two](two.md)'" docs/one.md 's|Two|Three|'
refused "docs/two.md: the last line is 'Back', without '](README.md)'" docs/two.md 's|Back.*|Back|'
write
head -c 150001 /dev/zero >"$dir/docs/pictures/a.png"
"$check" "$dir" >"$dir/said" && fail "a large picture passes"
grep -q 'a.png: larger than 150 kB' "$dir/said" || fail "$(<"$dir/said")"
