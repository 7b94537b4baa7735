#!/usr/bin/env python3
"""Kills a sweep again and again: does it end with the results of one that nobody disturbed?

    bench/sweep_kills.py DATA [--fathom build/release/fathom] [--kills 10] [--seed 1]

DATA is a directory of `fathom data prepare`. Two sweeps of the same plan, 12 runs with trunks: one runs
to its end, the other gets SIGKILL at random moments, then runs to its end. A table of what each kill
found goes to standard output. Exit code 0: both results files have the same MD5 sum; 1: not.
"""

import argparse
import hashlib
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SWEEP = """[isoflop]
budgets = [1e10, 1.5e10, 2.2e10, 3.3e10]
model_flops = [3.5e5, 6.9e5, 1.3e6]
learning_rate = 5e-3
batch = 4
[run]
device = "{device}"
[run.model]
init_std = 0.02
[run.data]
directory = "{data}"
validation_tokens = 20000
[run.train]
sequence_length = 64
[run.checkpoint]
interval_seconds = 0
every_steps = 50
"""


def md5(sweep):
    return hashlib.md5((sweep / "results.jsonl").read_bytes()).hexdigest()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--fathom", default="build/release/fathom")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    work = pathlib.Path(tempfile.mkdtemp(prefix="sweep-kills-"))
    config = work / "sweep.toml"
    config.write_text(SWEEP.format(device=options.device, data=pathlib.Path(options.data).resolve()))
    log = open(work / "log", "ab")

    def planned(name):
        subprocess.run([options.fathom, "scaling", "plan", config, "--out", work / name, "--tflops",
                        "1"], check=True, stdout=log, stderr=log)
        return work / name

    def start(sweep):
        return subprocess.Popen([options.fathom, "scaling", "run", sweep, "--jobs",
                                 str(options.jobs)], stdout=log, stderr=log)

    whole, killed = planned("whole"), planned("killed")
    begin = time.monotonic()
    if start(whole).wait() != 0:
        sys.exit(f"the undisturbed sweep failed: see {work}/log")
    seconds = time.monotonic() - begin
    print(f"undisturbed: {seconds:.1f} s, {md5(whole)}", flush=True)
    moments = random.Random(options.seed)
    print(f"{'kill':>4} {'after s':>8} {'results':>8} {'checkpoints':>12}")
    for kill in range(1, options.kills + 1):
        process = start(killed)
        after = moments.uniform(0.1, 4 * seconds / options.kills)
        time.sleep(after)
        if process.poll() is not None:
            print(f"the sweep had ended before kill {kill}: use more runs or fewer kills")
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        results = len(list(killed.glob("results/*.json")))
        checkpoints = len(list(killed.glob("runs/*/checkpoints/step-*")))
        print(f"{kill:>4} {after:>8.2f} {results:>8} {checkpoints:>12}", flush=True)
    if start(killed).wait() != 0:
        sys.exit(f"the killed sweep failed: see {work}/log")
    print(f"killed: {md5(killed)}")
    if md5(whole) != md5(killed):
        print(f"results differ: see {work}", file=sys.stderr)
        return 1
    shutil.rmtree(work)
    return 0


if __name__ == "__main__":
    sys.exit(main())
