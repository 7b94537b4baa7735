#include "text/language.h"

#include <gtest/gtest.h>

#include <string>

#include "text/script.h"

namespace fathom {
namespace {

TEST(Language, SentencesOfManyLanguages) {
  const std::pair<const char*, const char*> sentences[] = {
      {"en", "The harbour was quiet in the morning, and the ships waited for the tide."},
      {"zh", "早上的港口很安静，船只都在等待潮水上涨，水手们在甲板上喝茶。"},
      {"zh-Hant", "早上的港口很安靜，船隻都在等待潮水上漲，水手們在甲板上喝茶。"},
      {"ja", "朝の港は静かで、船は潮が満ちるのを待っていました。"},
      {"ko", "아침 항구는 조용했고 배들은 밀물을 기다리고 있었습니다."},
      {"fr", "Le port était calme le matin, et les navires attendaient la marée."},
      {"de", "Der Hafen war am Morgen ruhig, und die Schiffe warteten auf die Flut."},
      {"es", "El puerto estaba tranquilo por la mañana y los barcos esperaban la marea."},
      {"ru", "Утром в гавани было тихо, и корабли ждали прилива."},
      {"ar", "كان الميناء هادئا في الصباح وكانت السفن تنتظر المد."},
      {"he", "הנמל היה שקט בבוקר והספינות חיכו לגאות."},
  };
  for (const auto& [code, sentence] : sentences) {
    const Language language = detect_language(sentence);
    EXPECT_EQ(language.code, code) << sentence;
    EXPECT_TRUE(language.reliable) << sentence;
  }
}

TEST(Language, MostOfTheTextDecides) {
  const std::string english = "The ships waited for the tide, and the harbour was quiet. ";
  const std::string chinese = "早上的港口很安静，船只都在等待潮水上涨。";
  EXPECT_EQ(detect_language(english + english + english + english + chinese).code, "en");
  EXPECT_EQ(detect_language(english + chinese + chinese + chinese + chinese).code, "zh");
  // What lies behind the first 64 KiB is not looked at.
  std::string longest;
  while (longest.size() < (64u << 10)) longest += english;
  std::string behind;
  while (behind.size() < (256u << 10)) behind += chinese;
  EXPECT_EQ(detect_language(longest + behind).code, "en");
}

TEST(Language, ShortTextsAreKnownByTheirScript) {
  for (const auto& [code, text] :
       {std::pair("zh", "好"), std::pair("ja", "はい"), std::pair("ko", "네"), std::pair("th", "ก"),
        std::pair("el", "και")}) {
    EXPECT_EQ(detect_language(text).code, code) << text;
  }
  EXPECT_FALSE(detect_language("好").reliable);
  EXPECT_FALSE(detect_language("x").reliable);
}

TEST(Language, TextsWithoutLettersHaveNone) {
  for (const std::string text : {"", "1 + 1 = 2", "!?", "\xff\xfe"}) {
    const Language language = detect_language(text);
    EXPECT_EQ(language.code, "unknown") << text;
    EXPECT_FALSE(language.reliable);
  }
}

// Bytes that are no UTF-8 end the text that is looked at.
TEST(Language, OnlyValidUtf8IsLookedAt) {
  const std::string english = "The ships waited for the tide, and the harbour was quiet. ";
  EXPECT_EQ(detect_language(english + "\xff" + std::string(200, '\xe4')).code, "en");
  // A character across the end of the first 64 KiB.
  std::string text((64 << 10) - 1, ' ');
  text.replace(0, english.size(), english);
  EXPECT_EQ(detect_language(text + "中").code, "en");
}

// The ends of each script's block; between them others, and what is no letter.
TEST(Script, HasTheLettersOfItsBlock) {
  struct Block {
    const char *first, *last, *name;
  };
  for (const Block& block : std::initializer_list<Block>{{"A", "\u024f", "Latin"},
                                                         {"\u0370", "\u03ff", "Greek"},
                                                         {"\u0400", "\u052f", "Cyrillic"},
                                                         {"\u0591", "\u05f2", "Hebrew"},
                                                         {"\u0610", "\u06ff", "Arabic"},
                                                         {"\u0900", "\u097f", "Devanagari"},
                                                         {"\u0e01", "\u0e4e", "Thai"},
                                                         {"\u3041", "\u30ff", "Kana"},
                                                         {"\u3400", "\u4dbf", "Han"},
                                                         {"\u4e00", "\u9fff", "Han"},
                                                         {"\uac00", "\ud7a3", "Hangul"},
                                                         {"\U00020000", "\U000323af", "Han"},
                                                         {"\u0531", "\u0556", "other"},
                                                         {"\u0250", "\u02af", "other"},
                                                         {"\ua000", "\uabe2", "other"}}) {
    EXPECT_EQ(prevailing_script(block.first), block.name) << block.first;
    EXPECT_EQ(prevailing_script(block.last), block.name) << block.last;
  }
  for (const char* none : {"", "0", "½", "_", ".", "€", " ", "\xff"})
    EXPECT_EQ(prevailing_script(none), "none") << none;
  EXPECT_EQ(prevailing_script("a\xffгде"), "Latin") << "up to what is no UTF-8";
  // A letter of Chinese counts as two.
  EXPECT_EQ(prevailing_script("abcd中文字"), "Han");
  EXPECT_EQ(prevailing_script("abcde中文"), "Latin");
  EXPECT_EQ(prevailing_script("abc где"), "Latin") << "of equals the first";
}

TEST(Script, KanaCountsWhereATenthOfTheLettersAre) {
  EXPECT_EQ(prevailing_script("一二三四五六七八九の"), "Kana");
  EXPECT_EQ(prevailing_script("一二三四五六七八九十の"), "Han");
  EXPECT_EQ(prevailing_script("abc где"), "Latin");
  EXPECT_EQ(prevailing_script("ab где"), "Cyrillic");
  EXPECT_EQ(prevailing_script("123 _"), "none");
}

}  // namespace
}  // namespace fathom
