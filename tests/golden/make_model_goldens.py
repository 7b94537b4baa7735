#!/usr/bin/env python3
"""Makes tests/golden/model_*.safetensors: what PyTorch in float64 computes for tiny models.

Needs PyTorch and NumPy (Debian: python3-torch). Run from anywhere:
    /usr/bin/python3 tests/golden/make_model_goldens.py

For an MHA and a GQA model, with and without attention kept inside documents, a
file holds the weights under Fathom's names, three batches, and for the first
batch the logits, the mean loss and the gradient of every parameter; and the
parameters after three AdamW steps (one a batch, gradients clipped to norm 1).
One more file weighs each target's loss by a number between 0 and 2, some by 0.
The model is written out here from the formulas, not taken from a library.
"""
import json
import math
import struct
from pathlib import Path

import numpy as np
import torch

torch.set_default_dtype(torch.float64)

D, LAYERS, HEADS, HEAD_DIM, MLP, VOCAB, BATCH, T = 32, 2, 4, 8, 40, 61, 2, 13
EPS, THETA = 1e-6, 10000.0
LR, BETA1, BETA2, ADAM_EPS, DECAY, MAX_NORM = 1e-3, 0.9, 0.95, 1e-8, 0.1, 1.0


def make_weights(kv_heads, generator):
    def normal(*shape):
        return torch.randn(*shape, generator=generator) * 0.15

    weights = {"embedding.weight": normal(VOCAB, D)}
    for layer in range(LAYERS):
        p = f"layers.{layer}."
        weights[p + "attention_norm.weight"] = 1 + normal(D)
        weights[p + "attention.qkv.weight"] = normal((HEADS + 2 * kv_heads) * HEAD_DIM, D)
        weights[p + "attention.output.weight"] = normal(D, HEADS * HEAD_DIM)
        weights[p + "mlp_norm.weight"] = 1 + normal(D)
        weights[p + "mlp.gate_up.weight"] = normal(2 * MLP, D)
        weights[p + "mlp.down.weight"] = normal(D, MLP)
    weights["final_norm.weight"] = 1 + normal(D)
    weights["head.weight"] = normal(VOCAB, D)
    # Rounded to what both f32 and bf16 hold exactly, so that every precision
    # starts from the same model.
    return {n: w.to(torch.bfloat16).double().requires_grad_() for n, w in weights.items()}


def rms_norm(x, weight):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPS) * weight


def rotate(x):  # [batch, heads, T, head_dim]
    half = HEAD_DIM // 2
    frequency = THETA ** (-2.0 * torch.arange(half) / HEAD_DIM)
    angle = torch.arange(x.shape[2])[:, None] * frequency[None, :]
    cos, sin = angle.cos(), angle.sin()
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


