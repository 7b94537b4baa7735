// str() and repr() of Python.
#include <utf8proc.h>

#include <charconv>
#include <cmath>

#include "align/jinja/operators.h"
#include "text/utf8.h"

namespace fathom::jinja {

namespace {

bool printable(char32_t c) {
  if (c == ' ') return true;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return false;
    default:
      return true;
  }
}

void add_repr_character(TextBuilder& out, const Text& text, std::size_t at, char quote) {
  const char* position = text.bytes().data() + at;
  const std::size_t length = utf8::length(*position);
  const char32_t c = utf8::next(position);
  if (c == static_cast<char32_t>(quote) || c == '\\') {
    out.add(std::string{'\\', static_cast<char>(c)});
  } else if (c == '\n') {
    out.add("\\n");
  } else if (c == '\r') {
    out.add("\\r");
  } else if (c == '\t') {
    out.add("\\t");
  } else if (printable(c)) {
    out.add(text, at, at + length);
  } else {
    const auto code = static_cast<std::uint32_t>(c);
    out.add(code <= 0xff     ? fmt::format("\\x{:02x}", code)
            : code <= 0xffff ? fmt::format("\\u{:04x}", code)
                             : fmt::format("\\U{:08x}", code));
  }
}

void add_text_repr(TextBuilder& out, Rendering& rendering, const Text& text) {
  const std::string& bytes = text.bytes();
  const bool double_quotes =
      bytes.find('\'') != std::string::npos && bytes.find('"') == std::string::npos;
  const char quote = double_quotes ? '"' : '\'';
  out.add(std::string_view(&quote, 1));
  for (std::size_t at = 0; at < bytes.size(); at += utf8::length(bytes[at])) {
    rendering.spend(at % 8 == 0);
    add_repr_character(out, text, at, quote);
  }
  out.add(std::string_view(&quote, 1));
}

void add_repr(TextBuilder& out, Rendering& rendering, const Value& value);

void add_sequence_repr(TextBuilder& out, Rendering& rendering, const Sequence& sequence) {
  const bool tuple = sequence.kind == SequenceKind::tuple;
  const bool view = sequence.kind == SequenceKind::view;
  if (view) out.add(sequence.view_name + "(");
  out.add(tuple ? "(" : "[");
  for (std::size_t i = 0; i < sequence.items.size(); ++i) {
    if (i > 0) out.add(", ");
    add_repr(out, rendering, sequence.items[i]);
  }
  if (tuple && sequence.items.size() == 1) out.add(",");
  out.add(tuple ? ")" : "]");
  if (view) out.add(")");
}

void add_repr(TextBuilder& out, Rendering& rendering, const Value& value) {
  rendering.spend(1);
  if (value.is_text()) return add_text_repr(out, rendering, value.text());
  if (value.is_sequence() && (value.sequence().indexable() || value.sequence().sized()) &&
      value.sequence().kind != SequenceKind::range) {
    return add_sequence_repr(out, rendering, value.sequence());
  }
  if (value.is_dict()) {
    out.add("{");
    bool first = true;
    for (const auto& [key, item] : value.dict().entries) {
      if (!std::exchange(first, false)) out.add(", ");
      add_repr(out, rendering, key);
      out.add(": ");
      add_repr(out, rendering, item);
    }
    return out.add("}");
  }
  if (value.is_undefined()) return out.add("Undefined");
  out.add(to_text(rendering, value));
}

}  // namespace

std::string real_text(double real) {
  if (std::isnan(real)) return "nan";
  if (std::isinf(real)) return real < 0 ? "-inf" : "inf";
  // The shortest digits that read back as the same number; exponents outside -4 to 15.
  char buffer[40];
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, real, std::chars_format::scientific).ptr;
  const std::string scientific(buffer, end);
  const std::size_t e = scientific.find('e');
  int exponent = 0;
  const char* digits = scientific.data() + e + 1 + (scientific[e + 1] == '+');
  std::from_chars(digits, scientific.data() + scientific.size(), exponent);
  if (exponent < -4 || exponent >= 16) return scientific;
  const auto fixed = std::to_chars(buffer, buffer + sizeof buffer, real, std::chars_format::fixed);
  std::string text(buffer, fixed.ptr);
  if (text.find('.') == std::string::npos) text += ".0";
  return text;
}

Text to_text(Rendering& rendering, const Value& value) {
  rendering.spend(1);
  if (value.is_text()) return value.text();
  if (value.is_undefined()) return {};
  if (value.is_none()) return Text("None");
  if (value.is_boolean()) return Text(value.boolean() ? "True" : "False");
  if (value.is_integer()) return Text(std::to_string(value.integral()));
  if (value.is_real()) return Text(real_text(value.real()));
  const bool printed = value.is_dict() || (value.is_sequence() && value.sequence().sized() &&
                                           value.sequence().kind != SequenceKind::range);
  if (!printed) rendering.fail("a {} can't be turned into text", value.type_name());
  TextBuilder out(rendering);
  add_repr(out, rendering, value);
  return out.take();
}

}  // namespace fathom::jinja
