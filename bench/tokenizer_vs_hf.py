#!/usr/bin/env python3
"""Compares Fathom's tokenizer with PyPI's `tokenizers` in one run: ids and text must be
identical; encoding on one thread, training and compression are measured.

    python bench/tokenizer_vs_hf.py --fathom build/release/fathom

Text comes from generators and from Debian packages, which apt-get downloads to --work when
they are absent. Exit code 1: a claim does not hold.
"""
import argparse, glob, gzip, html, json, os, random, re, subprocess, sys, time, unicodedata

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("RAYON_NUM_THREADS", "2")
from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers,
                        pre_tokenizers, processors, trainers)

PACKAGES = ["debian-reference-en", "debian-reference-zh-cn", "bible-kjv-text", "fortunes-zh",
            "debian-faq", "debian-faq-zh-cn", "debmake-doc", "developers-reference"]


def corpus(work):
    """English and Chinese lines of documentation."""
    os.makedirs(work, exist_ok=True)
    for package in PACKAGES:
        if not glob.glob(f"{work}/{package}_*.deb"):
            subprocess.run(["apt-get", "download", "-q", package], cwd=work, stdout=subprocess.DEVNULL)
    lines = []
    for deb in sorted(glob.glob(f"{work}/*.deb")):
        root = deb[:-4] + ".d"
        if not os.path.isdir(root):
            subprocess.run(["dpkg-deb", "-x", deb, root], check=True)
        for folder, _, names in sorted(os.walk(root)):
            for name in sorted(names):
                path = os.path.join(folder, name)
                if os.path.islink(path) or not re.search(r"\.(html?|txt)(\.gz)?$|/fortunes/", path):
                    continue
                raw = (gzip.open if path.endswith(".gz") else open)(path, "rb").read()
                text = raw.decode("utf-8", "ignore")
                if ".htm" in name:
                    text = html.unescape(re.sub(r"<[^>]*>", "", text))
                lines += [line for line in text.split("\n") if line.strip()]
    return lines


def code_lines():
    lines = []
    for path in sorted(glob.glob("/usr/lib/python3*/*.py"))[:120]:
        lines += open(path, encoding="utf-8", errors="ignore").read().split("\n")
    return [line for line in lines if line]


def assigned(top):
    """Code points of Unicode 14, the version of PCRE2 in Debian 12."""
    return [c for c in range(1, top) if not 0xD800 <= c < 0xE000
            and unicodedata.category(chr(c)) not in ("Cn", "Cs")]


def mixed_lines(text, count, seed):
    rng = random.Random(seed)
    code, everything = code_lines(), assigned(0x110000)
    low, emoji = assigned(0x3000), [c for c in assigned(0x20000) if c >= 0x1F300]
    lines = []
    while len(lines) < count:
        kind = rng.random()
        if kind < 0.5:
            line = rng.choice(text)
        elif kind < 0.75:
            line = rng.choice(code)
        elif kind < 0.82:
            line = " ".join(rng.choice(text)[:20] + chr(rng.choice(emoji)) for _ in range(4))
        elif kind < 0.9:
            line = "".join(chr(rng.choice(everything)) for _ in range(rng.randint(1, 60)))
        elif kind < 0.96:
            line = "".join(chr(rng.choice(low)) for _ in range(rng.randint(1, 60)))
        else:
            line = "".join(rng.choice(["  ", "\n", "\t", "\r\n", " ", "\u3000", "a", "don't", "IT'S",
                                       "42", "٣", "½", "<s>", " </s> ", "[x]", "<|a|>", "é", "e\u0301",
                                       "中文", "ｶﾞ", "!!", "...", "_"]) for _ in range(30))
        lines.append(line)
    return lines


DEEPSEEK = [r"[\r\n]", "\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-Ⴥ]+",
            r"\s?[!-/:-~！-／：-～‘-‟　-。]+", r"\s+$", "[一-龥ࠀ-一가-퟿]+"]
CL100K = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
          r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
         r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")
