#!/usr/bin/env python3
"""Several GPUs of one machine: whether every layout trains alike, and how fast.

    bench/gpu_scaling.py [--gpus N] [--model configs/models/ladder-1b.toml] [--out DIR]

First `fathom verify` trains a small model in bf16 on the layouts, and from checkpoint to
checkpoint. Then `fathom train --trace` runs the model on one GPU and on each layout, with as
many tokens a step and GPU, and with overlap off too. A row tells tokens a second, what
that is per GPU of the one GPU's rate, MFU, and from the trace the exposed communication, the
hidden share of what runs beside the computing, and the bubble beside the schedule's own.

Ranks are threads of one process. Runs save nothing and are ended as soon as they are traced.
What does not fit into --limit seconds is left out and named. The table goes to standard output,
the runs' logs and a JSON file to --out. Exit code 0: all layouts agree and every run gave
figures; 1: not.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
import tomllib

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
LAYOUTS = {  # of measured runs, by the number of GPUs; "nopeer": by NCCL
    2: "dp2 dp2+nopeer tp2+sp tp2+sp+pieces2 tp2+sp+nopeer tp2+sp+pieces2+nopeer pp2 pp2+nopeer",
    4: "dp4 dp4+nopeer tp2xdp2+sp+pieces2 tp4+sp tp4+sp+pieces2 tp4+sp+nopeer pp4 pp4+nopeer "
       "pp2xdp2 pp2xtp2+sp+pieces2",
    8: "dp8 dp8+nopeer tp2xdp4+sp+pieces2 tp4xdp2+sp+pieces2 tp8+sp+pieces2 pp4xdp2 pp8 "
       "pp2xtp2xdp2+sp+pieces2",
}
CHECKED = {
    2: "tp2+sp tp2+sp+pieces2 tp2+sp+pieces2+nopeer pp2+v2 pp2+v2+nopeer dp2 dp2+nopeer "
       "dp2+nozero",
    4: "tp4+sp tp4+sp+nopeer tp2xdp2+sp+pieces2 pp4+nopeer pp4+v2 pp2xtp2+sp pp2xdp2 dp4 "
       "dp4+nozero+nopeer",
    8: "tp8+sp pp8 pp4+v2 dp8 pp2xdp2xtp2+sp+pieces2 tp4xdp2+nopeer pp4xtp2+gpipe pp2xdp4+nozero",
}
SMALL = """output = "{work}/check"
device = "{device}"
dtype = "{dtype}"
deterministic = true
[model]
num_layers = 16
hidden_size = 512
num_heads = 16
num_kv_heads = 8
intermediate_size = 1536
max_position = 256
[data]
directory = "{work}/data"
[train]
sequence_length = 256
global_batch = 16
micro_batch = 1
steps = 20
[schedule]
peak = 1e-3
[parallel]
timeout_seconds = 60
"""
MEASURED = """output = "{work}/run"
device = "{device}"
dtype = "{dtype}"
[model]
{model}
[data]
directory = "{work}/data"
[train]
sequence_length = {length}
micro_batch = {micro_batch}
recompute = "{recompute}"
logits_chunk = {logits_chunk}
steps = 100000
[schedule]
peak = 1e-4
[validation]
every_steps = 0
[checkpoint]
enabled = false
[parallel]
timeout_seconds = 60
"""
TRACE = re.compile(r"exposed communication ([\d.]+) %")
BUBBLE = re.compile(
    r"pipeline bubble ([\d.]+) % \(uniform stages: ([\d.]+) %\)(?:; .* ([\d.]+) % hidden)?\n")


def say(text):
    print(text, flush=True)


def prepare_data(o):
    """Text that a model can learn a little of, as token shards."""
    if (o.work / "data").exists():
        return
    text = o.work / "text.txt"
    with open(text, "w", encoding="utf-8") as file:
        for i in range(120000):
            file.write(f"{i} ships left the harbour of {i * 7919 % 1000} with {i * i % 97} tons\n")
    (o.work / "data.toml").write_text(
        f'tokenizer = "{o.work}/tokenizer.json"\noutput = "{o.work}/data"\n'
        f'[[sources]]\nname = "ships"\npaths = ["{text}"]\nformat = "lines"\n')
    for command in (["tokenizer", "train", str(text), "--vocab-size", "400", "--out",
                     str(o.work / "tokenizer.json")], ["data", "prepare", str(o.work / "data.toml")]):
        done = subprocess.run([o.fathom, *command], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command[:2])}: {done.stdout[-1000:]}")


def check(o):
    config = o.work / "check.toml"
    shutil.rmtree(o.work / "check.verify", ignore_errors=True)
    config.write_text(SMALL.format(work=o.work, device=o.device, dtype=o.dtype))
    command = [o.fathom, "verify", str(config), "--layouts", CHECKED[o.gpus], "--transfers", "ring"]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=o.left())
    except subprocess.TimeoutExpired as late:
        say(f"verify: not done after {late.timeout:.0f} s\n{(late.stdout or b'').decode()}")
        return False
    say(done.stdout + ("" if done.returncode == 0 else done.stderr[-2000:]))
    return done.returncode == 0


def settings(layout):
    """"pp2xtp2+sp" as [parallel] keys, and its number of ranks."""
    axes, *options = layout.split("+")
    keys = {"pp": 1, "dp": 1, "tp": 1, "sequence_parallel": "false"}
    for axis in axes.split("x"):
        keys[axis[:2]] = int(axis[2:])
    for option in options:
        if option == "sp":
            keys["sequence_parallel"] = "true"
        elif option == "nozero":
            keys["zero"] = "false"
        elif re.fullmatch(r"pieces\d+", option):
            keys["sequence_pieces"] = int(option[6:])
        elif option == "nopeer":
            keys["peer_memory"] = "false"
        elif option == "gpipe":
            keys["schedule"] = "gpipe"
        elif re.fullmatch(r"v\d+", option):
            keys |= {"schedule": "interleaved", "virtual_stages": int(option[1:])}
        else:
            sys.exit(f"{layout}: {option} is not known")
    return keys, keys["pp"] * keys["dp"] * keys["tp"]


def read_model(o):
    """The [model] table, with as many layers as --layers says."""
    with open(o.model, "rb") as file:
        model = tomllib.load(file)["model"]
    return model | ({"num_layers": o.layers} if o.layers else {})


def flops_per_token(model, length):
    """6 a matrix weight, head included, and causal attention, as `fathom bench` counts."""
    m = {"num_kv_heads": model["num_heads"],
         "intermediate_size": (model["hidden_size"] * 8 // 3 + 63) // 64 * 64, **model}
    head = m.get("head_dim", m["hidden_size"] // m["num_heads"])
    query, key = m["num_heads"] * head, m["num_kv_heads"] * head
    layer = m["hidden_size"] * (2 * query + 2 * key + 3 * m["intermediate_size"])
    weights = m["num_layers"] * layer + m["hidden_size"] * m["vocab_size"]
    return 6 * weights + 6 * m["num_layers"] * query * length


def steps_of(run):
    path = run / "metrics.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    steps = []
    for line in lines:
        try:
            record = json.loads(line)
        except json.JSONDecodeError:  # being written
            continue
        if "tokens_per_second" in record:
            steps.append(record["tokens_per_second"])
    return steps


def measure(o, layout, overlap):
    """Trains until the trace is there; the figures, or None."""
    name = layout + ("" if overlap else "-nooverlap")
    run, log = o.work / f"run-{name}", o.out / f"{name}.log"
    shutil.rmtree(run, ignore_errors=True)
    keys, ranks = settings(layout)
    command = [o.fathom, "train", str(o.work / "run.toml"), "--trace", "--set", f"output={run}"]
    command += ["--set", f"train.global_batch={o.tokens // o.length * ranks}"]
    if ranks > 1:
        command += ["--ranks", str(ranks), "--set", f"parallel.overlap={str(overlap).lower()}"]
        for key, value in keys.items():
            command += ["--set", f"parallel.{key}={value}"]
    end = time.monotonic() + min(o.left(), o.run_limit)
    with open(log, "w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)
    bubble = None
    while bubble is None and time.monotonic() < end and process.poll() is None:
        time.sleep(0.2)
        text = log.read_text()
        # One rank tells of no bubble, only of the trace's first line.
        bubble = BUBBLE.search(text) or (ranks == 1 and TRACE.search(text)) or None
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    text = log.read_text()
    if bubble is None:
        say(f"{name}: no trace; the log ends\n  " + "\n  ".join(text.splitlines()[-4:]))
        return None
    rates = steps_of(run)[3:]
    figures = {"layout": layout, "gpus": ranks, "overlap": overlap, "micro_batch": o.micro_batch,
               "tokens_per_second": statistics.median(rates), "steps": len(rates),
               "exposed": float(TRACE.search(text)[1]) / 100}
    if ranks > 1:
        figures |= {"bubble": float(bubble[1]) / 100, "ideal_bubble": float(bubble[2]) / 100,
                    "hidden": float(bubble[3]) / 100 if bubble[3] else None}
    return figures


def row(o, f, one):
    per_gpu = f["tokens_per_second"] / f["gpus"]
    mfu = per_gpu * o.flops / (o.peak * 1e12)
    cells = [f"{f['layout']}{'' if f['overlap'] else ', no overlap'}", f"{f['gpus']}",
             f"{f['tokens_per_second']:.0f}", f"{100 * per_gpu / one:.1f} %" if one else "",
             f"{100 * mfu:.1f} %", f"{100 * f['exposed']:.1f} %"]
    if "bubble" in f:
        cells += ["" if f["hidden"] is None else f"{100 * f['hidden']:.1f} %",
                  f"{100 * f['bubble']:.1f} of {100 * f['ideal_bubble']:.1f} %"
                  if f["ideal_bubble"] else ""]
    return "| " + " | ".join(cells + [""] * (8 - len(cells))) + " |"


def arguments():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0],
                                formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    p.add_argument("--fathom", default=str(REPOSITORY / "build/cuda/fathom"))
    p.add_argument("--gpus", type=int, default=0, help="0: all; 2, 4 or 8")
    p.add_argument("--model", default=str(REPOSITORY / "configs/models/ladder-1b.toml"))
    p.add_argument("--layers", type=int, default=0, help="of the model; 0: all it has")
    p.add_argument("--layouts", help="of the measured runs")
    p.add_argument("--parts", default="check,measure,off", help="off: measure without overlap")
    p.add_argument("--tokens", type=int, default=32768, help="of a step, a GPU")
    p.add_argument("--length", type=int, default=4096, help="of a sequence")
    p.add_argument("--micro-batch", type=int, default=2)
    p.add_argument("--recompute", default="none")
    p.add_argument("--logits-chunk", type=int, default=8192)
    p.add_argument("--peak", type=float, default=989, help="TFLOP/s of a GPU that MFU is of")
    p.add_argument("--limit", type=float, default=290, help="seconds, of everything")
    p.add_argument("--run-limit", type=float, default=120, help="seconds, of one run")
    p.add_argument("--no-baseline", action="store_true", help="the model does not fit one GPU")
    p.add_argument("--device", default="cuda")
    p.add_argument("--dtype", default="bf16")
    p.add_argument("--work", type=pathlib.Path, default=pathlib.Path("/tmp/gpu_scaling"))
    p.add_argument("--out", type=pathlib.Path, default=pathlib.Path("/tmp/gpu_scaling"))
    return p.parse_args()


def main():
    o = arguments()
    began = time.monotonic()
    o.left = lambda: o.limit - (time.monotonic() - began)
    if o.gpus == 0:
        listed = subprocess.run(["nvidia-smi", "-L"], stdout=subprocess.PIPE, text=True, check=True)
        o.gpus = len(listed.stdout.splitlines())
    if o.gpus not in LAYOUTS:
        sys.exit(f"{o.gpus} GPUs: this measures 2, 4 or 8")
    for folder in (o.work, o.out):
        folder.mkdir(parents=True, exist_ok=True)
    model = read_model(o)
    o.flops = flops_per_token(model, o.length)
    prepare_data(o)
    parts = o.parts.split(",")
    good = check(o) if "check" in parts else True

    (o.work / "run.toml").write_text(MEASURED.format(
        work=o.work, device=o.device, dtype=o.dtype,
        model="\n".join(f"{key} = {json.dumps(value)}" for key, value in model.items()),
        length=o.length, micro_batch=o.micro_batch, recompute=o.recompute,
        logits_chunk=o.logits_chunk))
    wanted = [] if o.no_baseline or "measure" not in parts else [("dp1", True)]
    for layout in (o.layouts or LAYOUTS[o.gpus]).split():
        wanted += [(layout, True)] if "measure" in parts else []
        wanted += [(layout, False)] if "off" in parts else []
    if wanted:
        say("| layout | GPUs | tokens/s | of one GPU's rate | MFU | exposed | hidden | bubble |")
        say("|---|---|---|---|---|---|---|---|")
    results, one = [], 0
    for layout, overlap in wanted:
        if o.left() < 20:
            say(f"{layout}{'' if overlap else ' without overlap'}: left out, the time is over")
            good = False
            continue
        figures = measure(o, layout, overlap)
        if figures is None:
            good = False
            continue
        if figures["gpus"] == 1:
            one = figures["tokens_per_second"]
        results.append(figures)
        say(row(o, figures, one))
    (o.out / "gpu_scaling.json").write_text(json.dumps(results, indent=1) + "\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
