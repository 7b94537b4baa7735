#include "text/mojibake.h"

#include <gtest/gtest.h>

#include "text/utf8.h"

namespace fathom {
namespace {

// UTF-8 read as windows-1252, or as Latin-1.
std::string misread(std::string_view text, bool latin1 = false) {
  static constexpr char32_t upper[32] = {
      0x20ac, 0x81,   0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
      0x2039, 0x0152, 0x8d,   0x017d, 0x8f,   0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
      0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x9d,   0x017e, 0x0178};
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    utf8::append(out, byte >= 0x80 && byte < 0xa0 && !latin1 ? upper[byte - 0x80] : byte);
  }
  return out;
}

std::string repaired(std::string_view text) {
  std::int64_t repairs = 0;
  const std::string out = repair_mojibake(text, repairs);
  EXPECT_EQ(repairs > 0, out != text) << text;
  EXPECT_EQ(utf8::valid_prefix(out), out.size()) << text;
  return out;
}

// Of each of these ftfy 6.3.1, fix_encoding(), makes the same.
TEST(Mojibake, IsReadAgain) {
  for (const std::string text :
       {"don’t stop", "“quoted” – said…", "caffè, déjà vu, naïve", "20 °C, £5 and ½",
        "Größe und Maß", "być może łódka", "привет, мир", "中文网页", "一个“词”。",
        "日本語テキスト", "한국어", "price: 5 €", "ok 👍", "naïve — café", "señor ¿qué?"}) {
    EXPECT_EQ(repaired(misread(text)), text);
    EXPECT_EQ(repaired(misread(text, true)), text);
    EXPECT_EQ(repaired(misread(misread(text))), text) << "twice";
    EXPECT_EQ(repaired(text), text) << "nothing is to be repaired";
  }
}

TEST(Mojibake, KnownSequences) {
  EXPECT_EQ(repaired("donâ€™t"), "don’t");
  EXPECT_EQ(repaired("cafÃ©"), "café");
  EXPECT_EQ(repaired("Â« mot Â»"), "« mot »");
  EXPECT_EQ(repaired("ä¸­ and 中"), "中 and 中");
  EXPECT_EQ(repaired("byÅ‚o Å›wiat"), "było świat");
  std::int64_t repairs = 0;
  repair_mojibake("cafÃ©, donâ€™t, café", repairs);
  EXPECT_EQ(repairs, 2);
}

// Text that somebody may have written, though its bytes happen to be UTF-8.
TEST(Mojibake, DoubtfulRunsStay) {
  for (const std::string text :
       {"NÃO", "AMANHÃ” disse", "CAFÉ® and MARÇO", "«o que é»…", "Å… på", "«café»…", "voilà»…",
        "“Â”", "Ã", "Ãa", "é", "ÀÉ", "Ã©中", "中Ã©", "CAFÃ‰", "É©", "Â€5"}) {
    EXPECT_EQ(repaired(text), text);
  }
  for (const std::string text : {"„Spaß“",
                                 "groß…",
                                 "Fuß–Weg",
                                 "Gruß»",
                                 "groß\u0085",
                                 "Tomáš’s",
                                 "„Garáž“",
                                 "Lukáš–Petr",
                                 "à€5",
                                 "à\u00a0€5",
                                 "à±0,5 mm",
                                 "à\u00a0±0,5 mm",
                                 "société\u00a0©2020",
                                 "déclaré\u00a0«oui»",
                                 "É…pois",
                                 "Ü’nün",
                                 "10×µm",
                                 "kcal/molÅ²",
                                 "a letra Ã— nasal",
                                 "„Café“…",
                                 "»Café«…",
                                 "též“",
                                 "café–šunka",
                                 "né—Žofie",
                                 "o Ã… e",
                                 "Ã’s",
                                 "vendÅ» s",
                                 "âœ“",
                                 "á»…",
                                 "łódÅº",
                                 "Ä‡ a"}) {
    EXPECT_EQ(repaired(text), text);
  }
}

// Each byte of windows-1252 from 0x80 to 0xbf, within a word.
TEST(Mojibake, LettersOfLatin1AreReadAgainWithinAWord) {
  for (char32_t c = 0xc0; c <= 0xff; ++c) {
    std::string letter;
    utf8::append(letter, c);
    const bool doubtful = c == 0xd2;  // as "Ã’s", above
    const std::string one = "a" + letter + "b", two = "a" + letter + letter + "b";
    EXPECT_EQ(repaired(misread(one)), doubtful ? misread(one) : one);
    EXPECT_EQ(repaired(misread(one, true)), one);
    EXPECT_EQ(repaired(misread(two)), two);
  }
}

TEST(Mojibake, OneCharacterIsClear) {
  EXPECT_EQ(repaired("5Ã—3, Ã–sterreich, Ã…land, fÃ¼r"), "5×3, Österreich, Åland, für");
  EXPECT_EQ(repaired("Å»ycie"), "Życie");
  EXPECT_EQ(repaired("tiáº¿ng"), "tiếng");
  EXPECT_EQ(repaired("a ï¼Œ b ã€‚ c"), "a ， b 。 c");
  EXPECT_EQ(repaired("ok ðŸ’™"), "ok 💙");
  EXPECT_EQ(repaired("3 âˆ’ 2, 5 â‚¬ and â„¢"), "3 − 2, 5 € and ™");
}

}  // namespace
}  // namespace fathom
