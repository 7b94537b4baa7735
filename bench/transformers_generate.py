#!/usr/bin/env python3
"""Generation by transformers on one GPU, timed: the peer of generation_vs_transformers.py.

Makes a Llama of random weights in bf16 and prints one JSON object a line: tokens generated
a second in all, the prompts' reading included, for

    plain     generate(), whose cache grows
    static    generate() with a static cache, which transformers compiles
    paged     generate_batch(), continuous batching over pages

Each load runs twice, and the second counts: the first compiles and allocates.
"""

import argparse
import json
import random
import time
import tomllib

import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM


def config_of(path, positions):
    with open(path, "rb") as file:
        model = tomllib.load(file)["model"]
    width, heads = model["hidden_size"], model["num_heads"]
    return LlamaConfig(
        vocab_size=model["vocab_size"], hidden_size=width, num_hidden_layers=model["num_layers"],
        intermediate_size=model.get("intermediate_size") or (width * 8 // 3 + 63) // 64 * 64,
        num_attention_heads=heads, num_key_value_heads=model.get("num_kv_heads") or heads,
        head_dim=model.get("head_dim") or width // heads, max_position_embeddings=positions,
        tie_word_embeddings=model.get("tie_embeddings", False))


def make_model(config, attention):
    torch.manual_seed(1)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda"):
        model = LlamaForCausalLM._from_config(config, attn_implementation=attention)
    torch.set_default_dtype(torch.float32)
    return model.eval()


def seconds(work, times=2):
    """Of the last of so many calls, and what it returned."""
    for _ in range(times):
        torch.cuda.synchronize()
        start = time.perf_counter()
        result = work()
        torch.cuda.synchronize()
    return time.perf_counter() - start, result


def generate(model, options, how):
    ids = torch.randint(5, model.config.vocab_size, (options.sequences, options.prompt[-1]),
                        device="cuda")
    more = {"cache_implementation": "static"} if how == "static" else {}
    took, _ = seconds(lambda: model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=options.new,
        min_new_tokens=options.new, do_sample=False, pad_token_id=0, **more))
    return options.sequences * options.new / took


def generate_batch(model, options):
    choose = random.Random(1)
    requests = [[choose.randrange(5, model.config.vocab_size)
                 for _ in range(choose.randint(options.prompt[0], options.prompt[-1]))]
                for _ in range(options.sequences)]
    config = GenerationConfig(max_new_tokens=options.new, do_sample=False, eos_token_id=-1,
                              pad_token_id=0)
    took, results = seconds(lambda: model.generate_batch(inputs=requests, generation_config=config))
    return sum(len(result.generated_tokens) for result in results.values()) / took


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="TOML file with [model]")
    parser.add_argument("--how", choices=("plain", "static", "paged"), required=True)
    parser.add_argument("--sequences", type=int, default=1, help="at once")
    parser.add_argument("--prompt", type=int, nargs="+", default=[128], help="tokens, or least and most")
    parser.add_argument("--new", type=int, default=64, help="tokens of each answer")
    options = parser.parse_args()
    config = config_of(options.model, max(4096, options.prompt[-1] + options.new))
    # generate_batch() writes its buffers on a thread of its own, outside inference mode.
    with torch.no_grad() if options.how == "paged" else torch.inference_mode():
        if options.how == "paged":
            model = make_model(config, "paged|sdpa")
            rate = generate_batch(model, options)
        else:
            rate = generate(make_model(config, "sdpa"), options, options.how)
    print(json.dumps({"tokens_per_second": rate, "how": options.how, "torch": torch.__version__,
                      "gib": torch.cuda.max_memory_allocated() / 2**30}))


if __name__ == "__main__":
    main()
