#!/usr/bin/env python3
"""Compares models with transformers, both ways: needs PyTorch and transformers.

    python tests/golden/check_transformers.py build/release/tests/infer/transformers_exchange WORK [MODEL ...]

Random models (MHA and GQA, tied and untied, one file and shards) made by Fathom are
opened in transformers, and made by transformers are opened by Fathom; so is each
MODEL, a directory of Fathom's. Logits in f32 within 1e-4 of the largest and the same
64 greedy tokens, else exit code 1.
"""

import json
import pathlib
import subprocess
import sys

import torch
import transformers
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

PROMPT = [1, 5, 42, 17, 299, 3]


def expected(model, ids):
    model = model.float().eval()
    tokens = torch.tensor([ids])
    with torch.no_grad():
        logits = model(tokens).logits[0, -1]
        for _ in range(64):  # plain argmax: no generation config takes part
            best = model(tokens).logits[0, -1].argmax()
            tokens = torch.cat([tokens, best.view(1, 1)], dim=1)
    return {"ids": ids, "logits": logits.tolist(), "greedy": tokens[0, len(ids):].tolist()}


def make(out):
    for kv_heads, heads_name in ((4, "mha"), (2, "gqa")):
        for tied in (False, True):
            for shard, shard_name in (("5GB", "single"), ("200KB", "sharded")):
                torch.manual_seed(1)
                config = LlamaConfig(
                    vocab_size=300, hidden_size=64, intermediate_size=176, num_hidden_layers=3,
                    num_attention_heads=4, num_key_value_heads=kv_heads, rms_norm_eps=1e-6,
                    max_position_embeddings=256, initializer_range=0.2, tie_word_embeddings=tied)
                model = LlamaForCausalLM(config)
                name = f"{heads_name}-{'tied' if tied else 'untied'}-{shard_name}"
                model.save_pretrained(out / name, max_shard_size=shard)
                (out / name / "expected.json").write_text(json.dumps(expected(model, PROMPT)))
    assert len(list(out.glob("*-sharded/*.safetensors"))) > 4, "nothing was sharded"


def check(directory):
    want = json.loads((directory / "expected.json").read_text())
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)
    got = expected(model, want["ids"])
    worst = max(abs(a - b) for a, b in zip(got["logits"], want["logits"], strict=True))
    largest = max(map(abs, want["logits"]))
    same = got["greedy"] == want["greedy"]
    good = same and worst <= 1e-4 * largest
    print(f"{'ok  ' if good else 'FAIL'} {directory}: logits off by {worst:.1e} of up to "
          f"{largest:.1f}, greedy tokens {'the same' if same else 'differ'}", flush=True)
    return good


def main():
    exchange, work, models = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3:]
    print(f"transformers {transformers.__version__}, PyTorch {torch.__version__}")
    ours, theirs = work / "fathom", work / "transformers"
    for folder in (ours, theirs):
        folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([exchange, "make", ours], check=True)
    make(theirs)
    good = True
    for directory in sorted(ours.iterdir()):
        good &= check(directory)
    for model in models:
        subprocess.run([exchange, "expect", model, *map(str, PROMPT)], check=True)
        good &= check(pathlib.Path(model))
    for directory in sorted(theirs.iterdir()):
        good &= subprocess.run([exchange, "check", directory]).returncode == 0
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main()
