#!/usr/bin/env python3
"""Training steps of a Llama in PyTorch, timed: the peer of train_vs_torch.py and gpu_vs_torch.py.

Reads numbers from stdin, one a line. For each it takes so many steps (forward,
backward, clipping by the global norm, AdamW) on random tokens and prints one JSON
object: the median of the steps' rates and what the model is. The process stays warm
between them, so that two programs can take turns on one machine. The first steps
compile: ask for some before those that count.

    echo 3 8 | tr ' ' '\\n' | bench/torch_train.py --model configs/models/ladder-1b.toml \\
        --device cuda --sequences 4 --accumulate 2 --length 4096 --precision bf16

What PyTorch offers is used: scaled_dot_product_attention, torch.compile of the whole
model, fused AdamW, clipping over lists, one product for q, k and v and one for gate
and up. --precision says where numbers are kept: f32, everything in f32; autocast, f32
weights, gradients and states with products in bf16; bf16, everything in bf16.
--text-lengths FILE packs texts of these lengths into the sequences, as fine-tuning does, with
flex_attention inside each text; rates then count the tokens of texts, not the padding.
--pairs trains on preferences (DPO): each two texts of a micro-batch are a pair of answers, and a
second model, the reference, evaluates them in each step.
"""

import argparse
import copy
import json
import statistics
import sys
import time
import tomllib

import torch
from torch import nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.flex_attention import create_block_mask, flex_attention
from torch.utils.checkpoint import checkpoint

# The fastest first; what a device or a dtype lacks is passed over.
ATTENTION = [SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION,
             SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]


class Attention(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.heads, self.kv_heads = model["num_heads"], model["num_kv_heads"]
        self.head_dim = model["head_dim"]
        width = model["hidden_size"]
        self.qkv = nn.Linear(width, (self.heads + 2 * self.kv_heads) * self.head_dim, bias=False)
        self.output = nn.Linear(self.heads * self.head_dim, width, bias=False)

    def forward(self, x, rotation, mask):
        batch, length, _ = x.shape
        heads = self.qkv(x).view(batch, length, -1, self.head_dim).transpose(1, 2)
        q, k, v = heads.split([self.heads, self.kv_heads, self.kv_heads], dim=1)
        q, k, shared = rotate(q, rotation), rotate(k, rotation), self.heads != self.kv_heads
        if mask is None:
            attended = functional.scaled_dot_product_attention(q, k, v, is_causal=True,
                                                               enable_gqa=shared)
        else:
            attended = flex_attention(q, k, v, block_mask=mask, enable_gqa=shared)
        return self.output(attended.transpose(1, 2).reshape(batch, length, -1))


def rotate(x, rotation):
    cosine, sine = rotation
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cosine - second * sine, second * cosine + first * sine),
                     dim=-1).to(x.dtype)


class Mlp(nn.Module):
    def __init__(self, model):
        super().__init__()
        width, inner = model["hidden_size"], model["intermediate_size"]
        self.gate_up = nn.Linear(width, 2 * inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)

    def forward(self, x):
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        return self.down(functional.silu(gate) * up)


class Block(nn.Module):
    def __init__(self, model):
        super().__init__()
        width, epsilon = model["hidden_size"], model["rms_norm_eps"]
        self.attention_norm, self.mlp_norm = nn.RMSNorm(width, epsilon), nn.RMSNorm(width, epsilon)
        self.attention, self.mlp = Attention(model), Mlp(model)

    def forward(self, x, rotation, mask):
        x = x + self.attention(self.attention_norm(x), rotation, mask)
        return x + self.mlp(self.mlp_norm(x))


class Llama(nn.Module):
    def __init__(self, model, recompute):
        super().__init__()
        width = model["hidden_size"]
        self.recompute = recompute
        self.embedding = nn.Embedding(model["vocab_size"], width)
        self.blocks = nn.ModuleList(Block(model) for _ in range(model["num_layers"]))
        self.norm = nn.RMSNorm(width, model["rms_norm_eps"])
        self.head = nn.Linear(width, model["vocab_size"], bias=False)

    def forward(self, ids, targets, rotation, mask, reduction="mean"):
        x = self.embedding(ids)
        for block in self.blocks:
            x = checkpoint(block, x, rotation, mask, use_reentrant=False) if self.recompute \
                else block(x, rotation, mask)
        return self.loss(x, targets, reduction)

    def loss(self, x, targets, reduction):
        logits = self.head(self.norm(x))
        return functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(),
                                        reduction=reduction)


