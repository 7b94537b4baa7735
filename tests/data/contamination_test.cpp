#include "data/clean/contamination.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/philox.h"
#include "data/clean/clean.h"
#include "text/utf8.h"

namespace fathom::clean {
namespace {

using testing::ElementsAre;

constexpr std::string_view question =
    "A merchant has 40 sacks of grain and sells 3 of them on each day of the week.";
constexpr std::string_view chinese_question =
    "一个商人有四十袋粮食，每天卖出三袋，请问一个星期之后他还剩下多少袋粮食？";

Contamination benchmarks(ContaminationConfig config = {}) {
  Contamination found(config);
  found.add("sums", question);
  found.add("sums", "too short");
  found.add("reading", chinese_question);
  return found;
}

std::string random_words(std::uint64_t seed, int count) {
  const Philox random{seed, 3};
  std::string text;
  for (int i = 0; i < count; ++i) text += "v" + std::to_string(random.bits(i) % 5000) + " ";
  return text;
}

TEST(Contamination, FindsPassagesInAnyDress) {
  const Contamination found = benchmarks();
  EXPECT_EQ(found.texts(), 3);
  EXPECT_EQ(found.short_texts(), 1);
  const std::string dressed =
      "Before. A  MERCHANT has 40 sacks\nof grain -- and \"sells\" ３ of them on each day";
  EXPECT_EQ(found.find(dressed).size(), 1u);
  EXPECT_EQ(found.find("前文。一个商人有四十袋粮食,每天 卖出三袋, 请问一个星期之后。").size(), 1u);
  EXPECT_TRUE(found.find("A merchant has 40 sacks of grain and 7 goats.").empty());  // 8 words
  EXPECT_TRUE(found.find("一个商人有四十袋粮食，每天卖出三袋。").empty());
  EXPECT_TRUE(found.find("").empty());
}

TEST(Contamination, TellsWhereAndOfWhichTask) {
  const Contamination found = benchmarks();
  const std::string before = random_words(1, 50), after = random_words(2, 50);
  const std::string text =
      before + std::string(question) + " " + after + std::string(chinese_question);
  const std::vector<Passage> passages = found.find(text);
  ASSERT_EQ(passages.size(), 2u);
  EXPECT_EQ(passages[0].begin, before.size());
  EXPECT_EQ(text.substr(passages[0].begin, passages[0].end - passages[0].begin) + ".", question);
  EXPECT_EQ(found.tasks()[passages[0].task], "sums");
  EXPECT_EQ(found.tasks()[passages[1].task], "reading");
}

// Planted at known places among random text: all found, and nothing elsewhere.
TEST(Contamination, FindsAllThatIsPlanted) {
  Contamination found{ContaminationConfig{}};
  for (std::uint64_t i = 0; i < 500; ++i) found.add("planted", random_words(1000 + i, 14));
  int hits = 0, alarms = 0;
  for (std::uint64_t i = 0; i < 500; ++i) {
    std::string text = random_words(5000 + i, 300);
    alarms += !found.find(text).empty();
    text.insert(text.find(' ', i % 900) + 1, random_words(1000 + i, 14));
    hits += found.find(text).size() == 1;
  }
  EXPECT_EQ(hits, 500);
  EXPECT_EQ(alarms, 0);
}

TEST(Contamination, CutsTheLinesOfPassages) {
  const Contamination found = benchmarks();
  const std::string text =
      "one\nx " + std::string(question) + " y\ntwo\n" + std::string(chinese_question) + "\nthree";
  EXPECT_EQ(without_passages(text, found.find(text)), "one\ntwo\nthree");
  EXPECT_EQ(without_passages("one", {}), "one");
  EXPECT_EQ(without_passages(question, found.find(question)), "");
}

TEST(Contamination, DropsOrCutsWhileCleaning) {
  CleanConfig config;
  FilterConfig words;
  words.rule = "words";
  words.min = 5;
  const std::vector<Filter> filters = filters_of({words});
  const std::string rest = random_words(9, 40) + "\n";
  Contamination found = benchmarks();
  const Cleaned dropped = clean_document(rest + std::string(question), config, filters, &found);
  EXPECT_EQ(dropped.reason, "contaminated:sums");
  EXPECT_EQ(clean_document(rest, config, filters, &found).reason, "kept");

  ContaminationConfig cutting;
  cutting.action = ContaminationAction::cut;
  found = benchmarks(cutting);
  const Cleaned cut = clean_document(rest + std::string(question), config, filters, &found);
  EXPECT_EQ(cut.reason, "kept");
  EXPECT_EQ(cut.text.find("merchant"), std::string::npos);
  EXPECT_THAT(cut.contaminations, ElementsAre("sums"));
  // Nothing is left of it.
  EXPECT_EQ(clean_document(question, config, filters, &found).reason, "empty");
}

// The shortest sequences that count, alone and mixed: of words half, and of characters half.
TEST(Contamination, SequencesHaveALength) {
  std::string ten = "a0", twenty;
  for (int i = 1; i < 10; ++i) ten += " a" + std::to_string(i);
  for (int i = 0; i < 20; ++i) utf8::append(twenty, static_cast<char32_t>(0x4e00 + 3 * i));
  Contamination found{ContaminationConfig{}};
  found.add("words", ten);
  found.add("characters", twenty);
  found.add("mixed", "b0 b1 b2 b3 b4 " + twenty.substr(30));
  EXPECT_EQ(found.texts(), 3);
  EXPECT_EQ(found.short_texts(), 0);
  EXPECT_EQ(found.sequences(), 3u);
  EXPECT_EQ(found.find("x " + ten + " y").size(), 1u);
  EXPECT_TRUE(found.find(ten.substr(3)).empty());
  EXPECT_EQ(found.find(twenty).size(), 1u);
  EXPECT_TRUE(found.find(twenty.substr(3)).empty());
  EXPECT_EQ(found.tasks()[found.find("b0 b1 b2 b3 b4 " + twenty.substr(30)).at(0).task], "mixed");
  EXPECT_TRUE(found.find("b0 b1 b2 b3 b4 " + twenty.substr(33)).empty());
  ContaminationConfig longer;
  longer.words = 11, longer.characters = 21;
  Contamination none(longer);
  none.add("words", ten);
  none.add("characters", twenty);
  EXPECT_EQ(none.short_texts(), 2);
  EXPECT_EQ(none.sequences(), 0u);
}

TEST(Contamination, ChecksumsAreOfSequencesAndTasks) {
  const auto checksum = [](const std::string& task, const std::string& text) {
    Contamination found{ContaminationConfig{}};
    found.add(task, text);
    return found.checksum();
  };
  const std::string one = random_words(1, 12);
  EXPECT_EQ(checksum("a", one), checksum("a", one + "!"));
  EXPECT_NE(checksum("a", one), checksum("b", one));
  EXPECT_NE(checksum("a", one), checksum("a", random_words(2, 12)));
}

}  // namespace
}  // namespace fathom::clean
