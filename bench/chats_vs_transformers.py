#!/usr/bin/env python3
r"""Encodes conversations with fathom's chat templates and with transformers' apply_chat_template,
and compares token ids and assistant masks. Needs `pip install transformers jinja2` (no torch), a
build with -DFATHOM_BENCH=ON, a folder of templates and tokenizers (tokenizer.json files).

    python bench/chats_vs_transformers.py --encoder build/release/bench/encode_chats \
        --tokenizer tests/golden/tokenizer/qwen2.json --templates templates
    python bench/chats_vs_transformers.py --encoder build/release/bench/encode_chats \
        --tokenizer tests/golden/tokenizer/qwen2.json --templates templates --data chats.json

The first compares ids over conversations of all kinds (those of templates_vs_jinja2.py). The
second reads ShareGPT, Alpaca, messages or prompt and completion rows and compares masks, with
transformers' own where a template marks generation, and with the differences of its renderings'
prefixes elsewhere; and counts special tokens that the data's text became. The tokenizer gets the
special tokens that a template spells. Ends with exit code 1 when anything differs.
"""
import argparse, collections, copy, functools, gzip, json, os, re, subprocess, sys, tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import templates_vs_jinja2 as cases

import transformers
from transformers import PreTrainedTokenizerFast

transformers.logging.set_verbosity_error()
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
SPECIAL = re.compile(r"<\|[A-Za-z0-9_/]+\|>|<｜[^｜<>\s]+｜>|</?s>|\[/?INST\]|<(?:start|end)_of_turn>|</?tool_call>|</?think>")


def with_special_tokens(tokenizer, template, folder):
    """The tokenizer with what the template spells like special tokens; its path and object."""
    data = json.load(open(tokenizer, encoding="utf-8"))
    data["post_processor"] = None
    known = {token["content"] for token in data["added_tokens"]}
    ids = [token["id"] for token in data["added_tokens"]]
    next_id = max(ids + list(data["model"]["vocab"].values())) + 1
    for name in sorted(set(SPECIAL.findall(template)) | set(TOKENS.values())):
        if name not in known:
            data["added_tokens"].append({"id": next_id, "content": name, "single_word": False, "lstrip": False,
                                         "rstrip": False, "normalized": False, "special": not name.endswith(("think>", "tool_call>"))})
            next_id += 1
    path = os.path.join(folder, f"{abs(hash(template))}.json")
    if not os.path.exists(path):
        json.dump(data, open(path, "w", encoding="utf-8"), ensure_ascii=False)
    return path


@functools.lru_cache(maxsize=4)
def loaded(path):
    return PreTrainedTokenizerFast(tokenizer_file=path, **TOKENS, clean_up_tokenization_spaces=False)


def encoded(hf, template, messages, tools, prompt, **more):
    out = hf.apply_chat_template(copy.deepcopy(messages), tools=copy.deepcopy(tools), chat_template=template,
                                 add_generation_prompt=prompt, tokenize=True, return_dict=True, **more)
    return out["input_ids"], out.get("assistant_masks")


def rendered(hf, template, messages, prompt):
    return hf.apply_chat_template(messages, chat_template=template, add_generation_prompt=prompt, tokenize=False)


def prefix_mask(hf, template, messages):
    """Ids, and marks of the tokens that overlap what each answer adds; None where it is undefined."""
    text = rendered(hf, template, messages, False)
    spans = []
    for i, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        before, after = rendered(hf, template, messages[:i], True), rendered(hf, template, messages[:i + 1], False)
        if not text.startswith(after) and after.endswith(TOKENS["eos_token"]):
            after = after[:-len(TOKENS["eos_token"])]
        if not text.startswith(before) or not text.startswith(after):
            return None, None
        spans.append((len(before), len(after)))
    out = hf(text, add_special_tokens=False, return_offsets_mapping=True)
    ids, mask = out["input_ids"], [int(any(b < end and e > begin for begin, end in spans)) for b, e in out["offset_mapping"]]
    # An answer that ends without a special token ends with the one that follows.
    special = lambda i: hf.added_tokens_decoder[ids[i]].special if ids[i] in hf.added_tokens_decoder else False
    for end in range(1, len(ids)):
        if mask[end - 1] and not mask[end] and special(end):
            last = end - 1
            while last > 0 and mask[last - 1] and not hf.decode([ids[last]]).strip(" \t\r\n"):
                last -= 1
            mask[end] = int(not special(last))
    return ids, mask


