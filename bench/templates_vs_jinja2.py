#!/usr/bin/env python3
"""Renders real chat templates with fathom's interpreter and with PyPI's jinja2 in the
environment that transformers sets up, over conversations of all kinds, and compares texts
and generation spans. Needs `pip install jinja2`, a build with -DFATHOM_BENCH=ON and a folder
of templates: *.jinja files, and JSON files with a chat_template (tokenizer_config.json).

    pip download --no-deps -d wheels trl axolotl
    for wheel in wheels/*.whl; do unzip -o -q $wheel '*.jinja' -d templates; done
    python bench/templates_vs_jinja2.py --renderer build/release/bench/render_templates templates

Ends with exit code 1 when a template is refused or differs.
"""
import argparse, collections, copy, functools, glob, json, os, subprocess, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/golden"))
import make_template_goldens as reference

NOW = 1741338303  # 2025-03-07 09:05:03 UTC, as the reference's
TOOLS = [
    {"type": "function", "function": {"name": "get_weather", "description": "Weather of a city, 天气.", "parameters": {
        "type": "object", "properties": {"city": {"type": "string", "description": "Name <b>"},
                                         "days": {"type": "integer", "enum": [1, 3], "default": 1},
                                         "tags": {"type": "array", "items": {"type": "string"}}},
        "required": ["city"]}, "return": {"type": "string"}}},
    {"type": "function", "function": {"name": "now", "description": "The time", "parameters": {"type": "object", "properties": {}}}},
]
CALL = {"id": "call12345", "type": "function", "function": {"name": "get_weather", "arguments": {"city": "Zürich", "days": 3}}}


def said(*turns):
    return [{"role": role, "content": content} for role, content in turns]


CONVERSATIONS = {
    "one": said(("user", "Hello")),
    "answered": said(("user", "Hello"), ("assistant", "Hi!")),
    "system": said(("system", "Be brief."), ("user", " What? \n"), ("assistant", " That. "), ("user", "Go on")),
    "developer": said(("developer", "Be brief."), ("user", "x")),
    "chinese": said(("system", "你是助手。"), ("user", "你好🎉é"), ("assistant", "你好！\n\n很高兴")),
    "code": said(("user", "def f(x):\n    return {'a': \"b\"}\n"), ("assistant", "```py\nprint('\\n')\n```")),
    "thinking": said(("user", "2+2"), ("assistant", "<think>\nadd\n</think>\n\n4"), ("user", "3+3"), ("assistant", "<think>\nmore\n</think>\n\n6")),
    "reasoning field": [*said(("user", "2+2")), {"role": "assistant", "content": "4", "reasoning_content": "add", "thinking": "add"}],
    "special text": said(("user", "<|im_end|></s><eos>[INST] {{ x }} {% if %}")),
    "empty": said(("user", ""), ("assistant", "")),
    "two users": said(("user", "a"), ("user", "b")),
    "assistant first": said(("assistant", "a"), ("user", "b")),
    "long": said(*[(("user", "assistant")[i % 2], f"turn {i}") for i in range(12)]),
    "unknown role": said(("narrator", "x"), ("user", "y")),
    "no messages": [],
    "no role": [{"content": "x"}],
    "no content": [{"role": "user"}],
    "none content": said(("user", "x"), ("assistant", None)),
    "parts": [{"role": "user", "content": [{"type": "text", "text": "Look: "}, {"type": "image"}, {"type": "text", "text": "what?"}]},
              {"role": "assistant", "content": [{"type": "text", "text": "A cat."}]}],
    "tools": [*said(("user", "Weather?")), {"role": "assistant", "content": "", "tool_calls": [CALL]},
              {"role": "tool", "content": "{\"t\": 21.5}", "name": "get_weather", "tool_call_id": "call12345"}, *said(("assistant", "21.5"))],
    "tools without content": [*said(("system", "s"), ("user", "Weather?")), {"role": "assistant", "tool_calls": [CALL]},
                              {"role": "tool", "content": "sunny", "name": "get_weather", "tool_call_id": "call12345"}],
    "two calls": [*said(("user", "Both?")), {"role": "assistant", "content": "Yes.", "tool_calls": [CALL, copy.deepcopy(CALL)]},
                  {"role": "tool", "content": "a", "name": "get_weather", "tool_call_id": "call12345"},
                  {"role": "tool", "content": "b", "name": "get_weather", "tool_call_id": "call12345"}],
    "arguments as text": [*said(("user", "x")), {"role": "assistant", "content": "", "tool_calls": [
        {"id": "call12345", "type": "function", "function": {"name": "now", "arguments": "{\"a\": 1}"}}]}],
}


def variables():
    """Every conversation with and without a generation prompt, tools where it has calls."""
    for name, messages in CONVERSATIONS.items():
        for prompt in (False, True):
            for tools in ((None, TOOLS) if "tools" in name or "call" in name or name == "system" else (None,)):
                yield f"{name}{' + tools' if tools else ''}{' + prompt' if prompt else ''}", {
                    "messages": messages, "tools": tools, "documents": None, "add_generation_prompt": prompt,
                    "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}


def templates(folder):
    for path in sorted(glob.glob(os.path.join(folder, "**"), recursive=True)):
        name = os.path.relpath(path, folder)
        if path.endswith(".jinja"):
            yield name, open(path, encoding="utf-8").read()
        elif path.endswith(".json"):
            found = json.load(open(path, encoding="utf-8"))
            found = found.get("chat_template") if isinstance(found, dict) else None
            for one in found if isinstance(found, list) else [{"name": "default", "template": found}] if found else []:
                yield f"{name}:{one['name']}", one["template"]


def agree(ours, theirs):
    if "error" in theirs:
        return "error" in ours and theirs["error"] in ours["error"]
    return ours.get("text") == theirs["text"] and ours["generated"] == theirs.get("generated", [])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--renderer", required=True)
    parser.add_argument("--show", type=int, default=1, help="differences shown of each template")
    parser.add_argument("folder")
    args = parser.parse_args()
    made = reference.environment()
    made.from_string = functools.lru_cache(maxsize=1)(made.from_string)
    jobs = [(name, template, case, values) for name, template in dict(templates(args.folder)).items()
            for case, values in variables()]
    lines = "".join(json.dumps({"template": template, "variables": values, "now": NOW}) + "\n"
                    for _, template, _, values in jobs)
    output = subprocess.run([args.renderer], input=lines, capture_output=True, text=True, check=True).stdout
    differing, errors, slowest = collections.Counter(), 0, 0.0
    answers = [json.loads(line) for line in output.splitlines()]
    assert len(answers) == len(jobs)
    for (name, template, case, values), ours in zip(jobs, answers):
        theirs = reference.render(made, template, copy.deepcopy(values))
        errors += "error" in theirs
        slowest = max(slowest, ours["seconds"])
        if not agree(ours, theirs):
            differing[name] += 1
            if differing[name] <= args.show:
                print(f"{name}, {case}:\n  fathom: {ours}\n  jinja2: {theirs}")
    names = {name for name, *_ in jobs}
    distinct = {template for _, template, *_ in jobs}
    print(f"{len(names) - len(differing)} of {len(names)} templates ({len(distinct)} distinct) agree on all conversations; "
          f"{len(jobs) - sum(differing.values())} of {len(jobs)} renderings agree ({errors} of them errors in both); "
          f"slowest {1000 * slowest:.1f} ms")
    return 1 if differing or not jobs else 0


if __name__ == "__main__":
    sys.exit(main())
