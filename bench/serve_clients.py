#!/usr/bin/env python3
r"""Drives `fathom serve` with real clients: PyPI's `openai` package (sync, async, streams, chats and
completions, errors) and lm-eval's local-completions and local-chat-completions. Needs
`pip install openai 'lm-eval[api]'` and a build.

    python bench/serve_clients.py --fathom build/release/fathom --model runs/sft/model
    python bench/serve_clients.py --fathom build/release/fathom
    python bench/serve_clients.py --fathom build/release/fathom --streams 1000 --seconds 300

Without --model it makes one of random weights. With --streams it opens that many streams at once,
each again when it ends, for so many seconds, and prints waits and the server's memory. Ends with
exit code 1 when a client sees anything that it should not.
"""
import argparse, asyncio, glob, json, os, re, signal, struct, subprocess, sys, tempfile, time, urllib.request

import openai

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


def random_model(path):
    """A Hugging Face directory of a small Llama with random weights."""
    import numpy
    hidden, layers, heads, inner, vocabulary = 64, 2, 4, 128, 256 + len(SPECIAL)
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
        values = numpy.ones(shape) if len(shape) == 1 else random.normal(0, 0.2, shape)
        raw = values.astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    with open(f"{path}/model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)
    json.dump(config, open(f"{path}/config.json", "w"))
    json.dump(byte_tokenizer(), open(f"{path}/tokenizer.json", "w"))


class Server:
    def __init__(self, fathom, model, *options):
        self.process = subprocess.Popen([fathom, "serve", model, "--port", "0", "--served-model-name", "served",
                                         *options], stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            print("  " + line.rstrip())
            found = re.search(r"on (http://\S+)/v1", line)
            if found:
                self.url = found[1]
                return
        sys.exit("the server ended before it listened")

    def memory_mb(self):
        status = open(f"/proc/{self.process.pid}/status").read()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) // 1024

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=120)
        return self.process.returncode


FAILED = []


def check(name, holds, seen=None):
    print(("ok      " if holds else "FAILED  ") + name + ("" if holds else f": {seen}"))
    if not holds:
        FAILED.append(name)


def sync_client(url):
    client = openai.OpenAI(base_url=url + "/v1", api_key="none", max_retries=0)
    check("models", [m.id for m in client.models.list()] == ["served"])
    ask = ask_text = dict(model="served", prompt="Once upon a time", max_tokens=24, temperature=0)
    whole = client.completions.create(**ask)
    text = whole.choices[0].text
    check("completion", whole.usage.completion_tokens <= 24 and whole.usage.prompt_tokens > 0, whole)
    chunks = list(client.completions.create(**ask, stream=True, stream_options={"include_usage": True}))
    streamed = "".join(c.choices[0].text for c in chunks if c.choices)
    check("streamed completion is the same", streamed == text, (streamed, text))
    check("usage at the end of a stream", chunks[-1].usage.total_tokens == whole.usage.total_tokens, chunks[-1])
    many = client.completions.create(model="served", prompt=["a", "b"], n=2, best_of=3, max_tokens=5, seed=1)
    check("prompts times n choices", [c.index for c in many.choices] == [0, 1, 2, 3], many)
    again = client.completions.create(model="served", prompt=["a", "b"], n=2, best_of=3, max_tokens=5, seed=1)
    check("a seed repeats", [c.text for c in many.choices] == [c.text for c in again.choices])
    scored = client.completions.create(model="served", prompt="abc", echo=True, logprobs=2, max_tokens=1)
    check("echoed logprobs", scored.choices[0].logprobs.token_logprobs[0] is None, scored)
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
    ask = dict(model="served", messages=messages, max_completion_tokens=16, temperature=0)
    chat = client.chat.completions.create(**ask, logprobs=True, top_logprobs=2)
    check("chat", chat.choices[0].message.role == "assistant", chat)
    check("chat logprobs", len(chat.choices[0].logprobs.content[0].top_logprobs) == 2, chat)
    deltas = [c.choices[0].delta.content or "" for c in client.chat.completions.create(**ask, stream=True)]
    check("streamed chat is the same", "".join(deltas) == chat.choices[0].message.content)
    letter = next((c for c in text if c.isascii()), "a")
    stop = client.completions.create(**ask_text, stop=[letter])
    check("stop", stop.choices[0].text == text[:text.find(letter)], (stop, text))
    for name, field, kind in [("n", dict(n=0), openai.BadRequestError), ("tools", dict(extra_body={"suffix": "x"}),
                              openai.BadRequestError), ("model", dict(model="other"), openai.NotFoundError)]:
        try:
            client.completions.create(**{**dict(model="served", prompt="x"), **field})
            check(f"error about {name}", False, "accepted")
        except openai.APIStatusError as error:
            check(f"error about {name}", isinstance(error, kind) and error.param is not None, error)


async def async_clients(url):
    client = openai.AsyncOpenAI(base_url=url + "/v1", api_key="none", max_retries=0)

    async def one(i):
        ask = dict(model="served", prompt="x" * (i + 1), max_tokens=16, seed=i)
        stream = await client.completions.create(**ask, stream=True)
        text = "".join([c.choices[0].text async for c in stream])
        return text == (await client.completions.create(**ask)).choices[0].text
    results = await asyncio.gather(*[one(i) for i in range(32)])
    check("32 async clients", all(results), results)


