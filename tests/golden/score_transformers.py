#!/usr/bin/env python3
"""Scores a run's held-out text by transformers and compares it with what the run said:

    python tests/golden/score_transformers.py RUN DATA [--exchange transformers_exchange]

RUN is a run's directory whose model/ is scored, DATA what `fathom data prepare` wrote.
Targets and their contexts are the run's own (src/data/validation.h): windows of
sequence_length over each source's held-out tokens, an end-of-document token before the
first. The run computed in its own type, transformers compute in f32 from the same weights,
so the mean losses are to agree within --bound per cent. With --exchange, the test binary,
Fathom computes the logits of one held-out window in f32, too: within 1e-4 of the largest.
Exit code 0: all agree. Needs PyTorch and transformers; takes a GPU when there is one.
"""

import argparse
import json
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import tomllib

import numpy
import torch
from transformers import AutoModelForCausalLM


def read_shard(path):
    """Token ids and the end-of-document id (src/data/shard_format.h)."""
    raw = path.read_bytes()
    width, = struct.unpack_from("<I", raw, 12)
    tokens, = struct.unpack_from("<Q", raw, 32)
    eos, = struct.unpack_from("<I", raw, 64)
    ids = numpy.frombuffer(raw, numpy.uint16 if width == 2 else numpy.uint32, tokens, 256)
    return ids.astype(numpy.int64), eos


def held_out(data):
    """Source name: (ids, end-of-document id), in the order of the run's sources."""
    sources = {}
    for path in sorted((data / "held_out").iterdir()):
        name = path.read_bytes()[72:200].rstrip(b"\0").decode()
        ids, eos = read_shard(path)
        before = sources.get(name, (numpy.empty(0, numpy.int64), eos))[0]
        sources[name] = (numpy.concatenate([before, ids]), eos)
    return sources


@torch.no_grad()
def mean_loss(model, ids, eos, length, batch=16):
    targets = torch.from_numpy(ids)
    inputs = torch.cat([torch.tensor([eos]), targets[:-1]])
    total = 0.0
    starts = range(0, len(ids), length * batch)
    for start in starts:
        x, y = inputs[start:start + length * batch], targets[start:start + length * batch]
        missing = -len(x) % length
        x = torch.nn.functional.pad(x, (0, missing), value=eos).view(-1, length)
        y = torch.nn.functional.pad(y, (0, missing), value=-100).view(-1)
        logits = model(x.to(model.device)).logits.float().flatten(0, 1)
        total += torch.nn.functional.cross_entropy(logits, y.to(model.device),
                                                   reduction="sum").double().item()
    return total / len(ids)


@torch.no_grad()
def compare_logits(exchange, directory, model, ids):
    """The largest difference of a window's last logits, as a share of the largest."""
    with tempfile.TemporaryDirectory() as temporary:
        copy = pathlib.Path(temporary) / "model"
        shutil.copytree(directory, copy)
        subprocess.run([exchange, "expect", copy, *map(str, ids)], check=True)
        expected = json.loads((copy / "expected.json").read_text())
    logits = model(torch.tensor([expected["ids"]], device=model.device)).logits[0, -1].cpu()
    theirs = torch.tensor(expected["logits"])
    return ((logits - theirs).abs().max() / theirs.abs().max()).item()


def last_validation(run):
    rows = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [row for row in rows if "validation_loss" in row][-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--exchange", help="tests/infer/transformers_exchange")
    parser.add_argument("--bound", type=float, default=0.2, help="per cent of a loss")
    options = parser.parse_args()

    torch.backends.cuda.matmul.allow_tf32 = False
    device = "cuda" if torch.cuda.is_available() else "cpu"
    config = tomllib.loads((options.run / "config.toml").read_text())
    ours = last_validation(options.run)
    directory = options.run / "model"
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).to(device).eval()
    good = True
    print(f"{'source':10} {'tokens':>8} {'transformers':>13} {'fathom':>9} {'off by':>10}")
    sources = held_out(options.data)
    for name, (ids, eos) in sources.items():
        theirs = mean_loss(model, ids, eos, config["train"]["sequence_length"])
        loss = ours[f"validation_loss/{name}"]
        off = 100 * (loss - theirs) / theirs
        good &= abs(off) <= options.bound
        print(f"{name:10} {len(ids):8} {theirs:13.6f} {loss:9.6f} {off:+9.4f} %", flush=True)
    if options.exchange:
        ids, _ = next(iter(sources.values()))
        off = compare_logits(options.exchange, directory, model, ids[:200])
        good &= off <= 1e-4
        print(f"logits in f32 after 200 tokens: off by {off:.1e} of the largest")
    print("scored the same" if good else "scores DIFFER")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
