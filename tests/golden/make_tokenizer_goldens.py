#!/usr/bin/env python3
"""Makes tests/golden/tokenizer: small tokenizers of the kinds that public models use,
trained by PyPI's `tokenizers` on text made here, and what that library makes of a few
texts. Needs `pip install tokenizers` (0.23.3 made the files that are committed).

    python tests/golden/make_tokenizer_goldens.py
"""
import json, os, random

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
from tokenizers import (AddedToken, Regex, Tokenizer, decoders as D, models, normalizers as N,
                        pre_tokenizers as P, processors as R, trainers)

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tokenizer")

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
          r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
DEEPSEEK = [r"[\r\n]", r"\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-Ֆ]+",
            r"\s?[!-/:-~！-／：-～‘-‟　-。]+", r"\s+$", "[一-龥ࠀ-一가-퟿]+"]
BLOOM = " ?[^(\\s|[.,!?…。，、।۔،])]+"
CLIP = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"

TEXTS = [
    "", " ", "the cat", " the  cat   sat", "The Cat sat.\n\nIt's 12345 o'clock!\n", "\tif x:\n\t\treturn x\r\n",
    "def f(a, b):\n    return a[0] + b_1  # sum", "中文文本，和 English 混合。", "  leading, trailing  ",
    "e\u0301 é Å ﬁ ½ ｶﾞ İSTANBUL", "👩‍👩‍👧 emoji 🎉🎉 ☃", "a\x00b\x07c\x7f\u200bd\ufeffe\ufffd",
    "<s>hello</s> world <s> x", "▁the▁cat▁ ▁", "٣٤ १२ Ⅷ x²", "don't [x] a_b-c [y][x] don'ts",
    "the " * 60, "thecat" * 40 + "!" * 30, "кот сидел — 'quote' \"q\" «x»", "a。b，c！d？ (e) {f} ...",
    "\u3000wide\u00a0space\u2003x", "אבג مرحبا 한국어 ไทย",
]


def corpus():
    """Sentences of a few words, numbers, code, Chinese."""
    rng = random.Random(1)
    words = ("the cat sat on the mat and then the other cat ran to that hat with her mother there "
             "return def self print for in range value token text It's don't The Cat").split()
    chinese = "中文文本和混合的一是不了人我在有他这"
    lines = []
    for _ in range(600):
        line = " ".join(rng.choice(words) for _ in range(rng.randint(3, 12)))
        if rng.random() < 0.3:
            line += " %d, %d." % (rng.randrange(10000), rng.randrange(100))
        if rng.random() < 0.2:
            line += " " + "".join(rng.choice(chinese) for _ in range(5)) + "。"
        if rng.random() < 0.2:
            line = "    return x_%d[0] + (a, b)  # sum\n" % rng.randrange(9) + line
        if rng.random() < 0.1:
            line = line.capitalize() + "! кот é"
        lines.append(line)
    return lines


def special(*names):
    return [AddedToken(name, special=True, normalized=False) for name in names]


def train(model, normalizer, pre_tokenizer, size, alphabet=(), **trainer):
    hf = Tokenizer(model)
    if normalizer:
        hf.normalizer = normalizer
    if pre_tokenizer:
        hf.pre_tokenizer = pre_tokenizer
    hf.train_from_iterator(corpus(), trainers.BpeTrainer(
        vocab_size=size, min_frequency=2, show_progress=False, initial_alphabet=list(alphabet), **trainer))
    return hf


def byte_level(pre_tokenizer, added, normalizer=None, merges=70, post=None, model=None, **trainer):
    hf = train(model or models.BPE(), normalizer, pre_tokenizer, 256 + merges, P.ByteLevel.alphabet(), **trainer)
    hf.decoder = D.ByteLevel()
    hf.add_special_tokens([t for t in added if t.special])
    hf.add_tokens([t for t in added if not t.special])
    if post:
        hf.post_processor = post(hf)
    return hf


def template(begin=None, end=None):
    def make(hf):
        names = [n for n in (begin, end) if n]
        single = " ".join(([begin] if begin else []) + ["$A"] + ([end] if end else []))
        return R.TemplateProcessing(single=single, special_tokens=[(n, hf.token_to_id(n)) for n in names])
    return make


def sentencepiece(normalizer, pre_tokenizer, decoder, added=(), size=140, train_on=None, end=None, **model):
    """As SentencePiece's BPE is converted: <unk>, <s>, </s>, the bytes, the rest."""
    hf = train(models.BPE(unk_token="<unk>"), normalizer, train_on or pre_tokenizer, size)
    spec = json.loads(hf.to_str())
    tokens = ["<unk>", "<s>", "</s>"] + ["<0x%02X>" % b for b in range(256)]
    tokens += [t for t, _ in sorted(spec["model"]["vocab"].items(), key=lambda item: item[1])]
    spec["model"].update({"vocab": {t: i for i, t in enumerate(tokens)}, "byte_fallback": True,
                          "fuse_unk": True, **model})
    hf = Tokenizer.from_str(json.dumps(spec))
    if pre_tokenizer:
        hf.pre_tokenizer = pre_tokenizer
    hf.decoder = decoder
    hf.add_special_tokens(special("<unk>", "<s>", "</s>") + [t for t in added if t.special])
    hf.add_tokens([t for t in added if not t.special])
    hf.post_processor = template("<s>", end)(hf)
    return hf


