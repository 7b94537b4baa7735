#!/usr/bin/env python3
"""Gathers the source code of this machine as JSON lines: text for a ladder of runs without a download.

    bench/source_text.py OUT [--linux linux-source.tar.xz]

Takes the files of installed programs and headers (below /opt, /usr/include, /usr/lib, /usr/local,
/usr/share and /usr/src), and of a tar of Linux (Debian's package linux-source holds one), in an order
that is always the same. Whole projects, chosen by a hash of their names, go to OUT/held-*.jsonl, the
others to OUT/code-*.jsonl and OUT/linux-*.jsonl. Prints checksums of the names and of the texts, by
which two gatherings are known to be the same.
"""
import argparse
import hashlib
import json
import os
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import Pool
from pathlib import Path

ROOTS = ["/opt", "/usr/include", "/usr/lib", "/usr/local", "/usr/share", "/usr/src"]
ENDINGS = set(
    ".py .pyi .pyx .pxd .c .cc .cpp .cxx .h .hh .hpp .hxx .cuh .cu .inl .ipp .tcc .js .ts .mjs .css .md .rst .txt "
    ".cmake .sh .pl .pm .rb .java .f .f90 .jl .lua .go .rs .proto .m4 .yaml .yml .toml .cfg .td .html".split())
LINUX_ENDINGS = (".c", ".h", ".S", ".rst", ".txt", ".py", ".sh", ".dts", ".dtsi", ".yaml", ".pl", "Kconfig", "Makefile")
SMALLEST, LARGEST = 200, 400_000  # bytes of a file
SHARD = 12_000_000


def by_hash(names):
    return sorted(names, key=lambda name: hashlib.sha1(name.encode()).digest())


def held_out(sizes, total):
    """Projects of 20 to 250 kB, some `total` bytes in all."""
    chosen, size = set(), 0
    for name in by_hash(name for name, n in sizes.items() if 20e3 < n < 250e3):
        if size > total:
            break
        chosen.add(name)
        size += sizes[name]
    return chosen


def readable(data):
    """The text of a file, None of a binary one or one of lines without end."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text or max(map(len, text.split("\n"))) > 5000 else text


def line_of(text):
    return json.dumps({"text": text}, ensure_ascii=False) + "\n"


def files_below(root):
    found, folders = [], [root]
    while folders:
        folder = folders.pop()
        if folder.startswith(("/usr/local/nvidia", "/usr/lib/x86_64-linux-gnu/gconv")):
            continue
        try:
            for entry in os.scandir(folder):
                if entry.is_symlink():
                    continue
                if entry.is_dir():
                    folders.append(entry.path)
                elif entry.is_file() and os.path.splitext(entry.name)[1].lower() in ENDINGS:
                    size = entry.stat().st_size
                    if SMALLEST <= size <= LARGEST:
                        found.append((entry.path, size))
        except OSError:
            pass
    return found


def project(path):
    parts = path.split("/")
    for packages in ("site-packages", "dist-packages"):
        if packages in parts:
            return "/".join(parts[:parts.index(packages) + 2])
    return "/".join(parts[:5])


def read(path):
    try:
        return readable(Path(path).read_bytes())
    except OSError:
        return None


def write_shard(job):
    out, number, paths, held = job
    kept = []
    with ThreadPoolExecutor(12) as pool, open(out / f"code-{number:03}.jsonl", "w") as code, \
            open(out / f"held-{number:03}.jsonl", "w") as apart:
        for path, text in zip(paths, pool.map(read, paths)):
            if text is None:
                continue
            (apart if project(path) in held else code).write(line_of(text))
            kept.append(path)
    return kept


def gather_machine(out):
    with ThreadPoolExecutor(8) as pool:
        files = sorted({file for found in pool.map(files_below, ROOTS) for file in found})
    sizes = {}
    for path, size in files:
        sizes[project(path)] = sizes.get(project(path), 0) + size
    held = held_out(sizes, 6.5e6)
    jobs, paths, total = [], [], 0
    for path, size in files:
        paths.append(path)
        total += size
        if total > SHARD:
            jobs.append((out, len(jobs), paths, held))
            paths, total = [], 0
    jobs.append((out, len(jobs), paths, held))
    with Pool() as pool:
        return [path for kept in pool.map(write_shard, jobs, chunksize=1) for path in kept], held


def gather_linux(out, tar):
    documents, sizes = [], {}
    with tarfile.open(tar, "r|*") as archive:
        for member in archive:
            if not (member.isfile() and member.name.endswith(LINUX_ENDINGS) and SMALLEST <= member.size <= LARGEST):
                continue
            text = readable(archive.extractfile(member).read())
            if text is not None:
                documents.append((member.name, text))
                folder = os.path.dirname(member.name)
                sizes[folder] = sizes.get(folder, 0) + len(text)
    documents.sort()
    held = held_out(sizes, 3e6)
    shards = 0
    code, size = open(out / "linux-000.jsonl", "w"), 0
    with open(out / "held-linux.jsonl", "w") as apart:
        for name, text in documents:
            line = line_of(text)
            if os.path.dirname(name) in held:
                apart.write(line)
                continue
            size += code.write(line)
            if size > SHARD:
                code.close()
                shards, size = shards + 1, 0
                code = open(out / f"linux-{shards:03}.jsonl", "w")
    code.close()
    return [name for name, _ in documents], held


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--linux", type=Path, help="a tar of Linux's sources")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    if any(args.out.iterdir()):
        sys.exit(f"source_text: {args.out} is not empty: name another folder")
    gathered = {"this machine": gather_machine(args.out)}
    if args.linux:
        gathered["Linux"] = gather_linux(args.out, args.linux)
    for name, (files, held) in gathered.items():
        checksum = hashlib.sha256("\n".join(files).encode()).hexdigest()
        print(f"{name}: {len(files)} files, {len(held)} projects held out, names {checksum}")
    texts = hashlib.sha256()
    for shard in sorted(args.out.glob("*.jsonl")):
        texts.update(shard.read_bytes())
    print(f"texts {texts.hexdigest()}")


if __name__ == "__main__":
    main()
