#include "tokenizer/clean_text.h"

#include <utility>

#include "text/utf8.h"
#include "tokenizer/unicode_classes.h"
#include "tokenizer/unicode_forms.h"

namespace fathom::tokenizer {
namespace {

// Calls append(out, character) for each character; `out` becomes the text.
template <class Append>
void rewrite(std::string& text, Append&& append) {
  std::string out;
  out.reserve(text.size());
  const char* p = text.data();
  const char* const end = p + text.size();
  while (p < end) append(out, utf8::next(p));
  text = std::move(out);
}

// Removes the characters that `removed` picks.
template <class Removed>
void filter(std::string& text, Removed&& removed) {
  rewrite(text, [&](std::string& out, char32_t c) {
    if (!removed(c)) utf8::append(out, c);
  });
}

bool is_removed_by_nmt(char32_t c) {
  return (c >= 0x1 && c <= 0x8) || c == 0xb || (c >= 0xe && c <= 0x1f) || c == 0x7f || c == 0x8f ||
         c == 0x9f;
}

bool is_space_to_nmt(char32_t c) {
  return c == 0x9 || c == 0xa || c == 0xc || c == 0xd || c == 0x1680 ||
         (c >= 0x200b && c <= 0x200f) || c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xfeff ||
         c == 0xfffd;
}

}  // namespace

void to_lower_case(std::string& text) {
  constexpr char32_t capital_i_with_dot = 0x130, combining_dot = 0x307;
  rewrite(text, [](std::string& out, char32_t c) {
    utf8::append(out, c == capital_i_with_dot ? U'i' : to_lower(c));
    if (c == capital_i_with_dot) utf8::append(out, combining_dot);
  });
}

void strip_space(std::string& text, bool left, bool right) {
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const char *first = end, *last = end;  // the first other character, and after the last one
  bool found = false;
  for (const char* p = begin; p < end;) {
    const char* const start = p;
    if (utf8::is_space(utf8::next(p))) continue;
    if (!found) first = start;
    found = true;
    last = p;
  }
  if (!found) {
    if (left || right) text.clear();
    return;
  }
  const auto from = static_cast<std::size_t>((left ? first : begin) - begin);
  const auto to = static_cast<std::size_t>((right ? last : end) - begin);
  text = text.substr(from, to - from);
}

void strip_accents(std::string& text) {
  filter(text, is_mark);
}

void clean_nmt(std::string& text) {
  rewrite(text, [](std::string& out, char32_t c) {
    if (!is_removed_by_nmt(c)) utf8::append(out, is_space_to_nmt(c) ? U' ' : c);
  });
}

void clean_bert(std::string& text, const NormalizerStep& step) {
  if (step.clean_text) {
    rewrite(text, [](std::string& out, char32_t c) {
      if (c == 0 || c == 0xfffd || is_control(c)) return;
      utf8::append(out, utf8::is_space(c) ? U' ' : c);
    });
  }
  if (step.handle_chinese_chars) {
    rewrite(text, [](std::string& out, char32_t c) {
      const bool apart = is_cjk_ideograph(c);
      if (apart) out += ' ';
      utf8::append(out, c);
      if (apart) out += ' ';
    });
  }
  if (step.strip_accents.value_or(step.lowercase)) {
    to_unicode_form(text, UnicodeForm::nfd);
    filter(text, is_nonspacing_mark);
  }
  if (step.lowercase) to_lower_case(text);
}

}  // namespace fathom::tokenizer
