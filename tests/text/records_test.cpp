#include "text/records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "core/error.h"

namespace fathom {
namespace {

using testing::ElementsAre;
using testing::Pair;

class Records : public testing::Test {
 protected:
  ~Records() override {
    for (const std::string& path : paths_) std::filesystem::remove(path);
  }
  std::string write(const std::string& text) {
    const std::string path =
        testing::TempDir() + "records_test_" + std::to_string(paths_.size()) + ".json";
    std::ofstream(path, std::ios::trunc) << text;
    paths_.push_back(path);
    return path;
  }
  static std::vector<std::pair<std::uint64_t, std::string>> read(std::vector<std::string> paths) {
    std::vector<std::pair<std::uint64_t, std::string>> records;
    RecordReader reader(std::move(paths));
    for (JsonRecord record; reader.next(record);) records.emplace_back(record.line, record.json);
    return records;
  }
  std::string problem(const std::string& text) {
    const std::string path = write(text);
    try {
      read({path});
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::input);
      const std::string what = error.what();
      EXPECT_EQ(what.find(path), 0u) << what;
      return what.substr(path.size());
    }
    return "nothing was thrown";
  }
  std::vector<std::string> paths_;
};

TEST_F(Records, LinesArraysAndObjectsBesideEachOther) {
  EXPECT_THAT(read({write("{\"a\": 1}\n\n  \n{\"b\": [2]}")}),
              ElementsAre(Pair(1, "{\"a\": 1}"), Pair(4, "{\"b\": [2]}")));
  EXPECT_THAT(read({write("\n[\n {\"a\":\n1},\n{\"b\": \"]\\\"\"} ]\n")}),
              ElementsAre(Pair(3, "{\"a\":\n1}"), Pair(5, "{\"b\": \"]\\\"\"}")));
  EXPECT_THAT(read({write("{\"a\":\n1}\n{\"b\": 2}")}),
              ElementsAre(Pair(1, "{\"a\":\n1}"), Pair(3, "{\"b\": 2}")));
  EXPECT_THAT(read({write("[]")}), ElementsAre());
}

TEST_F(Records, SeveralFilesAfterEachOther) {
  const std::string array = write("[{\"a\": 1}]"), empty = write(""), lines = write("{\"b\": 2}\n");
  EXPECT_THAT(read({array, empty, lines, array}),
              ElementsAre(Pair(1, "{\"a\": 1}"), Pair(1, "{\"b\": 2}"), Pair(1, "{\"a\": 1}")));
  RecordReader reader({array, lines});
  for (JsonRecord record; reader.next(record);) EXPECT_GT(reader.file_bytes_read(), 0u);
  EXPECT_EQ(reader.file_bytes_read(), 19u);
  // Of files before the present one all bytes.
  RecordReader twice({lines, lines});
  JsonRecord record;
  ASSERT_TRUE(twice.next(record));
  EXPECT_EQ(twice.file_bytes_read(), 9u);
  ASSERT_TRUE(twice.next(record));
  EXPECT_EQ(twice.file_bytes_read(), 18u);
  EXPECT_FALSE(twice.next(record));
  EXPECT_EQ(twice.file_bytes_read(), 18u);
}

TEST_F(Records, TellTheirFileAndLine) {
  const std::string lines = write("\n{\"a\": 1}\n"), array = write("[{\"b\":\n2},\n\n{\"c\": 3}]");
  RecordReader reader({lines, array});
  std::vector<std::string> places;
  for (JsonRecord record; reader.next(record);)
    places.push_back(record.file + ":" + std::to_string(record.line));
  EXPECT_THAT(places, ElementsAre(lines + ":2", array + ":1", array + ":4"));
  EXPECT_THAT(read({array, array}), ElementsAre(Pair(1, testing::_), Pair(4, testing::_),
                                                Pair(1, testing::_), Pair(4, testing::_)));
}

// A line is the caller's to check; a broken array has no next row.
TEST_F(Records, BrokenFilesAreNamed) {
  EXPECT_THAT(read({write("{\"a\": 1}\n{broken\n")}),
              ElementsAre(Pair(1, "{\"a\": 1}"), Pair(2, "{broken")));
  EXPECT_EQ(problem("[\n{\"a\": 1},\n{\"a\" 2}]"), ":3: not valid JSON");
  EXPECT_EQ(problem("[{\"a\": 1},\n"), ": the JSON array has no end; the file is cut");
  EXPECT_EQ(problem("[{\"a\": 1}]\n[{\"a\": 2}]"), ":1: there is more behind the JSON array");
  EXPECT_EQ(problem("a,b\n1,2\n"),
            ": holds no JSON objects; wants JSON lines, a JSON array or Parquet");
  EXPECT_EQ(problem("%PDF-1.4"), ": holds a PDF document; convert it to text");
}

}  // namespace
}  // namespace fathom
