#!/usr/bin/env python3
"""Kills a story again and again: does it end with the models of one that nobody disturbed?

    bench/story_kills.py TEXT FACTS [--minutes 2] [--kills 5] [--seed 1] [--device cpu] [--work DIR] [--fathom PROGRAM]

TEXT and FACTS are folders of scripts/gather_text and scripts/gather_facts. A story runs to its end;
then its stages from pre-training on are done once more, which SIGKILL ends in stages drawn at random, at random moments, and the
same command goes on each time. Only so have both the same model, which the machine's measured speed
chooses. Prints what each kill hit, and whether weights, pairs and scores are the same. Exit code 0: all are.
"""
import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STAGES = ["pretrain", "eval-base", "sft", "eval-sft", "preferences", "dpo", "eval-dpo", "answers"]  # that are done twice
COMPARED = ["base/model/model.safetensors", "sft/stage-1/model/model.safetensors", "sft/model/model.safetensors",
            "preferences/pairs.jsonl", "dpo/model/model.safetensors", "answers/dpo.jsonl"]


class Story:
    def __init__(self, options, work):
        self.work = work
        self.log = open(work.parent / (work.name + ".log"), "ab")
        self.command = [ROOT / "scripts/story", "--tiny", "--minutes", str(options.minutes), "--device", options.device,
                        "--text", options.text, "--facts", options.facts, "--work", work]
        if options.fathom:
            self.command += ["--fathom", options.fathom]

    def start(self, *more):
        return subprocess.Popen([*self.command, *more], stdout=self.log, stderr=self.log, start_new_session=True)

    def run(self):
        if self.start().wait() != 0:
            sys.exit(f"story_kills: the story failed: see {self.log.name}")

    def stage(self):
        """The first that is not done."""
        return next((stage for stage in STAGES if not (self.work / "done" / stage).exists()), "page")

    def checksums(self):
        """Of the files, and of the scores, which stand beside times."""
        content = {name: (self.work / name).read_bytes() for name in COMPARED}
        for path in sorted(self.work.glob("eval/*/*/results.json")):
            scores = json.loads(path.read_text())["results"]
            content[str(path.relative_to(self.work))] = json.dumps(scores, sort_keys=True).encode()
        return {name: hashlib.sha256(bytes_).hexdigest()[:16] for name, bytes_ in content.items()}


def kill_in(story, stage, moment, *more):
    """SIGKILL that many seconds after the story has come to that stage; False when it has ended before."""
    process = story.start(*more)
    begun = None
    while process.poll() is None:
        if begun is None and story.stage() == stage:
            begun = time.monotonic()
        if begun is not None and time.monotonic() - begun > moment:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            print(f"killed {moment:.1f} s into {stage}, in {story.stage()}", flush=True)
            return True
        time.sleep(0.05)
    print(f"ended before {moment:.1f} s of {stage}", flush=True)
    return False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("text")
    parser.add_argument("facts")
    parser.add_argument("--minutes", type=float, default=2, help="of the story")
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--work", help="folder of a story; else a new one")
    parser.add_argument("--fathom", help="the program; else the one that scripts/story finds")
    options = parser.parse_args()
    work = Path(options.work or tempfile.mkdtemp(prefix="story-kills-") + "/story").resolve()
    print(f"in {work}", flush=True)
    story = Story(options, work)
    story.run()
    undisturbed = story.checksums()
    seconds = {stage: int((work / "done" / stage).read_text()) for stage in STAGES}
    print("undisturbed:", ", ".join(f"{stage} {n} s" for stage, n in seconds.items()), flush=True)
    draw = random.Random(options.seed)
    kills, more = 0, ["--again", STAGES[0]]
    for stage in sorted(draw.choices(STAGES, k=options.kills), key=STAGES.index):
        kills += kill_in(story, stage, draw.uniform(0, max(1, seconds[stage])), *more)
        more = []
    story.run()
    disturbed = story.checksums()
    for name, sum_ in undisturbed.items():
        print(f"{'same ' if disturbed[name] == sum_ else 'OTHER'}  {name}  {sum_}")
    same = disturbed == undisturbed
    print(f"{kills} kills: {'the same models' if same else 'other models'}")
    return 0 if same and kills == options.kills else 1


if __name__ == "__main__":
    sys.exit(main())
