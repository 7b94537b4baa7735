#!/usr/bin/env python3
"""Small runs of a sweep one after another and side by side: runs an hour, and whether the bits agree.

    bench/sweep_side_by_side.py DATA [--fathom build/cuda/fathom] [--device cuda:0] [--jobs 4 8]

DATA is a directory of `fathom data prepare`. The sweep has 16 runs of models of less than 10 million
parameters without trunks, 1000 steps each, so that nothing but the jobs differs. One run before all
others, which is not counted, chooses the products' algorithms. The row `train` is what there is without
`scaling run`: `fathom train` of each config, one after another. A table goes to standard output, with
the median time from one step of a run to its next, and the runs an hour against those of `train` and of
one job. Exit code 0: all losses of all runs are the same in each row; 1: not.
"""

import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

SWEEP = """trunks = false
[grid]
budgets = [{budget}]
model_flops = {model_flops}
batches = [{batch}]
learning_rates = [{rates}]
[run]
device = "{device}"
[run.data]
directory = "{data}"
validation_tokens = 20000
[run.train]
sequence_length = 256
"""
MODEL_FLOPS, LENGTH = 1.4e7, 256  # about 2 million parameters without vocabulary


def run(command, log):
    begin = time.monotonic()
    with open(log, "ab") as file:
        subprocess.run(command, check=True, stdout=file, stderr=file)
    return time.monotonic() - begin


def median_step(sweep):
    """Milliseconds between two steps of a run, whatever runs beside it."""
    lines = [line for file in sweep.glob("runs/*/metrics.jsonl")
             for line in file.read_text().splitlines()]
    steps = [record["step_seconds"] for record in map(json.loads, lines)
             if "step_seconds" in record]
    return 1e3 * statistics.median(steps)


def losses(sweep):
    """Every loss of every step and validation, by run."""
    return {file.parent.name: [(record.get("step"), key, value)
                               for record in map(json.loads, file.read_text().splitlines())
                               for key, value in record.items() if "loss" in key]
            for file in sorted(sweep.glob("runs/*/metrics.jsonl"))}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--fathom", default="build/cuda/fathom")
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--jobs", type=int, nargs="+", default=[4, 8])
    parser.add_argument("--runs", type=int, default=16)
    parser.add_argument("--steps", type=int, default=1000, help="of each run")
    parser.add_argument("--batch", type=int, default=32, help=f"sequences of {LENGTH} tokens a step")
    options = parser.parse_args()
    work = pathlib.Path(tempfile.mkdtemp(prefix="sweep-"))
    config = work / "sweep.toml"

    def sweep_of(name, runs, steps):
        rates = ", ".join(f"{1e-3 * 1.1 ** i:.3e}" for i in range(runs))
        config.write_text(SWEEP.format(
            budget=MODEL_FLOPS * options.batch * steps * LENGTH, model_flops=MODEL_FLOPS,
            batch=options.batch,
            rates=rates, device=options.device, data=pathlib.Path(options.data).resolve()))
        run([options.fathom, "scaling", "plan", config, "--out", work / name, "--tflops", "1"],
            work / "log")
        return work / name

    run([options.fathom, "scaling", "run", sweep_of("first", 1, 20)], work / "log")
    results, seconds = {}, {}
    print(f"{'jobs':>5} {'seconds':>8} {'runs/hour':>10} {'of train':>9} {'of 1 job':>9} {'ms/step':>8}"
          "  losses")
    for jobs in ["train", 1] + options.jobs:
        sweep = sweep_of(f"jobs-{jobs}", options.runs, options.steps)
        if jobs == "train":
            seconds[jobs] = sum(run([options.fathom, "train", config], work / "log")
                                for config in sorted(sweep.glob("configs/*.toml")))
        else:
            seconds[jobs] = run([options.fathom, "scaling", "run", sweep, "--jobs", str(jobs)],
                                work / "log")
        results[jobs] = losses(sweep)
        assert len(results[jobs]) == options.runs and all(results[jobs].values())
        same = "the same" if results[jobs] == results["train"] else "OTHER"
        of_one = f"{seconds[1] / seconds[jobs]:9.2f}" if 1 in seconds else " " * 9
        print(f"{jobs:>5} {seconds[jobs]:>8.1f} {3600 * options.runs / seconds[jobs]:>10.0f} "
              f"{seconds['train'] / seconds[jobs]:>9.2f} {of_one} {median_step(sweep):>8.2f}  {same}",
              flush=True)
    if any(other != results["train"] for other in results.values()):
        print(f"losses differ: see {work}", file=sys.stderr)
        return 1
    shutil.rmtree(work)
    return 0


if __name__ == "__main__":
    sys.exit(main())
