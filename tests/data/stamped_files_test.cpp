#include "data/dedup/stamped_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "core/error.h"
#include "io/temp_dir.h"

namespace fathom::dedup {
namespace {

using test::TempDir;
using test::write_file;
using testing::ElementsAre;

TEST(StampedFiles, KnowWhatTheyWereMadeFrom) {
  const TempDir dir;
  StampedFiles files(dir / "out", "texts");
  const auto write = [](const std::string& path) { write_file(path, "text"); };
  EXPECT_FALSE(files.is_current("a-00000", "one"));
  files.replace("a-00000", "one", write);
  files.replace("b-00000", "two", write);
  EXPECT_TRUE(files.is_current("a-00000", "one"));
  EXPECT_FALSE(files.is_current("a-00000", "two"));
  EXPECT_THAT(files.names(), ElementsAre("a-00000", "b-00000"));
  files.remove("a-00000");
  EXPECT_FALSE(files.exists("a-00000"));
  EXPECT_TRUE(StampedFiles(dir / "out", "texts").is_current("b-00000", "two"));
}

TEST(StampedFiles, AreCurrentWithTheirFileAlone) {
  const TempDir dir;
  StampedFiles files(dir / "out", "texts");
  EXPECT_EQ(files.path("a-00000"), dir / "out/texts/a-00000.jsonl.zst");
  files.replace("a-00000", "one", [](const std::string& path) { write_file(path, "text"); });
  EXPECT_EQ(test::read_file(dir / "out/.texts-stamps/a-00000"), "one");
  std::filesystem::remove(files.path("a-00000"));
  EXPECT_FALSE(files.is_current("a-00000", "one"));
  write_file(files.path("a-00000"), "text");
  EXPECT_TRUE(files.is_current("a-00000", "one"));
  std::filesystem::remove(dir / "out/.texts-stamps/a-00000");
  EXPECT_FALSE(files.is_current("a-00000", "one"));
  files.remove("b-00000");  // which is not there
}

TEST(StampedFiles, NameWhatTheyHoldInOrder) {
  const TempDir dir;
  for (const char* name :
       {"b.jsonl.zst", "a.x.jsonl.zst", "c.jsonl", "d.jsonl.zst.tmp-2000000000-0"}) {
    write_file(dir / (std::string("out/texts/") + name), "x");
  }
  write_file(dir / "out/.texts-stamps/b.tmp-2000000000-0", "x");
  const StampedFiles files(dir / "out", "texts");
  EXPECT_THAT(files.names(), ElementsAre("a.x", "b"));
  EXPECT_FALSE(std::filesystem::exists(dir / "out/texts/d.jsonl.zst.tmp-2000000000-0"));
  EXPECT_FALSE(std::filesystem::exists(dir / "out/.texts-stamps/b.tmp-2000000000-0"));
}

// A replacement that fails half way leaves one of the two files, under no stamp.
TEST(StampedFiles, AFailedReplacementIsNotCurrent) {
  const TempDir dir;
  StampedFiles files(dir / "out", "texts");
  files.replace("a-00000", "one", [](const std::string& path) { write_file(path, "old"); });
  const auto fail = [](const std::string& path) {
    write_file(path, "new");
    fail_input("stopped behind the rename");
  };
  EXPECT_EQ(test::input_error_of([&] { files.replace("a-00000", "two", fail); }),
            "stopped behind the rename");
  EXPECT_FALSE(files.is_current("a-00000", "one"));
  EXPECT_FALSE(files.is_current("a-00000", "two"));
  EXPECT_TRUE(files.exists("a-00000"));
}

}  // namespace
}  // namespace fathom::dedup
