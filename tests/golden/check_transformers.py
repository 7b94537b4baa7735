#!/usr/bin/env python3
"""Oracle for Hugging Face directories: needs PyTorch, transformers, numpy.

  check_transformers.py logits DIRECTORY ID [ID ...]   last-token logits, 64 greedy tokens (JSON)
  check_transformers.py make OUT                       tiny models for the opposite direction

`make` writes OUT/<mha|gqa>-<tied|untied>-<single|sharded>, each with expected.json:
the prompt's ids, the logits of its last token and the next 64 greedy tokens.
"""

import argparse
import json
import pathlib

import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM


def expected(model, ids):
    model = model.float().eval()
    tokens = torch.tensor([ids])
    with torch.no_grad():
        logits = model(tokens).logits[0, -1].tolist()
        for _ in range(64):  # plain argmax: no generation config takes part
            best = model(tokens).logits[0, -1].argmax()
            tokens = torch.cat([tokens, best.view(1, 1)], dim=1)
    return {"ids": ids, "logits": logits, "greedy": tokens[0, len(ids):].tolist()}


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
                text = json.dumps(expected(model, [1, 5, 42, 17, 299, 3]))
                (out / name / "expected.json").write_text(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    logits = commands.add_parser("logits")
    logits.add_argument("directory")
    logits.add_argument("ids", type=int, nargs="+")
    commands.add_parser("make").add_argument("out", type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.command == "make":
        make(arguments.out)
    else:
        model = AutoModelForCausalLM.from_pretrained(arguments.directory, dtype=torch.float32)
        print(json.dumps(expected(model, arguments.ids)))


if __name__ == "__main__":
    main()
