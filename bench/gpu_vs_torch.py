#!/usr/bin/env python3
"""Fathom beside PyTorch on one GPU: one run, one table of tokens a second.

Whole training steps (forward, backward, clipping, AdamW) of the same model on the same
number of tokens a step: `fathom bench gpu`, always with f32 gradients, master weights and
moments, and bench/torch_train.py, which is PyTorch's torch.compile and
scaled_dot_product_attention, with everything in bf16 and with f32 weights and states.
Every measurement is a process of its own, in turns, on an otherwise idle card. A peer
that runs out of memory is tried again with half the micro-batch, and at last with
recomputation. --text-lengths measures steps of fine-tuning, and rates without padding; with
--pairs those of preference training, the reference's forward included.

    bench/gpu_vs_torch.py [--python torch/bin/python] [--shapes 7b,1b,gqa3b,350m] [--turns 1]

A measurement takes 20 to 40 seconds, PyTorch's compilation included, longer where a peer
has to be tried again; one shape with its three variants about 100 seconds a turn. What
each took, and all of them together, is printed. Exit code 0: all ratios asked for by
--least hold; 1: not.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
PEER = REPOSITORY / "bench/torch_train.py"

# The peer's micro-batch in sequences and its steps: some 12 seconds of them, so that the
# card is as hot as it is for us.
SHAPES = {
    "7b": {"model": "deepseek-llm-7b", "bf16": (2, False), "f32": (1, True), "steps": 8},
    "1b": {"model": "ladder-1b", "bf16": (4, False), "f32": (4, False), "steps": 24},
    "gqa3b": {"model": "3b-gqa", "bf16": (4, False), "f32": (2, False), "steps": 13},
    "350m": {"model": "bench-350m", "bf16": (4, False), "f32": (4, False), "steps": 50},
}
PRECISIONS = {"bf16": "bf16", "f32": "autocast"}  # of the peer, by variant
WARM_STEPS = 2  # the first compiles
TITLES = {"ours": "Fathom, f32 states", "bf16": "PyTorch, all bf16", "f32": "PyTorch, f32 states"}


def run(command, limit, text=None):
    """The process's output and whether it succeeded; its last lines go to stderr if not."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=limit, input=text)
    except subprocess.TimeoutExpired:
        print(f"  no result within {limit} s: {' '.join(command)}", file=sys.stderr)
        return "", False
    if done.returncode != 0:
        print("  failed: " + "\n    ".join(done.stderr.strip().splitlines()[-3:]), file=sys.stderr)
    return done.stdout, done.returncode == 0


def model_file(shape):
    return str(REPOSITORY / "configs" / "models" / (SHAPES[shape]["model"] + ".toml"))


def lengths_of(options):
    lengths = ["--text-lengths", options.text_lengths] if options.text_lengths else []
    return lengths + ["--pairs"] * options.pairs


def measure_ours(options, shape):
    command = [options.fathom, "bench", "gpu", "--brief", "--json", "--model", model_file(shape),
               "--tokens-per-step", str(options.tokens), "--sequence-length", str(options.length),
               "--heat", "8"] + options.fathom_options.split() + lengths_of(options)
    output, fine = run(command, options.limit)
    if not fine:
        return None
    bench = json.loads(output)
    how = f"{bench['micro_batch']} x {bench['sequence_length']}, {bench['recompute']}"
    tokens = bench["step"]["text_tokens_per_second"]
    if options.pairs:
        tokens = bench["preference"]["text_tokens_per_second"]
        share = bench["preference"]["share_of_two_forwards_and_backward"]
        how += f", {100 * share:.1f} % of two forwards and one backward"
    return {"tokens": tokens, "tflops": bench["step"]["flops_per_second"] / 1e12, "how": how}


def peer_attempts(options, shape, mode):
    """(micro-batch, recompute) from what should fit to what surely does."""
    micro_batch, recompute = SHAPES[shape][mode]
    micro_batch = options.peer_micro_batch or micro_batch
    yield micro_batch, recompute
    while micro_batch > 1:
        micro_batch //= 2
        yield micro_batch, recompute
    if not recompute:
        yield 1, True


