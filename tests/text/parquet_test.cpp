// The files are tests/golden/parquet's, written by pyarrow.
#include "text/parquet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "io/packed.h"
#include "io/temp_dir.h"
#include "text/document.h"
#include "text/records.h"
#include "text/text_blocks.h"

namespace fathom {
namespace {

using test::input_error_of;
using test::read_file;
using test::TempDir;
using test::write_file;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

std::string golden(const std::string& name) {
  return std::string(FATHOM_SOURCE_DIR) + "/tests/golden/parquet/" + name;
}

std::vector<std::string> rows_of(const std::string& path, std::vector<std::string> columns = {}) {
  const auto reader = open_parquet(path, columns);
  std::vector<std::string> rows;
  for (std::string row; reader->next(row);) rows.push_back(row);
  return rows;
}

std::vector<std::string> texts_of(const std::string& path, const DocumentOptions& options,
                                  DocumentCounts& counts) {
  std::vector<std::string> texts;
  for (const Document& document : read_documents(path, options, counts)) {
    texts.push_back(document.text);
  }
  return texts;
}

TEST(Parquet, RowsOfEveryTypeAreTheirJson) {
  for (const char* name : {"types", "chats"}) {
    const auto rows = rows_of(golden(std::string(name) + ".parquet"));
    std::ifstream lines(golden(std::string(name) + ".jsonl"));
    std::size_t row = 0;
    for (std::string line; std::getline(lines, line); ++row) {
      ASSERT_LT(row, rows.size());
      const auto wanted = nlohmann::ordered_json::parse(line);
      const auto found = nlohmann::ordered_json::parse(rows[row]);
      ASSERT_EQ(found.size(), wanted.size());
      auto other = found.items().begin();
      for (const auto& [key, value] : wanted.items()) {
        EXPECT_EQ(other.key(), key);
        EXPECT_EQ(other.value(), value) << key << " of row " << row;
        EXPECT_EQ(other.value().type(), value.type()) << key << " of row " << row;
        ++other;
      }
    }
    EXPECT_EQ(row, rows.size());
  }
  // Numbers with a fraction stay so, and the shortest digits are written.
  EXPECT_THAT(rows_of(golden("types.parquet"), {"f64", "f32"}),
              ElementsAre(R"({"f32":0.25,"f64":1.0})", R"({"f32":null,"f64":1e-300})",
                          R"({"f32":null,"f64":null})"));
}

TEST(Parquet, ColumnsAreReadByName) {
  EXPECT_THAT(rows_of(golden("plain.parquet"), {"text"}),
              ElementsAre(R"({"text":"first document\u000a"})", R"({"text":""})"));
  EXPECT_EQ(rows_of(golden("plain.parquet"), {"id", "absent"}).at(1), R"({"id":1})");
  EXPECT_EQ(rows_of(golden("plain.parquet")).at(1), R"({"id":1,"text":""})");
  EXPECT_EQ(rows_of(golden("types.parquet"), {"struct"}).at(0),
            R"({"struct":{"a":1,"b":{"c":"x"}}})");
  EXPECT_EQ(
      input_error_of([] {
        rows_of(golden("plain.parquet"), {"body", "prompt"});
      }),
      golden("plain.parquet") + ": has no column 'body' or 'prompt'; its columns are: id, text");
  EXPECT_THAT(rows_of(golden("no_rows.parquet"), {"text"}), ElementsAre());
}

TEST(Parquet, WhatJsonLacksIsRefusedByColumn) {
  const auto problem = [](const char* name) {
    return input_error_of([&] { rows_of(golden(name)); }).substr(golden(name).size());
  };
  EXPECT_EQ(problem("images.parquet"),
            ": the column 'image.bytes' holds binary data, which JSON has no form for; write the "
            "file without it");
  EXPECT_EQ(
      problem("numbered.parquet"),
      ": the column 'counts' holds a map whose keys are no texts, which JSON has no form for; "
      "write the file without it");
  // A column that nobody reads may hold anything.
  EXPECT_THAT(rows_of(golden("images.parquet"), {"text"}), ElementsAre(R"({"text":"a"})"));
}

TEST(Parquet, DocumentsAreRowsOfAColumn) {
  DocumentCounts counts;
  DocumentOptions options;
  const std::string path = golden("documents.parquet");
  EXPECT_EQ(input_error_of([&] {
              DocumentCounts before;
              texts_of(path, options, before);
            }),
            path + ":4: the field 'text' is not a string; mend or remove the line");
  options.skip_broken_lines = true;
  const auto documents = read_documents(path, options, counts);
  ASSERT_EQ(documents.size(), 4u);
  EXPECT_EQ(documents[1].text, "第三篇");
  EXPECT_EQ(documents[1].source, path + ":3");
  EXPECT_EQ(documents[2].metadata, R"({"text":"the \"fifth\""})");
  EXPECT_EQ(documents[3].source, path + ":6");
  EXPECT_EQ(counts.empty_documents, 1);
  EXPECT_EQ(counts.broken_lines, 1);
  EXPECT_EQ(counts.first_broken, path + ":4");
}

TEST(Parquet, ContentDecidesNotTheName) {
  const TempDir dir;
  DocumentCounts counts;
  std::filesystem::copy_file(golden("plain.parquet"), dir / "a.txt");
  for (const TextFormat format : {TextFormat::automatic, TextFormat::jsonl, TextFormat::parquet}) {
    DocumentOptions options;
    options.format = format;
    EXPECT_THAT(texts_of(dir / "a.txt", options, counts), ElementsAre("first document\n"));
  }
  DocumentOptions options;
  options.format = TextFormat::lines;
  EXPECT_EQ(input_error_of([&] { texts_of(dir / "a.txt", options, counts); }),
            (dir / "a.txt") + ": holds Parquet, each row a document; set the format to auto");
  options.format = TextFormat::parquet;
  write_file(dir / "b.parquet", "PAR1 and PAR2 are files of parity");
  EXPECT_EQ(input_error_of([&] { texts_of(dir / "b.parquet", options, counts); }),
            (dir / "b.parquet") + ": is no Parquet file; set the format to auto");
  options.format = TextFormat::automatic;
  EXPECT_THAT(texts_of(dir / "b.parquet", options, counts), ElementsAre(StartsWith("PAR1 and")));
}

TEST(Parquet, RecordsAndBlocksOfSeveralFiles) {
  const TempDir dir;
  write_file(dir / "a.jsonl", "{\"text\": \"line\"}\n");
  const std::vector<std::string> files = {dir / "a.jsonl", golden("plain.parquet"),
                                          dir / "a.jsonl"};
  RecordReader reader(files);
  std::vector<std::string> records;
  for (JsonRecord record; reader.next(record);) {
    records.push_back(std::filesystem::path(record.where()).filename().string() + " " +
                      record.json);
  }
  EXPECT_THAT(records, ElementsAre("a.jsonl:1 {\"text\": \"line\"}",
                                   R"(plain.parquet:1 {"id":0,"text":"first document\u000a"})",
                                   R"(plain.parquet:2 {"id":1,"text":""})",
                                   "a.jsonl:1 {\"text\": \"line\"}"));
  const std::uint64_t bytes = TextBlocks::total_size(files);
  EXPECT_EQ(reader.file_bytes_read(), bytes);
  TextBlocks blocks(files, "text");
  std::vector<std::string> texts;
  for (TextBlock block; blocks.cut(block);) {
    for (const Document& document : blocks.read(std::move(block))) texts.push_back(document.text);
  }
  EXPECT_THAT(texts, ElementsAre("line", "first document\n", "line"));
  EXPECT_EQ(blocks.position(), bytes);
}

TEST(Parquet, ProgressFollowsTheRows) {
  const auto reader = open_parquet(golden("documents.parquet"), std::vector<std::string>{"id"});
  const auto size = std::filesystem::file_size(golden("documents.parquet"));
  std::string row;
  EXPECT_EQ(reader->file_position(), 0u);
  for (std::uint64_t i = 1; reader->next(row); ++i)
    EXPECT_EQ(reader->file_position(), size * i / 6);
  EXPECT_EQ(reader->file_position(), size);
  EXPECT_EQ(
      open_parquet(golden("no_rows.parquet"), std::vector<std::string>{"id"})->file_position(),
      std::filesystem::file_size(golden("no_rows.parquet")));
}

TEST(Parquet, PackedOnesAndPipesAreRefused) {
  const TempDir dir;
  write_file(dir / "a.gz", test::gzip(read_file(golden("plain.parquet"))));
  EXPECT_EQ(input_error_of([&] { rows_of(dir / "a.gz"); }),
            (dir / "a.gz") + ": holds packed Parquet, which is read from its end; unpack it first");
  RecordReader packed({dir / "a.gz"});
  JsonRecord record;
  EXPECT_THAT(input_error_of([&] { packed.next(record); }), HasSubstr("holds packed Parquet"));
  ASSERT_EQ(mkfifo((dir / "pipe").c_str(), 0600), 0);
  std::thread writer(
      [&] { std::ofstream(dir / "pipe", std::ios::binary) << read_file(golden("plain.parquet")); });
  RecordReader piped({dir / "pipe"});
  EXPECT_EQ(input_error_of([&] { piped.next(record); }),
            (dir / "pipe") + ": holds Parquet, which can't be read from a pipe: name a file");
  writer.join();
}

// One clear line, wherever the file ends.
TEST(Parquet, FilesThatAreCutOffAreNamed) {
  const TempDir dir;
  const std::string whole = read_file(golden("documents.parquet"));
  for (std::size_t size = 6; size < whole.size(); size += 7) {
    write_file(dir / "a", whole.substr(0, size));
    DocumentCounts counts;
    EXPECT_EQ(input_error_of([&] { texts_of(dir / "a", {}, counts); }),
              (dir / "a") + ": holds Parquet without its end; the file is cut off");
  }
  // The first half is lost, and the end is whole.
  write_file(dir / "a", "PAR1" + whole.substr(whole.size() / 2));
  const std::string problem = input_error_of([&] { rows_of(dir / "a", {"text"}); });
  EXPECT_THAT(problem, StartsWith((dir / "a") + ":"));
  EXPECT_THAT(problem, HasSubstr("is the file damaged?"));
  EXPECT_EQ(problem.find('\n'), std::string::npos);
}

// A bit of each byte flipped: rows, or an Error of one line that names the file.
TEST(Parquet, DamageIsToldOrHarmless) {
  const TempDir dir;
  const std::string whole = read_file(golden("plain.parquet"));
  int refused = 0;
  for (std::size_t i = 4; i < whole.size() - 4; ++i) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << i % 8));
    write_file(dir / "a", damaged);
    const std::string problem = input_error_of([&] { rows_of(dir / "a"); });
    if (problem == "no error") continue;
    ++refused;
    EXPECT_THAT(problem, StartsWith((dir / "a") + ":"));
    EXPECT_EQ(problem.find('\n'), std::string::npos);
  }
  EXPECT_GT(refused, 100);
  // A page has a checksum.
  std::string damaged = read_file(golden("documents.parquet"));
  const std::size_t last = damaged.find("last");
  ASSERT_NE(last, std::string::npos);
  damaged[last] = 'c';
  write_file(dir / "a", damaged);
  const std::string problem = input_error_of([&] { rows_of(dir / "a", {"text"}); });
  EXPECT_THAT(problem, StartsWith((dir / "a") + ":1: the rows from here on cannot be read: "));
  EXPECT_THAT(problem, HasSubstr("checksum"));
}

}  // namespace
}  // namespace fathom
