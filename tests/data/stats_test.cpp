// What is counted of a corpus.
#include "data/stats.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "core/philox.h"
#include "io/checksum.h"
#include "io/temp_dir.h"

namespace fathom {
namespace {

using testing::ElementsAre;

TEST(TextStatistics, CountsTextsOfAnyScript) {
  TextStatistics s;
  s.add("One 22, it's\n");
  s.add("中文 and 英");
  EXPECT_EQ(s.documents, 2);
  EXPECT_EQ(s.bytes, 13 + 14);
  EXPECT_EQ(s.characters, 13 + 8);
  EXPECT_EQ(s.words, 4 + 1);
  EXPECT_EQ(s.ideographs, 3);
}

// A document of n bytes is below the next power of two.
TEST(TextStatistics, SizesArePowersOfTwo) {
  for (const auto& [bytes, below] : {std::pair{1, 2},
                                     {2, 4},
                                     {3, 4},
                                     {4, 8},
                                     {127, 128},
                                     {128, 256},
                                     {1000, 1024},
                                     {1024, 2048}}) {
    TextStatistics s;
    s.add(std::string(static_cast<std::size_t>(bytes), 'x'));
    for (const double share : {0.01, 0.5, 1.0}) EXPECT_EQ(s.size_at(share), below) << bytes;
  }
  EXPECT_EQ(TextStatistics().size_at(0.5), 0);
}

TEST(TextStatistics, SizesAreOfTheShareAskedFor) {
  TextStatistics some, more;
  for (int i = 0; i < 50; ++i) some.add(std::string(10, 'x'));
  for (int i = 0; i < 49; ++i) more.add(std::string(100, 'x'));
  more.add(std::string(5000, 'x'));
  EXPECT_THAT(more.sizes, ElementsAre(0, 0, 0, 0, 0, 0, 49, 0, 0, 0, 0, 0, 1));
  some.add(more);
  EXPECT_EQ(some.documents, 100);
  EXPECT_EQ(some.bytes, 50 * 10 + 49 * 100 + 5000);
  EXPECT_EQ(some.size_at(0.5), 16);
  EXPECT_EQ(some.size_at(0.51), 128);
  EXPECT_EQ(some.size_at(0.99), 128);
  EXPECT_EQ(some.size_at(1), 8192);
}

TEST(CorpusStatistics, AreOfEachLanguage) {
  const test::TempDir dir;
  test::write_file(dir / "a.txt",
                   "The children of the village went down to the river to see the boats.\n"
                   "村里的孩子们到河边去看船，他们在那里玩了一天。\n"
                   "\n"
                   "There was nothing that anybody could have done about the weather.\n");
  TextSourceConfig source;
  source.name = "a";
  source.paths = {dir / "a.txt"};
  source.format = TextFormat::lines;
  const CorpusStatistics statistics = corpus_statistics(source, 2);
  ASSERT_EQ(statistics.languages.size(), 2u);
  EXPECT_EQ(statistics.languages.at("en").documents, 2);
  EXPECT_EQ(statistics.languages.at("en").words, 14 + 11);
  EXPECT_EQ(statistics.languages.at("en").ideographs, 0);
  EXPECT_EQ(statistics.languages.at("zh").documents, 1);
  EXPECT_EQ(statistics.languages.at("zh").ideographs, 21);
  EXPECT_EQ(statistics.all().documents, 3);
  EXPECT_EQ(statistics.all().words, 25);
  EXPECT_EQ(statistics.all().ideographs, 21);
}

TEST(TextStatistics, AnEmptyTextIsAmongTheSmallest) {
  TextStatistics s;
  s.add("");
  EXPECT_EQ(s.documents, 1);
  EXPECT_EQ(s.bytes, 0);
  EXPECT_THAT(s.sizes, ElementsAre(1));
  EXPECT_EQ(s.size_at(1), 2);
  s.add("1234");
  EXPECT_EQ(s.size_at(0.5), 2) << "half of the documents, to the last one";
  EXPECT_EQ(s.size_at(0.51), 8);
}

TextSourceConfig ten_lines(const test::TempDir& dir) {
  std::string lines;
  for (int i = 0; i < 10; ++i) lines += "line " + std::to_string(i) + "\n";
  test::write_file(dir / "a.txt", lines);
  TextSourceConfig source;
  source.name = "a";
  source.paths = {dir / "a.txt"};
  source.format = TextFormat::lines;
  return source;
}

// Those whose places have the smallest numbers, in the order of reading.
TEST(DocumentSample, IsDrawnByPlacesAndTheSeed) {
  const test::TempDir dir;
  const TextSourceConfig source = ten_lines(dir);
  std::set<std::vector<std::string>> samples;
  for (const std::uint64_t seed : {1u, 2u, 3u}) {
    const Philox random{seed, stream_of("sample", 6)};
    std::vector<std::pair<std::uint64_t, int>> ranks;
    for (int i = 0; i < 10; ++i) {
      ranks.emplace_back(random.bits(checksum_of(fmt::format("{}:{}", dir / "a.txt", i + 1))), i);
    }
    std::ranges::sort(ranks);
    std::vector<int> drawn;
    for (int i = 0; i < 4; ++i) drawn.push_back(ranks[static_cast<std::size_t>(i)].second);
    std::ranges::sort(drawn);
    std::vector<std::string> expected;
    for (const int i : drawn) {
      expected.push_back(fmt::format("{{\"text\": \"line {}\", \"source\": \"{}:{}\"}}\n", i,
                                     dir / "a.txt", i + 1));
    }
    for (const int threads : {1, 3}) {
      EXPECT_EQ(sample_documents(source, 4, seed, threads).lines, expected) << seed;
    }
    samples.insert(expected);
  }
  EXPECT_GT(samples.size(), 1u);
}

TEST(DocumentSample, IsAllOfFewDocuments) {
  const test::TempDir dir;
  const TextSourceConfig source = ten_lines(dir);
  EXPECT_EQ(sample_documents(source, 10, 0).lines.size(), 10u);
  EXPECT_EQ(sample_documents(source, 11, 0).lines.size(), 10u);
  EXPECT_EQ(sample_documents(source, 1, 0).lines.size(), 1u);
  for (const int count : {0, -3}) {
    EXPECT_EQ(test::input_error_of([&] { sample_documents(source, count, 0); }),
              fmt::format("count: {} is below 1", count));
  }
}

}  // namespace
}  // namespace fathom