def without_pre_tokenizer(hf):
    spec = json.loads(hf.to_str())
    spec["pre_tokenizer"] = None
    return Tokenizer.from_str(json.dumps(spec))


def without_some_merges(hf):
    """Tokens that only ignore_merges reaches, as Llama 3 has."""
    spec = json.loads(hf.to_str())
    spec["model"]["merges"] = [m for i, m in enumerate(spec["model"]["merges"]) if i % 3]
    return Tokenizer.from_str(json.dumps(spec))


def with_final_bytes(hf, added):
    """Every byte also as the last of a word, as CLIP's vocabulary has them."""
    spec = json.loads(hf.to_str())
    vocab, following = spec["model"]["vocab"], hf.get_vocab_size()
    for character in sorted(P.ByteLevel.alphabet()):
        if character + "</w>" not in vocab:
            vocab[character + "</w>"] = following
            following += 1
    hf = Tokenizer.from_str(json.dumps(spec))
    hf.add_special_tokens(added)
    return hf


def kinds():
    bytes_only = P.ByteLevel(add_prefix_space=False, use_regex=False)
    space_runs = [AddedToken(" " * n, normalized=True) for n in (4, 3, 2)]
    odd = [AddedToken("[x]", lstrip=True, rstrip=True, normalized=False),
           AddedToken("don't", single_word=True), AddedToken("<s>", special=True, rstrip=True)]
    spaces = N.Replace(" ", "▁")
    fallback = [D.Replace("▁", " "), D.ByteFallback(), D.Fuse()]
    yield "gpt2", byte_level(P.ByteLevel(add_prefix_space=False), special("<|endoftext|>", "<s>"))
    yield "phi", byte_level(P.ByteLevel(add_prefix_space=False), special("<|endoftext|>") + space_runs)
    yield "gpt_neox", byte_level(P.ByteLevel(add_prefix_space=False, trim_offsets=True),
                                 special("<|endoftext|>", "<|padding|>") + space_runs, N.NFC())
    yield "roberta", byte_level(
        P.ByteLevel(add_prefix_space=True), special("<s>", "</s>") + odd[:2],
        post=lambda hf: R.RobertaProcessing(("</s>", hf.token_to_id("</s>")), ("<s>", hf.token_to_id("<s>"))))
    yield "llama3", without_some_merges(byte_level(
        P.Sequence([P.Split(Regex(LLAMA3), "isolated"), bytes_only]), special("<|begin_of_text|>", "<s>"),
        model=models.BPE(ignore_merges=True),
        post=lambda hf: R.Sequence([R.ByteLevel(), template("<|begin_of_text|>")(hf)])))
    yield "qwen2", byte_level(P.Sequence([P.Split(Regex(QWEN2), "isolated"), bytes_only]),
                              special("<|endoftext|>", "<|im_start|>"), N.NFC())
    yield "deepseek", byte_level(
        P.Sequence([P.Split(Regex(p), "isolated") for p in DEEPSEEK] + [P.Digits(True), bytes_only]),
        special("<｜begin▁of▁sentence｜>", "</s>"), post=template("<｜begin▁of▁sentence｜>"))
    yield "starcoder", byte_level(P.Sequence([P.Digits(True), P.ByteLevel(add_prefix_space=False)]),
                                  special("<|endoftext|>", "<fim_prefix>") + odd)
    yield "bloom", byte_level(P.Sequence([P.Split(Regex(BLOOM), "isolated"), bytes_only]), special("<s>", "</s>"))
    yield "falcon", byte_level(
        P.Sequence([P.Punctuation("contiguous"), P.ByteLevel(add_prefix_space=False), P.Digits(False),
                    P.Split(Regex("[0-9][0-9][0-9]"), "isolated")]), special("<|endoftext|>", "<s>"))
    yield "clip", with_final_bytes(byte_level(
        P.Sequence([P.Split(Regex(CLIP), "removed", invert=True), bytes_only]), [],
        N.Sequence([N.NFC(), N.Replace(Regex(r"\s+"), " "), N.Lowercase()]), 330,
        model=models.BPE(end_of_word_suffix="</w>", unk_token="<unk>"), end_of_word_suffix="</w>",
        special_tokens=["<unk>"]), special("<|endoftext|>"))
    yield "llama2", without_pre_tokenizer(sentencepiece(
        N.Sequence([N.Prepend("▁"), spaces]), None, D.Sequence(fallback + [D.Strip(" ", 1, 0)]),
        train_on=P.Metaspace(prepend_scheme="never")))
    yield "mistral", sentencepiece(None, P.Metaspace(prepend_scheme="first", split=False),
                                   D.Sequence(fallback + [D.Strip(" ", 1, 0)]), special("[INST]"),
                                   train_on=P.Metaspace(prepend_scheme="first"))
    yield "gemma", sentencepiece(spaces, P.Split(" ", "merged_with_previous"), D.Sequence(fallback),
                                 [AddedToken("[x]", normalized=False)], train_on=P.Metaspace(prepend_scheme="never"))
    yield "tinyllama", sentencepiece(None, P.Metaspace(prepend_scheme="always"),
                                     D.Sequence([D.ByteFallback(), D.Metaspace(prepend_scheme="always")]), odd,
                                     end="</s>", fuse_unk=False)
    yield "metaspace_never", sentencepiece(N.Nmt(), P.Metaspace(replacement="_", prepend_scheme="never"),
                                           D.Metaspace(replacement="_", prepend_scheme="never"),
                                           byte_fallback=False, fuse_unk=False)
    bert = train(models.BPE(unk_token="[UNK]", end_of_word_suffix="</w>", fuse_unk=True), N.BertNormalizer(),
                 P.BertPreTokenizer(), 200, special_tokens=["[UNK]", "[CLS]", "[SEP]"], end_of_word_suffix="</w>")
    bert.decoder = D.BPEDecoder()
    bert.post_processor = R.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    yield "bert", bert
    words = train(models.BPE(unk_token="?"), N.Sequence([N.NFKD(), N.StripAccents(), N.Strip(), N.Lowercase()]),
                  P.Sequence([P.Whitespace(), P.Punctuation("merged_with_next"), P.Digits(True)]), 150,
                  special_tokens=["?"])
    words.add_tokens([AddedToken("CAT", normalized=True, single_word=True)])
    yield "words", words
    pieces = train(models.BPE(continuing_subword_prefix="##", unk_token="?"),
                   N.Sequence([N.NFKC(), N.BertNormalizer(False, True, True, False)]),
                   P.Sequence([P.WhitespaceSplit(), P.CharDelimiterSplit("-"), P.Punctuation("removed")]), 220,
                   special_tokens=["?"], continuing_subword_prefix="##")
    pieces.decoder = D.Sequence([D.Strip("#", 2, 0), D.Strip("e", 0, 1)])
    yield "subwords", pieces
    behaviours = byte_level(P.Sequence([
        P.Split(" ", "merged_with_next"), P.Split(Regex("[aeiou]"), "merged_with_previous"),
        P.Split(Regex(r"\d+"), "contiguous", invert=True), P.Punctuation("merged_with_previous"), bytes_only]),
        special("<s>"), N.Sequence([N.NFD(), N.Replace("x", "y"), N.Prepend("_"), N.Strip(False, True)]))
    yield "behaviours", behaviours


