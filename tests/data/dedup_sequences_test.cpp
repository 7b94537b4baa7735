// Sequences of tokens that were in the texts before.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <map>
#include <set>

#include "data/dedup/cut_text.h"
#include "data/dedup/dedup.h"
#include "data/dedup/exact_tokens.h"
#include "data/dedup/sequences.h"
#include "data/dedup_corpus.h"

namespace fathom::dedup {
namespace {

using test::input_error_of;
using test::TempDir;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> exact_tokens(std::string_view text) {
  std::vector<std::string> tokens;
  for_each_exact_token(text, [&](std::uint64_t, const char* begin, const char* end) {
    tokens.emplace_back(begin, end);
  });
  return tokens;
}

TEST(ExactTokens, AreWordsAndSingleCharacters) {
  EXPECT_THAT(exact_tokens(" Don't x1=\té。\n中文ab７\u3000-- "),
              ElementsAre("Don", "'", "t", "x1", "=", "é", "。", "中", "文", "ab７", "--"));
  EXPECT_TRUE(exact_tokens("\n \t").empty());
  std::set<std::uint64_t> hashes;
  for (const char* token :
       {"a", "A", "b", "ab", "ba", "１", "1", "中", "。", ".", "aa", "..", "...", "。。"}) {
    for_each_exact_token(
        token, [&](std::uint64_t hash, const char*, const char*) { hashes.insert(hash); });
  }
  EXPECT_EQ(hashes.size(), 14u);
}

TEST(ExactTokens, EqualMarksInARowAreOne) {
  std::string ruler = "# " + std::string(80, '-') + "\n";
  for (int i = 0; i < 60; ++i) ruler += "─";
  EXPECT_EQ(exact_tokens(ruler).size(), 3u);
  EXPECT_THAT(exact_tokens("=->>- -"), ElementsAre("=", "-", ">>", "-", "-"));
  EXPECT_THAT(exact_tokens("哈哈……一一"), ElementsAre("哈", "哈", "……", "一", "一"));
}

// Of the Thue-Morse sequence and its complement polynomials are equal modulo 2^64 in every odd
// number, from 2^11 tokens on.
TEST(SequenceHasher, TellsThueMorseSequencesApart) {
  std::string sequence, complement;
  for (unsigned i = 0; i < 4096; ++i) {
    const bool odd = std::popcount(i) % 2 == 1;
    sequence += odd ? "a " : "b ", complement += odd ? "b " : "a ";
  }
  for (const std::int64_t length : {1024, 2048, 4096}) {
    SequenceHasher hasher(length);
    std::vector<std::uint64_t> a, b;
    hasher.hash(sequence, a);
    hasher.hash(complement, b);
    EXPECT_NE(a.at(0), b.at(0)) << length;
  }
}

TEST(SequenceHasher, EqualSequencesHaveEqualHashes) {
  SequenceHasher hasher(3);
  std::vector<std::uint64_t> a, b;
  hasher.hash("x a b c d e", a);
  hasher.hash("b  c\nd", b);
  ASSERT_EQ(a.size(), 4u);
  ASSERT_EQ(b.size(), 1u);
  EXPECT_EQ(a[2], b[0]);
  EXPECT_EQ(std::set<std::uint64_t>(a.begin(), a.end()).size(), 4u);
  hasher.hash("a b", b);
  EXPECT_TRUE(b.empty());
  hasher.hash("d c b", b);
  EXPECT_NE(a[2], b[0]) << "order counts";
}

TEST(CutText, TakesSequencesOut) {
  std::uint64_t removed = 0;
  const auto cut = [&](std::string_view text, const std::vector<std::uint32_t>& first,
                       std::int64_t length) {
    return without_sequences(text, first, length, removed);
  };
  EXPECT_EQ(cut("a b c d e", {1}, 2), "a d e");
  EXPECT_EQ(removed, 2u);
  EXPECT_EQ(cut(" a b c d e\n", {0}, 2), "c d e\n");
  EXPECT_EQ(cut(" a b c d e\n", {3}, 2), " a b c");
  EXPECT_EQ(cut("a b c d e f g", {1, 2, 5}, 2), "a e");
  EXPECT_EQ(removed, 5u);
  EXPECT_EQ(cut("a b c d", {0, 2}, 2), "");
  EXPECT_EQ(cut("a\nb c\n\nd", {1}, 2), "a\n\nd");
  EXPECT_EQ(cut("a b c\nd", {1}, 2), "a\nd");
  EXPECT_EQ(cut("if x:\n    y\n    b = c\n    z", {3}, 4), "if x:\n    z");
  EXPECT_EQ(cut("if x:\n    b c d\n", {3}, 2), "if x:\n    d\n") << "the beginning of a line went";
  EXPECT_EQ(cut("a b\n    c\n", {0}, 2), "    c\n");
  EXPECT_EQ(cut("a\n\n  b c\n\n\td", {1}, 2), "a\n\n\td");
  EXPECT_EQ(cut("一\n\u3000\u3000二三\n\u3000\u3000四", {1}, 2), "一\n\u3000\u3000四");
  EXPECT_EQ(cut("a,b,c", {1}, 3), "a c") << "words do not meet";
  EXPECT_EQ(cut("a(b c)d", {1}, 4), "a d");
  EXPECT_EQ(cut("a, b, c.", {1}, 4), "a.");
  EXPECT_EQ(cut("一二三四五", {1}, 3), "一五");
  EXPECT_EQ(cut("一。二三。四", {2}, 3), "一。四");
  EXPECT_EQ(cut("é 二 三 ü", {1}, 2), "é ü");
  EXPECT_EQ(cut("a\u3000二 三\u3000b", {1}, 2), "a b");
  EXPECT_EQ(cut("a b", {}, 2), "a b");
  EXPECT_EQ(removed, 0u);
}

// Texts out of few tokens, so that many sequences are there again.
std::string tokens_at_random(std::uint64_t n, bool chinese) {
  static const std::vector<std::string> english = {"the ", "Mill ", "ran, ", "by\n",
                                                   "1820", ". ",    "it\n\n"},
                                        han = {"磨", "坊", "。", "水", "\n\n", "，", "轮"};
  const std::vector<std::string>& words = chinese ? han : english;
  const Philox random{n, 3};
  std::string text;
  const int length = static_cast<int>(random.bits(1000) % 60);
  for (int i = 0; i < length; ++i) text += words[random.bits(i) % words.size()];
  return text;
}

std::string joined(const std::vector<std::string>& tokens) {
  std::string out;
  for (const std::string& token : tokens) out += token;
  return out;
}

// The tokens left of each document that has a word, without blanks: every token is looked at in
// every sequence that covers it, and each sequence compared with all before it.
std::vector<std::string> expected_texts(const std::vector<std::string>& texts, std::size_t length) {
  std::vector<std::vector<std::string>> sequences;
  std::vector<std::string> left;
  for (const std::string& text : texts) {
    const std::vector<std::string> tokens = exact_tokens(text);
    std::vector<bool> gone(tokens.size());
    std::map<std::vector<std::string>, std::size_t> last;  // of those that are new in this text
    for (std::size_t i = 0; i + length <= tokens.size(); ++i) {
      const auto from = tokens.begin() + static_cast<std::ptrdiff_t>(i);
      const std::vector<std::string> sequence(from, from + static_cast<std::ptrdiff_t>(length));
      const bool known = std::ranges::find(sequences, sequence) != sequences.end();
      const auto before = last.find(sequence);
      const bool within = before != last.end() && i < before->second + length;
      for (std::size_t k = i; known && !within && k < i + length; ++k) gone[k] = true;
      if (!known || before != last.end()) last[sequence] = i;
      sequences.push_back(sequence);
    }
    std::vector<std::string> rest;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (!gone[i]) rest.push_back(tokens[i]);
    }
    const bool whole = rest.size() == tokens.size();
    if (whole || has_words(joined(rest))) left.push_back(joined(rest));
  }
  return left;
}

DedupConfig substrings_of(const TempDir& dir, std::vector<TextSourceConfig> sources,
                          std::int64_t tokens, const std::string& output = "out") {
  DedupConfig config = config_of(dir, std::move(sources), output);
  config.exact = Exact::off, config.minhash.enabled = false;
  config.substrings = {true, tokens};
  return config;
}

TEST(Sequences, AreThoseOfACompareOfAllPairs) {
  for (const bool chinese : {false, true}) {
    for (const std::size_t length : {2u, 3u, 6u}) {
      const TempDir dir;
      std::vector<std::string> texts;
      std::string lines;
      for (std::uint64_t i = 0; i < 40; ++i) {
        const std::string text = tokens_at_random(i, chinese);
        if (text.empty()) continue;
        texts.push_back(text);
        lines += line_of(text);
      }
      const DedupConfig config =
          substrings_of(dir, {source(dir, "a", lines)}, static_cast<std::int64_t>(length));
      deduplicate(config);
      std::vector<std::string> left;
      std::size_t tokens = 0;
      for (const std::string& text : texts_of(config, "a")) {
        EXPECT_EQ(utf8::valid_prefix(text), text.size());
        left.push_back(joined(exact_tokens(text)));
        tokens += exact_tokens(text).size();
      }
      EXPECT_EQ(left, expected_texts(texts, length)) << chinese << length;
      EXPECT_GT(tokens, 15u);
    }
  }
}

TEST(Sequences, OfDistantCopiesTheFirstStays) {
  const TempDir dir;
  const std::string copied = "One two three four five six";
  const DedupConfig config =
      substrings_of(dir, {source(dir, "a", line_of(copied + " seven. " + copied + " eight"))}, 6);
  const DedupReport report = deduplicate(config);
  EXPECT_THAT(texts_of(config, "a"), ElementsAre(copied + " seven. eight"));
  EXPECT_EQ(report.sources[0].cuts.tokens, 6u);
  EXPECT_THAT(lines_of(config.output + "/cuts/a-00000.jsonl.zst"),
              ElementsAre(HasSubstr(R"("tokens": 6, "bytes": 28, "how": "cut"})")));
}

// Rulers and tables are no copies of themselves; in another document they are.
TEST(Sequences, PeriodicTextStaysWhereItIsFirst) {
  const TempDir dir;
  std::string table = "int t[] = {", ruler = "# " + std::string(80, '-') + "\n# ", text;
  for (int i = 0; i < 200; ++i) table += "0, ";
  for (int i = 0; i < 60; ++i) ruler += "─";
  for (int i = 0; i < 30; ++i) text += "one two three. ";
  const std::string first = table + "};\n" + ruler + "\n" + ruler + "\n" + text;
  const DedupConfig config =
      substrings_of(dir, {source(dir, "a", line_of(first) + line_of("And " + text))}, 6);
  const DedupReport report = deduplicate(config);
  EXPECT_THAT(texts_of(config, "a"), ElementsAre(first, "And"));
  EXPECT_EQ(report.sources[0].cuts.tokens, 120u);
}

// Copies of documents that go do not count, nor lines that are taken out before, nor what is left
// of documents that lines take too much from.
TEST(Sequences, AreThoseOfWhatIsLeft) {
  const TempDir dir;
  const std::string line = "A line of more than thirty-two bytes that is in all the documents.\n";
  const std::string a = text_of(1, 60), b = text_of(2, 3), c = text_of(3, 60);
  const TextSourceConfig texts =
      source(dir, "a", line_of(line + a) + line_of(line + a) + line_of(line + b) + line_of(b + c));
  DedupConfig config = substrings_of(dir, {texts}, 3);
  config.exact = Exact::folded;
  config.lines = {true, 1, 1, 32};
  config.max_lost = 0.6;
  const DedupReport report = deduplicate(config);
  EXPECT_THAT(texts_of(config, "a"), ElementsAre(line + a, b + c));
  EXPECT_EQ(report.sources[0].cuts.lost_too_much, 1u);
  EXPECT_EQ(report.sources[0].cuts.tokens, 0u);
}

TEST(Sequences, DependNeitherOnThreadsNorMemory) {
  const TempDir dir;
  std::string lines;
  for (int copy = 0; copy < 2; ++copy) {
    for (int i = 0; i < 40; ++i) {
      std::string text;
      const Philox random{9, static_cast<std::uint64_t>(i)};
      for (int k = 0; k < 30'000; ++k) text += "w" + std::to_string(random.bits(k) % 9000) + " ";
      lines += line_of(text + std::to_string(copy));
    }
  }
  DedupConfig config = substrings_of(dir, {source(dir, "a", lines)}, 5, "one");
  config.threads = 1;
  const DedupReport report = deduplicate(config);
  EXPECT_EQ(report.sources[0].cuts.tokens, 40u * 30'000);
  const auto expected = outputs_of(config);
  config.output = dir / "four";
  config.threads = 4;
  config.memory_mb = 64;  // 16 for sorting 2.4 million records of 16 bytes
  deduplicate(config);
  EXPECT_TRUE(outputs_of(config) == expected);
}

// A call that finds all outputs current does not search again; one that was stopped does.
TEST(Sequences, GoOnAfterAKill) {
  const TempDir dir;
  std::string lines[2];
  for (std::uint64_t i = 0; i < 60; ++i) lines[i % 2] += line_of(tokens_at_random(i, true) + "磨");
  DedupConfig config =
      substrings_of(dir, {source(dir, "a", lines[0]), source(dir, "b", lines[1])}, 4);
  deduplicate(config);
  const auto expected = outputs_of(config);
  const auto log_of_call = [&] {
    testing::internal::CaptureStderr();
    deduplicate(config);
    return testing::internal::GetCapturedStderr();
  };
  EXPECT_THAT(log_of_call(), testing::Not(HasSubstr("searching sequences")));
  std::filesystem::remove(config.output + "/.texts-stamps/b-00000");
  EXPECT_THAT(log_of_call(), HasSubstr("searching sequences"));
  EXPECT_TRUE(outputs_of(config) == expected);
  config.substrings.tokens = 5;
  EXPECT_THAT(log_of_call(), HasSubstr("searching sequences"));
  EXPECT_FALSE(outputs_of(config) == expected);
  config.sources.pop_back();
  EXPECT_THAT(log_of_call(), HasSubstr("substrings are searched in 1 of 2 sources"));
}

TEST(Sequences, RefuseWhatCannotBe) {
  const TempDir dir;
  DedupConfig config = substrings_of(dir, {source(dir, "a", line_of("one text"))}, 1);
  EXPECT_EQ(input_error_of([&] { deduplicate(config); }),
            "substrings.tokens: 1 is not in [2, 1048576]");
  config.substrings.tokens = 50;
  config.write_texts = false;
  EXPECT_EQ(input_error_of([&] { deduplicate(config); }),
            "substrings.enabled takes parts out of texts; it needs write_texts = true");
}

}  // namespace
}  // namespace fathom::dedup
