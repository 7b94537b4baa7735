#!/usr/bin/python3
"""Trains one 25M-parameter model with Fathom and with PyTorch, and compares.

Both take the same whole steps (forward, backward, clipping by the global norm,
AdamW) of the same Llama-style model on the same number of tokens, on two CPU
threads: Fathom in its default precision, PyTorch eager in f32. The two take
turns, and medians over the turns are compared. Exit code 0: Fathom reaches at
least 1.5 times PyTorch's tokens a second and 60 % of the GEMM peak of its
precision; 1: it does not.

    bench/train_vs_torch.py [--fathom build/release/fathom] [--turns 5]

Needs Debian's python3-torch and a fast BLAS for it (libopenblas0): with the reference
BLAS, which comes alone, its products are a hundred times slower, and nothing is compared.
Of PyTorch 1.13, which has no fused attention, it
uses the best of the ordinary: one product for q, k and v and one for gate and
up, no copies of heads, in-place masking, AdamW and clipping over lists (foreach).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import torch
from torch import nn
from torch.nn import functional

MINIMUM_RATIO = 1.5
MINIMUM_SHARE = 0.60


class Norm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * self.weight


def rotate(x, cosine, sine):
    low, high = x.chunk(2, dim=-1)
    return torch.cat((low * cosine - high * sine, high * cosine + low * sine), dim=-1)


class Block(nn.Module):
    def __init__(self, model):
        super().__init__()
        width, mlp = model["hidden_size"], model["intermediate_size"]
        self.heads, self.head_dim = model["num_heads"], width // model["num_heads"]
        self.norm1, self.norm2 = Norm(width), Norm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.output = nn.Linear(width, width, bias=False)
        self.gate_up = nn.Linear(width, 2 * mlp, bias=False)
        self.down = nn.Linear(mlp, width, bias=False)

    def forward(self, h, cosine, sine, mask):
        batch, length, width = h.shape
        qkv = self.qkv(self.norm1(h)).view(batch, length, 3, self.heads, self.head_dim)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        q, k = rotate(q, cosine, sine), rotate(k, cosine, sine)
        scores = torch.matmul(q * self.head_dim**-0.5, k.transpose(-1, -2))
        scores += mask
        attended = torch.matmul(torch.softmax(scores, dim=-1), v)
        h = h + self.output(attended.transpose(1, 2).reshape(batch, length, width))
        gate, up = self.gate_up(self.norm2(h)).chunk(2, dim=-1)
        return h + self.down(functional.silu(gate) * up)


class Model(nn.Module):
    def __init__(self, model, length):
        super().__init__()
        width, half = model["hidden_size"], model["hidden_size"] // model["num_heads"] // 2
        self.embedding = nn.Embedding(model["vocab_size"], width)
        self.blocks = nn.ModuleList(Block(model) for _ in range(model["num_layers"]))
        self.norm = Norm(width)
        self.head = nn.Linear(width, model["vocab_size"], bias=False)
        angle = torch.outer(torch.arange(length), 10000.0 ** (-torch.arange(half) / half))
        self.register_buffer("cosine", angle.cos())
        self.register_buffer("sine", angle.sin())
        self.register_buffer("mask", torch.full((length, length), float("-inf")).triu(1))
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.normal_(p, std=0.02)

    def forward(self, ids):
        h = self.embedding(ids)
        for block in self.blocks:
            h = block(h, self.cosine, self.sine, self.mask)
        return self.head(self.norm(h))


class TorchRun:
    def __init__(self, model, sequences, length):
        torch.manual_seed(1)
        self.model = Model(model, length)
        self.ids = torch.randint(model["vocab_size"], (sequences, length + 1))
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, foreach=True
        )

    def parameters(self):
        return sum(p.numel() for p in self.model.parameters())

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        logits = self.model(self.ids[:, :-1])
        targets = self.ids[:, 1:].reshape(-1)
        loss = functional.cross_entropy(logits.flatten(0, 1), targets)
        loss.backward()
        gradients = [p.grad for p in self.model.parameters()]
        norm = torch.stack(torch._foreach_norm(gradients)).norm()
        torch._foreach_mul_(gradients, min(1.0, 1.0 / (float(norm) + 1e-6)))
        self.optimizer.step()
        return float(loss)

    def tokens_per_second(self, steps):
        seconds = []
        for _ in range(steps):
            start = time.perf_counter()
            self.step()
            seconds.append(time.perf_counter() - start)
        return self.ids[:, 1:].numel() / statistics.median(seconds)


def fathom_bench(options):
    command = [options.fathom, "bench", "cpu", "--json", "--brief", "--threads", str(options.threads),
               "--steps", str(options.steps)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fathom", default="build/release/fathom")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3, help="steps a turn")
    return parser.parse_args()


def product_gflops(size=512):
    a, b = torch.randn(size, size), torch.randn(size, size)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        torch.mm(a, b)
        seconds.append(time.perf_counter() - start)
    return 2 * size**3 / min(seconds) / 1e9


def main():
    options = parse_arguments()
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    torch.set_num_threads(options.threads)
    if (rate := product_gflops()) < 10:
        sys.exit(f"PyTorch's products make {rate:.1f} GFLOP/s: it runs on the reference BLAS; "
                 "apt-get install libopenblas0")
    first = fathom_bench(options)  # says the shape; both warm up
    peer = TorchRun(first["model"], first["sequences"], first["sequence_length"])
    peer.step()
    if peer.parameters() != first["parameters"]:
        sys.exit(f"PyTorch's model has {peer.parameters()} parameters, ours {first['parameters']}")
    print(f"{first['parameters']} parameters in both, {first['sequences']} sequences of "
          f"{first['sequence_length']} tokens a step, {options.threads} threads; "
          f"Fathom {first['dtype']}, PyTorch {torch.__version__} f32")

    ours, theirs, shares = [], [], []
    for turn in range(options.turns):
        bench = fathom_bench(options)
        ours.append(bench["step"]["tokens_per_second"])
        shares.append(bench["step"]["share_of_gemm_peak"])
        theirs.append(peer.tokens_per_second(options.steps))
        print(f"turn {turn + 1}: Fathom {ours[-1]:.0f} tokens/s at {shares[-1]:.1%} of the peak, "
              f"PyTorch {theirs[-1]:.0f} tokens/s, ratio {ours[-1] / theirs[-1]:.2f}", flush=True)
    ratio = statistics.median(a / b for a, b in zip(ours, theirs))
    share = statistics.median(shares)
    holds = ratio >= MINIMUM_RATIO and share >= MINIMUM_SHARE
    print(f"medians: Fathom {statistics.median(ours):.0f}, PyTorch {statistics.median(theirs):.0f} "
          f"tokens/s; ratio {ratio:.2f} (at least {MINIMUM_RATIO}), share of the peak {share:.1%} "
          f"(at least {MINIMUM_SHARE:.0%}): {'holds' if holds else 'DOES NOT HOLD'}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
