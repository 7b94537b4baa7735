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
  for (const std::string& block : blocks_of(blocks)) joined += block;
  EXPECT_TRUE(joined == text);
  EXPECT_EQ(blocks.counts().replaced_bytes, 0);
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