async def leaving_clients(url):
    """Streams that are left in the middle free the engine."""
    client = openai.AsyncOpenAI(base_url=url + "/v1", api_key="none", max_retries=0)
    for _ in range(4):
        stream = await client.completions.create(model="served", prompt="x", max_tokens=1500, stream=True,
                                                 extra_body={"ignore_eos": True})
        await anext(aiter(stream))
        await stream.close()
    for _ in range(100):
        metrics = urllib.request.urlopen(url + "/metrics").read().decode()
        running = float(re.search(r"num_requests_running\{.*\} (\S+)", metrics)[1])
        if running == 0:
            break
        await asyncio.sleep(0.1)
    check("clients that leave are cancelled", running == 0 and 'finished_reason="abort"} 4' in metrics, running)


TASK = """task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: {kind}
doc_to_text: "{{{{question}}}}"
doc_to_target: "{target}"
{more}
"""


def lm_eval(url, folder):
    """Two small tasks; the log-likelihoods must be those that the server gives for strings."""
    rows = [{"question": f"Question {i}: is {i} even? Answer:", "choices": ["yes", "no"], "answer": i % 2}
            for i in range(12)]
    data = f"{folder}/rows.json"
    with open(data, "w") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    choice = TASK.format(name="parity", data=data, kind="multiple_choice", target="{{answer}}",
                         more='doc_to_choice: "{{choices}}"\nmetric_list: [{metric: acc}]')
    generate = TASK.format(name="parity_text", data=data, kind="generate_until", target="{{choices[answer]}}",
                           more='generation_kwargs: {until: ["\\n"], max_gen_toks: 8}\nmetric_list: [{metric: exact_match}]')
    for name, text in [("parity", choice), ("parity_text", generate)]:
        with open(f"{folder}/{name}.yaml", "w") as file:
            file.write(text)
    common = "model=served,num_concurrent=4,max_retries=1,max_length=2048,tokenizer_backend=remote"
    environment = {**os.environ, "OPENAI_API_KEY": "none", "HF_HOME": f"{folder}/hf"}
    for kind, path, task, more in [("local-completions", "completions", "parity", ["--batch_size", "4"]),
                                   ("local-completions", "completions", "parity_text", []),
                                   ("local-chat-completions", "chat/completions", "parity_text",
                                    ["--apply_chat_template"])]:
        run = subprocess.run([sys.executable, "-m", "lm_eval", "--model", kind, "--tasks", task, "--include_path",
                              folder, "--model_args", f"{common},base_url={url}/v1/{path}", "--log_samples",
                              "--output_path", f"{folder}/out", *more], env=environment, capture_output=True, text=True)
        check(f"lm-eval {kind} {task}", run.returncode == 0, run.stderr[-3000:])
        if task != "parity" or run.returncode != 0:
            continue
        print(re.search(r"\|Tasks.*", run.stdout, re.S)[0].rstrip())
        samples = [json.loads(line) for path in glob.glob(f"{folder}/out/**/samples_parity_2*.jsonl", recursive=True)
                   for line in open(path)]
        server = openai.OpenAI(base_url=url + "/v1", api_key="none")
        largest = 0.0
        for sample in samples:
            for option, response in zip(sample["doc"]["choices"], sample["resps"]):
                ours = server.completions.create(model="served", prompt=f"{sample['doc']['question']} {option}", echo=True,
                                                 logprobs=1, max_tokens=0).choices[0].logprobs
                value = sum(v for v, at in zip(ours.token_logprobs, ours.text_offset)
                            if at >= len(sample["doc"]["question"]))
                theirs = response[0]
                largest = max(largest, abs(value - float(theirs[0] if isinstance(theirs, list) else theirs)))
        check(f"lm-eval's log-likelihoods of {2 * len(samples)} answers, largest difference {largest:.1e}",
              len(samples) == 12 and largest < 1e-3)


async def load(url, server, streams, seconds):
    """Keeps `streams` streams open; waits of each for its first token, and memory over time."""
    import aiohttp
    waits, ended, lost = [], 0, 0
    end = time.time() + seconds
    body = {"prompt": "Once upon a time", "max_tokens": 32, "ignore_eos": True, "stream": True}

    async def one(session):
        nonlocal ended, lost
        while time.time() < end:
            begin, last = time.time(), ""
            try:
                async with session.post(url + "/v1/completions", json=body) as response:
                    first = True
                    async for line in response.content:
                        if line.startswith(b"data: "):
                            if first:
                                waits.append(time.time() - begin)
                            first, last = False, line
                ended += last == b"data: [DONE]\n"
                lost += last != b"data: [DONE]\n"
            except aiohttp.ClientError as error:
                print(error)
                lost += 1

    async def watch():
        while time.time() < end:
            print(f"  {server.memory_mb()} MB, {ended} answers")
            await asyncio.sleep(max(1, seconds / 10))
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(watch(), *[one(session) for _ in range(streams)])
    waits.sort()
    print(f"{ended} answers, {lost} lost; wait for the first token: median {waits[len(waits) // 2]:.2f} s, "
          f"longest {waits[-1]:.2f} s; memory {server.memory_mb()} MB")
    check(f"{streams} streams", lost == 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fathom", default="build/release/fathom")
    parser.add_argument("--model", help="a model directory; default: one of random weights")
    parser.add_argument("--template", default="chatml", help="chat template, as fathom serve's")
    parser.add_argument("--streams", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = arguments.model
        if not model:
            model = f"{folder}/model"
            os.mkdir(model)
            random_model(model)
        server = Server(arguments.fathom, model, "--template", arguments.template, "--max-waiting",
                        str(max(1024, arguments.streams)))
        if arguments.streams:
            asyncio.run(load(server.url, server, arguments.streams, arguments.seconds))
        else:
            sync_client(server.url)
            asyncio.run(async_clients(server.url))
            asyncio.run(leaving_clients(server.url))
            lm_eval(server.url, folder)
        check("SIGTERM ends it with exit code 0", server.stop() == 0)
    sys.exit(1 if FAILED else 0)


if __name__ == "__main__":
    main()
