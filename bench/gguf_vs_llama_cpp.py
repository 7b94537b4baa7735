"""GGUF files between Fathom and llama.cpp: who writes, who reads, and whether the texts agree.

Needs PyPI's gguf, numpy and llama-cpp-python; transformers and torch for the last part, which is
left out without them. Example:

    python bench/gguf_vs_llama_cpp.py --fathom build/release/fathom \
        --stories ../shared/data/model_stories260k --smollm SmolLM2-135M-Instruct.Q4_1.gguf
"""
import argparse
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

import gguf
import numpy as np

failures = 0


def check(what, good, detail=""):
    global failures
    failures += not good
    print(f"{'ok  ' if good else 'FAIL'} {what}{': ' + detail if detail else ''}", flush=True)


def fathom(args, *command):
    done = subprocess.run([args.fathom, *map(str, command)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"fathom {' '.join(map(str, command))}: {done.stderr}")
    return done.stdout


def generate(args, model, prompt, tokens, *more):
    out = fathom(args, "generate", model, "--prompt", prompt, "--temperature", "0", "--max-tokens",
                 tokens, *more)
    return out.removesuffix("\n")


# --- stories260k: llama2.c's files as a Hugging Face directory ---------------------------------


def read_tokens(path):
    data = path.read_bytes()
    tokens, at = [], 4
    while at < len(data):
        score, length = struct.unpack_from("<fi", data, at)
        tokens.append((data[at + 8: at + 8 + length].decode(), score))
        at += 8 + length
    return tokens


def tokenizer_json(tokens):
    texts = [t for t, _ in tokens]
    texts[:3] = ["<unk>", "<s>", "</s>"]
    texts = texts[:3] + [f"<0x{i:02X}>" for i in range(256)] + [
        t.replace(" ", "▁") for t in texts[259:]]
    ids = {}
    for i, t in enumerate(texts):
        ids.setdefault(t, i)
    merges = [(ids[t], t[:cut], t[cut:]) for t in texts[259:] for cut in range(1, len(t))
              if t[:cut] in ids and t[cut:] in ids]
    merges.sort(key=lambda m: -tokens[m[0]][1])
    special = [{"id": i, "content": texts[i], "single_word": False, "lstrip": False,
                "rstrip": False, "normalized": False, "special": True} for i in range(3)]
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": special,
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
        "pre_tokenizer": None,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
                       {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}},
                     {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>",
                  "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": True,
                  "byte_fallback": True, "ignore_merges": False, "vocab": ids,
                  "merges": [f"{a} {b}" for _, a, b in merges]}}


