#!/usr/bin/env python3
"""Gives the model of a story to others: do they say the same, and score the same?

    python3 -m venv venv && venv/bin/pip install torch transformers llama-cpp-python openai 'lm-eval[api]==0.4.13'
    venv/bin/python bench/story_in_other_hands.py STORY [--fathom build/release/fathom]

STORY is the folder of scripts/story. Its 20 questions are asked in the chat form, each answer the
likeliest text, in f32: by `fathom generate`; transformers; llama.cpp, from a GGUF file; and the openai
package, of `fathom serve`. lm-evaluation-harness scores the story's questions with four answers over the
same server, with tasks of its own that say what ours say. Whoever is not installed is left out, by name.
Exit code 1 when a text or a score differs.
"""
import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from serve_process import Server

ROOT = Path(__file__).resolve().parent.parent
TOKENS, STOP = 96, "\nUser:"
TASKS = {"story_cloze_english": "", "story_cloze_chinese": "", "story_cloze_code": "", "story_sections": " "}  # and delimiters


def cut(text):
    return text.split(STOP)[0].strip()


def by_generate(fathom, model, questions):
    out = subprocess.run([fathom, "generate", model, "--conversations", questions, "--dtype", "f32", "--temperature", "0",
                          "--max-tokens", str(TOKENS), "--stop", STOP], check=True, capture_output=True, text=True).stdout
    return [cut(json.loads(line)["answer"]) for line in out.splitlines()]


def prompts_of(model, questions):
    """The chat form by transformers and the model's own template."""
    from transformers import AutoTokenizer
    tokenizer = AutoTokenizer.from_pretrained(model)
    asked = [json.loads(line)["prompt"] for line in open(questions, encoding="utf-8")]
    return tokenizer, [tokenizer.apply_chat_template([{"role": "user", "content": text}], add_generation_prompt=True, tokenize=False)
                       for text in asked]


def by_transformers(model, questions):
    import torch
    from transformers import AutoModelForCausalLM
    tokenizer, prompts = prompts_of(model, questions)
    network = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    answers = []
    for prompt in prompts:
        ids = tokenizer(prompt, add_special_tokens=False, return_tensors="pt").input_ids
        out = network.generate(ids, max_new_tokens=TOKENS, do_sample=False, pad_token_id=0)[0, ids.shape[1]:]
        answers.append(cut(tokenizer.decode(out, skip_special_tokens=True)))
    return answers


def by_llama_cpp(fathom, model, questions, folder):
    from llama_cpp import Llama
    gguf = folder / "model.gguf"
    subprocess.run([fathom, "convert", model, gguf, "--dtype", "f32"], check=True, capture_output=True)
    network = Llama(str(gguf), n_ctx=512, verbose=False)
    _, prompts = prompts_of(model, questions)
    answers = []
    for prompt in prompts:
        ids = network.tokenize(prompt.encode(), add_bos=False, special=True)
        answers.append(cut(network.create_completion(ids, max_tokens=TOKENS, temperature=0, repeat_penalty=1)["choices"][0]["text"]))
    return answers


def by_openai(url, questions):
    import openai
    client = openai.OpenAI(base_url=url + "/v1", api_key="none")
    asked = [json.loads(line)["prompt"] for line in open(questions, encoding="utf-8")]
    return [cut(client.chat.completions.create(model="served", messages=[{"role": "user", "content": text}], temperature=0,
                                               max_tokens=TOKENS, stop=[STOP]).choices[0].message.content) for text in asked]


def compare_answers(who, wanted, got):
    other = [(a, b) for a, b in zip(wanted, got, strict=True) if a != b]
    print(f"{who}: {len(wanted) - len(other)} of {len(wanted)} answers are the same", flush=True)
    for ours, theirs in other:
        print(f"  ours   {ours!r}\n  theirs {theirs!r}")
    return len(other)


