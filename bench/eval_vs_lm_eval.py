#!/usr/bin/env python3
"""Compares `fathom eval` with lm-evaluation-harness on the same data and model.

    python3 -m venv venv && venv/bin/pip install 'lm-eval[api]==0.4.13'
    venv/bin/python bench/eval_vs_lm_eval.py MODEL --data BENCHMARKS --limit 40

lm-evaluation-harness makes its prompts and scores by its own code and task definitions, of which
only the data's place is replaced; it asks `fathom serve MODEL`. `fathom eval` asks its own engine.
Compared are: every prompt and continuation, every log-likelihood and whether it is greedy, every
generated text, and the metrics. Exit code 1 when something differs.
"""
import argparse
import csv
import gzip
import io
import json
import math
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def lines(path):
    opened = gzip.open if str(path).endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def letters(texts):
    return {"text": texts, "label": [chr(ord("A") + i) for i in range(len(texts))]}


# Each gives rows as the Hugging Face dataset of lm-eval's task has them.
def hellaswag(data):
    return {"validation": lines(data / "hellaswag/hellaswag.jsonl.gz")}


def piqa(data):
    labels = (data / "piqa/dev-labels.lst").read_text().split()
    rows = lines(data / "piqa/dev.jsonl")
    return {"validation": [dict(row, label=int(label)) for row, label in zip(rows, labels)]}


def winogrande(data):
    return {"validation": lines(data / "winogrande/dev.jsonl")}


def arc_easy(data):
    rows = lines(data / "arc/arc_easy.jsonl")
    return {"test": [{"question": r["query"].removeprefix("Question: "), "choices": letters(r["choices"]),
                      "answerKey": chr(ord("A") + r["gold"])} for r in rows]}


