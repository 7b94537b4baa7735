#include "data/quality/words.h"

#include <algorithm>

#include "text/characters.h"
#include "text/normal_form.h"

namespace fathom::quality {

std::string words_of(std::string_view text) {
  const CharacterTable& table = CharacterTable::get();
  std::string out;
  out.reserve(text.size() + text.size() / 2);
  bool in_word = false;  // the last character was a letter or digit
  for (const char *p = text.data(), *end = p + text.size(); p < end;) {
    const Character character = table[utf8::next(p)];
    const bool digit = character.kind == CharacterKind::digit;
    const bool joins = digit || character.kind == CharacterKind::letter;
    if (character.kind == CharacterKind::blank) {
      in_word = false;
      continue;
    }
    if (!out.empty() && !(joins && in_word)) out += ' ';
    utf8::append(out, digit ? U'0' : character.folded);
    in_word = joins;
  }
  return normal_form_c(out);  // last, for half width may compose where full width does not
}

std::string blank_separated(std::string_view text) {
  std::string line(text);
  std::ranges::replace(line, '\n', ' ');
  return line;
}

}  // namespace fathom::quality
