#!/usr/bin/env python3
"""Fathom's engine beside transformers on one GPU: one run, one table of tokens a second.

For each model of random weights in bf16: one sequence, 64 sequences, and 256 requests with
prompts of 32 to 512 tokens. Fathom is `fathom bench generate`; transformers is
bench/transformers_generate.py, by generate() with a growing and with a compiled static cache,
and for the 256 requests by its continuous batching. Rates count the tokens of answers and the
time of prompts too. Every measurement is a process of its own on an otherwise idle card.

    bench/generation_vs_transformers.py [--python torch/bin/python] [--models 7b,gqa3b]

Exit code 0: Fathom is at least --least times as fast as the best of transformers everywhere.
"""

import argparse
import json
import pathlib
import subprocess
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
MODELS = {"7b": "deepseek-llm-7b", "gqa3b": "3b-gqa", "1b": "ladder-1b"}
LOADS = {
    "1 sequence": {"sequences": 1, "prompt": [128], "new": 128, "peers": ["plain", "static"]},
    "64 sequences": {"sequences": 64, "prompt": [128], "new": 128, "peers": ["plain", "static"]},
    "256 requests": {"sequences": 256, "prompt": [32, 512], "new": 128, "peers": ["paged"]},
}


def last_json(command, limit):
    """What the process printed from its first '{' on, or None where it failed."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        print(f"  no result within {limit} s: {' '.join(command)}", file=sys.stderr)
        return None
    if done.returncode != 0 or "{" not in done.stdout:
        print("  failed: " + "\n    ".join(done.stderr.strip().splitlines()[-3:]), file=sys.stderr)
        return None
    return json.loads(done.stdout[done.stdout.index("{"):])


def arguments_of(load):
    return ["--sequences", str(load["sequences"]), "--prompt", *map(str, load["prompt"]),
            "--new", str(load["new"])]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fathom", default=str(REPOSITORY / "build/cuda/fathom"))
    parser.add_argument("--python", default=sys.executable, help="the one that has transformers")
    parser.add_argument("--models", default="7b,gqa3b", help=", ".join(MODELS))
    parser.add_argument("--loads", default=",".join(LOADS))
    parser.add_argument("--limit", type=int, default=200, help="seconds of one measurement")
    parser.add_argument("--least", type=float, default=1, help="ratio to the best of transformers")
    options = parser.parse_args()

    holds = True
    print("| model | load | Fathom | generating only | transformers | ratio to its best |\n|---|---|---|---|---|---|")
    for name in options.models.split(","):
        model = str(REPOSITORY / "configs/models" / (MODELS[name] + ".toml"))
        for title in options.loads.split(","):
            load = LOADS[title]
            ours = last_json([options.fathom, "bench", "generate", model, "--device", "cuda",
                              "--temperature", "0", "--json", *arguments_of(load)], options.limit)
            peers = {}
            for how in load["peers"]:
                found = last_json([options.python, str(REPOSITORY / "bench/transformers_generate.py"),
                                   model, "--how", how, *arguments_of(load)], options.limit)
                if found and found["tokens_per_second"] > 0:
                    peers[how] = found["tokens_per_second"]
            ours = ours["loads"][0] if ours else None
            rate = ours["tokens_per_second"] if ours else 0
            ratio = rate / max(peers.values()) if peers else None
            holds = holds and ratio is not None and ratio >= options.least
            theirs = ", ".join(f"{how} {value:.0f}" for how, value in peers.items()) or "none"
            print(f"| {name} | {title} | {rate:.0f} | "
                  f"{ours['generating_tokens_per_second'] if ours else 0:.0f} | {theirs} | "
                  f"{f'{ratio:.1f}' if ratio else 'none'} |", flush=True)
    print(f"at least {options.least} times the best of transformers: {'holds' if holds else 'DOES NOT HOLD'}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
