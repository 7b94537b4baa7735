#!/usr/bin/env python3
"""One config on the CPU and on the GPU: do the losses agree at every step?

Trains the demo's model for 200 steps on each device and in each type, from the same seed,
and compares the losses of metrics.jsonl step by step:

    bench/cpu_vs_gpu.py [--data demo/data] [--dtypes f32,bf16] [--bound 0.5] [--set KEY=VALUE]

Devices round differently, and training may amplify that: if it is chaotic, two runs on one
CPU that only group their sums differently drift apart, and no bound for devices could hold.
The row `cpu, other micro-batch` measures this drift in f32 on the CPU alone. With the demo's
learning rate of 3e-3 it reached 1.1 % within 150 steps, and with 1e-3 and initial weights of
0.006 instead of 0.02 it reached 0.5 % within 110. With 1e-3 and 0.02, as in the config here,
it stayed at a millionth for 200 steps, so the differences between devices come from their
arithmetic.

Exit code 0: every loss is within the bound, in per cent.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
CONFIG = REPOSITORY / "configs/checks/cpu_vs_gpu.toml"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fathom", default="fathom", help="the binary, built with CUDA")
    parser.add_argument("--data", default="demo/data", help="directory that `fathom data prepare` wrote")
    parser.add_argument("--config", default=CONFIG)
    parser.add_argument("--devices", default="cpu,cuda")
    parser.add_argument("--dtypes", default="f32,bf16")
    parser.add_argument("--bound", type=float, default=0.5, help="per cent of a step's loss")
    parser.add_argument("--out", help="directory for the runs; default: a temporary one")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                        help="overrides the config's values")
    return parser.parse_args()


class Runs:
    def __init__(self, options, directory):
        self.options = options
        self.directory = pathlib.Path(directory)

    def losses(self, name, **changes):
        """Trains a run and returns the loss of every step."""
        output = self.directory / name
        settings = changes | dict(pair.split("=", 1) for pair in self.options.set)
        settings |= {"data.directory": self.options.data, "output": str(output)}
        command = [self.options.fathom, "train", str(self.options.config)]
        for key, value in settings.items():
            command += ["--set", f"{key}={value}"]
        start = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"cpu_vs_gpu: {' '.join(command)}\n{done.stderr[-2000:]}")
        print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr)
        rows = map(json.loads, (output / "metrics.jsonl").read_text().splitlines())
        return {row["step"]: row["loss"] for row in rows if "loss" in row}


def compare(name, ours, theirs):
    """Prints the worst difference in per cent, and returns it."""
    if not ours or ours.keys() != theirs.keys():
        sys.exit(f"cpu_vs_gpu: {name}: {len(ours)} and {len(theirs)} steps have a loss")
    worst, step = max((100 * abs(theirs[s] - ours[s]) / ours[s], s) for s in ours)
    last = max(ours)
    mean = sum(100 * abs(theirs[s] - ours[s]) / ours[s] for s in ours) / len(ours)
    print(f"{name:28} {len(ours):6} {worst:12.5f} {step:8} {mean:12.5f} "
          f"{ours[last]:10.5f} {theirs[last]:10.5f}", flush=True)
    return worst


def main():
    options = arguments()
    first, *others = options.devices.split(",")
    print(f"{'losses of':28} {'steps':>6} {'worst, %':>12} {'at step':>8} {'mean, %':>12} "
          f"{'last':>10} {'last':>10}", flush=True)
    worst = []
    with tempfile.TemporaryDirectory() as temporary:
        runs = Runs(options, options.out or temporary)
        for dtype in options.dtypes.split(","):
            base = runs.losses(f"{first}-{dtype}", device=first, dtype=dtype)
            for device in others:
                theirs = runs.losses(f"{device}-{dtype}", device=device, dtype=dtype)
                worst.append(compare(f"{first} and {device}, {dtype}", base, theirs))
            if dtype == "f32":
                control = runs.losses(f"{first}-f32-grouped", device=first, dtype=dtype,
                                      **{"train.micro_batch": "4"})
                worst.append(compare(f"{first}, other micro-batch, f32", base, control))
    holds = max(worst) <= options.bound
    print(f"bound {options.bound} %: {'holds' if holds else 'EXCEEDED'}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
