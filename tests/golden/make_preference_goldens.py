#!/usr/bin/env python3
"""Makes tests/golden/preference.json: losses of preference training and their gradients, as PyTorch
in float64 computes them from the formulas of the papers.

Needs PyTorch and NumPy (Debian: python3-torch). Run from anywhere:
    /usr/bin/python3 tests/golden/make_preference_goldens.py

The policy is the model of model_gqa.safetensors, the reference the same with noise on its weights. Of
every parameter's gradient the file holds the norm and the products with a few directions:
direction k has entry i = cos(0.7548776662 (i + 1) (k + 1)).
"""
import json
import math
from pathlib import Path

import torch
from torch.nn.functional import log_softmax, logsigmoid

import make_model_goldens as model

KV_HEADS, SEED, NOISE, PAIRS, DIRECTIONS = 2, 3, 0.02, 7, 8
VARIANTS = {
    "sigmoid": dict(loss="sigmoid", beta=0.1),
    "smoothed": dict(loss="sigmoid", beta=0.5, label_smoothing=0.1),
    "robust": dict(loss="robust", beta=0.3, label_smoothing=0.2),
    "hinge": dict(loss="hinge", beta=0.1),
    "ipo": dict(loss="ipo", beta=0.1),
    "ipo_per_token": dict(loss="ipo", beta=0.2, length_normalised=True),
    "length_normalised": dict(loss="sigmoid", beta=5.0, length_normalised=True),
    "simpo": dict(loss="simpo", beta=2.0, margin=0.5),
    "nll": dict(loss="sigmoid", beta=0.1, nll=0.7),
}


def policy_weights():
    """The weights of model_gqa.safetensors: the same generator, drawn in the same order."""
    return model.make_weights(KV_HEADS, torch.Generator().manual_seed(SEED))


def make_pairs(generator):
    def text(least, most):
        length = int(torch.randint(least, most + 1, (1,), generator=generator))
        return torch.randint(0, model.VOCAB, (length,), generator=generator).tolist()

    return [{"prompt": text(1, 6), "chosen": text(1, 7), "rejected": text(1, 7)}
            for _ in range(PAIRS)]


def log_prob(weights, prompt, answer):
    ids = torch.tensor([prompt + answer])
    length = ids.shape[1] - 1
    causal = torch.ones(1, length, length, dtype=torch.bool).tril()
    logits = model.logits_of(weights, ids[:, :-1], causal, KV_HEADS)
    each = log_softmax(logits, -1).gather(-1, ids[:, 1:, None])[0, :, 0]
    return each[len(prompt) - 1:].sum()


def pair_loss(config, h, beta):
    smoothing = config.get("label_smoothing", 0.0)
    kind = config["loss"]
    if kind == "sigmoid":
        return -(1 - smoothing) * logsigmoid(beta * h) - smoothing * logsigmoid(-beta * h)
    if kind == "robust":
        return (-(1 - smoothing) * logsigmoid(beta * h) + smoothing * logsigmoid(-beta * h)) / (
            1 - 2 * smoothing)
    if kind == "hinge":
        return torch.relu(1 - beta * h)
    if kind == "ipo":
        return (h - 1 / (2 * beta)) ** 2
    return -logsigmoid(beta * (h - config["margin"]))


def step_loss(config, pairs, sums):
    losses, nll, tokens = [], 0.0, 0
    for pair, (chosen, rejected) in zip(pairs, sums):
        per_token = config.get("length_normalised", False) or config["loss"] == "simpo"
        reference = [0.0, 0.0] if config["loss"] == "simpo" else pair["reference"]
        ratios = [chosen - reference[0], rejected - reference[1]]
        if per_token:
            ratios = [ratios[0] / len(pair["chosen"]), ratios[1] / len(pair["rejected"])]
        losses.append(pair_loss(config, ratios[0] - ratios[1], config["beta"]))
        nll, tokens = nll - chosen, tokens + len(pair["chosen"])
    return sum(losses) / len(losses) + config.get("nll", 0.0) * nll / tokens


def projections(gradient):
    flat = gradient.reshape(-1)
    index = torch.arange(1, flat.numel() + 1, dtype=torch.float64)
    return [float((flat * torch.cos(0.7548776662 * index * (k + 1))).sum())
            for k in range(DIRECTIONS)]


def main():
    weights = policy_weights()
    generator = torch.Generator().manual_seed(11)
    reference = {n: w.detach() + NOISE * torch.randn(w.shape, generator=generator)
                 for n, w in weights.items()}
    pairs = make_pairs(generator)
    for pair in pairs:
        pair["reference"] = [float(log_prob(reference, pair["prompt"], pair[answer]))
                             for answer in ("chosen", "rejected")]
    out = {"pairs": pairs, "variants": {}}
    for name, config in VARIANTS.items():
        for w in weights.values():
            w.grad = None
        sums = [(log_prob(weights, p["prompt"], p["chosen"]),
                 log_prob(weights, p["prompt"], p["rejected"])) for p in pairs]
        loss = step_loss(config, pairs, sums)
        loss.backward()
        out["variants"][name] = dict(
            config, value=float(loss.detach()),
            gradients={n: dict(norm=math.sqrt(float((w.grad ** 2).sum())),
                               projections=projections(w.grad)) for n, w in weights.items()})
        out["log_probs"] = [[float(a.detach()), float(b.detach())] for a, b in sums]
    path = Path(__file__).parent / "preference.json"
    path.write_text(json.dumps(out) + "\n")
    print(path, path.stat().st_size)


if __name__ == "__main__":
    main()