def logits_of(weights, ids, allowed, kv_heads):
    x = weights["embedding.weight"][ids]
    batch, length = ids.shape
    for layer in range(LAYERS):
        p = f"layers.{layer}."
        y = rms_norm(x, weights[p + "attention_norm.weight"])
        qkv = (y @ weights[p + "attention.qkv.weight"].T).view(batch, length, -1, HEAD_DIM)
        q, k, v = qkv.transpose(1, 2).split([HEADS, kv_heads, kv_heads], 1)
        q, k = rotate(q), rotate(k)
        k, v = (t.repeat_interleave(HEADS // kv_heads, 1) for t in (k, v))
        scores = q @ k.transpose(2, 3) / math.sqrt(HEAD_DIM)
        scores = scores.masked_fill(~allowed[:, None], float("-inf"))
        out = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, -1)
        x = x + out @ weights[p + "attention.output.weight"].T
        y = rms_norm(x, weights[p + "mlp_norm.weight"])
        gate, up = (y @ weights[p + "mlp.gate_up.weight"].T).split(MLP, -1)
        x = x + (torch.nn.functional.silu(gate) * up) @ weights[p + "mlp.down.weight"].T
    return rms_norm(x, weights["final_norm.weight"]) @ weights["head.weight"].T


def make_batches(documents, generator):
    """Ids, targets and the number of each token's document, for three steps."""
    ids = torch.randint(0, VOCAB, (3, BATCH, T + 1), generator=generator)
    document = torch.zeros(3, BATCH, T, dtype=torch.long)
    targets = ids[:, :, 1:].clone()
    if documents:
        ends = torch.rand(3, BATCH, T, generator=generator) < 0.25
        document[:, :, 1:] = ends.cumsum(-1)[:, :, :-1]
        targets[ends] = -1  # the token after a document's last is another's
    return ids[:, :, :-1], targets, document


def make_loss_weights(generator):
    weights = 2 * torch.rand(3, BATCH, T, generator=generator)
    weights[torch.rand(3, BATCH, T, generator=generator) < 0.3] = 0
    return weights.float().double()  # as the file holds them


def loss_of(logits, targets, weights):
    """Sum of the weighted losses over the number of targets."""
    losses = torch.nn.functional.cross_entropy(
        logits.reshape(-1, VOCAB), targets.reshape(-1), ignore_index=-1, reduction="none")
    return (losses * weights.reshape(-1)).sum() / (targets >= 0).sum()


def adamw(weights, moments, step):
    norm = math.sqrt(sum((w.grad ** 2).sum().item() for w in weights.values()))
    scale = min(1.0, MAX_NORM / (norm + 1e-6))
    for name, w in weights.items():
        m, v = moments[name]
        g = w.grad * scale
        m.mul_(BETA1).add_(g, alpha=1 - BETA1)
        v.mul_(BETA2).add_(g * g, alpha=1 - BETA2)
        update = (m / (1 - BETA1 ** step)) / ((v / (1 - BETA2 ** step)).sqrt() + ADAM_EPS)
        decay = 0.0 if name.endswith("norm.weight") else DECAY
        with torch.no_grad():
            w -= LR * (update + decay * w)
        w.grad = None


def write_safetensors(path, tensors, metadata):
    header, data = {"__metadata__": metadata}, b""
    for name, array in tensors.items():
        kind = {"float32": "F32", "int32": "I32"}[array.dtype.name]
        raw = np.ascontiguousarray(array).tobytes()
        header[name] = {"dtype": kind, "shape": list(array.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def make(name, kv_heads, documents, seed, weighted=False):
    generator = torch.Generator().manual_seed(seed)
    weights = make_weights(kv_heads, generator)
    ids, targets, document = make_batches(documents, generator)
    loss_weights = make_loss_weights(generator) if weighted else torch.ones(3, BATCH, T)
    causal = torch.ones(T, T, dtype=torch.bool).tril()
    out = {"weight." + n: w.detach().clone() for n, w in weights.items()}
    moments = {n: (torch.zeros_like(w), torch.zeros_like(w)) for n, w in weights.items()}
    for step in range(3):
        allowed = causal & (document[step][:, :, None] == document[step][:, None, :])
        logits = logits_of(weights, ids[step], allowed, kv_heads)
        loss = loss_of(logits, targets[step], loss_weights[step])
        loss.backward()
        out[f"loss.{step}"] = loss.detach().reshape(1)
        if step == 0:
            out["logits"] = logits.detach().reshape(-1, VOCAB)
            out.update({"gradient." + n: w.grad.clone() for n, w in weights.items()})
        adamw(weights, moments, step + 1)
    out.update({"after." + n: w.detach() for n, w in weights.items()})
    tensors = {n: t.numpy().astype(np.float32) for n, t in out.items()}
    for key, value in (("ids", ids), ("targets", targets), ("document", document)):
        tensors[key] = value.numpy().astype(np.int32)
    if weighted:
        tensors["loss_weights"] = loss_weights.numpy().astype(np.float32)
    metadata = {k: str(v) for k, v in dict(
        layers=LAYERS, hidden_size=D, heads=HEADS, kv_heads=kv_heads, mlp=MLP, vocab=VOCAB,
        lr=LR, beta1=BETA1, beta2=BETA2, epsilon=ADAM_EPS, decay=DECAY, max_norm=MAX_NORM,
        torch=torch.__version__).items()}
    path = Path(__file__).parent / f"model_{name}.safetensors"
    write_safetensors(path, tensors, metadata)
    print(path, path.stat().st_size)


if __name__ == "__main__":
    for i, (kind, kv) in enumerate((("mha", HEADS), ("gqa", 2))):
        make(kind, kv, False, 2 * i + 1)
        make(kind + "_documents", kv, True, 2 * i + 2)
    make("gqa_weighted", 2, True, 5, weighted=True)
