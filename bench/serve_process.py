"""A `fathom serve` process for benchmarks and checks, and a small model of random weights for it."""
import json, re, signal, struct, subprocess, sys

SPECIAL = ["<s>", "</s>", "<|im_start|>", "<|im_end|>"]


def byte_tokenizer():
    """tokenizer.json of the 256 bytes in GPT-2's spelling, and special tokens."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    spelled, shifted = {}, 0
    for byte in range(256):
        spelled[byte] = chr(byte) if byte in printable else chr(256 + shifted)
        shifted += byte not in printable
    added = [{"id": 256 + i, "content": token, "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": False, "special": True} for i, token in enumerate(SPECIAL)]
    return {"version": "1.0", "added_tokens": added, "normalizer": None, "post_processor": None,
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False},
            "decoder": {"type": "ByteLevel"},
            "model": {"type": "BPE", "vocab": {text: byte for byte, text in spelled.items()}, "merges": []}}


def random_model(path, hidden=64, layers=2, heads=4, inner=128):
    """A Hugging Face directory of a small Llama with random weights."""
    import numpy
    vocabulary = 256 + len(SPECIAL)
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": hidden,
              "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": heads,
              "intermediate_size": inner, "vocab_size": vocabulary, "max_position_embeddings": 2048,
              "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": False,
              "torch_dtype": "float32", "bos_token_id": 256, "eos_token_id": 257}
    shapes = {"model.embed_tokens.weight": (vocabulary, hidden), "model.norm.weight": (hidden,),
              "lm_head.weight": (vocabulary, hidden)}
    for i in range(layers):
        for name in "qkvo":
            shapes[f"model.layers.{i}.self_attn.{name}_proj.weight"] = (hidden, hidden)
        for name, shape in [("gate", (inner, hidden)), ("up", (inner, hidden)), ("down", (hidden, inner))]:
            shapes[f"model.layers.{i}.mlp.{name}_proj.weight"] = shape
        for name in ["input_layernorm", "post_attention_layernorm"]:
            shapes[f"model.layers.{i}.{name}.weight"] = (hidden,)
    random = numpy.random.default_rng(1)
    header, data = {}, b""
    for name, shape in shapes.items():
        values = numpy.ones(shape) if len(shape) == 1 else random.normal(0, 1.6 / hidden ** 0.5, shape)
        raw = values.astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    with open(f"{path}/model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)
    json.dump(config, open(f"{path}/config.json", "w"))
    json.dump(byte_tokenizer(), open(f"{path}/tokenizer.json", "w"))


class Server:
    """Starts a server on a free port; `url` is where it listens."""

    def __init__(self, fathom, model, *options):
        self.process = subprocess.Popen([fathom, "serve", model, "--port", "0", "--served-model-name", "served",
                                         *options], stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            print("  " + line.rstrip())
            found = re.search(r"on (https?://\S+:(\d+))/v1", line)
            if found:
                self.url, self.port = found[1], int(found[2])
                return
        sys.exit("the server ended before it listened")

    def memory_mb(self):
        status = open(f"/proc/{self.process.pid}/status").read()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) // 1024

    def begin_stop(self):
        self.process.send_signal(signal.SIGTERM)

    def stop(self):
        self.begin_stop()
        self.process.communicate(timeout=120)
        return self.process.returncode