def measure_peer(options, shape, mode):
    sequences = options.tokens // options.length
    for micro_batch, recompute in peer_attempts(options, shape, mode):
        command = [options.python, str(PEER), "--device", "cuda", "--model", model_file(shape),
                   "--sequences", str(micro_batch), "--length", str(options.length),
                   "--accumulate", str(sequences // micro_batch),
                   "--precision", PRECISIONS[mode]] + (["--recompute"] if recompute else [])
        command += lengths_of(options)
        output, fine = run(command, options.limit, f"{WARM_STEPS}\n{SHAPES[shape]['steps']}\n")
        if fine:
            result = json.loads(output.splitlines()[-1])
            return {"tokens": result["tokens_per_second"],
                    "tflops": result["flops_per_second"] / 1e12,
                    "how": f"{micro_batch} x {options.length}, "
                           f"{'full' if recompute else 'none'}, {result['peak_gib']:.0f} GiB, "
                           f"PyTorch {result['torch']}"}
    return None


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fathom", default=str(REPOSITORY / "build/cuda/fathom"))
    parser.add_argument("--python", default=sys.executable, help="the one that has PyTorch")
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--variants", default="ours,bf16,f32")
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=32768, help="a step")
    parser.add_argument("--length", type=int, default=4096, help="tokens of a sequence")
    parser.add_argument("--text-lengths",
                        help="file with a text's tokens on each line: fine-tuning on packed texts")
    parser.add_argument("--pairs", action="store_true",
                        help="preference training: each two texts are a pair; with --text-lengths")
    parser.add_argument("--peer-micro-batch", type=int, default=0, help="0: this script's choice")
    parser.add_argument("--fathom-options", default="", help="more of `fathom bench gpu`")
    parser.add_argument("--limit", type=int, default=300, help="seconds of one measurement")
    parser.add_argument("--least", type=float, default=0, help="ratio to PyTorch in bf16")
    options = parser.parse_args()
    options.shapes, options.variants = options.shapes.split(","), options.variants.split(",")
    if options.pairs and not options.text_lengths:
        parser.error("--pairs needs --text-lengths")
    for name in options.shapes:
        if name not in SHAPES:
            parser.error(f"--shapes: {name} is not one of {', '.join(SHAPES)}")
    for name in options.variants:
        if name not in TITLES:
            parser.error(f"--variants: {name} is not one of {', '.join(TITLES)}")
    return options


def measure_all(options):
    """{(shape, variant): [result, ...]}"""
    results = {(shape, variant): [] for shape in options.shapes for variant in options.variants}
    for shape in options.shapes:
        for turn in range(options.turns):
            for variant in options.variants:
                start = time.monotonic()
                result = (measure_ours(options, shape) if variant == "ours"
                          else measure_peer(options, shape, variant))
                took = time.monotonic() - start
                figures = (f"{result['tokens']:.0f} tokens/s, {result['tflops']:.0f} TFLOP/s "
                           f"({result['how']})" if result else "no result")
                print(f"{shape}, turn {turn + 1}, {TITLES[variant]}: {figures}; took {took:.0f} s",
                      flush=True)
                if result:
                    results[shape, variant].append(result["tokens"])
    return results


def print_table(options, results):
    """Medians over the turns, and ours by each of PyTorch's. Returns the ratios to bf16."""
    medians = {key: statistics.median(values) for key, values in results.items() if values}
    peers = [variant for variant in options.variants if variant != "ours"]
    titles = [TITLES[variant] for variant in options.variants]
    titles += [f"ratio to {TITLES[variant]}" for variant in peers]
    print("\n| tokens/s | " + " | ".join(titles) + " |\n|---" + "|---" * len(titles) + "|")
    ratios = []
    for shape in options.shapes:
        cells = [f"{medians[shape, variant]:.0f}" if (shape, variant) in medians else "none"
                 for variant in options.variants]
        for variant in peers:
            both = (shape, "ours") in medians and (shape, variant) in medians
            ratio = medians[shape, "ours"] / medians[shape, variant] if both else None
            cells.append(f"{ratio:.3f}" if both else "none")
            if variant == "bf16":
                ratios.append(ratio)
        print(f"| {shape} | " + " | ".join(cells) + " |")
    return ratios


def main():
    options = parse_arguments()
    start = time.monotonic()
    ratios = print_table(options, measure_all(options))
    print(f"\n{options.tokens} tokens a step in sequences of {options.length}; "
          f"all measurements together took {time.monotonic() - start:.0f} s")
    if options.least > 0:
        holds = all(ratio is not None and ratio >= options.least for ratio in ratios)
        print(f"at least {options.least} times PyTorch in bf16: {'holds' if holds else 'DOES NOT HOLD'}")
        return 0 if holds else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