def halves(rows, heads):
    """llama2.c rotates neighbours, as ggml does; Hugging Face's rows are half a head apart."""
    out, width = rows.shape
    return rows.reshape(heads, out // heads // 2, 2, width).swapaxes(1, 2).reshape(out, width)


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, value in tensors.items():
        raw = np.ascontiguousarray(value, np.float32).tobytes()
        header[name] = {"dtype": "F32", "shape": list(value.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def stories_directory(source, out):
    out.mkdir()
    data = (source / "stories260K.bin").read_bytes()
    d, f, layers, heads, kv, vocab, context = struct.unpack_from("<7i", data)
    values, at = np.frombuffer(data, np.float32, offset=28), 0

    def take(*shape):
        nonlocal at
        at += (size := int(np.prod(shape)))
        return values[at - size: at].reshape(shape)

    width = d // heads
    parts = {"model.embed_tokens.weight": take(abs(vocab), d)}
    stacks = [("input_layernorm", take(layers, d)), ("self_attn.q_proj", take(layers, d, d)),
              ("self_attn.k_proj", take(layers, kv * width, d)),
              ("self_attn.v_proj", take(layers, kv * width, d)),
              ("self_attn.o_proj", take(layers, d, d)),
              ("post_attention_layernorm", take(layers, d)), ("mlp.gate_proj", take(layers, f, d)),
              ("mlp.down_proj", take(layers, d, f)), ("mlp.up_proj", take(layers, f, d))]
    for name, stack in stacks:
        for layer, part in enumerate(stack):
            if name.endswith("q_proj"):
                part = halves(part, heads)
            if name.endswith("k_proj"):
                part = halves(part, kv)
            parts[f"model.layers.{layer}.{name}.weight"] = part
    parts["model.norm.weight"] = take(d)
    take(context * width)  # llama2.c's table of angles
    if at < values.size:
        parts["lm_head.weight"] = take(abs(vocab), d)
    write_safetensors(out / "model.safetensors", parts)
    (out / "config.json").write_text(json.dumps({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": d,
        "intermediate_size": f, "num_hidden_layers": layers, "num_attention_heads": heads,
        "num_key_value_heads": kv, "vocab_size": abs(vocab), "max_position_embeddings": context,
        "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu", "bos_token_id": 1,
        "eos_token_id": 2, "tie_word_embeddings": "lm_head.weight" not in parts,
        "torch_dtype": "float32"}))
    (out / "tokenizer.json").write_text(
        json.dumps(tokenizer_json(read_tokens(source / "tok512.bin")), ensure_ascii=False))
    return out


# --- llama.cpp's side ---------------------------------------------------------------------------


class LlamaCpp:
    def __init__(self, path):
        from llama_cpp import Llama
        self.model = Llama(str(path), n_ctx=512, n_threads=2, verbose=False)

    def greedy(self, prompt, tokens):
        out = self.model.create_completion(prompt, max_tokens=tokens, temperature=0, top_k=1,
                                           repeat_penalty=1.0)
        return out["choices"][0]["text"]

    def encode(self, text):
        return self.model.tokenize(text.encode(), add_bos=False, special=False)


def same_texts(args, model, folder, prompts, tokens):
    """llama.cpp's greedy text of our files, against ours of the same weights."""
    for dtype in ("f32", "f16", "bf16", "q8_0"):
        path = folder / f"{dtype}.gguf"
        fathom(args, "convert", model, path, "--dtype", dtype)
        other = LlamaCpp(path)
        for prompt in prompts:
            theirs = other.greedy(prompt, tokens)
            ours = generate(args, path, prompt, tokens, "--dtype", "f32")
            same = len([1 for a, b in zip(ours, theirs) if a == b])
            common = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b),
                          min(len(ours), len(theirs)))
            check(f"{dtype}: greedy text of {tokens} tokens after {prompt!r}", ours == theirs,
                  "" if ours == theirs else f"equal for {common} of {len(theirs)} characters")
    return LlamaCpp(folder / "f16.gguf")


TEXTS = ["Once upon a time, there was a girl.", "The price is $1234.56 (12% off)!", "  two  spaces",
         "new\nlines\n\nhere\r\n", "def f(x):\n    return x ** 2  # square\n",
         "don't you'll we've", "一二三四 中文，标点。", "한국어 텍스트", "naïve café — “quotes”…",
         "emoji 🙂🎉 end", "Привет, мир", "tabs\tand\t\ttabs", "x=1;y=22;z=333", "A1B2C3 a_b-c"]


def same_tokens(args, model, other, label):
    for text in TEXTS:
        path = model / "text.txt"
        path.write_bytes(text.encode())
        out = fathom(args, "tokenizer", "encode", model / "tokenizer.json", path, "--whole")
        ours = [int(i) for i in out.split()]
        theirs = other.encode(text)
        if theirs[:1] == [1] and ours[:1] != [1]:
            theirs = theirs[1:]
        ours = ours[1:] if ours[:1] == [1] and theirs[:1] != [1] else ours
        check(f"{label}: tokens of {text!r}", ours == theirs, "" if ours == theirs else
              f"{ours} and {theirs}")


# --- Every block type against gguf's own functions ----------------------------------------------


def blocks_of(kind, rows, columns, random):
    """Random blocks whose scales are ordinary numbers."""
    values, size = gguf.GGML_QUANT_SIZES[kind]
    raw = random.integers(0, 256, (rows, columns // values, size), dtype=np.uint8)
    halves_at = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0],
                 "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}
    for at in halves_at[kind.name]:
        scales = random.normal(0, 0.1, raw.shape[:2]).astype(np.float16)
        raw[:, :, at: at + 2] = scales[..., None].view(np.uint8)
    return raw.reshape(rows, -1)


def block_types(args, folder):
    random = np.random.default_rng(1)
    kinds = [gguf.GGMLQuantizationType[n] for n in
             ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K")]
    for kind in kinds:
        d, f, vocab = 256, 256, 64
        path = folder / f"{kind.name}.gguf"
        writer = gguf.GGUFWriter(path, "llama")
        writer.add_block_count(1)
        writer.add_context_length(64)
        writer.add_embedding_length(d)
        writer.add_feed_forward_length(f)
        writer.add_head_count(4)
        writer.add_head_count_kv(2)
        writer.add_layer_norm_rms_eps(1e-5)
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("gpt-2")
        writer.add_token_list([chr(0x21 + i) for i in range(vocab - 1)] + ['!"'])
        writer.add_token_merges(['! "'])
        shapes = {"token_embd": (vocab, d), "output": (vocab, d), "blk.0.attn_q": (d, d),
                  "blk.0.attn_k": (128, d), "blk.0.attn_v": (128, d), "blk.0.attn_output": (d, d),
                  "blk.0.ffn_gate": (f, d), "blk.0.ffn_up": (f, d), "blk.0.ffn_down": (d, f)}
        expected = {}
        for name, (rows, columns) in shapes.items():
            raw = blocks_of(kind, rows, columns, random)
            writer.add_tensor(name + ".weight", raw, raw_dtype=kind)
            expected[name] = gguf.quants.dequantize(raw, kind)
        for name in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"):
            writer.add_tensor(name + ".weight", np.ones(d, np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        out = folder / kind.name
        fathom(args, "convert", path, out, "--dtype", "f32")
        raw = (out / "model.safetensors").read_bytes()
        length = struct.unpack_from("<Q", raw)[0]
        header = json.loads(raw[8: 8 + length])

        def tensor(name):
            begin, end = header[name]["data_offsets"]
            return np.frombuffer(raw[8 + length + begin: 8 + length + end], np.float32).reshape(
                header[name]["shape"])

        pairs = [("model.embed_tokens", expected["token_embd"]),
                 ("lm_head", expected["output"]),
                 ("model.layers.0.self_attn.q_proj", halves(expected["blk.0.attn_q"], 4)),
                 ("model.layers.0.self_attn.k_proj", halves(expected["blk.0.attn_k"], 2)),
                 ("model.layers.0.self_attn.v_proj", expected["blk.0.attn_v"]),
                 ("model.layers.0.mlp.down_proj", expected["blk.0.ffn_down"])]
        worst = max(float(np.abs(tensor(n + ".weight") - e).max() / np.abs(e).max())
                    for n, e in pairs)
        check(f"{kind.name}: values as gguf's", worst < 1e-6, f"largest difference {worst:.1e}")


def written_types(args, model, folder):
    """Our F16, BF16 and Q8_0 blocks, byte for byte those of gguf's quantize()."""
    def tensors(dtype):
        fathom(args, "convert", model, folder / f"bytes.{dtype}.gguf", "--dtype", dtype)
        return {t.name: t for t in gguf.GGUFReader(folder / f"bytes.{dtype}.gguf").tensors}

    exact = tensors("f32")
    for dtype in ("f16", "bf16", "q8_0"):
        different = []
        for name, t in tensors(dtype).items():
            want = gguf.quants.quantize(np.array(exact[name].data), t.tensor_type)
            if want.tobytes() != t.data.tobytes():
                different.append(name)
        check(f"{dtype}: bytes as gguf's quantize()", not different, ", ".join(different[:3]))


# --- Files of others ----------------------------------------------------------------------------


def transformers_text(path, prompt, tokens):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    folder, name = str(path.parent), path.name
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32)
    ids = tokenizer(prompt, return_tensors="pt")
    with torch.no_grad():
        out = model.generate(**ids, max_new_tokens=tokens, do_sample=False,
                             repetition_penalty=1.0)
    return tokenizer.decode(out[0][ids["input_ids"].shape[1]:], skip_special_tokens=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fathom", default="build/release/fathom")
    parser.add_argument("--stories", type=pathlib.Path, help="llama2.c's stories260K and tok512")
    parser.add_argument("--smollm", type=pathlib.Path, help="a GGUF file that others wrote")
    parser.add_argument("--tokens", type=int, default=64)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        block_types(args, folder)
        if args.stories:
            model = stories_directory(args.stories, folder / "stories")
            written_types(args, model, folder)
            other = same_texts(args, model, folder, ["Once upon a time", "The dog"], args.tokens)
            same_tokens(args, model, other, "stories260k")
        if args.smollm:
            prompts = ["The capital of France is", "def add(a, b):"]
            (folder / "smollm").mkdir()
            fathom(args, "convert", args.smollm, folder / "hf", "--dtype", "f32")
            other = same_texts(args, folder / "hf", folder / "smollm", prompts, args.tokens)
            same_tokens(args, folder / "hf", other, "SmolLM2")
            for prompt in prompts:
                ours = generate(args, args.smollm, prompt, args.tokens)
                check(f"directory and file: same text after {prompt!r}",
                      ours == generate(args, folder / "hf", prompt, args.tokens))
                try:
                    theirs = transformers_text(args.smollm, prompt, args.tokens)
                except ImportError as error:
                    print(f"left out: transformers ({error})")
                    continue
                check(f"transformers: same text after {prompt!r}", ours == theirs,
                      "" if ours == theirs else f"{ours!r} and {theirs!r}")
    print(f"{failures} failures")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
