#!/usr/bin/env python3
"""Makes tests/golden/templates.json: small templates by construct, templates in the style of
model families, and what PyPI's jinja2 renders of them in an environment set up as
transformers' is. Needs `pip install jinja2` (3.1.6 made the file that is committed).

    python tests/golden/make_template_goldens.py
"""
import datetime, json, os

from jinja2 import TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from template_cases import BLOCKS, CONVERSATIONS, EXPRESSIONS, FAMILIES, VARIABLES

FOLDER = os.path.dirname(os.path.abspath(__file__))
BEGIN, END = "\ue000", "\ue001"  # around what a generation block writes, until spans are read
NOW = datetime.datetime(2025, 3, 7, 9, 5, 3)


class Generation(Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("mark"), [], [], body).set_lineno(line)

    def mark(self, caller):
        return BEGIN + caller() + END


def raise_exception(message):
    raise TemplateError("raised: " + message)


def dumps(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                      sort_keys=sort_keys)


def environment():
    made = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                         extensions=[Generation, loopcontrols])
    made.filters["tojson"] = dumps
    made.globals["raise_exception"] = raise_exception
    made.globals["strftime_now"] = lambda format: NOW.strftime(format)
    return made


def read_spans(text):
    """The text without the markers, and the bytes between them, joined where they touch."""
    plain, spans, begin = b"", [], None
    for character in text:
        if character == BEGIN:
            begin = len(plain)
        elif character == END:
            if spans and spans[-1][1] == begin:
                spans[-1][1] = len(plain)
            elif begin < len(plain):
                spans.append([begin, len(plain)])
        else:
            plain += character.encode()
    return plain.decode(), spans


def render(made, template, variables):
    try:
        text, spans = read_spans(made.from_string(template).render(**variables))
    except Exception as error:
        message = str(error)
        return {"error": message[8:] if message.startswith("raised: ") else ""}
    return {"text": text, **({"generated": spans} if spans else {})}


def main():
    made = environment()
    cases = []
    for template in ["{{ %s }}" % expression for expression in EXPRESSIONS] + BLOCKS:
        cases.append({"template": template, **render(made, template, VARIABLES)})
    families = [{"name": name, "template": template,
                 "expected": [render(made, template, conversation) for conversation in CONVERSATIONS]}
                for name, template in FAMILIES.items()]
    one = lambda value: json.dumps(value, ensure_ascii=False)
    lines = lambda values: "[\n" + ",\n".join(map(one, values)) + "\n]"
    with open(os.path.join(FOLDER, "templates.json"), "w", encoding="utf-8") as file:
        file.write('{"variables": %s,\n"cases": %s,\n"conversations": %s,\n"families": %s}\n' %
                   (one(VARIABLES), lines(cases), lines(CONVERSATIONS), lines(families)))
    errors = sum("error" in case for case in cases)
    print(f"{len(cases)} cases ({errors} errors), {len(families)} families on "
          f"{len(CONVERSATIONS)} conversations")


if __name__ == "__main__":
    main()
