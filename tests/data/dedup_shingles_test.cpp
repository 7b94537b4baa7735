#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "core/philox.h"
#include "data/dedup/shingles.h"
#include "text/characters.h"

namespace fathom::dedup {
namespace {

std::vector<std::uint32_t> shingles_of(std::string_view text, ShingleOptions options = {}) {
  std::string folded;
  fold_text(text, folded);
  return Shingler(options).shingles(folded);
}

std::string words(int count, int first = 0) {
  std::string text;
  for (int i = first; i < first + count; ++i) text += "word" + std::to_string(i) + " ";
  return text;
}

TEST(Shingles, CountWordsAndCharacters) {
  EXPECT_EQ(shingles_of(words(20)).size(), 16u);
  EXPECT_EQ(shingles_of(words(20), {3, 8}).size(), 18u);
  EXPECT_EQ(shingles_of("春眠不觉晓处处闻啼鸟夜来风雨声").size(), 15u - 8 + 1);
  EXPECT_EQ(shingles_of("春眠不觉晓处处闻啼鸟夜来风雨声", {5, 4}).size(), 15u - 4 + 1);
  EXPECT_EQ(shingles_of("one two three").size(), 1u);
  EXPECT_EQ(shingles_of("春眠").size(), 1u);
  EXPECT_EQ(shingles_of(" ... !\n").size(), 0u);
}

TEST(Shingles, DependOnOrderOfWordsAndNotOnPunctuation) {
  EXPECT_EQ(shingles_of("A cat, sat on -- the MAT today."),
            shingles_of("a cat sat on the mat today"));
  EXPECT_NE(shingles_of("one two three four five"), shingles_of("one two three five four"));
  EXPECT_NE(shingles_of("ab c d e f"), shingles_of("a bc d e f"));
  EXPECT_EQ(shingles_of("春眠，不觉晓。处处 闻啼鸟！"), shingles_of("春眠不觉晓处处闻啼鸟"));
}

// A shingle of both kinds counts one at least: three of five words and four of eight characters.
TEST(Shingles, OfMixedText) {
  EXPECT_EQ(shingles_of("one two three 春眠不觉").size(), 1u);
  EXPECT_EQ(shingles_of("one two three 春眠不").size(), 1u);  // shorter than a shingle: all of it
  EXPECT_EQ(shingles_of("one two three 春眠不觉晓").size(), 2u);
  EXPECT_NE(shingles_of("one two three 春眠不觉"), shingles_of("one two three 春眠不晓"));
}

// An edit of one word changes the shingles that hold it, and no others.
TEST(Shingles, AnEditChangesFive) {
  std::string text = words(100), edited = text;
  edited.replace(edited.find("word50"), 6, "other");
  const auto a = shingles_of(text), b = shingles_of(edited);
  std::vector<std::uint32_t> both;
  std::ranges::set_intersection(a, b, std::back_inserter(both));
  EXPECT_EQ(a.size() - both.size(), 5u);
}

// Against sets of strings: the same Jaccard similarity, also where radix sort is used.
TEST(Shingles, AgreeWithSetsOfStrings) {
  const Philox random{3, 0};
  const auto text_of = [&](std::uint64_t n, int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += std::to_string(random.bits(n * 10000 + i) % 3) + " ";
    return text;
  };
  const auto strings_of = [](const std::string& text) {
    std::istringstream in(text);
    std::vector<std::string> tokens{std::istream_iterator<std::string>(in), {}};
    std::set<std::string> set;
    for (std::size_t i = 0; i + 5 <= tokens.size(); ++i) {
      std::string joined;
      for (std::size_t k = 0; k < 5; ++k) joined += tokens[i + k] + " ";
      set.insert(joined);
    }
    return set;
  };
  for (const int count : {30, 200, 255, 260, 3000}) {
    const std::string a = text_of(1, count), b = text_of(2, count);
    const auto x = shingles_of(a), y = shingles_of(b);
    const auto s = strings_of(a), t = strings_of(b);
    std::vector<std::uint32_t> both;
    std::vector<std::string> same;
    std::ranges::set_intersection(x, y, std::back_inserter(both));
    std::ranges::set_intersection(s, t, std::back_inserter(same));
    EXPECT_EQ(x.size(), s.size()) << count;
    EXPECT_EQ(both.size(), same.size()) << count;
    EXPECT_TRUE(std::ranges::is_sorted(x));
  }
}

}  // namespace
}  // namespace fathom::dedup