P = pre_tokenizers


BLOOM = " ?[^(\\s|[.,!?…。，、।۔،])]+"


def configurations():
    """name: (normalizer, pre-tokenizer, added tokens), all byte-level"""
    bytes_only = P.ByteLevel(add_prefix_space=False, use_regex=False)
    special = [AddedToken("<s>", special=True), AddedToken("</s>", special=True)]
    odd = special + [AddedToken("[x]", lstrip=True, rstrip=True, normalized=False),
                     AddedToken("don't", single_word=True), AddedToken("<|a|>", lstrip=True)]
    runs = special + [AddedToken(" " * n, normalized=True) for n in (4, 3, 2)]
    return {
        "gpt2": (None, P.ByteLevel(add_prefix_space=False), special),
        "phi": (None, P.ByteLevel(add_prefix_space=False), runs),
        "gpt-neox": (normalizers.NFC(), P.ByteLevel(add_prefix_space=False), runs),
        "gpt2-prefix-added": (None, P.ByteLevel(add_prefix_space=True), odd),
        "deepseek": (None, P.Sequence([P.Split(Regex(p), "isolated") for p in DEEPSEEK]
                                      + [P.Digits(individual_digits=True), bytes_only]), special),
        "llama3": (None, P.Sequence([P.Split(Regex(CL100K), "isolated"), bytes_only]), special),
        "qwen2": (normalizers.NFC(), P.Sequence(
            [P.Split(Regex(CL100K.replace("{1,3}", "")), "isolated"), bytes_only]), special),
        "o200k": (None, P.Sequence([P.Split(Regex(O200K), "removed", invert=True), bytes_only]), odd),
        "starcoder": (None, P.Sequence([P.Digits(True), P.ByteLevel(add_prefix_space=False)]), odd),
        "bloom": (None, P.Sequence([P.Split(Regex(BLOOM), "isolated"), bytes_only]), special),
        "falcon": (None, P.Sequence(
            [P.Punctuation("contiguous"), P.ByteLevel(add_prefix_space=False), P.Digits(False),
             P.Split(Regex("[0-9][0-9][0-9]"), "isolated")]), special),
        "bert-bytes": (normalizers.BertNormalizer(), P.Sequence([P.BertPreTokenizer(), bytes_only]), odd),
        "words": (normalizers.Sequence([normalizers.Nmt(), normalizers.NFKD(), normalizers.StripAccents(),
                                        normalizers.Strip(), normalizers.Lowercase()]),
                  P.Sequence([P.Whitespace(), P.Punctuation("merged_with_next"), bytes_only]), odd),
        "nfkc-merged-next": (normalizers.Sequence([normalizers.NFKC(), normalizers.Replace("\t", "    ")]),
                             P.Sequence([P.Split(" ", "merged_with_next"),
                                         P.Split(Regex(r"\p{P}+"), "contiguous"), bytes_only]), special),
        "merged-previous": (normalizers.Prepend("_"), P.Sequence(
            [P.Split(Regex(r"\s"), "merged_with_previous"), P.CharDelimiterSplit("-"), P.Digits(False),
             bytes_only]), odd),
    }


def fallback_configurations():
    """name: (normalizer, pre-tokenizer, pre-tokenizer of training, decoder, added tokens), which
    spell characters and fall back to bytes like SentencePiece's BPE"""
    spaces = normalizers.Replace(" ", "▁")
    text = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    words = P.Metaspace(prepend_scheme="never")
    x = [AddedToken("[x]", normalized=False)]
    return {
        "llama2": (normalizers.Sequence([normalizers.Prepend("▁"), spaces]), None, words,
                   decoders.Sequence(text + [decoders.Strip(" ", 1, 0)]), []),
        "mistral": (None, P.Metaspace(prepend_scheme="first", split=False), words,
                    decoders.Sequence(text + [decoders.Strip(" ", 1, 0)]), x),
        "gemma": (spaces, P.Split(" ", "merged_with_previous"), words, decoders.Sequence(text), x),
        "tinyllama": (None, P.Metaspace(prepend_scheme="always"), words,
                      decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()]), x),
    }


