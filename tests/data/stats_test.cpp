// What is counted of a corpus.
#include "data/stats.h"

#include <gmock/gmock.h>

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

}  // namespace
}  // namespace fathom
