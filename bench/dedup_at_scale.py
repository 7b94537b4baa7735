#!/usr/bin/env python3
"""Deduplicates synthetic documents in bounded memory: time, peak and what was found, by size.

    bench/dedup_at_scale.py DIRECTORY --documents 1e6 3e6 1e7 --cores 2 --memory-mb 4000

Writes documents of some 2 KB, gzipped JSON lines of 50000 documents, under DIRECTORY/text; sizes are
whole files, and the smaller ones read the first files of the largest. Every tenth document is an earlier one with one of its 24 sentences
replaced, a similarity of some 0.89. Runs `fathom data dedup` on --cores cores and prints a row for
each size.
"""
import argparse
import gzip
import os
import random
import re
import shutil
import subprocess
import sys
import time
from multiprocessing import Pool
from pathlib import Path

import numpy as np

PER_FILE = 50_000
SENTENCES = 24       # of a document
POOL = 1 << 20       # different sentences


def sentences():
    """The pool: sentences of 8 to 16 words, of 30000 words."""
    draw = random.Random(1)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(draw.choices(letters, k=draw.randint(2, 9))) for _ in range(30_000)]
    return [" ".join(draw.choices(words, k=draw.randint(8, 16))) + "." for _ in range(POOL)]


def mixed(numbers):
    """Splitmix64's finalizer: numbers that look random."""
    numbers = numbers + np.uint64(0x9E3779B97F4A7C15)
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


def rows(documents):
    """Numbers of the sentences of each document that is not a copy."""
    places = documents[:, None] * np.uint64(SENTENCES) + np.arange(SENTENCES, dtype=np.uint64)
    return mixed(places) % np.uint64(POOL)


def write_file(job):
    path, number = job
    documents = np.arange(number * PER_FILE, (number + 1) * PER_FILE, dtype=np.uint64)
    copied = documents % np.uint64(10) == np.uint64(9)
    # A copy is of an earlier document whose number does not end with 9, so that none is a copy's.
    origin = mixed(documents ^ np.uint64(0xC0B1)) % np.maximum(documents, np.uint64(1))
    origin -= origin % np.uint64(10) == np.uint64(9)
    table = rows(np.where(copied, origin, documents))
    edited = mixed(documents ^ np.uint64(0xED17))
    places = (edited % np.uint64(SENTENCES)).astype(np.int64)
    table[copied, places[copied]] = (edited[copied] >> np.uint64(32)) % np.uint64(POOL)
    with gzip.open(f"{path}.new", "wt", compresslevel=1) as out:
        for row in table:
            out.write('{"text": "' + " ".join(POOL_TEXT[i] for i in row) + '"}\n')
    os.rename(f"{path}.new", path)


def write_text(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    missing = [(folder / f"{n:05}.jsonl.gz", n) for n in range(files)
               if not (folder / f"{n:05}.jsonl.gz").exists()]
    global POOL_TEXT
    POOL_TEXT = sentences()  # the workers are forked, and so share it
    with Pool() as pool:
        for done, _ in enumerate(pool.imap_unordered(write_file, missing), 1):
            print(f"\rtext: {done} of {len(missing)} files", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)


def dedup(args, files):
    """Runs it on the first files; returns seconds, peak in bytes and its table."""
    folder = args.directory / f"dedup-{files * PER_FILE}"
    if folder.exists():
        sys.exit(f"dedup_at_scale: {folder} is there already: remove it, or name another directory")
    folder.mkdir()
    paths = ", ".join(f'"{args.directory}/text/{n:05}.jsonl.gz"' for n in range(files))
    config = folder / "dedup.toml"
    config.write_text(f'output = "{folder}/out"\nthreads = {args.cores}\nkeep = "first"\n'
                      f'memory_mb = {args.memory_mb}\n[minhash]\nthreshold = 0.8\n'
                      f'[[sources]]\nname = "synthetic"\npaths = [{paths}]\n')
    cores = ",".join(str(core) for core in sorted(os.sched_getaffinity(0))[:args.cores])
    started = time.monotonic()
    ran = subprocess.Popen(["taskset", "-c", cores, args.fathom, "data", "dedup", str(config)],
                           stdout=subprocess.PIPE, text=True)
    table = ran.stdout.read()
    _, status, usage = os.wait4(ran.pid, 0)
    if status != 0:
        sys.exit(f"dedup_at_scale: fathom ended with status {os.waitstatus_to_exitcode(status)}")
    seconds = time.monotonic() - started
    disk = sum(f.stat().st_size for f in (folder / "out").rglob("*") if f.is_file())
    if not args.keep:
        shutil.rmtree(folder)
    return seconds, usage.ru_maxrss * 1024, disk, table


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--documents", type=float, nargs="+", default=[1e6, 3e6, 1e7])
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--memory-mb", type=int, default=4000)
    parser.add_argument("--fathom", default="build/release/fathom")
    parser.add_argument("--keep", action="store_true", help="keep what dedup wrote")
    args = parser.parse_args()
    args.directory = args.directory.resolve()
    sizes = sorted(max(1, round(n / PER_FILE)) for n in args.documents)
    write_text(args.directory / "text", sizes[-1])
    print(f"{'documents':>10} {'GB':>6} {'seconds':>8} {'MB/s':>7} {'us a doc':>8} {'peak MB':>8} {'disk GB':>8}")
    for files in sizes:
        text = args.directory / "text"
        size = files * (sum(len(gzip.open(text / f"{n:05}.jsonl.gz").read()) for n in range(min(files, 4))) /
                        min(files, 4))
        seconds, peak, disk, table = dedup(args, files)
        documents = files * PER_FILE
        print(f"{documents:10} {size / 1e9:6.2f} {seconds:8.0f} {size / 1e6 / seconds:7.1f} "
              f"{1e6 * seconds / documents:8.1f} {peak / 1e6:8.0f} {disk / 1e9:8.2f}")
        print(re.sub(r"^", "    ", table.rstrip(), flags=re.M), flush=True)


if __name__ == "__main__":
    main()
