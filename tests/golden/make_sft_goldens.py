#!/usr/bin/env python3
"""Makes tests/golden/model_sft.safetensors: what PyTorch in float64 computes for conversations.

Needs PyTorch and NumPy. Run from anywhere:
    python3 tests/golden/make_sft_goldens.py

The GQA model of make_model_goldens.py, with 4 layers, reads 32 conversations of 2 to 17 tokens, each by itself:
neither packed nor padded. The file holds them ("ids", "learned", "begins"), the weights, the mean
loss of all learned tokens that have a token before them, and the gradient of every parameter.
"""
from pathlib import Path

import numpy as np
import torch

import make_model_goldens as model

KV_HEADS, CONVERSATIONS, LONGEST = 2, 32, 17
model.LAYERS = 4  # as many as pipeline stages in the test


def main():
    generator = torch.Generator().manual_seed(11)
    weights = model.make_weights(KV_HEADS, generator)
    total, targets, conversations = 0.0, 0, []
    for _ in range(CONVERSATIONS):
        length = int(torch.randint(2, LONGEST + 1, (1,), generator=generator))
        ids = torch.randint(1, model.VOCAB, (length,), generator=generator)
        learned = torch.rand(length, generator=generator) < 0.4
        learned[-1] = True
        conversations.append((ids, learned))
        causal = torch.ones(1, length - 1, length - 1, dtype=torch.bool).tril()
        logits = model.logits_of(weights, ids[None, :-1], causal, KV_HEADS)[0]
        losses = torch.nn.functional.cross_entropy(logits, ids[1:], reduction="none")
        total = total + losses[learned[1:]].sum()
        targets += int(learned[1:].sum())
    loss = total / targets
    loss.backward()

    tensors = {"weight." + n: w.detach().numpy().astype(np.float32) for n, w in weights.items()}
    tensors["loss"] = loss.detach().reshape(1).numpy().astype(np.float32)
    tensors |= {"gradient." + n: w.grad.numpy().astype(np.float32) for n, w in weights.items()}
    begins = np.cumsum([0] + [len(ids) for ids, _ in conversations])
    for key, values in (("ids", [c[0] for c in conversations]),
                        ("learned", [c[1] for c in conversations])):
        tensors[key] = torch.cat(values).numpy().astype(np.int32).reshape(1, 1, -1)
    tensors["begins"] = begins.astype(np.int32)
    metadata = {k: str(v) for k, v in dict(
        layers=model.LAYERS, hidden_size=model.D, heads=model.HEADS, kv_heads=KV_HEADS,
        mlp=model.MLP, vocab=model.VOCAB, targets=targets, torch=torch.__version__).items()}
    path = Path(__file__).parent / "model_sft.safetensors"
    model.write_safetensors(path, tensors, metadata)
    print(path, path.stat().st_size)


if __name__ == "__main__":
    main()
