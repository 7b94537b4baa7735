#!/usr/bin/env python3
"""Main text from HTML: Fathom beside trafilatura and resiliparse, in one run.

Needs trafilatura and resiliparse from PyPI, and a folder with the pages of

  zyte/   scrapinghub/article-extraction-benchmark (ground-truth.json, html/)
  magic/  opendatalab/magic-html (benchmark/data/{article,forum}/{base.json,htmls})

    python3 bench/extraction_vs_trafilatura.py PAGES --fathom build/release/fathom

The measure is the first one's: shingles of 4 tokens, counted; precision and recall are means over
the pages, and F1 is theirs. A token is a word, or one Han character. Only the body is measured:
Fathom writes a page's title as its first line, which is taken off. Thresholds are tuned on the
pages in the "tuned" half (the hash of a page's name is even), and not on the others.
"""

import argparse
import collections
import gzip
import hashlib
import json
import pathlib
import re
import subprocess
import tempfile
import time

HAN = "\u3400-\u4dbf\u4e00-\u9fff"
TOKEN = re.compile(rf"[{HAN}]|[^\W{HAN}]+")
HAN_CHARACTER = re.compile(f"[{HAN}]")


def shingles(text):
    tokens = TOKEN.findall(text)
    return collections.Counter(
        tuple(tokens[i : i + 4]) for i in range(max(1, len(tokens) - 3)) if tokens
    )


def precision_and_recall(truth, found):
    truth, found = shingles(truth), shingles(found)
    common = sum((truth & found).values())
    in_truth, in_found = sum(truth.values()), sum(found.values())
    if in_truth == in_found == common:
        return 1.0, 1.0
    precision = common / in_found if in_found else None
    return precision, common / in_truth if in_truth else None


def f1_of(pages, texts):
    pairs = [precision_and_recall(page["truth"], texts[page["name"]]) for page in pages]
    mean = [sum(v) / max(1, len(v)) for v in ([p[i] for p in pairs if p[i] is not None] for i in (0, 1))]
    precision, recall = mean
    return 2 * precision * recall / max(1e-9, precision + recall), precision, recall


def is_chinese(text):
    return len(HAN_CHARACTER.findall(text)) > 0.3 * len(text)


def zyte_pages(folder):
    truths = json.loads((folder / "ground-truth.json").read_text("utf-8"))
    for name, truth in truths.items():
        html = gzip.decompress((folder / "html" / f"{name}.html.gz").read_bytes())
        yield {"name": name, "truth": truth.get("articleBody", ""), "html": html.decode("utf-8", "replace")}


def magic_pages(folder):
    for name, truth in json.loads((folder / "base.json").read_text("utf-8")).items():
        html = (folder / "htmls" / f"{name}.html").read_text("utf-8", "replace")
        yield {"name": name, "truth": truth["content"], "html": html}


def load_sets(folder):
    sets = {}
    data = folder / "magic" / "benchmark" / "data"
    if (folder / "zyte").exists():
        sets["English articles (Zyte)"] = list(zyte_pages(folder / "zyte"))
    if (data / "article").exists():
        articles = list(magic_pages(data / "article"))
        sets["articles (magic-html)"] = articles
        sets["Chinese articles"] = [p for p in articles if is_chinese(p["truth"])]
    if (data / "forum").exists():
        forums = list(magic_pages(data / "forum"))
        sets["Chinese forums"] = [p for p in forums if is_chinese(p["truth"])]
        sets["forums (magic-html)"] = forums
    for name in ("zyte", "magic"):
        if not (folder / name).exists():
            print(f"{folder / name} is missing: its lines are left out")
    return sets


def extract_with_fathom(binary, pages):
    """Bodies by name, and the seconds of one thread for reading, extracting and writing."""
    with tempfile.TemporaryDirectory() as folder:
        rows = pathlib.Path(folder) / "pages.jsonl"
        with rows.open("w", encoding="utf-8") as out:
            for page in pages:
                out.write(json.dumps({"name": page["name"], "text": page["html"]}, ensure_ascii=False) + "\n")
        config = pathlib.Path(folder) / "clean.toml"
        config.write_text(
            f'output = "{folder}/cleaned"\nnormalise = false\nthreads = 1\nsamples = 0\n'
            '[[filters]]\nrule = "characters"\nmin = 0\n'
            f'[[sources]]\nname = "pages"\npaths = ["{rows}"]\ncontent = "html"\n'
        )
        begin = time.monotonic()
        subprocess.run([binary, "data", "clean", str(config)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        seconds = time.monotonic() - begin
        texts = {page["name"]: "" for page in pages}
        for part in sorted((pathlib.Path(folder) / "cleaned" / "texts").glob("*.zst")):
            unpacked = subprocess.run(["zstd", "-dc", str(part)], check=True, capture_output=True).stdout
            for line in unpacked.decode("utf-8").splitlines():
                row = json.loads(line)
                text, title = row["text"], row.get("title", "")
                texts[row["name"]] = text[len(title) + 2 :].strip() if title and text.startswith("# " + title) else text
    return texts, seconds


def extract_with(function, pages):
    begin = time.monotonic()
    texts = {page["name"]: function(page["html"]) or "" for page in pages}
    return texts, time.monotonic() - begin


def peers():
    import resiliparse.extract.html2text as html2text
    import trafilatura

    # The settings that do best on articles; comments do better on forums.
    return {
        "trafilatura": lambda html: trafilatura.extract(html, include_comments=False),
        "with comments": trafilatura.extract,
        "resiliparse": lambda html: html2text.extract_plain_text(html, main_content=True, alt_texts=False),
    }


def print_set(name, pages, texts_of):
    is_tuned = lambda page: hashlib.sha256(page["name"].encode()).digest()[0] % 2 == 0
    halves = {
        "all": pages,
        "tuned": [p for p in pages if is_tuned(p)],
        "other": [p for p in pages if not is_tuned(p)],
    }
    for half, chosen in halves.items():
        for tool, texts in texts_of.items():
            f1, precision, recall = f1_of(chosen, texts)
            print(f"{name:<26} {half:<6} {len(chosen):>4}  {tool:<13} {f1:.3f}  {precision:.3f}  {recall:.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", type=pathlib.Path)
    parser.add_argument("--fathom", default="build/release/fathom")
    parser.add_argument("--alone", action="store_true", help="without the peers")
    arguments = parser.parse_args()
    sets = load_sets(arguments.pages)
    pages = list({page["name"]: page for pages in sets.values() for page in pages}.values())
    megabytes = sum(len(page["html"].encode()) for page in pages) / 1e6
    results = {"fathom": extract_with_fathom(arguments.fathom, pages)}
    if not arguments.alone:
        results |= {name: extract_with(function, pages) for name, function in peers().items()}
    print(f"{'set':<26} {'half':<6} {'pages':>4}  {'tool':<13} F1     prec.  recall")
    for name, chosen in sets.items():
        print_set(name, chosen, {tool: texts for tool, (texts, _) in results.items()})
    print(f"\n{len(pages)} pages, {megabytes:.1f} MB of HTML, one thread:")
    slowest = results.get("trafilatura", (None, None))[1]
    for tool, (_, seconds) in results.items():
        times = f", {slowest / seconds:.1f} x trafilatura" if slowest else ""
        print(f"{tool:<13} {megabytes / seconds:8.2f} MB/s{times}")


if __name__ == "__main__":
    main()