def build_fallback(config, lines, vocab_size):
    normalizer, pre_tokenizer, training, decoder, added = config
    hf = Tokenizer(models.BPE(unk_token="<unk>"))
    hf.pre_tokenizer = training
    hf.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=vocab_size, show_progress=False))
    spec = json.loads(hf.to_str())
    tokens = ["<unk>", "<s>", "</s>"] + ["<0x%02X>" % b for b in range(256)]
    tokens += sorted(spec["model"]["vocab"], key=spec["model"]["vocab"].get)
    spec["model"].update(vocab={t: i for i, t in enumerate(tokens)}, byte_fallback=True, fuse_unk=True)
    spec["pre_tokenizer"] = None
    hf = Tokenizer.from_str(json.dumps(spec))
    if normalizer:
        hf.normalizer = normalizer
    if pre_tokenizer:
        hf.pre_tokenizer = pre_tokenizer
    hf.decoder = decoder
    hf.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in ("<unk>", "<s>", "</s>")])
    hf.add_tokens(added)
    return hf


def build_hf(config, lines, vocab_size):
    normalizer, pre_tokenizer, added = config
    hf = Tokenizer(models.BPE())
    if normalizer:
        hf.normalizer = normalizer
    hf.pre_tokenizer = pre_tokenizer
    hf.decoder = decoders.ByteLevel()
    hf.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, min_frequency=2, show_progress=False,
                                  initial_alphabet=P.ByteLevel.alphabet())
    start = time.time()
    hf.train_from_iterator(lines, trainer)
    seconds = time.time() - start
    hf.add_special_tokens([t for t in added if t.special])
    hf.add_tokens([t for t in added if not t.special])
    return hf, seconds


def fathom(args, *words):
    done = subprocess.run([args.fathom, "tokenizer", *words], capture_output=True)
    if done.returncode:
        sys.exit(f"fathom tokenizer {' '.join(words)}: {done.stderr.decode()}")
    return done


def compare(args, name, hf, lines, path_lines):
    path = f"{args.work}/{name}.json"
    hf.save(path)
    best, encoded = 1e9, None
    for _ in range(args.repeat):
        start = time.time()
        encoded = [hf.encode(line, add_special_tokens=False).ids for line in lines]
        best = min(best, time.time() - start)
    done = fathom(args, "encode", path, path_lines, "--jsonl", "--threads", "1", "--stats",
                  "--repeat", str(args.repeat), "--out", f"{args.work}/ids")
    seconds = float(re.search(rb"([\d.]+) s, [\d.]+ MB/s", done.stderr).group(1))
    ours = [json.loads(line) for line in open(f"{args.work}/ids")]
    wrong = [i for i in range(len(lines)) if ours[i] != encoded[i]]
    text = fathom(args, "decode", path, f"{args.work}/ids", "--jsonl", "--keep-special").stdout
    decoded = [json.loads(line) for line in text.decode().split("\n")[:-1]]
    wrong_text = [i for i in range(len(lines))
                  if decoded[i] != hf.decode(encoded[i], skip_special_tokens=False)]
    print(f"{name:20} ids differ on {len(wrong)} of {len(lines)} lines, text on {len(wrong_text)}; "
          f"HF {best:.2f} s, fathom {seconds:.3f} s: {best / seconds:.1f} times as fast", flush=True)
    for i in wrong[:3] + wrong_text[:2]:
        print("   ", ascii(lines[i])[:200], ours[i][:12], encoded[i][:12])
    return not wrong and not wrong_text and len(ours) == len(lines), best / seconds


