#!/usr/bin/env python3
r"""Drives `fathom serve` with real clients: PyPI's `openai` package (sync, async, streams, chats and
completions, errors) and lm-eval's local-completions and local-chat-completions. Needs
`pip install openai 'lm-eval[api]'` and a build.

    python bench/serve_clients.py --fathom build/release/fathom --model runs/sft/model
    python bench/serve_clients.py --fathom build/release/fathom

Without --model it makes one of random weights. Ends with exit code 1 when a client sees anything
that it should not. bench/serve_load.py has many clients at once.
"""
import argparse, asyncio, glob, json, os, re, subprocess, sys, tempfile, urllib.request

import openai

from serve_process import Server, random_model

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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fathom", default="build/release/fathom")
    parser.add_argument("--model", help="a model directory; default: one of random weights")
    parser.add_argument("--template", default="chatml", help="chat template, as fathom serve's")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = arguments.model
        if not model:
            model = f"{folder}/model"
            os.mkdir(model)
            random_model(model)
        server = Server(arguments.fathom, model, "--template", arguments.template)
        sync_client(server.url)
        asyncio.run(async_clients(server.url))
        asyncio.run(leaving_clients(server.url))
        lm_eval(server.url, folder)
        check("SIGTERM ends it with exit code 0", server.stop() == 0)
    sys.exit(1 if FAILED else 0)


if __name__ == "__main__":
    main()
