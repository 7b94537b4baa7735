#!/usr/bin/env bash
# The page of scripts/story: scores, figures of runs and answers at their places, and no text as HTML.
# shellcheck disable=SC2015
set -euo pipefail
page=$(realpath "$(dirname "$0")/../../scripts/story_page")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() {
  echo "story_page_test: $*" >&2
  exit 1
}

mkdir -p "$dir"/{eval/base/text,eval/base/questions,base,answers,done,model,preferences,dpo}
cat >"$dir/eval/base/text/results.json" <<'END'
{
  "model": "base",
  "results": {
    "story_text_english": {
      "items": 1,
      "main_score": "bits_per_byte",
      "scores": {
        "bits_per_byte": 2.0625,
        "bits_per_byte_stderr": null,
        "byte_perplexity": 4.5
      }
    }
  }
}
END
cat >"$dir/eval/base/questions/results.json" <<'END'
{
  "results": {
    "story_commands": {
      "items": 99,
      "main_score": "acc_bytes",
      "scores": {
        "acc": 0.5,
        "acc_stderr": 0.1,
        "acc_bytes": 0.375,
        "acc_bytes_stderr": 0.0444
      }
    }
  }
}
END
printf 'story_text_english\t2.477\n' >"$dir/eval/xz.tsv"
printf '{"step": 1, "tokens": 10}\n{"step": 2, "tokens": 20}\n{"step": 2, "repetition": 0.25, "repetition/ended": 0.5}\n' >"$dir/base/metrics.jsonl"
printf '{"step": 3, "validation_rewards/margins": 1.5}\n' >"$dir/dpo/metrics.jsonl"
printf '{}\n{}\n' >"$dir/preferences/pairs.jsonl"
printf '{"prompt": "Is 1 < 2?", "origin": "own", "answer": "<b>\\u4f60\\n\\"yes\\"</b>", "finish_reason": "length"}\n' >"$dir/answers/base.jsonl"
echo "tiny=yes minutes=10 device=cpu" >"$dir/settings"
echo 12 >"$dir/done/text"

"$page" "$dir" >"$dir/index.html"
has() { grep -qF -- "$1" "$dir/index.html" || fail "no '$1' in $(<"$dir/index.html")"; }
has '<td>xz -9e: 2.477</td><td>2.062</td>'
has '<td>99</td><td>0.25</td><td>0.375 &plusmn; 0.04</td>'
has '<td>0.250</td>'
has '<td>tokens read in pre-training</td><td>20</td>'
has '<td>margin, of held-out pairs</td><td>1.500</td>'
has '<td>pairs of the model'"'"'s own answers</td><td>2</td>'
has 'Is 1 &lt; 2?'
has '&lt;b&gt;你'
has '"yes"&lt;/b&gt; <i>[&hellip; does not end]</i>'
has 'text 12 s'
grep -qF '<a href="raw/' "$dir/index.html" && fail "a link to nothing"
status=0
"$page" "$dir/none" 2>/dev/null || status=$?
[ "$status" = 2 ] || fail "a folder that is not there ends with $status"
