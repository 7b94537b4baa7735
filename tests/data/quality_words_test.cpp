#include <gmock/gmock.h>

#include <random>
#include <sstream>

#include "data/quality/accuracy.h"
#include "data/quality/words.h"
#include "text/utf8.h"

namespace fathom::quality {
namespace {

TEST(QualityWords, AreCutInBothLanguages) {
  EXPECT_EQ(words_of("The  River was\n600 km long."), "the river was 000 km long .");
  EXPECT_EQ(words_of("他们测量了它。"), "他 们 测 量 了 它 。");
  EXPECT_EQ(words_of("用GPT-4写代码"), "用 gpt - 0 写 代 码");
  EXPECT_EQ(words_of("ＡＢＣ１２"), "abc00") << "full width";
  EXPECT_EQ(words_of("cafe\u0301"), "café");
  EXPECT_EQ(words_of("don't mp3"), "don ' t mp0");
  EXPECT_EQ(words_of(""), "");
  EXPECT_EQ(words_of(" \r\n\t\x01 "), "");
}

// What fastText takes for a label or for the end of a line is no word.
TEST(QualityWords, AreNoLabels) {
  EXPECT_EQ(words_of("__label__good </s>"), "_ _ label _ _ good < / s >");
  EXPECT_EQ(blank_separated("__label__good\nx"), "__label__good x");
}

// Of any text: one line, no blanks but single ones between words, and cutting again changes
// nothing.
TEST(QualityWords, OfAnyText) {
  std::mt19937 random(1);
  const char32_t begins[] = {0x20, 0x41, 0xc0, 0x300, 0x391, 0x3040, 0x4e00, 0xff01, 0x1f600, 0x0};
  for (int round = 0; round < 200; ++round) {
    std::string text;
    for (int i = 0; i < 40; ++i) utf8::append(text, begins[random() % 10] + random() % 60);
    const std::string words = words_of(text);
    EXPECT_EQ(words.find_first_of("\n\r\t\v\f"), std::string::npos);
    EXPECT_EQ(words.find('\0'), std::string::npos);
    EXPECT_EQ(words.find("  "), std::string::npos);
    EXPECT_FALSE(words.starts_with(' ') || words.ends_with(' '));
    EXPECT_EQ(words_of(words), words);
    std::istringstream in(words);
    for (std::string word; in >> word;) {
      EXPECT_FALSE(word.starts_with("__label__") || word == "</s>") << word;
    }
  }
}

TEST(QualityAccuracy, ByHand) {
  const std::vector<Judged> documents = {{0.9, true},  {0.8, false}, {0.7, true},
                                         {0.7, false}, {0.1, false}, {0.05, true}};
  const std::vector<double> thresholds = {0.0, 0.7, 0.95};
  const Accuracy accuracy = accuracy_of(documents, thresholds);
  EXPECT_EQ(accuracy.wanted, 3);
  EXPECT_EQ(accuracy.others, 3);
  // 0.9 beats three; 0.7 beats 0.1 and ties with 0.7; 0.05 beats none.
  EXPECT_DOUBLE_EQ(accuracy.auc, 4.5 / 9);
  EXPECT_DOUBLE_EQ(accuracy.thresholds[0].precision, 0.5);
  EXPECT_DOUBLE_EQ(accuracy.thresholds[0].recall, 1);
  EXPECT_DOUBLE_EQ(accuracy.thresholds[1].precision, 0.5);
  EXPECT_DOUBLE_EQ(accuracy.thresholds[1].recall, 2.0 / 3);
  EXPECT_DOUBLE_EQ(accuracy.thresholds[1].others_kept, 2.0 / 3);
  EXPECT_DOUBLE_EQ(accuracy.thresholds[2].precision, 0);
  EXPECT_DOUBLE_EQ(accuracy_of({}, thresholds).auc, 0.5);
}

TEST(QualityAccuracy, IsTheShareOfPairsInOrder) {
  std::mt19937 random(2);
  for (int round = 0; round < 50; ++round) {
    std::vector<Judged> documents;
    for (int i = 0; i < 30; ++i) documents.push_back({random() % 8 / 8.0, random() % 3 == 0});
    double won = 0, pairs = 0;
    for (const Judged& a : documents) {
      for (const Judged& b : documents) {
        if (!a.wanted || b.wanted) continue;
        ++pairs;
        won += a.score > b.score ? 1 : a.score == b.score ? 0.5 : 0;
      }
    }
    EXPECT_NEAR(accuracy_of(documents, {}).auc, pairs == 0 ? 0.5 : won / pairs, 1e-12);
  }
}

}  // namespace
}  // namespace fathom::quality
