#include "text/document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <thread>

#include "io/packed.h"
#include "io/temp_dir.h"

namespace fathom {
namespace {

using namespace std::string_literals;
using test::input_error_of;
using test::TempDir;
using test::write_file;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Reading {
  std::vector<std::string> texts, sources, metadata;
  DocumentCounts counts;
};

Reading read(const std::vector<std::string>& files, const DocumentOptions& options = {}) {
  Reading reading;
  for (const std::string& file : files) {
    for (const Document& document : read_documents(file, options, reading.counts)) {
      reading.texts.push_back(document.text);
      reading.sources.push_back(document.source.substr(document.source.rfind('/') + 1));
      reading.metadata.push_back(document.metadata);
    }
  }
  return reading;
}

DocumentOptions of_format(TextFormat format) {
  DocumentOptions options;
  options.format = format;
  return options;
}

TEST(Documents, FormatsCutFilesIntoDocuments) {
  const TempDir dir;
  const std::string path = dir / "a.txt";
  write_file(path, "one\ntwo\n\n\nthree\n");
  EXPECT_THAT(read({path}).texts, ElementsAre("one\ntwo\n\n\nthree\n"));
  const Reading lines = read({path}, of_format(TextFormat::lines));
  EXPECT_THAT(lines.texts, ElementsAre("one", "two", "three"));
  EXPECT_THAT(lines.sources, ElementsAre("a.txt:1", "a.txt:2", "a.txt:5"));
  DocumentOptions options = of_format(TextFormat::separated);
  const Reading separated = read({path}, options);
  EXPECT_THAT(separated.texts, ElementsAre("one\ntwo\n", "three\n"));
  EXPECT_THAT(separated.sources, ElementsAre("a.txt:1", "a.txt:5"));
  options.separator = "two";
  EXPECT_THAT(read({path}, options).texts, ElementsAre("one\n", "\n\nthree\n"));
  options = of_format(TextFormat::lines);
  options.keep_empty_lines = true;
  EXPECT_THAT(read({path}, options).texts, ElementsAre("one", "two", "", "", "three"));
  options = {};
  options.otherwise = TextFormat::lines;
  EXPECT_THAT(read({path}, options).texts, ElementsAre("one", "two", "three"));
}

TEST(Documents, CarriageReturnsAndByteOrderMarksGo) {
  const TempDir dir;
  write_file(dir / "a", "\xef\xbb\xbfone\r\n\r\ntwo\r\n");
  EXPECT_THAT(read({dir / "a"}, of_format(TextFormat::lines)).texts, ElementsAre("one", "two"));
  write_file(dir / "b", "\xef\xbb\xbf{\"text\": \"one\"}\r\n\r\n \t\r\n{\"text\": \"two\"}\r\n");
  const Reading json = read({dir / "b"});
  EXPECT_THAT(json.texts, ElementsAre("one", "two"));
  EXPECT_THAT(json.sources, ElementsAre("b:1", "b:4"));
  write_file(dir / "c", "\xef\xbb\xbftext\r\n");
  EXPECT_THAT(read({dir / "c"}).texts, ElementsAre("text\r\n"));
}

TEST(Documents, JsonLinesAreKnownUnderAnyNameAndPacking) {
  const TempDir dir;
  const std::string lines =
      "{\"id\": [1, {\"text\": \"no\"}], \"text\": \"a\\u4e2d\\n\"}\n\n{\"text\": \"b\"}\n";
  write_file(dir / "a.jsonl", lines);
  write_file(dir / "b.ndjson.gz", test::gzip(lines));
  write_file(dir / "c.json", test::zstd(lines));
  write_file(dir / "d", test::pzstd(lines));
  write_file(dir / "e.jsonl.xz", test::xz(lines));
  write_file(dir / "f.txt", test::bzip2(lines));
  for (const char* name : {"a.jsonl", "b.ndjson.gz", "c.json", "d", "e.jsonl.xz", "f.txt"}) {
    const Reading reading = read({dir / name});
    EXPECT_THAT(reading.texts, ElementsAre("a中\n", "b")) << name;
    EXPECT_EQ(reading.metadata[1], "{\"text\": \"b\"}");
  }
  EXPECT_THAT(read({dir / "d"}, of_format(TextFormat::text)).texts, ElementsAre(lines));
}

TEST(Documents, NamesDecideOnlyWhatContentLeavesOpen) {
  const TempDir dir;
  write_file(dir / "a.jsonl.gz", "plain words\n");
  write_file(dir / "a.txt", "plain words\n");
  EXPECT_THAT(input_error_of([&] { read({dir / "a.jsonl.gz"}); }),
              HasSubstr("a.jsonl.gz:1: not valid JSON at column 1"));
  EXPECT_THAT(read({dir / "a.txt"}).texts, ElementsAre("plain words\n"));
}

// Of JSON by their names alone, whatever packing they have.
TEST(Documents, NamesOfJsonAreKnown) {
  const TempDir dir;
  const auto is_json = [&](const std::string& name) {
    write_file(dir / name, "plain words\n");
    const std::string error = input_error_of(
        [&] { EXPECT_THAT(read({dir / name}).texts, ElementsAre("plain words\n")); });
    EXPECT_TRUE(error == "no error" ||
                error.find("not valid JSON at column 1") != std::string::npos)
        << error;
    return error != "no error";
  };
  for (const std::string ending : {".jsonl", ".ndjson", ".json"}) {
    for (const std::string packing : {"", ".gz", ".zst", ".xz", ".bz2"})
      EXPECT_TRUE(is_json("a" + ending + packing)) << ending << packing;
    for (const std::string other : {".txt", ".lz4", "x", ".gz.gz"})
      EXPECT_FALSE(is_json("a" + ending + other)) << ending << other;
  }
  for (const char* name : {"jsonl", "a.gz", "a.JSONL", "json.txt"})
    EXPECT_FALSE(is_json(name)) << name;
}

TEST(Documents, FormatsThatAFileHasNotAreRefused) {
  const TempDir dir;
  write_file(dir / "a", "{\"text\": \"a\"}\n");
  EXPECT_EQ(input_error_of([&] { read({dir / "a"}, of_format(TextFormat::parquet)); }),
            (dir / "a") + ": is no Parquet file; set the format to auto");
  EXPECT_EQ(input_error_of([&] { read({dir / "a"}, of_format(TextFormat::warc)); }),
            (dir / "a") + ": is no WARC archive; set the format to auto");
  write_file(dir / "b", "PAR1\x15\x04");
  for (const TextFormat format :
       {TextFormat::text, TextFormat::lines, TextFormat::separated, TextFormat::warc}) {
    EXPECT_EQ(input_error_of([&] { read({dir / "b"}, of_format(format)); }),
              (dir / "b") + ": holds Parquet, each row a document; set the format to auto");
  }
}

TEST(Documents, WhatIsNotTextIsRefusedByName) {
  const TempDir dir;
  const auto error = [&](const std::string& content, const DocumentOptions& options = {}) {
    write_file(dir / "a.txt", content);
    return input_error_of([&] { read({dir / "a.txt"}, options); });
  };
  EXPECT_EQ(error("ORC\x15\x04"),
            (dir / "a.txt") + ": holds an ORC file; convert it to JSON lines");
  EXPECT_EQ(error(test::gzip("%PDF-1.4")),
            (dir / "a.txt") + ": holds a PDF document; convert it to text");
  EXPECT_EQ(error("\xd6\xd0\xb9\xfa\xc8\xcb\xc3\xf1"),
            (dir / "a.txt") +
                ": holds text that is not UTF-8 (likely GB18030); convert it with "
                "`iconv -f GB18030 -t UTF-8`");
  EXPECT_THAT(error("[{\"text\": \"a\"}]"), HasSubstr("holds JSON, but not one object a line"));
  EXPECT_EQ(error("[{\"text\": \"a\"}]", of_format(TextFormat::text)), "no error");
  DocumentOptions keep;
  keep.invalid_utf8 = InvalidUtf8::keep;
  EXPECT_EQ(error("\xd6\xd0\xb9\xfa\xc8\xcb\xc3\xf1", keep), "no error");
}

TEST(Documents, StrayBytesAreReplacedAndCounted) {
  const TempDir dir;
  write_file(dir / "a", "fine\nal\xffso\n");
  write_file(dir / "b.jsonl",
             "{\"text\": \"\xff\xfe\", \"x\": \"\xff\"}\n{\"text\": \"\\ud800\"}\n");
  const Reading reading = read({dir / "a", dir / "b.jsonl"});
  EXPECT_THAT(reading.texts,
              ElementsAre("fine\nal\xef\xbf\xbdso\n", "\xef\xbf\xbd\xef\xbf\xbd", "\xef\xbf\xbd"));
  EXPECT_EQ(reading.counts.repaired_documents, 2);
  EXPECT_EQ(reading.counts.replaced_bytes, 3);
  EXPECT_EQ(reading.counts.first_repaired, (dir / "a") + ":2");
  EXPECT_THAT(lines_about(reading.counts),
              ElementsAre("3 bytes in 2 texts are not UTF-8 (the first: " + (dir / "a") +
                          ":2); U+FFFD replaces each broken character"));
  EXPECT_THAT(lines_about(DocumentCounts{}), IsEmpty());
  DocumentOptions keep = of_format(TextFormat::lines);
  keep.invalid_utf8 = InvalidUtf8::keep;
  EXPECT_THAT(read({dir / "a"}, keep).texts, ElementsAre("fine", "al\xffso"));
}

TEST(Documents, BrokenLinesNameFileAndLineOrAreCounted) {
  const TempDir dir;
  const std::string path = dir / "a.jsonl";
  const auto error = [&](const std::string& line, DocumentOptions options = {}) {
    write_file(path, "{\"text\": \"fine\"}\n" + line + "\n");
    options.remedy = "mend it";
    return input_error_of([&] { read({path}, options); });
  };
  EXPECT_EQ(error("{\"text\": "), path + ":2: not valid JSON at column 10; mend it");
  EXPECT_EQ(error("[1]"), path + ":2: not a JSON object; mend it");
  EXPECT_EQ(error("\"bare\""), path + ":2: not a JSON object; mend it");
  EXPECT_EQ(error("{\"body\": \"x\"}"), path + ":2: has no field 'text'; mend it");
  EXPECT_EQ(error("{\"text\": 1}"), path + ":2: the field 'text' is not a string; mend it");
  DocumentOptions prompts;
  prompts.fields = {"prompt", "text"};
  EXPECT_EQ(error("{\"a\": 1}", prompts), path + ":2: has no field 'prompt' or 'text'; mend it");
  EXPECT_EQ(error("{\"text\": 1}", prompts),
            path + ":2: the field 'prompt' or 'text' is not a string; mend it");
  prompts.fields.push_back("x");
  EXPECT_EQ(error("{\"a\": 1}", prompts),
            path + ":2: has no field 'prompt' or 'text' or 'x'; mend it");
  prompts.bare_strings = true;
  EXPECT_EQ(error("\"bare\"", prompts), "no error");
  EXPECT_EQ(error("[1]", prompts), path + ":2: neither a string nor an object; mend it");
  EXPECT_EQ(error("\"bare", prompts), path + ":2: not valid JSON at column 6; mend it");
  DocumentOptions skip;
  skip.skip_broken_lines = true;
  write_file(path, "{\"text\": \"fine\"}\nx\n{\"text\": \"\"}\n[]\n{\"text\": \"more\"}\n");
  const Reading reading = read({path}, skip);
  EXPECT_THAT(reading.texts, ElementsAre("fine", "more"));
  EXPECT_EQ(reading.counts.broken_lines, 2);
  EXPECT_EQ(reading.counts.empty_documents, 1);
  EXPECT_THAT(lines_about(reading.counts),
              ElementsAre("2 broken lines are left out (the first: " + path + ":2)"));
}

// Documents of any format that are longer than they may be, between others that are not.
TEST(Documents, ThoseThatAreTooLongAreRefusedByNameOrCounted) {
  const TempDir dir;
  DocumentOptions options;
  options.max_bytes = 30;
  options.remedy = "mend it";
  const std::string long_text(31, 'x'), most(30, 'y');
  const auto expect = [&](TextFormat format, const std::string& content, std::uint64_t line,
                          const std::vector<std::string>& texts) {
    const std::string path = dir / "a.txt";
    write_file(path, content);
    options.format = format;
    options.skip_broken_lines = false;
    EXPECT_EQ(input_error_of([&] { read({path}, options); }),
              fmt::format("{}:{}: this document has more than 30 bytes; mend it", path, line));
    options.skip_broken_lines = true;
    const Reading reading = read({path}, options);
    EXPECT_EQ(reading.texts, texts);
    EXPECT_EQ(reading.counts.broken_lines, 1);
    EXPECT_EQ(reading.counts.first_broken, fmt::format("{}:{}", path, line));
  };
  expect(TextFormat::lines, "a\n" + long_text + "\n" + most + "\n", 2, {"a", most});
  expect(TextFormat::lines, "a\n" + std::string(1'000'000, 'x') + "\nb", 2, {"a", "b"});
  expect(TextFormat::jsonl,
         "{\"text\": \"a\"}\n{\"text\": \"" + long_text + "\"}\n{\"text\": \"b\"}\n", 2,
         {"a", "b"});
  // One line that is too long, and lines that are so together.
  expect(TextFormat::separated, "a\n\n" + long_text + "\nx\n\nb\n", 3, {"a\n", "b\n"});
  expect(TextFormat::separated, "a\n\n" + most + "\n\n\nb\n", 3, {"a\n", "b\n"});
  expect(TextFormat::text, long_text, 1, {});
  write_file(dir / "a.txt", most);
  EXPECT_THAT(read({dir / "a.txt"}, options).texts, ElementsAre(most));
}

TEST(Documents, CountsAddUpAndKeepTheFirst) {
  DocumentCounts all{1, 2, 0, 0, "a:1", "", 0, ""};
  all.add({1, 1, 1, 5, "b:1", "b:2", 0, ""});
  all.add({0, 0, 1, 1, "", "c:2", 0, ""});
  EXPECT_EQ(all.broken_lines, 2);
  EXPECT_EQ(all.empty_documents, 3);
  EXPECT_EQ(all.repaired_documents, 2);
  EXPECT_EQ(all.replaced_bytes, 6);
  EXPECT_EQ(all.first_broken, "a:1");
  EXPECT_EQ(all.first_repaired, "b:2");
  DocumentCounts unencoded;
  unencoded.add_unencoded(2, "d:1");
  all.add(unencoded);
  unencoded.first_unencoded = "e:1";
  all.add(unencoded);
  EXPECT_EQ(all.unencoded_documents, 4);
  EXPECT_EQ(all.first_unencoded, "d:1");
  EXPECT_THAT(
      lines_about(all),
      ElementsAre("2 broken lines are left out (the first: a:1)",
                  "4 documents that the tokenizer cannot encode are left out (the first: d:1)",
                  "6 bytes in 2 texts are not UTF-8 (the first: b:2); U+FFFD replaces each broken "
                  "character"));
}

TEST(Documents, CountsOfPagesAddUpByTheirProblems) {
  DocumentCounts one, two;
  one.pages = 3;
  one.refused_pages[2] = {1, 10, "a:1"};
  two.pages = 4;
  two.refused_pages[2] = {2, 20, "b:1"};
  two.refused_pages[8] = {1, 5, "b:2"};
  one.add(two);
  EXPECT_EQ(one.pages, 7);
  EXPECT_EQ(one.refused_pages[2].pages, 3);
  EXPECT_EQ(one.refused_pages[2].bytes, 30);
  EXPECT_EQ(one.refused_pages[8].bytes, 5);
  EXPECT_THAT(lines_about(one),
              ElementsAre("3 of 7 web pages are left out: http_status (the first: a:1)",
                          "1 of 7 web pages are left out: no_main_text (the first: b:2)"));
}

// A text of JSON stands in one line, whatever lines it has itself.
TEST(Documents, TheRepairedLineIsThatOfTheFile) {
  const TempDir dir;
  write_file(dir / "a.jsonl", "{\"text\": \"fine\"}\n{\"text\": \"\\n\\n\xff\"}\n");
  EXPECT_EQ(read({dir / "a.jsonl"}).counts.first_repaired, (dir / "a.jsonl") + ":2");
  write_file(dir / "b", "\n\n---\none\n---\n\ntwo\xff\n\xff\n");
  DocumentOptions options = of_format(TextFormat::separated);
  options.separator = "---";
  EXPECT_EQ(read({dir / "b"}, options).counts.first_repaired, (dir / "b") + ":7");
}

TEST(Documents, AnEmptyFileIsADocumentWhereEmptyLinesAre) {
  const TempDir dir;
  write_file(dir / "a", "");
  EXPECT_THAT(read({dir / "a"}).texts, IsEmpty());
  EXPECT_EQ(read({dir / "a"}).counts.empty_documents, 1);
  DocumentOptions keep;
  keep.keep_empty_lines = true;
  EXPECT_THAT(read({dir / "a"}, keep).texts, ElementsAre(""));
}

TEST(Documents, FilesFollowOneAnotherAndProgressIsThatOfTheDisk) {
  const TempDir dir;
  write_file(dir / "a", "one\n");
  write_file(dir / "b", "");
  write_file(dir / "c", test::gzip("two\nthree\n"));
  DocumentReader reader({dir / "a", dir / "b", dir / "c"}, of_format(TextFormat::lines));
  std::vector<std::string> texts;
  for (RawDocument raw; reader.next(raw);) texts.push_back(raw.content);
  EXPECT_THAT(texts, ElementsAre("one", "two", "three"));
  EXPECT_EQ(reader.file_bytes_read(), 4 + std::filesystem::file_size(dir / "c"));
}

TEST(Documents, PipesAreReadOnce) {
  const TempDir dir;
  const std::string path = dir / "pipe";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  std::jthread writer(
      [&] { std::ofstream(path, std::ios::binary) << test::gzip("{\"text\": \"a\"}\n"); });
  const Reading reading = read({path});
  writer.join();
  EXPECT_THAT(reading.texts, ElementsAre("a"));
}

}  // namespace
}  // namespace fathom
