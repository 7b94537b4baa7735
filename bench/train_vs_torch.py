#!/usr/bin/env python3
"""Trains one 25M-parameter model with Fathom and with PyTorch on a CPU, and compares.

Both take the same whole steps (forward, backward, clipping by the global norm, AdamW)
of the same Llama-style model on the same number of tokens and threads. --python names a
Python with PyTorch; for a fair comparison install the newest from PyPI:

    python3 -m venv torch && torch/bin/pip install torch numpy
    bench/train_vs_torch.py --python torch/bin/python [--fathom build/release/fathom] [--turns 5]

It runs bench/torch_train.py in several ways: in f32, with products in bf16 (autocast)
and with everything in bf16, each by torch.compile, and eager in autocast. All stay warm
and take turns with `fathom bench cpu`, so that a slow minute of the machine affects all of
them. It prints the median over the turns of the ratio to each, and both versions. Exit code
0: Fathom reaches --least times the speed of PyTorch's fastest way; 1: it does not.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

PEER = pathlib.Path(__file__).resolve().parent / "torch_train.py"
VARIANTS = {
    "f32": ["--precision", "f32"],
    "autocast": ["--precision", "autocast"],
    "bf16": ["--precision", "bf16"],
    "autocast-eager": ["--precision", "autocast", "--no-compile"],
}


class Peer:
    """A PyTorch process that takes steps on request."""

    def __init__(self, options, shape, variant):
        command = [options.python, str(PEER), "--model", json.dumps(shape["model"]),
                   "--sequences", str(shape["sequences"]), "--length",
                   str(shape["sequence_length"]), "--threads", str(options.threads)]
        self.process = subprocess.Popen(command + VARIANTS[variant], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.facts = self.steps(2)  # compiles

    def steps(self, number):
        try:
            self.process.stdin.write(f"{number}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        line = self.process.stdout.readline()
        if not line:
            sys.exit("the PyTorch process ended; its message is above")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def fathom_bench(options):
    command = [options.fathom, "bench", "cpu", "--json", "--brief", "--threads",
               str(options.threads), "--steps", str(options.steps)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE,
                                     stderr=subprocess.DEVNULL).stdout)


def fathom_version(options):
    done = subprocess.run([options.fathom, "--version"], stdout=subprocess.PIPE, text=True)
    return done.stdout.strip() or "Fathom"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="a Python with PyTorch")
    parser.add_argument("--fathom", default="build/release/fathom")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--steps", type=int, default=2, help="steps of each in a turn")
    parser.add_argument("--variants", default=",".join(VARIANTS))
    parser.add_argument("--least", type=float, default=1.0)
    options = parser.parse_args()
    options.variants = options.variants.split(",")
    for variant in options.variants:
        if variant not in VARIANTS:
            parser.error(f"--variants: {variant} is not one of {', '.join(VARIANTS)}")
    return options


def take_turns(options, peers):
    """Lists of each one's rates by turn, Fathom's under "fathom"."""
    rates = {name: [] for name in ["fathom", *peers]}
    for turn in range(options.turns):
        step = fathom_bench(options)["step"]
        rates["fathom"].append(step["tokens_per_second"])
        texts = [f"Fathom {step['tokens_per_second']:.0f} tokens/s at "
                 f"{step['share_of_gemm_peak']:.0%} of the peak"]
        for variant, peer in peers.items():
            rates[variant].append(peer.steps(options.steps)["tokens_per_second"])
            texts.append(f"{variant} {rates[variant][-1]:.0f}, ratio "
                         f"{rates['fathom'][-1] / rates[variant][-1]:.2f}")
        print(f"turn {turn + 1}: " + "; ".join(texts), flush=True)
    return rates


def main():
    options = parse_arguments()
    shape = fathom_bench(options)
    peers = {variant: Peer(options, shape, variant) for variant in options.variants}
    for variant, peer in peers.items():
        if peer.facts["parameters"] != shape["parameters"]:
            sys.exit(f"PyTorch's model ({variant}) has {peer.facts['parameters']} parameters, "
                     f"ours {shape['parameters']}")
    torch = next(iter(peers.values())).facts["torch"]
    print(f"{shape['parameters']} parameters, {shape['sequences']} sequences of "
          f"{shape['sequence_length']} tokens a step, {options.threads} threads; "
          f"{fathom_version(options)} in {shape['dtype']}, PyTorch {torch}")
    rates = take_turns(options, peers)
    ratios = {variant: statistics.median(ours / theirs for ours, theirs in
                                         zip(rates["fathom"], rates[variant]))
              for variant in peers}
    print(f"\n| | tokens/s, median of {options.turns} turns | Fathom by it |\n|---|---|---|")
    print(f"| Fathom, {shape['dtype']} | {statistics.median(rates['fathom']):.0f} | |")
    for variant, ratio in ratios.items():
        print(f"| PyTorch, {variant} | {statistics.median(rates[variant]):.0f} | {ratio:.2f} |")
    for peer in peers.values():
        peer.close()
    holds = min(ratios.values()) >= options.least
    print(f"\nat least {options.least} times the fastest: {'holds' if holds else 'DOES NOT HOLD'}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