def run_encoder(encoder, jobs):
    lines = "".join(json.dumps(job) + "\n" for job in jobs)
    output = subprocess.run([encoder], input=lines, capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in output.splitlines()]


def job_of(path, template, messages, tools, mode, **more):
    return {"tokenizer": path, "template": template, "tokens": TOKENS, "now": cases.NOW, "messages": messages,
            "tools": tools, "learn": "all", "mode": mode, **more}


def fixed_time(*_):
    import datetime
    return datetime.datetime.fromtimestamp(cases.NOW, datetime.timezone.utc)


def compare_ids(args, templates, folder):
    names, jobs, kinds = collections.Counter(), [], []
    for name, template in templates.items():
        path = with_special_tokens(args.tokenizer, template, folder)
        for case, values in cases.variables():
            messages = [{key: value for key, value in m.items() if value is not None} for m in values["messages"]]
            if "special" in case or "no messages" in case:
                continue  # transformers makes special tokens of the first, and refuses the second itself
            jobs.append(job_of(path, template, messages, values["tools"], "unchecked",
                               generation_prompt=values["add_generation_prompt"]))
            kinds.append((name, case))
    same = errors = 0
    for (name, case), job, ours in zip(kinds, jobs, run_encoder(args.encoder, jobs)):
        try:
            theirs, _ = encoded(loaded(job["tokenizer"]), job["template"], job["messages"], job["tools"],
                                job["generation_prompt"])
        except Exception as error:
            theirs, errors = None, errors + 1
        if (theirs is None and "error" in ours) or ours.get("ids") == theirs:
            same += 1
        else:
            names[name] += 1
            if names[name] <= args.show:
                print(f"{name}, {case}:\n  fathom: {ours}\n  transformers: {theirs}")
    print(f"ids: {len(templates) - len(names)} of {len(templates)} templates agree on all conversations; "
          f"{same} of {len(jobs)} agree ({errors} of them errors in both)")
    return bool(names) or not jobs


ROLES = {"human": "user", "gpt": "assistant", "user": "user", "assistant": "assistant", "system": "system"}


def conversation(row):
    """Messages of one row; None for what this script does not read."""
    turns = row.get("messages") or row.get("conversations")
    if turns:
        if any(turn.get("from", turn.get("role")) not in ROLES for turn in turns):
            return None
        return [{"role": ROLES[t.get("from", t.get("role"))], "content": t.get("value", t.get("content"))} for t in turns]
    for question, answer in (("instruction", "output"), ("instruction", "response"), ("prompt", "completion"),
                             ("prompt", "response"), ("question", "answer"), ("problem", "solution")):
        if question in row and isinstance(row.get(answer), str):
            said = row[question] + ("\n" + row["input"] if row.get("input") else "")
            past = [m for q, a in row.get("history") or [] for m in cases.said(("user", q), ("assistant", a))]
            return [*past, *cases.said(("user", said), ("assistant", row[answer]))]
    return None


