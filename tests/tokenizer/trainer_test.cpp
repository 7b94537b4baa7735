#include "tokenizer/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "core/error.h"
#include "core/parallel.h"
#include "io/temp_dir.h"
#include "tokenizer/piece_counter.h"

namespace fathom {
namespace {

std::string temporary(const std::string& name) {
  static const test::TempDir directory("trainer");
  return directory / name;
}

std::string sample(const std::string& name, int lines) {
  const std::string path = temporary(name);
  std::ofstream file(path);
  for (int i = 0; i < lines; ++i) {
    file << "the quick brown fox " << i << " jumps, over 北京 and 上海大学 the lazy dog\n";
    file << "words of line " << i * 7919 % 1000 << " repeat as they do\n";
  }
  return path;
}

TokenizerTrainConfig config_for(const std::string& path) {
  TokenizerTrainConfig config;
  config.files = {path};
  config.vocab_size = 300;
  return config;
}

TEST(Trainer, ResultDoesNotDependOnThreads) {
  const auto config = config_for(sample("threads.txt", 20000));
  set_num_threads(1);
  const auto one = train_tokenizer(config);
  set_num_threads(3);
  const auto three = train_tokenizer(config);
  EXPECT_EQ(one.tokenizer.to_json(), three.tokenizer.to_json());
  EXPECT_THAT(one.report, testing::HasSubstr("Latin"));
}

// Words that occur once each, more of them than 16 MB hold, around some that repeat. "ZZ"
// is the first and the last word.
std::string many_words(const std::string& name) {
  const std::string path = temporary(name);
  std::ofstream file(path);
  file << "ZZ\n";
  for (int i = 0; i < 300000; ++i) {
    std::string word = "qx";
    for (int rest = i * 7 + 11; rest > 0; rest /= 21) word += static_cast<char>('a' + rest % 21);
    file << word << (i % 3 == 0 ? " common words\n" : "\n");
  }
  file << "ZZ\n";
  return path;
}

TEST(Trainer, MemoryBoundDoesNotDependOnThreads) {
  auto config = config_for(many_words("many.txt"));
  config.report_mb = 0;
  const auto train = [&](int threads, std::int64_t memory_mb) {
    set_num_threads(threads);
    config.memory_mb = memory_mb;
    return train_tokenizer(config).tokenizer.to_json();
  };
  const std::string bounded = train(1, 16);
  // Counted in rounds: its first occurrence was forgotten before the second came.
  EXPECT_EQ(bounded.find("\"ZZ\""), std::string::npos);
  EXPECT_EQ(train(3, 16), bounded);
}

TEST(PieceTable, StaysWithinItsBoundAndKeepsWhatIsFrequent) {
  using tokenizer::PieceCounter;
  constexpr std::size_t bound = 4 << 20;
  tokenizer::PieceTable table(bound);
  std::uint64_t number = 0;
  for (int round = 0; round < 10; ++round) {
    std::vector<PieceCounter> counters(2);
    for (int i = 0; i < 20000; ++i) {
      counters[0].add("rare piece " + std::to_string(++number));
      if (i % 1000 == 0) counters[static_cast<std::size_t>(i / 1000 % 2)].add("frequent", 3);
    }
    table.add(counters);
    EXPECT_LE(table.memory(), bound);
  }
  EXPECT_EQ(table.pruned_below(), 2u);
  std::uint64_t frequent = 0, kinds = 0;
  for (const PieceCounter& part : table.parts()) {
    part.for_each([&](std::string_view piece, std::uint64_t count) {
      ++kinds;
      if (piece == "frequent") frequent += count;
    });
  }
  EXPECT_EQ(frequent, 10u * 20 * 3);
  EXPECT_LT(kinds, 60000u);
}

TEST(PieceTable, PrunesHarderWhereItMust) {
  tokenizer::PieceTable table(4 << 20);
  std::vector<tokenizer::PieceCounter> counters(1);
  for (int i = 0; i < 100000; ++i) counters[0].add("seen twice " + std::to_string(i), 2);
  counters[0].add("seen thrice", 3);
  table.add(counters);
  EXPECT_EQ(table.pruned_below(), 3u);
  std::vector<std::string> left;
  for (const auto& part : table.parts()) {
    part.for_each([&](std::string_view piece, std::uint64_t) { left.emplace_back(piece); });
  }
  EXPECT_THAT(left, testing::ElementsAre("seen thrice"));
}

TEST(Trainer, SplitsAsTheReportDoes) {
  const auto t = train_tokenizer(config_for(sample("split.txt", 2000))).tokenizer;
  EXPECT_EQ(t.vocab_size() % 64, 0);
  EXPECT_TRUE(t.eos_id() && t.bos_id() && t.pad_id());
  EXPECT_EQ(t.id_to_bytes(256).size(), 2u);
  for (std::int32_t id = 256; id < 300; ++id) {
    const std::string bytes(t.id_to_bytes(id));
    EXPECT_EQ(bytes.find_first_of("0123456789\n"), std::string::npos) << bytes;
  }
  const std::string text = "the fox 12\n北京, ok";
  EXPECT_EQ(t.decode(t.encode(text)), text);
}

TEST(Trainer, FillsTheVocabularyUpToAMultiple) {
  auto config = config_for(sample("multiple.txt", 500));
  config.special_tokens = {"<a>"};
  config.pad_to_multiple = 7;
  const auto t = train_tokenizer(config).tokenizer;
  EXPECT_EQ(t.vocab_size(), 301);
  EXPECT_EQ(t.token_to_id("<a>"), 300);
  config.pad_to_multiple = 10;
  EXPECT_EQ(train_tokenizer(config).tokenizer.vocab_size(), 310);
}

TEST(Trainer, RefusesSizesThatMakeNoSense) {
  auto config = config_for(sample("small.txt", 10));
  config.vocab_size = 255;
  EXPECT_THROW(train_tokenizer(config), Error);
  config = config_for("/nonexistent/text");
  EXPECT_THROW(train_tokenizer(config), Error);
  config = config_for(sample("small.txt", 10));
  config.special_tokens = {"<a>", "<a>"};
  EXPECT_THROW(train_tokenizer(config), Error);
}

}  // namespace
}  // namespace fathom
