#include "text/characters.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

TEST(Characters, KindsOfTheTableAndBeyondIt) {
  const CharacterTable& table = CharacterTable::get();
  const auto kind = [&](char32_t c) { return table[c].kind; };
  for (const char32_t c : {U'a', U'Z', U'é', U'я', U'한', U'ไ', U'́'}) {
    EXPECT_EQ(kind(c), CharacterKind::letter) << static_cast<unsigned>(c);
  }
  for (const char32_t c : {U'中', U'々', U'〇', U'か', U'ナ', U'ー', U'𠀀'}) {
    EXPECT_EQ(kind(c), CharacterKind::ideograph) << static_cast<unsigned>(c);
  }
  for (const char32_t c : {U'\u3041', U'\u30ff', U'\u31f0', U'\u31ff', U'\u3400', U'\u4dbf',
                           U'\u4e00', U'\u9fff', U'\uf900', U'\ufaff', U'\U0003ffff'}) {
    EXPECT_EQ(kind(c), CharacterKind::ideograph) << static_cast<unsigned>(c);
  }
  for (const char32_t c : {U'\u3040', U'\u30fb', U'\u3100', U'\u31ef', U'\u3200', U'\u33ff',
                           U'\u4dc0', U'\ua000', U'\ufb00', U'\U00040000'}) {
    EXPECT_NE(kind(c), CharacterKind::ideograph) << static_cast<unsigned>(c);
  }
  for (const char32_t c : {U'7', U'７', U'①', U'½'}) EXPECT_EQ(kind(c), CharacterKind::digit);
  for (const char32_t c : {U' ', U'\n', U'　', U'\u00a0', U'\u0007'}) {
    EXPECT_EQ(kind(c), CharacterKind::blank) << static_cast<unsigned>(c);
  }
  for (const char32_t c : {U'.', U'。', U'_', U'$', U'・', U'😀'}) {
    EXPECT_EQ(kind(c), CharacterKind::punctuation) << static_cast<unsigned>(c);
  }
}

std::string folded(std::string_view text) {
  std::string out = "old";
  fold_text(text, out);
  return out;
}

TEST(Characters, FoldIgnoresCaseWidthAndBlanks) {
  EXPECT_EQ(folded(" The  CAT\r\n sat.\t"), "the cat sat.");
  EXPECT_EQ(folded("ＡＢＣ１２　Я É"), "abc12 я é");
  EXPECT_EQ(folded("第　一\n章"), "第 一 章");
  EXPECT_EQ(folded(" \n"), "");
  EXPECT_NE(folded("a+b"), folded("a-b"));
  EXPECT_NE(folded("ab"), folded("a b"));
}

}  // namespace
}  // namespace fathom