def compiled(llama, by_block):
    """Compiled as a whole; or block by block, which share one compilation: with flex_attention in
    each of 30 blocks the whole takes many minutes."""
    if not by_block:
        return torch.compile(llama)
    for block in llama.blocks:
        block.compile()
    llama.loss = torch.compile(llama.loss)
    return llama


def read_model(text):
    """A model's TOML file, or its keys as JSON, with the sizes that Fathom derives."""
    if text.lstrip().startswith("{"):
        model = json.loads(text)
    else:
        with open(text, "rb") as file:
            model = tomllib.load(file)["model"]
    width, heads = model["hidden_size"], model["num_heads"]
    derived = {"num_kv_heads": heads, "head_dim": width // heads,
               "intermediate_size": (width * 8 // 3 + 63) // 64 * 64,
               "rope_theta": 10000.0, "rms_norm_eps": 1e-6}
    return {**model, **{key: model.get(key) or value for key, value in derived.items()}}


def packed_texts(lengths, capacity, sequences):
    """The lengths of the texts of so many sequences: best fit decreasing, and of its rows as many
    as are asked for, evenly spread. As `fathom bench --text-lengths`."""
    rows, room = [], []
    for length in sorted(lengths, reverse=True):
        fits = [i for i, left in enumerate(room) if left >= length]
        if fits:
            row = min(fits, key=lambda i: (room[i], -i))
        else:
            row = len(rows)
            rows.append([])
            room.append(capacity)
        rows[row].append(length)
        room[row] -= length
    return [rows[i * len(rows) // sequences if len(rows) > sequences else i % len(rows)]
            for i in range(sequences)]


class Texts:
    """What a step's micro-batches are made of where texts are packed into sequences."""

    def __init__(self, options, rotation):
        with open(options.text_lengths) as file:
            lengths = [int(line) for line in file]
        rows = packed_texts(lengths, options.length, options.sequences * options.accumulate)
        self.tokens = sum(map(sum, rows))
        parts = [rows[i:i + options.sequences] for i in range(0, len(rows), options.sequences)]
        self.micro_batches = [self.micro_batch(options, part, rotation) for part in parts]
        self.texts = self.micro_batches[0][1].clone()
        self.masks = [self.mask_of(options, texts) for _, texts, _ in self.micro_batches]
        self.mask = self.mask_of(options, self.texts)
        self.pairs = [self.pairs_of(options, part) for part in parts]

    @staticmethod
    def pairs_of(options, rows):
        """Of each token the number of its pair, and its sign in the pair's difference: -1 in the
        chosen text, 1 in the rejected one, 0 in padding and in a text that is left over."""
        numbers, signs, text, texts = [], [], 0, sum(map(len, rows))
        for row in rows:
            for length in row:
                sign = 0 if text == texts - 1 and texts % 2 else 2 * (text % 2) - 1
                numbers += [text // 2] * length
                signs += [sign] * length
                text += 1
            padding = options.length - sum(row)
            numbers += [0] * padding
            signs += [0] * padding
        return (torch.tensor(numbers, device=options.device),
                torch.tensor(signs, device=options.device, dtype=torch.float32), max(1, texts // 2))

    def mask_of(self, options, texts):
        current = self.texts.copy_(texts)

        def inside(b, _, q, k):
            return (q >= k) & (current[b, q] == current[b, k])

        return create_block_mask(inside, len(texts), None, options.length, options.length,
                                 device=options.device)

    def inputs(self, i):
        """Rotation, attention mask, and where there is no padding. The mask is always the same
        object, with this micro-batch's content: each other object would be compiled anew."""
        rotation, texts, counted = self.micro_batches[i]
        self.texts.copy_(texts)
        for name, value in vars(self.masks[i]).items():
            if isinstance(value, torch.Tensor):
                getattr(self.mask, name).copy_(value)
        return rotation, self.mask, counted

    @staticmethod
    def micro_batch(options, rows, rotation):
        """Rotation, the number of each token's text, and where there is no padding."""
        segments = [row + [options.length - sum(row)] for row in rows]
        positions = torch.stack([torch.cat([torch.arange(n) for n in row]) for row in segments])
        texts = torch.stack([torch.repeat_interleave(torch.tensor(row)) for row in segments])
        positions, texts = positions.to(options.device), texts.to(options.device)

        counted = texts < torch.tensor([[len(row)] for row in rows], device=options.device)
        return [part[positions].unsqueeze(1) for part in rotation], texts, counted


class Training:
    def __init__(self, options, model):
        torch.manual_seed(1)
        self.options, self.model = options, model
        dtype = torch.bfloat16 if options.precision == "bf16" else torch.float32
        with torch.device(options.device):
            self.llama = Llama(model, options.recompute).to(dtype)
            self.rotation = self.rotation_of(dtype)
        for parameter in self.llama.parameters():
            if parameter.dim() == 2:
                nn.init.normal_(parameter, std=0.006)
        self.reference = copy.deepcopy(self.llama).requires_grad_(False) if options.pairs else None
        self.loss_of, self.reference_losses = self.llama, self.reference
        if options.compile:
            by_block = bool(options.text_lengths)
            self.loss_of = compiled(self.llama, by_block)
            self.reference_losses = compiled(self.reference, by_block) if options.pairs else None
        self.optimizer = torch.optim.AdamW(self.llama.parameters(), lr=1e-4, betas=(0.9, 0.95),
                                           weight_decay=0.1, fused=True)
        self.texts = Texts(options, self.rotation) if options.text_lengths else None

    def rotation_of(self, dtype):
        half = self.model["head_dim"] // 2
        frequencies = self.model["rope_theta"] ** (-torch.arange(half) / half)
        angles = torch.outer(torch.arange(self.options.length), frequencies)
        return angles.cos().to(dtype), angles.sin().to(dtype)

    def step(self):
        options = self.options
        for i in range(options.accumulate):
            ids = torch.randint(self.model["vocab_size"], (options.sequences, options.length + 1),
                                device=options.device)
            rotation, mask, targets = self.rotation, None, ids[:, 1:]
            if self.texts:
                rotation, mask, counted = self.texts.inputs(i)
                targets = targets.masked_fill(~counted, -100)
            with torch.autocast(options.device, torch.bfloat16, options.precision == "autocast"):
                if options.pairs:
                    loss = self.preference_loss(i, (ids[:, :-1], targets, rotation, mask, "none"))
                else:
                    loss = self.loss_of(ids[:, :-1], targets, rotation, mask)
            (loss / options.accumulate).backward()
        nn.utils.clip_grad_norm_(self.llama.parameters(), 1.0, foreach=True)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.item()  # waits for the device

    def preference_loss(self, micro_batch, inputs):
        pair, sign, pairs = self.texts.pairs[micro_batch]
        with torch.no_grad():
            reference = self.reference_losses(*inputs)
        differences = sign * (self.loss_of(*inputs) - reference)
        margins = torch.zeros(pairs, device=sign.device).index_add(0, pair, differences)
        return -functional.logsigmoid(0.1 * margins).mean()

    def tokens_per_second(self, steps):
        seconds = []
        for _ in range(steps):
            start = time.perf_counter()
            self.step()
            if self.options.device == "cuda":
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - start)
        options = self.options
        tokens = self.texts.tokens if self.texts else \
            options.accumulate * options.sequences * options.length
        return tokens / statistics.median(seconds)

    def flops_per_token(self):
        """As Fathom counts: 6 a matrix weight, and causal attention (over whole sequences)."""
        products = sum(p.numel() for p in self.llama.parameters() if p.dim() == 2)
        products -= self.llama.embedding.weight.numel()
        attention = self.model["num_layers"] * self.model["num_heads"] * self.model["head_dim"]
        return 6 * products + 6 * attention * self.options.length


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="TOML file with [model], or JSON")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--sequences", type=int, default=8, help="of a micro-batch")
    parser.add_argument("--accumulate", type=int, default=1, help="micro-batches of a step")
    parser.add_argument("--length", type=int, default=512, help="tokens of a sequence")
    parser.add_argument("--precision", choices=("f32", "autocast", "bf16"), default="autocast")
    parser.add_argument("--recompute", action="store_true", help="activations, block by block")
    parser.add_argument("--text-lengths", help="file with a text's tokens on each line")
    parser.add_argument("--pairs", action="store_true", help="preferences; with --text-lengths")
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    parser.add_argument("--threads", type=int, default=0, help="of the CPU; 0: PyTorch's choice")
    return parser.parse_args()


def main():
    options = parse_arguments()
    if options.threads:
        torch.set_num_threads(options.threads)
    training = Training(options, read_model(options.model))
    facts = {"torch": torch.__version__, "precision": options.precision,
             "compile": options.compile, "threads": torch.get_num_threads(),
             "parameters": sum(p.numel() for p in training.llama.parameters())}
    for line in sys.stdin:
        with sdpa_kernel(ATTENTION, set_priority=True):
            rate = training.tokens_per_second(int(line))
        result = {**facts, "tokens_per_second": rate,
                  "flops_per_second": rate * training.flops_per_token()}
        if options.device == "cuda":
            result["peak_gib"] = torch.cuda.max_memory_allocated() / 2**30
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
