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
import ast
import csv
import dataclasses
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


def write_lines(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    opened = gzip.open if str(path).endswith(".gz") else open
    with opened(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


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


def race(data):
    passages = {}
    for row in lines(data / "race/race_1000_middle_high.jsonl.gz"):
        passages.setdefault(row["article"], []).append({k: row[k] for k in ("question", "options", "answer")})
    # Those with several questions first, which show how earlier ones are filled in.
    ordered = sorted(passages.items(), key=lambda item: -len(item[1]))
    return {"test": [{"article": article, "problems": repr(problems)} for article, problems in ordered]}


def our_race(data, folder):
    rows = [(row["article"], ast.literal_eval(row["problems"])) for row in race(data)["test"]]
    write_lines(folder / "race/race_1000_middle_high.jsonl.gz", [
        {"article": article, "questions": [p["question"] for p in problems], "options": [p["options"] for p in problems],
         "answers": [p["answer"] for p in problems]} for article, problems in rows])


def drop(data):
    rows = []
    none = {"day": "", "month": "", "year": ""}
    for number, row in enumerate(lines(data / "drop/drop_v0_dev.jsonl.gz")):
        passage, _, question = row["context"].rpartition("\nQuestion: ")
        golds = row["ref_text"].split("|")
        rows.append({"query_id": str(number), "passage": passage.removeprefix("Passage: "),
                     "question": question.removesuffix("\nAnswer:"),
                     "answer": {"number": "", "date": none, "spans": [golds[0]]},
                     "validated_answers": {"number": [""] * (len(golds) - 1), "date": [none] * (len(golds) - 1),
                                           "spans": [[gold] for gold in golds[1:]]}})
    return {"validation": rows}


def triviaqa(data):
    rows = lines(data / "triviaqa/triviaqa_sm_sub.jsonl.gz")
    return {"validation": [{"question": r["context"].removeprefix("Question: ").removesuffix("\nAnswer:"),
                            "answer": {"aliases": r["aliases"]}} for r in rows]}


def math500(data):
    return {"test": lines(data / "math500/test.jsonl")}


def humaneval(data):
    return {"test": lines(data / "humaneval/HumanEval.jsonl.gz")}


def mbpp(data):
    rows = lines(data / "mbpp/mbpp.jsonl")
    return {"test": [row for row in rows if 11 <= row["task_id"] <= 510]}


def ifeval(data):
    """Without the instructions for which lm-eval needs NLTK's trained data or a random guess of the language."""
    apart = {"length_constraints:number_sentences", "change_case:capital_word_frequency", "language:response_language",
             "change_case:english_capital", "change_case:english_lowercase"}
    return {"train": [row for row in lines(data / "ifeval/input_data.jsonl")
                      if not apart & set(row["instruction_id_list"])]}


def our_ifeval(data, folder):
    write_lines(folder / "ifeval/input_data.jsonl", ifeval(data)["train"])


def bbh(subset):
    def rows(data):
        return {"test": json.loads((data / f"bbh/bbh/{subset}.json").read_text(encoding="utf-8"))["examples"]}
    return rows


BBH = ("boolean_expressions causal_judgement date_understanding disambiguation_qa dyck_languages formal_fallacies "
       "geometric_shapes hyperbaton logical_deduction_five_objects logical_deduction_seven_objects "
       "logical_deduction_three_objects movie_recommendation multistep_arithmetic_two navigate object_counting "
       "penguins_in_a_table reasoning_about_colored_objects ruin_names salient_translation_error_detection snarks "
       "sports_understanding temporal_sequences tracking_shuffled_objects_five_objects "
       "tracking_shuffled_objects_seven_objects tracking_shuffled_objects_three_objects web_of_lies word_sorting").split()


@dataclasses.dataclass
class Task:
    file: str  # of lm-eval's task
    rows: object  # its data by split
    shots: int = 0
    more: dict = dataclasses.field(default_factory=dict)  # keys of its config that change
    sets: list = dataclasses.field(default_factory=list)  # keys of ours
    ours: str = ""  # our task's name, where it is another
    data: object = None  # writes our data below a folder, where the given one does not have it


TASKS = {
    "hellaswag": Task("hellaswag/hellaswag.yaml", hellaswag),
    "piqa": Task("piqa/piqa.yaml", piqa),
    "winogrande": Task("winogrande/default.yaml", winogrande),
    "arc_easy": Task("arc/arc_easy.yaml", arc_easy),
    "openbookqa": Task("openbookqa/openbookqa.yaml", openbookqa),
    "lambada": Task("lambada/lambada_openai.yaml", lambada),
    "race": Task("race/race.yaml", race, data=our_race),
    "gsm8k": Task("gsm8k/gsm8k.yaml", gsm8k, 5),
    # As a test split, so that lm-eval leaves a question out of its own examples.
    "nq_open": Task("nq_open/nq_open.yaml", nq_open, 5,
                    {"fewshot_split": "validation", "test_split": "validation", "validation_split": None}),
    "triviaqa": Task("triviaqa/default.yaml", triviaqa, 5,
                     {"fewshot_split": "validation", "test_split": "validation", "validation_split": None}),
    "mmlu": Task("mmlu/default/mmlu_abstract_algebra.yaml", mmlu, 5,
                 sets=["data.names=\"data/test/(?P<subset>abstract_algebra)_test\\\\.csv\""]),
    "ceval": Task("ceval/ceval-valid_computer_network.yaml", ceval, 5,
                  sets=["data.names=\"val/(?P<subset>computer_network)_val\\\\.csv\""]),
    "drop": Task("drop/default.yaml", drop),
    "math500": Task("hendrycks_math/hendrycks_math_algebra.yaml", math500),
    "humaneval": Task("humaneval/humaneval.yaml", humaneval),
    "mbpp": Task("mbpp/mbpp.yaml", mbpp, 3),
    "ifeval": Task("ifeval/ifeval.yaml", ifeval, data=our_ifeval),
}
TASKS.update({f"bbh_{subset}": Task(f"bbh/cot_fewshot/{subset}.yaml", bbh(subset), 3, ours="bbh",
                                    sets=[f"data.names=\"bbh/bbh/(?P<subset>{subset})\\\\.json\""]) for subset in BBH})
DEFAULT = [name for name in TASKS if not name.startswith("bbh_")] + ["bbh_date_understanding", "bbh_word_sorting"]


def write_task(folder, name, data):
    import lm_eval.tasks
    task = TASKS[name]
    original = Path(lm_eval.tasks.__file__).parent / task.file
    files = {}
    for split, values in task.rows(data).items():
        path = folder / f"{name}_{split}.jsonl"
        path.write_text("".join(json.dumps(v, ensure_ascii=False) + "\n" for v in values), encoding="utf-8")
        files[split] = str(path)
    config = {"include": str(original), "task": f"local_{name}", "dataset_path": "json", "dataset_name": None,
              "dataset_kwargs": {"data_files": files}, "num_fewshot": task.shots, "tag": None}
    for split in ("training_split", "validation_split", "test_split"):
        here = {"training_split": "train", "validation_split": "validation", "test_split": "test"}[split]
        if name == "ifeval":
            here = {"training_split": "", "validation_split": "", "test_split": "train"}[split]
        if name == "ceval":
            here = {"training_split": "", "validation_split": "val", "test_split": ""}[split]
        config[split] = here if here in files else None
    config.update(task.more)
    text = "".join(f"{key}: {json.dumps(value)}\n" for key, value in config.items())
    (folder / f"local_{name}.yaml").write_text(text)


# lm-eval's command without two downloads: the metric of Python programs, which is stated here anew, and
# NLTK's data, which no compared row needs.
LM_EVAL = '''
import subprocess, sys, evaluate, nltk


class CodeEval:
    def compute(self, references, predictions, k):
        passed = 0
        for reference, programs in zip(references, predictions):
            try:
                run = subprocess.run([sys.executable, "-c", "import sys\\nexec(sys.stdin.read(), {})\\nprint('passed it all')"],
                                     input=programs[0] + "\\n" + reference, text=True, capture_output=True, timeout=3)
                passed += run.stdout.endswith("passed it all\\n")
            except subprocess.TimeoutExpired:
                pass
        return {"pass@1": passed / len(references)}, {}


load = evaluate.load
evaluate.load = lambda name, *rest, **more: CodeEval() if name == "code_eval" else load(name, *rest, **more)
nltk.download = lambda *rest, **more: True
from lm_eval.__main__ import cli_evaluate
cli_evaluate()
'''


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
    prompts = differing = flips = texts = hashes = 0
    compared = 0
    worst = 0.0
    filters = {f for _, f in ours}
    for (doc, filter_name), row in theirs.items():
        key = (doc, filter_name if filter_name in filters else "none")
        own = ours.get(key)
        if own is None:
            prompts += 1
            continue
        hashes += row["prompt_hash"] != own["prompt_hash"]
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
            mine = own.get({"pass_at_1": "pass@1"}.get(metric, metric))
            value = row[metric]
            if isinstance(value, list):  # of IFEval's instructions: how many are followed
                value = sum(value)
            if mine is not None and isinstance(value, (int, float)):
                differing += not math.isclose(value, mine, rel_tol=0, abs_tol=tokens_bound)
                compared += 1
    print(f"{name:12} {len(theirs):5} samples  prompts that differ {prompts}, their hashes {hashes}, texts {texts}, greediness {flips}, "
          f"metrics {differing} of {compared}; largest |Δ log-likelihood| {worst:.2e}", flush=True)
    return prompts + hashes + texts + flips + differing + (worst > tokens_bound)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--fathom", default=str(ROOT / "build/release/fathom"))
    parser.add_argument("--dtype", default="f32")
    parser.add_argument("--limit", type=int, default=40)
    parser.add_argument("--tasks", default=",".join(DEFAULT))
    parser.add_argument("--port", type=int, default=8191)
    parser.add_argument("--bound", type=float, default=1e-2, help="on a request's log-likelihood")
    parser.add_argument("--max-length", type=int, default=2048)
    parser.add_argument("--max-tokens", type=int, help="longest generated text, in place of the tasks' own")
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
            subprocess.run([sys.executable, "-c", LM_EVAL, "--model", "local-completions", "--model_args", arguments,
                            "--tasks", ",".join(f"local_{n}" for n in names), "--include_path", str(folder),
                            *(["--gen_kwargs", f"max_gen_toks={options.max_tokens}"] if options.max_tokens else []),
                            "--limit", str(options.limit), "--confirm_run_unsafe_code", "--log_samples", "--output_path", str(folder / "theirs")],
                           check=True, env=environment)
            print(f"lm-eval: {time.time() - start:.1f} s", flush=True)
        finally:
            server.terminate()
            server.wait()
        start = time.time()
        for name in names:
            task = TASKS[name]
            data = options.data
            if task.data:
                data = folder / "data"
                task.data(options.data, data)
            sets = [word for key in task.sets for word in ("--set", key)]
            if options.max_tokens:
                sets += ["--set", f"generate.max_tokens={options.max_tokens}"]
            subprocess.run([options.fathom, "eval", options.model, "--dtype", options.dtype, "--tasks", task.ours or name,
                            "--data", data, "--limit", str(options.limit), "--shots", str(task.shots), "--max-length",
                            str(options.max_length), "--out", folder / "ours" / name, *sets], check=True, cwd=ROOT)
        print(f"fathom eval: {time.time() - start:.1f} s", flush=True)
        for name in names:
            differences += compare(name, samples_of(folder / "theirs", f"local_{name}"),
                                   samples_of(folder / "ours" / name, TASKS[name].ours or name), options.bound)
    sys.exit(1 if differences else 0)


if __name__ == "__main__":
    main()