def openbookqa(data):
    import re
    rows = []
    with open(data / "openbookqa/test.tsv", encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            texts = re.split(r" ?\([A-D]\) ", row["Choices"])[1:]
            rows.append({"question_stem": row["Question Stem"], "choices": letters(texts),
                         "answerKey": row["Answer Key"]})
    return {"test": rows}


def lambada(data):
    rows = lines(data / "lambada/lambada_openai.jsonl.gz")
    return {"test": [{"text": r["context"] + " " + r["continuation"]} for r in rows]}


def gsm8k(data):
    return {"train": lines(data / "gsm8k/train.jsonl.gz"), "test": lines(data / "gsm8k/test.jsonl.gz")}


def nq_open(data):
    return {"validation": lines(data / "nq_open/NQ-open.dev.jsonl")}


def mmlu(data):
    archive = zipfile.ZipFile(data / "mmlu/mmlu.zip")

    def part(split):
        text = archive.read(f"data/{split}/abstract_algebra_{split}.csv").decode("utf-8")
        return [{"question": r[0], "choices": r[1:5], "answer": "ABCD".index(r[5])}
                for r in csv.reader(io.StringIO(text))]
    return {"dev": part("dev"), "test": part("test")}


def ceval(data):
    archive = zipfile.ZipFile(data / "ceval/ceval.zip")

    def part(split):
        text = archive.read(f"{split}/computer_network_{split}.csv").decode("utf-8")
        keys = ("id", "question", "A", "B", "C", "D", "answer")  # dev has explanations too
        return [{key: row[key] for key in keys} for row in csv.DictReader(io.StringIO(text))]
    return {"val": part("val"), "dev": part("dev")}


# Ours: lm-eval's file, rows, shots, further keys of its config, and of ours.
ALGEBRA = ["data.names=\"data/test/(?P<subset>abstract_algebra)_test\\\\.csv\""]
NETWORK = ["data.names=\"val/(?P<subset>computer_network)_val\\\\.csv\"",
           "prompt.description=\"以下是中国关于{{ subset_name }}的单项选择题，请选出其中的正确答案。\\n\\n\""]
TASKS = {
    "hellaswag": ("hellaswag/hellaswag.yaml", hellaswag, 0, {}, []),
    "piqa": ("piqa/piqa.yaml", piqa, 0, {}, []),
    "winogrande": ("winogrande/default.yaml", winogrande, 0, {}, []),
    "arc_easy": ("arc/arc_easy.yaml", arc_easy, 0, {}, []),
    "openbookqa": ("openbookqa/openbookqa.yaml", openbookqa, 0, {}, []),
    "lambada": ("lambada/lambada_openai.yaml", lambada, 0, {}, []),
    "gsm8k": ("gsm8k/gsm8k.yaml", gsm8k, 5, {}, []),
    # As a test split, so that lm-eval leaves a question out of its own examples.
    "nq_open": ("nq_open/nq_open.yaml", nq_open, 5,
                {"fewshot_split": "validation", "test_split": "validation", "validation_split": None}, []),
    "mmlu": ("mmlu/default/mmlu_abstract_algebra.yaml", mmlu, 5, {}, ALGEBRA),
    "ceval": ("ceval/ceval-valid_computer_network.yaml", ceval, 5, {}, NETWORK),
}


def write_task(folder, name, data):
    import lm_eval.tasks
    file, rows, shots, more, _ = TASKS[name]
    original = Path(lm_eval.tasks.__file__).parent / file
    files = {}
    for split, values in rows(data).items():
        path = folder / f"{name}_{split}.jsonl"
        path.write_text("".join(json.dumps(v, ensure_ascii=False) + "\n" for v in values), encoding="utf-8")
        files[split] = str(path)
    config = {"include": str(original), "task": f"local_{name}", "dataset_path": "json", "dataset_name": None,
              "dataset_kwargs": {"data_files": files}, "num_fewshot": shots, "tag": None}
    for split in ("training_split", "validation_split", "test_split"):
        here = {"training_split": "train", "validation_split": "validation", "test_split": "test"}[split]
        if name == "ceval":
            here = {"training_split": "", "validation_split": "val", "test_split": ""}[split]
        config[split] = here if here in files else None
    config.update(more)
    text = "".join(f"{key}: {json.dumps(value)}\n" for key, value in config.items())
    (folder / f"local_{name}.yaml").write_text(text)


def serve(fathom, model, dtype, port):
    server = subprocess.Popen([fathom, "serve", model, "--dtype", dtype, "--port", str(port), "--served-model-name", "m"])
    for _ in range(600):
        try:
            urllib.request.urlopen(f"http://localhost:{port}/health", timeout=5)
            return server
        except OSError:
            if server.poll() is not None:
                sys.exit("eval_vs_lm_eval: the server ended")
            time.sleep(0.2)
    sys.exit("eval_vs_lm_eval: the server does not answer")


def samples_of(folder, name):
    found = sorted(Path(folder).rglob(f"samples_{name}_*.jsonl"))
    if not found:
        sys.exit(f"eval_vs_lm_eval: no samples of {name} in {folder}")
    rows = {}
    for line in open(found[-1], encoding="utf-8"):
        row = json.loads(line)
        rows[(row["doc_id"], row["filter"])] = row
    return rows


def flat(responses):
    """lm-eval writes [["-1.5", "True"]], ours [[-1.5, true]]."""
    out = []
    for response in responses:
        value = response[0] if isinstance(response, list) and response and isinstance(response[0], list) else response
        out.append((float(value[0]), str(value[1]) == "True"))
    return out


def compare(name, theirs, ours, tokens_bound):
    """Prints one line; the number of differences."""
    prompts = differing = flips = texts = 0
    worst = 0.0
    filters = {f for _, f in ours}
    for (doc, filter_name), row in theirs.items():
        key = (doc, filter_name if filter_name in filters else "none")
        own = ours.get(key)
        if own is None:
            prompts += 1
            continue
        for argument, value in row["arguments"].items():
            mine = own["arguments"].get(argument, {})
            wanted = [value["arg_0"]] + ([value["arg_1"]] if isinstance(value.get("arg_1"), str) else [])
            got = [mine.get("arg_0")] + ([mine.get("arg_1")] if isinstance(value.get("arg_1"), str) else [])
            prompts += wanted != got
        if isinstance(own["resps"][0][0], str):
            texts += own["resps"][0][0] != row["resps"][0][0]
        else:
            for one, two in zip(flat(row["resps"]), flat(own["resps"])):
                worst = max(worst, abs(one[0] - two[0]))
                flips += one[1] != two[1]
        for metric in row["metrics"]:
            if metric in own and isinstance(row[metric], (int, float)):
                differing += not math.isclose(row[metric], own[metric], rel_tol=0, abs_tol=tokens_bound)
    print(f"{name:12} {len(theirs):5} samples  prompts that differ {prompts}, texts {texts}, greediness {flips}, "
          f"metrics {differing}; largest |Δ log-likelihood| {worst:.2e}", flush=True)
    return prompts + texts + flips + differing + (worst > tokens_bound)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--fathom", default=str(ROOT / "build/release/fathom"))
    parser.add_argument("--dtype", default="f32")
    parser.add_argument("--limit", type=int, default=40)
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--port", type=int, default=8191)
    parser.add_argument("--bound", type=float, default=1e-2, help="on a request's log-likelihood")
    parser.add_argument("--max-length", type=int, default=2048)
    options = parser.parse_args()
    names = options.tasks.split(",")
    differences = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name in names:
            write_task(folder, name, options.data)
        environment = dict(os.environ, HF_DATASETS_OFFLINE="1", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false",
                           HF_HOME=str(folder / "hf"))
        server = serve(options.fathom, options.model, options.dtype, options.port)
        try:
            start = time.time()
            arguments = (f"model=m,base_url=http://localhost:{options.port}/v1/completions,tokenizer_backend=remote,"
                         f"max_length={options.max_length + 2},num_concurrent=8")
            subprocess.run([sys.executable, "-m", "lm_eval", "--model", "local-completions", "--model_args", arguments,
                            "--tasks", ",".join(f"local_{n}" for n in names), "--include_path", str(folder),
                            "--limit", str(options.limit), "--log_samples", "--output_path", str(folder / "theirs")],
                           check=True, env=environment)
            print(f"lm-eval: {time.time() - start:.1f} s", flush=True)
        finally:
            server.terminate()
            server.wait()
        start = time.time()
        for name in names:
            sets = [word for key in TASKS[name][4] for word in ("--set", key)]
            subprocess.run([options.fathom, "eval", options.model, "--dtype", options.dtype, "--tasks", name, "--data",
                            options.data, "--limit", str(options.limit), "--shots", str(TASKS[name][2]), "--max-length",
                            str(options.max_length), "--out", folder / "ours", *sets], check=True, cwd=ROOT)
        print(f"fathom eval: {time.time() - start:.1f} s", flush=True)
        for name in names:
            differences += compare(name, samples_of(folder / "theirs", f"local_{name}"),
                                   samples_of(folder / "ours", name), options.bound)
    sys.exit(1 if differences else 0)


if __name__ == "__main__":
    main()