def round_trip(args, path):
    """Whether encoding and decoding restore broken UTF-8 byte for byte."""
    rng = random.Random(5)
    data = bytearray("\n".join(mixed_lines(["plain text", "中文文本"], 3000, 4)).encode())
    for _ in range(len(data) // 20):
        data[rng.randrange(len(data))] = rng.randrange(256)
    open(f"{args.work}/broken", "wb").write(data)
    fathom(args, "encode", path, f"{args.work}/broken", "--whole", "--plain", "--out", f"{args.work}/ids")
    back = fathom(args, "decode", path, f"{args.work}/ids", "--whole", "--keep-special").stdout
    print(f"broken UTF-8: {len(data)} bytes, round trip {'exact' if back == data else 'BROKEN'}")
    return back == data


def compare_training(args, lines):
    """Trains both on the same documents with the same splitting and two threads."""
    ok = True
    text = f"{args.work}/train.jsonl"
    with open(text, "w") as file:
        file.writelines(json.dumps({"text": line}) + "\n" for line in lines)
    held = [line for line in lines[::50]]
    held_path = f"{args.work}/held.jsonl"
    with open(held_path, "w") as file:
        file.writelines(json.dumps({"text": line}) + "\n" for line in held)
    size = sum(len(line.encode()) for line in held)
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    for name in ("gpt2", "deepseek"):
        hf, seconds = build_hf(configurations()[name], lines, args.vocab_size)
        out = f"{args.work}/ours.json"
        done = fathom(args, "train", text, "--like", f"{args.work}/{name}.json", "--threads", "2",
                      "--vocab-size", str(args.vocab_size), "--out", out)
        ours = float(re.search(rb"trained in ([\d.]+) s", done.stderr).group(1))
        theirs = size / sum(len(hf.encode(line).ids) for line in held)
        stats = fathom(args, "encode", out, held_path, "--jsonl", "--stats", "--out", f"{args.work}/ids")
        mine = float(re.search(rb"([\d.]+) bytes per token", stats.stderr).group(1))
        print(f"training {name}: HF {seconds:.2f} s, {theirs:.3f} bytes per token; fathom {ours:.2f} s, "
              f"{mine:.3f}: {seconds / ours:.1f} times as fast, bytes per token {100 * (mine / theirs - 1):+.2f} %")
        ok = ok and seconds / ours >= 2 and mine / theirs >= 0.99
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    return ok


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--fathom", default="build/release/fathom")
    parser.add_argument("--work", default="/tmp/tokenizer_vs_hf")
    parser.add_argument("--lines", type=int, default=50000)
    parser.add_argument("--vocab-size", type=int, default=16000)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--skip-training", action="store_true")
    parser.add_argument("--only", nargs="*", help="compare only these kinds")
    args = parser.parse_args()
    args.work = os.path.abspath(args.work)
    text = corpus(args.work)
    lines = mixed_lines(text, args.lines, 1)
    path_lines = f"{args.work}/lines.jsonl"
    with open(path_lines, "w") as file:
        file.writelines(json.dumps({"text": line}) + "\n" for line in lines)
    print(f"{len(lines)} lines, {sum(len(l.encode()) for l in lines) / 1e6:.1f} MB; "
          f"training on {len(text)} lines, {sum(len(l.encode()) for l in text) / 1e6:.1f} MB", flush=True)
    ok, slowest = True, 1e9
    builders = {name: (lambda c=config: build_hf(c, text[::10], args.vocab_size)[0])
                for name, config in configurations().items()}
    builders |= {name: (lambda c=config: build_fallback(c, text[::10], args.vocab_size))
                 for name, config in fallback_configurations().items()}
    for name, build in builders.items():
        if args.only and name not in args.only:
            continue
        same, ratio = compare(args, name, build(), lines, path_lines)
        ok, slowest = ok and same, min(slowest, ratio)
    if not args.only:
        ok = round_trip(args, f"{args.work}/gpt2.json") and ok
    if not args.skip_training:
        ok = compare_training(args, text) and ok
    print(f"encoding at least {slowest:.1f} times as fast; {'all claims hold' if ok and slowest >= 3 else 'FAILED'}")
    sys.exit(0 if ok and slowest >= 3 else 1)


if __name__ == "__main__":
    main()