def write_task(folder, name, delimiter, data):
    config = {"task": name, "dataset_path": "json", "dataset_kwargs": {"data_files": {"test": str(data)}}, "test_split": "test",
              "output_type": "multiple_choice", "doc_to_text": "{{question}}", "doc_to_choice": "{{choices}}", "doc_to_target": "{{gold}}",
              "target_delimiter": delimiter, "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}]}
    (folder / f"{name}.yaml").write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in config.items()))


def scores_by_lm_eval(url, tasks, longest, folder):
    environment = dict(os.environ, HF_DATASETS_OFFLINE="1", HF_HUB_OFFLINE="1", HF_HOME=str(folder / "hf"))
    subprocess.run([sys.executable, "-m", "lm_eval", "--model", "local-completions", "--model_args",
                    f"model=served,base_url={url}/v1/completions,tokenizer_backend=remote,max_length={longest},num_concurrent=4",
                    "--tasks", ",".join(tasks), "--include_path", str(folder), "--output_path", str(folder / "theirs")],
                   check=True, env=environment, stdout=subprocess.DEVNULL)
    results = json.loads(next((folder / "theirs").rglob("results_*.json")).read_text())["results"]
    return {task: {score: results[task][f"{score},none"] for score in ("acc", "acc_norm")} for task in tasks}


def scores_by_eval(fathom, model, story, tasks, longest, folder):
    """lm-eval's max_length counts two tokens that are not read: the last, and one that it asks for."""
    subprocess.run([fathom, "eval", model, "--dtype", "f32", "--configs", ROOT / "configs/story/tasks", "--data", story / "sets/tasks",
                    "--tasks", ",".join(tasks), "--max-length", str(longest - 2), "--out", folder / "ours"], check=True, stdout=subprocess.DEVNULL)
    results = json.loads((folder / "ours/results.json").read_text())["results"]
    return {task: {score: results[task]["scores"][score] for score in ("acc", "acc_norm")} for task in tasks}


def compare_scores(ours, theirs):
    differing = 0
    for task, scores in ours.items():
        for score, value in scores.items():
            same = math.isclose(value, theirs[task][score], abs_tol=1e-9)
            differing += not same
            print(f"lm-eval: {task} {score} {theirs[task][score]:.4f}, ours {value:.4f}{'' if same else '  DIFFERS'}", flush=True)
    return differing


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("story", type=Path)
    parser.add_argument("--fathom", default=str(ROOT / "build/release/fathom"))
    parser.add_argument("--stage", default="dpo", help="whose model: base, sft or dpo")
    options = parser.parse_args()
    model, questions = options.story / options.stage / "model", options.story / "sets/questions.jsonl"
    others = {"transformers": "torch", "llama.cpp": "llama_cpp", "openai": "openai", "lm-eval": "lm_eval"}
    here = {name for name, module in others.items() if find_spec(module)}
    for name in sorted(others.keys() - here):
        print(f"{name}: not installed, left out")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        ours = by_generate(options.fathom, model, questions)
        differing = 0
        if "transformers" in here:
            differing += compare_answers("transformers", ours, by_transformers(model, questions))
        if "llama.cpp" in here:
            differing += compare_answers("llama.cpp", ours, by_llama_cpp(options.fathom, model, questions, folder))
        server = Server(options.fathom, model, "--dtype", "f32")
        try:
            if "openai" in here:
                differing += compare_answers("openai", ours, by_openai(server.url, questions))
            if "lm-eval" in here:
                tasks = {task: d for task, d in TASKS.items() if (options.story / "sets/tasks" / f"{task[6:].replace('_', '-')}.jsonl").exists()}
                longest = json.loads((model / "config.json").read_text())["max_position_embeddings"]
                for task, delimiter in tasks.items():
                    write_task(folder, task, delimiter, (options.story / "sets/tasks" / f"{task[6:].replace('_', '-')}.jsonl").resolve())
                differing += compare_scores(scores_by_eval(options.fathom, model, options.story, tasks, longest, folder),
                                            scores_by_lm_eval(server.url, tasks, longest, folder))
        finally:
            server.stop()
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
