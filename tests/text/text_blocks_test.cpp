#include "text/text_blocks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "io/packed.h"
#include "io/temp_dir.h"

namespace fathom {
namespace {

using test::TempDir;
using test::write_file;
using testing::ElementsAre;

std::vector<std::string> blocks_of(TextBlocks& blocks) {
  std::vector<std::string> all;
  for (TextBlock block; blocks.cut(block);) {
    for (Document& document : blocks.read(std::move(block))) {
      all.push_back(std::move(document.text));
    }
  }
  return all;
}

TEST(TextBlocks, TextIsCutAfterNewlinesAndRecordsStayApart) {
  const TempDir dir;
  std::string text;
  for (int i = 0; i < 300'000; ++i) text += "line " + std::to_string(i) + "\r\n";
  write_file(dir / "a.txt", test::gzip(text + "end"));
  write_file(dir / "b", test::xz("{\"body\": \"one\"}\n\n{\"body\": \"two\", \"x\": NaN}\n"));
  TextBlocks blocks({dir / "a.txt", dir / "b"}, "body");
  const auto all = blocks_of(blocks);
  ASSERT_GT(all.size(), 4u);
  std::string joined;
  for (std::size_t i = 0; i + 2 < all.size(); ++i) {
    joined += all[i];
    EXPECT_TRUE(all[i].ends_with("\n") || all[i].ends_with("end"));
    EXPECT_LT(all[i].size(), 2u << 20);
  }
  EXPECT_TRUE(joined == text + "end");
  EXPECT_EQ(all[all.size() - 2], "one");
  EXPECT_EQ(all.back(), "two");
  EXPECT_EQ(blocks.position(), TextBlocks::total_size({dir / "a.txt", dir / "b"}));
  EXPECT_EQ(blocks.counts().repaired_documents, 0);
}

TEST(TextBlocks, LongLinesAreCutBetweenCharacters) {
  const TempDir dir;
  std::string text = "a";
  while (text.size() < (33u << 20)) text += "\xe4\xb8\xad";
  write_file(dir / "a", text);
  TextBlocks blocks({dir / "a"}, "text");
  std::string joined;
  std::vector<std::size_t> sizes;
  for (const std::string& block : blocks_of(blocks)) {
    joined += block;
    sizes.push_back(block.size());
  }
  EXPECT_TRUE(joined == text);
  EXPECT_EQ(blocks.counts().replaced_bytes, 0);
  constexpr std::size_t most = 16 << 20;
  // The second would end inside a character.
  EXPECT_THAT(sizes, ElementsAre(most, most - 1, text.size() - 2 * most + 1));
}

// Each block tells its file, its first line, its length and its number.
TEST(TextBlocks, BlocksTellWhereTheyBegin) {
  const TempDir dir;
  const std::string line(1023, 'x'), kib = line + "\n";
  std::string text;
  for (int i = 0; i < 2500; ++i) text += kib;
  write_file(dir / "a", text);
  write_file(dir / "b", "short\n");
  TextBlocks blocks({dir / "a", dir / "b"}, "text");
  std::vector<std::string> places;
  for (TextBlock block; blocks.cut(block);) {
    ASSERT_EQ(block.documents.size(), 1u);
    places.push_back(fmt::format("{} {} {}", block.number, block.bytes / 1024,
                                 block.documents[0].where().substr(dir.path().size() + 1)));
  }
  EXPECT_THAT(places, ElementsAre("0 1024 a:1", "1 1024 a:1025", "2 452 a:2049", "3 0 b:1"));
}

TEST(TextBlocks, RecordsFillABlockOfAMegabyte) {
  const TempDir dir;
  // With its line end a record is 1024 bytes long.
  const std::string record = "{\"text\": \"" + std::string(1011, 'x') + "\"}\n";
  std::string text;
  for (int i = 0; i < 2049; ++i) text += record;
  write_file(dir / "a", text);
  TextBlocks blocks({dir / "a"}, "text");
  std::vector<std::size_t> records;
  for (TextBlock block; blocks.cut(block);) {
    EXPECT_EQ(block.bytes, block.documents.size() * 1024);
    records.push_back(block.documents.size());
  }
  EXPECT_THAT(records, ElementsAre(1024, 1024, 1));
}

// Threads may finish a later block first.
TEST(TextBlocks, TheFirstRepairedTextIsThatOfTheFirstBlock) {
  const TempDir dir;
  std::string text((1 << 20) - 1, 'x');
  text += "\n\xff\n";
  text[9] = '\xff';
  write_file(dir / "a", text);
  for (const bool later_first : {false, true}) {
    TextBlocks blocks({dir / "a"}, "text");
    TextBlock one, two;
    ASSERT_TRUE(blocks.cut(one) && blocks.cut(two));
    if (later_first) blocks.read(std::move(two));
    blocks.read(std::move(one));
    if (!later_first) blocks.read(std::move(two));
    EXPECT_EQ(blocks.counts().first_repaired, (dir / "a") + ":1");
    EXPECT_EQ(blocks.counts().repaired_documents, 2);
  }
}

TEST(TextBlocks, SizesAddUpAndFilesThatAreGoneHaveNone) {
  const TempDir dir;
  write_file(dir / "a", "12");
  write_file(dir / "b", "345");
  EXPECT_EQ(TextBlocks::total_size({dir / "a", dir / "absent", dir / "b"}), 5u);
}

TEST(TextBlocks, StrayBytesAreReplacedAndCounted) {
  const TempDir dir;
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += "ten bytes\n";
  text[1'999'990] = '\xff';
  text[1'000'000] = '\xff';
  write_file(dir / "a", text);
  TextBlocks blocks({dir / "a"}, "text");
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) threads.emplace_back([&] { blocks_of(blocks); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(lines_about(blocks.counts()),
              ElementsAre("2 bytes in 2 texts are not UTF-8 (the first: " + (dir / "a") +
                          ":100001); U+FFFD replaces each broken character"));
}

}  // namespace
}  // namespace fathom
