#!/usr/bin/env python3
"""Makes tests/golden/chats.json: conversations as token ids with the assistant's marks, by PyPI's
jinja2 and tokenizers, for small tokenizers of the kinds that public models use. Needs
`pip install jinja2 tokenizers` (3.1.6 and 0.23.3 made the file that is committed).

    python tests/golden/make_chat_goldens.py
"""
import json, os

from tokenizers import Tokenizer

from make_template_goldens import BEGIN, END, environment

FOLDER = os.path.dirname(os.path.abspath(__file__))
TOKENIZERS = {"deepseek": ("<｜begin▁of▁sentence｜>", "</s>"), "qwen2": ("<|im_start|>", "<|endoftext|>"),
              "llama2": ("<s>", "</s>"), "mistral": ("<s>", "</s>"), "llama3": ("<|begin_of_text|>", "<s>"),
              "gpt2": ("<|endoftext|>", "<|endoftext|>"), "metaspace_never": ("<s>", "</s>")}
# In each, {% generation %} is around what an answer adds to the generation prompt.
TEMPLATES = {
    "deepseek": "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ 'User: ' + m.content + '\n\n' }}"
                "{% elif m.role == 'assistant' %}{{ 'Assistant:' }}{% generation %}{{ ' ' + m.content + eos_token }}"
                "{% endgeneration %}{% else %}{{ m.content + '\n\n' }}{% endif %}{% endfor %}"
                "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}",
    "lines": "{% for m in messages %}{{ bos_token + m.role + '\n' }}{% if m.role == 'assistant' %}{% generation %}"
             "{{ m.content | trim + eos_token + '\n' }}{% endgeneration %}{% else %}{{ m.content | trim + eos_token + '\n' }}"
             "{% endif %}{% endfor %}{% if add_generation_prompt %}{{ bos_token + 'assistant\n' }}{% endif %}",
    "bare": "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content + eos_token }}{% endgeneration %}"
            "{% else %}{{ m.content }}{% endif %}{% endfor %}",
}
CONVERSATIONS = [
    [("user", "Hello world"), ("assistant", "Hi!")],
    [("system", "Be brief."), ("user", " What? \n"), ("assistant", " That. "), ("user", "Go on"), ("assistant", "and\n\non")],
    [("user", "你好🎉é"), ("assistant", "你好！\n\n很高兴 🎉")],
    [("user", "def f(x):\n    return {'a': \"b\"}\n"), ("assistant", "```py\nprint('\\n')\n```")],
    [("user", "It is "), ("assistant", "4.")],
    [("user", "cafe\u0301 ①"), ("assistant", "e\u0301te\u0301 ½ ok")],
    [("assistant", "a"), ("user", "b▁c"), ("assistant", "  two  spaces ")],
]


def case(tokenizer, tokens, source, messages):
    marked = environment().from_string(source).render(messages=messages, add_generation_prompt=False, **tokens)
    text, spans = "", []
    for character in marked:
        if character == BEGIN:
            spans.append([len(text), len(text)])
        elif character == END:
            spans[-1][1] = len(text)
        else:
            text += character
    encoding = tokenizer.encode(text, add_special_tokens=False)
    learned = [int(any(b < end and e > begin for begin, end in spans)) for b, e in encoding.offsets]
    return {"ids": encoding.ids, "learned": "".join(map(str, learned))}


def main():
    cases = []
    for name, (bos, eos) in TOKENIZERS.items():
        tokenizer = Tokenizer.from_file(os.path.join(FOLDER, "tokenizer", name + ".json"))
        tokens = {"bos_token": bos, "eos_token": eos}
        for template, source in TEMPLATES.items():
            for i, turns in enumerate(CONVERSATIONS):
                messages = [{"role": role, "content": content} for role, content in turns]
                cases.append({"tokenizer": name, "template": template, "conversation": i,
                              **case(tokenizer, tokens, source, messages)})
    out = {"tokens": {name: {"bos_token": bos, "eos_token": eos} for name, (bos, eos) in TOKENIZERS.items()},
           "templates": TEMPLATES, "conversations": CONVERSATIONS}
    with open(os.path.join(FOLDER, "chats.json"), "w", encoding="utf-8") as file:
        body = json.dumps(out, ensure_ascii=False, indent=1)
        rows = ",\n".join("  " + json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in cases)
        file.write(body[:-2] + ',\n "cases": [\n' + rows + "\n ]\n}\n")


if __name__ == "__main__":
    main()