def conversations(paths):
    for path in paths:
        text = (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8").read()
        rows = json.loads(text) if text.lstrip().startswith("[") else map(json.loads, text.splitlines())
        for row in rows:
            messages = conversation(row)
            if messages and all(m["content"].strip() for m in messages):
                yield messages


def compare_masks(args, templates, folder):
    chats = list(conversations(args.data))[:args.conversations]
    differing = special = undefined = compared = 0
    for number, (name, template) in enumerate(templates.items()):
        path = with_special_tokens(args.tokenizer, template, folder)
        hf = loaded(path)
        specials = [token.content for token in hf.added_tokens_decoder.values() if token.special]
        tagged = re.search(r"\{%-?\s*generation\s*-?%\}", template)
        mine = chats[number::len(templates)] if args.share else chats
        if args.inject:
            mine = [[{**m, "content": "".join([m["content"], *specials, "."])} for m in messages] for messages in mine]
        jobs = [job_of(path, template, messages, None, "train") for messages in mine]
        # The same turns with other words have as many special tokens.
        bare = [job_of(path, template, [{"role": m["role"], "content": "x"} for m in messages], None, "train")
                for messages in mine]
        added = {i for i, token in hf.added_tokens_decoder.items() if token.special}
        counts = collections.Counter()
        for messages, ours, plain in zip(mine, run_encoder(args.encoder, jobs), run_encoder(args.encoder, bare)):
            try:
                if tagged:
                    ids, mask = encoded(hf, template, messages, None, False, return_assistant_tokens_mask=True)
                else:
                    ids, mask = prefix_mask(hf, template, messages)
            except Exception as error:
                ids = mask = None
            clean = not any(token in m["content"] for m in messages for token in specials)
            if "leaves out what" in ours.get("error", "") and ids is not None:
                lost = any(m["content"].strip() not in rendered(hf, template, messages, False) for m in messages)
                counts["refused" if lost else "differs"] += 1  # the template drops a message
                continue
            if mask is None or "error" in ours:
                counts["refused" if mask is None and "error" in ours else "differs"] += 1
                if (mask is None) != ("error" in ours) and counts["differs"] <= args.show:
                    print(f"{name}: {ours.get('error', 'encoded')} against {'undefined' if mask is None else 'a mask'}: {messages}")
                continue
            if clean:
                at = len(ids)
                equal = ours["ids"][:at] == ids and ours["mask"][:at] == mask
                counts["equal" if equal else "differs"] += 1
                if not equal and counts["differs"] <= args.show:
                    bad = next((i for i in range(at) if ours["ids"][i] != ids[i] or ours["mask"][i] != mask[i]), at)
                    print(f"{name} at token {bad} of {at}: {ours['ids'][bad - 3:bad + 4]} {ours['mask'][bad - 3:bad + 4]} "
                          f"against {ids[bad - 3:bad + 4]} {mask[bad - 3:bad + 4]}: "
                          f"{hf.decode(ids[max(0, bad - 20):bad + 20])!r}")
                counts["longer"] += len(ours["ids"]) != at
            if "ids" in plain:
                counts["special"] += max(0, sum(i in added for i in ours["ids"]) - sum(i in added for i in plain["ids"]))
        print(f"{name}{' (tags)' if tagged else ''}: {dict(counts)}")
        compared += counts["equal"]
        differing += counts["differs"]
        undefined += counts["refused"]
        special += counts["special"]
    print(f"masks: {compared} of {compared + differing} equal token by token over {len(chats)} conversations, "
          f"{undefined} refused; {special} special tokens made of content")
    return bool(differing or special) or not compared


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--templates", required=True, help="folder of templates, or one file")
    parser.add_argument("--only", default="", help="templates whose names match this pattern")
    parser.add_argument("--data", nargs="*", help="files of chat data: compare masks")
    parser.add_argument("--conversations", type=int, default=5000)
    parser.add_argument("--share", action="store_true", help="give each template its share of the conversations")
    parser.add_argument("--inject", action="store_true", help="append every special token's text to each message")
    parser.add_argument("--show", type=int, default=1, help="differences shown of each template")
    args = parser.parse_args()
    folder = args.templates if os.path.isdir(args.templates) else os.path.dirname(args.templates)
    templates = {name: text for name, text in cases.templates(folder)
                 if re.search(args.only, name) and (folder == args.templates or name == os.path.basename(args.templates))}
    transformers.utils.chat_template_utils.datetime = type("Fixed", (), {"now": staticmethod(fixed_time)})
    with tempfile.TemporaryDirectory() as scratch:
        return int((compare_masks if args.data else compare_ids)(args, templates, scratch))


if __name__ == "__main__":
    sys.exit(main())