def expected(hf):
    """The ids of each text, and where they differ, those that take specials for text."""
    begin, end, cases = None, None, []
    for text in TEXTS:
        ids = hf.encode(text, add_special_tokens=False).ids
        hf.encode_special_tokens = True
        as_text = hf.encode(text, add_special_tokens=False).ids
        hf.encode_special_tokens = False
        with_template = hf.encode(text).ids
        at = next(i for i in range(len(with_template) + 1) if with_template[i:i + len(ids)] == ids)
        if text == TEXTS[4]:
            begin, end = with_template[:at], with_template[at + len(ids):]
        case = {"ids": ids, "decoded": hf.decode(ids, skip_special_tokens=False)}
        if as_text != ids:
            case["as_text"] = as_text
        skipped = hf.decode(ids, skip_special_tokens=True)
        if skipped != case["decoded"]:
            case["skipped"] = skipped
        cases.append(case)
    for text, case in zip(TEXTS, cases):
        assert hf.encode(text).ids == begin + case["ids"] + end
    return {"begin": begin, "end": end, "cases": cases}


def save(name, value):
    with open(os.path.join(FOLDER, name), "w") as file:
        json.dump(value, file, ensure_ascii=False, separators=(",", ":"))
        file.write("\n")


def main():
    os.makedirs(FOLDER, exist_ok=True)
    names = []
    for name, hf in kinds():
        spec = json.loads(hf.to_str())
        if len(names) % 2:  # the older notation of merges
            spec["model"]["merges"] = [" ".join(pair) for pair in spec["model"]["merges"]]
        save(f"{name}.json", spec)
        save(f"{name}.expected.json", expected(Tokenizer.from_str(json.dumps(spec))))
        names.append(name)
    save("texts.json", {"kinds": names, "texts": TEXTS})


if __name__ == "__main__":
    main()
