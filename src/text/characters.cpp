#include "text/characters.h"

#include <utf8proc.h>

namespace fathom {
namespace {

bool is_ideograph(char32_t c) {
  return (c >= 0x3041 && c <= 0x30ff && c != 0x30fb) || (c >= 0x31f0 && c <= 0x31ff) ||
         (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x4e00 && c <= 0x9fff) ||
         (c >= 0xf900 && c <= 0xfaff) || (c >= 0x20000 && c <= 0x3ffff) || c == 0x3005 ||
         c == 0x3007;
}

CharacterKind kind_in_unicode(char32_t c) {
  if (is_ideograph(c)) return CharacterKind::ideograph;
  if (utf8::is_space(c) || c < 0x20 || (c >= 0x7f && c < 0xa0)) return CharacterKind::blank;
  if (utf8::is_number(c)) return CharacterKind::digit;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
      return CharacterKind::letter;
    default:
      return CharacterKind::punctuation;
  }
}

Character in_unicode(char32_t c) {
  if (c >= 0xff01 && c <= 0xff5e) c -= 0xfee0;  // full width of ASCII
  const auto lower = utf8proc_tolower(static_cast<utf8proc_int32_t>(c));
  return {static_cast<char32_t>(lower), kind_in_unicode(c)};
}

}  // namespace

CharacterTable::CharacterTable() {
  for (char32_t c = 0; c < entries_.size(); ++c) {
    const Character character = in_unicode(c);
    entries_[c] = static_cast<std::uint32_t>(character.folded) |
                  static_cast<std::uint32_t>(character.kind) << 24;
  }
}

const CharacterTable& CharacterTable::get() {
  static const CharacterTable table;
  return table;
}

Character CharacterTable::beyond(char32_t c) {
  return in_unicode(c);
}

void fold_text(std::string_view text, std::string& out) {
  const CharacterTable& table = CharacterTable::get();
  out.clear();
  out.reserve(text.size());
  bool blank = false;
  for (const char *p = text.data(), *end = p + text.size(); p < end;) {
    const Character character = table[utf8::next(p)];
    if (character.kind == CharacterKind::blank) {
      blank = true;
      continue;
    }
    if (blank && !out.empty()) out += ' ';
    blank = false;
    if (character.folded < 0x80) {
      out += static_cast<char>(character.folded);
    } else {
      utf8::append(out, character.folded);
    }
  }
}

}  // namespace fathom
