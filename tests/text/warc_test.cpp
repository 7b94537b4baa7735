#include "text/warc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "io/packed.h"
#include "io/temp_dir.h"
#include "text/text_blocks.h"

namespace fathom {
namespace {

using test::gzip;
using test::input_error_of;
using test::TempDir;
using test::write_file;
using testing::ElementsAre;
using testing::HasSubstr;

std::string record(const std::string& type, const std::string& url, const std::string& content,
                   const std::string& more = "") {
  return "WARC/1.0\r\nWARC-Type: " + type + "\r\nWARC-Target-URI: " + url +
         "\r\nWARC-Date: 2024-10-01T00:00:00Z\r\n" + more +
         "content-length: " + std::to_string(content.size()) + "\r\n\r\n" + content + "\r\n\r\n";
}

const std::string info = record("warcinfo", "", "software: x\r\n");

// "place text" of each document.
std::vector<std::string> read(const std::string& path, const DocumentOptions& options = {},
                              DocumentCounts* counts = nullptr) {
  DocumentCounts own;
  std::vector<std::string> texts;
  for (const Document& document : read_documents(path, options, counts ? *counts : own)) {
    texts.push_back(document.source.substr(document.source.rfind(':') + 1) + " " + document.text);
  }
  return texts;
}

TEST(Warc, HeadersOfOldTools) {
  const TempDir dir;
  write_file(dir / "a.wet",
             record("conversion", "<http://a/>", "One.", "X-Note: a\r\n b\r\n\tc: d\r\n"));
  DocumentCounts counts;
  EXPECT_EQ(read_documents(dir / "a.wet", {}, counts).at(0).metadata,
            R"({"text": "One.", "url": "http://a/", "date": "2024-10-01T00:00:00Z"})");
}

TEST(Warc, VersionsThatAreRead) {
  const TempDir dir;
  const auto read_version = [&](const std::string& version) {
    std::string text = info + record("conversion", "http://a/", "One.");
    for (std::size_t at = 0; (at = text.find("WARC/1.0", at)) != std::string::npos;) {
      text.replace(at, 8, version);
      at += version.size();
    }
    write_file(dir / "a.wet", text);
    return input_error_of([&] { EXPECT_THAT(read(dir / "a.wet"), ElementsAre("2 One.")); });
  };
  for (const char* version : {"WARC/0.17", "WARC/0.18", "WARC/1.0", "WARC/1.1"}) {
    EXPECT_EQ(read_version(version), "no error") << version;
  }
  for (const char* version : {"WARC/0.16", "WARC/0.19", "WARC/1.2", "WARC/1.10"}) {
    EXPECT_THAT(read_version(version), HasSubstr("a.wet")) << version;
  }
}

TEST(Warc, ConversionsAreDocuments) {
  const TempDir dir;
  const std::string a = record("conversion", "http://a/\"x\"", "One\nline. 中文\n");
  const std::string b = record("metadata", "http://a/", "no text");
  const std::string c = record("conversion", "http://b/", "");
  const std::string d = record("conversion", "http://c/", std::string(700'000, 'd'));
  write_file(dir / "plain.wet", info + a + b + c + d);
  write_file(dir / "packed.wet.gz", gzip(info) + gzip(a) + gzip(b) + gzip(c) + gzip(d));
  for (const char* name : {"plain.wet", "packed.wet.gz"}) {
    DocumentCounts counts;
    EXPECT_THAT(read(dir / name, {}, &counts),
                ElementsAre("2 One\nline. 中文\n", "5 " + std::string(700'000, 'd')));
    EXPECT_EQ(counts.empty_documents, 1);
  }
  DocumentCounts counts;
  EXPECT_EQ(read_documents(dir / "plain.wet", {}, counts)[0].metadata,
            R"({"text": "One\nline. 中文\n", "url": "http://a/\"x\"", )"
            R"("date": "2024-10-01T00:00:00Z"})");
  TextBlocks blocks({dir / "plain.wet"}, "text");
  TextBlock block;
  ASSERT_TRUE(blocks.cut(block));
  EXPECT_EQ(block.documents.size(), 3u);
}

TEST(Warc, NamesBrokenRecords) {
  const TempDir dir;
  const std::string good = record("conversion", "http://a/", "good");
  const auto error_of = [&](const std::string& content) {
    write_file(dir / "x.wet", content);
    return input_error_of([&] { read(dir / "x.wet"); });
  };
  EXPECT_THAT(
      error_of(info + "WARC/1.0\r\nWARC-Type: conversion\r\n\r\nx"),
      HasSubstr("x.wet: record 2: its header has no Content-Length; set skip_broken_lines"));
  EXPECT_THAT(error_of(info + "WARC/1.0\r\nContent-Length: 9x\r\n\r\nx"),
              HasSubstr("record 2: its header has no Content-Length"));
  EXPECT_THAT(error_of(info + "WARC/1.0\r\nContent-Length: 1\r\n\r\nx\r\n\r\n"),
              HasSubstr("record 2: its header has no WARC-Type"));
  for (const char* length : {"", "-1", "+1", " 0x1", "1 2", "18446744073709551616"}) {
    EXPECT_THAT(error_of(info + "WARC/1.0\r\nWARC-Type: conversion\r\nContent-Length: " + length +
                         "\r\n\r\nx\r\n\r\n"),
                HasSubstr("record 2: its header has no Content-Length"))
        << length;
  }
  EXPECT_THAT(error_of(info + "WARC/1.0\r\nno colon\r\n\r\n"),
              HasSubstr("record 2: its header has a line without a colon"));
  EXPECT_THAT(error_of(info + "WARC/1.0\r\nWARC-Type: conversion"),
              HasSubstr("record 2: the file ends in its header"));
  EXPECT_THAT(error_of(info + good.substr(0, good.size() - 6)),
              HasSubstr("record 2: the file ends before its 4 bytes"));
  EXPECT_THAT(error_of(info + "junk\r\n" + good),
              HasSubstr("record 1: what follows it is no record"));
  EXPECT_THAT(error_of(info + record("response", "http://a/", "<html>")),
              HasSubstr("holds a crawler's responses and no text"));
}

DocumentOptions skipping() {
  DocumentOptions options;
  options.skip_broken_lines = true;
  return options;
}

// A length that lies costs the record, and not those behind it.
TEST(Warc, ReadsOnBehindBrokenRecords) {
  const TempDir dir;
  const std::string a = record("conversion", "http://a/", "first"),
                    b = record("conversion", "http://b/", "second");
  const auto with_length = [&](const std::string& length) {
    std::string changed = a;
    return changed.replace(changed.find("length: 5"), 9, "length: " + length);
  };
  write_file(dir / "x.wet", info + with_length("3") + b +
                                "WARC/1.0\r\nWARC-Type: conversion\r\n\r\n" + b +
                                "WARC/1.0\r\nWARC-Type: conversion\r\n" + b +
                                "WARC/1.0\r\ncontent-length: 18446744073709551615\r\n\r\n");
  DocumentCounts counts;
  EXPECT_THAT(read(dir / "x.wet", skipping(), &counts),
              ElementsAre("3 second", "5 second", "7 second"));
  EXPECT_EQ(counts.broken_lines, 4);

  // Into the next record, and past the end of the file.
  for (const std::string length : {"9", "150", "100000", "18446744073709551615"}) {
    write_file(dir / "x.wet", info + with_length(length) + b + b);
    DocumentCounts own;
    EXPECT_THAT(read(dir / "x.wet", skipping(), &own), ElementsAre("3 second", "4 second"));
    EXPECT_EQ(own.broken_lines, 1) << length;
  }
  write_file(dir / "x.wet", info + with_length("150") + b + b);
  EXPECT_THAT(input_error_of([&] { read(dir / "x.wet"); }),
              HasSubstr("record 2: no record ends behind its 150 bytes"));
}

TEST(Warc, CountsRecordsThatAreTooLong) {
  const TempDir dir;
  const std::string b = record("conversion", "http://b/", "second");
  write_file(dir / "x.wet", info + record("conversion", "http://a/", std::string(33 << 20, 'x')) +
                                record("metadata", "http://a/", std::string(33 << 20, 'x')) + b);
  DocumentCounts counts;
  EXPECT_THAT(read(dir / "x.wet", skipping(), &counts), ElementsAre("4 second"));
  EXPECT_EQ(counts.broken_lines, 1);
  EXPECT_THAT(input_error_of([&] { read(dir / "x.wet"); }),
              HasSubstr("record 2: its 34603008 bytes are more than 33554432"));
}

// A record that is too long was one of the wanted kind all the same.
TEST(Warc, ArchivesOfLongRecordsHoldWhatIsWanted) {
  const TempDir dir;
  const std::string response = record("response", "http://a/", "HTTP/1.1 200 OK\r\n\r\n<html>");
  const std::size_t most = 32 << 20;
  DocumentOptions pages = skipping();
  pages.content = TextContent::html;
  write_file(dir / "x.warc",
             info + response + record("conversion", "http://a/", std::string(most + 1, 'x')));
  DocumentCounts counts;
  EXPECT_THAT(read(dir / "x.warc", skipping(), &counts), ElementsAre());
  EXPECT_EQ(counts.broken_lines, 1);
  EXPECT_EQ(counts.first_broken, (dir / "x.warc") + ":3");
  write_file(dir / "y.warc", info + record("conversion", "http://a/", "text") +
                                 record("response", "http://a/", std::string(most + 1, 'x')));
  EXPECT_EQ(input_error_of([&] { EXPECT_THAT(read(dir / "y.warc", pages), ElementsAre()); }),
            "no error");
  EXPECT_THAT(read(dir / "y.warc", skipping()), ElementsAre("2 text"));
  // Of the other kind alone.
  write_file(dir / "z.warc", info + record("response", "http://a/", std::string(most + 1, 'x')));
  EXPECT_THAT(input_error_of([&] { read(dir / "z.warc", skipping()); }),
              HasSubstr("holds a crawler's responses and no text"));
}

TEST(Warc, ReadsTheLongestRecordsAndHeaders) {
  const TempDir dir;
  const std::size_t most = 32 << 20;
  write_file(dir / "x.wet", info + record("conversion", "http://a/", std::string(most, 'x')));
  const std::vector<std::string> longest = read(dir / "x.wet");
  ASSERT_EQ(longest.size(), 1u);
  EXPECT_EQ(longest[0].size(), most + 2);
  const auto with_lines = [&](int count) {
    std::string lines;
    for (int i = 4; i < count; ++i) lines += "X-" + std::to_string(i) + ": y\r\n";
    write_file(dir / "y.wet", info + record("conversion", "http://a/", "text", lines));
    return input_error_of([&] { EXPECT_THAT(read(dir / "y.wet"), ElementsAre("2 text")); });
  };
  EXPECT_EQ(with_lines(1000), "no error");
  EXPECT_THAT(with_lines(1001),
              HasSubstr("record 2: its header has a line without a colon, or too many"));
  // A line is known by its first 64 KiB.
  write_file(dir / "z.wet",
             info + record("conversion", "http://a/" + std::string(100'000, 'u'), "text"));
  DocumentCounts counts;
  const auto documents = read_documents(dir / "z.wet", {}, counts);
  ASSERT_EQ(documents.size(), 1u);
  EXPECT_EQ(std::ranges::count(documents[0].metadata, 'u'),
            std::ptrdiff_t((64 << 10) - std::string("WARC-Target-URI: http://a/").size() + 1));
}

TEST(Warc, AddressesMayStandInBrackets) {
  const TempDir dir;
  for (const auto& [written, url] : {std::pair("<http://a/>", "http://a/"),
                                     {"http://a/", "http://a/"},
                                     {"<http://a/", "<http://a/"},
                                     {"http://a/>", "http://a/>"},
                                     {"", ""}}) {
    write_file(dir / "x.wet", info + record("conversion", written, "text"));
    DocumentCounts counts;
    EXPECT_EQ(read_documents(dir / "x.wet", {}, counts).at(0).metadata,
              R"({"text": "text", "url": ")" + std::string(url) +
                  R"(", "date": "2024-10-01T00:00:00Z"})");
  }
}

TEST(Warc, RepairsAndCountsInvalidUtf8) {
  const TempDir dir;
  write_file(dir / "x.wet", info + record("conversion", "http://a/", "a\xff\"b\n\xe4\xb8"));
  DocumentCounts counts;
  EXPECT_THAT(read(dir / "x.wet", {}, &counts), ElementsAre("2 a\ufffd\"b\n\ufffd"));
  EXPECT_EQ(counts.repaired_documents, 1);
  DocumentOptions options;
  options.invalid_utf8 = InvalidUtf8::keep;
  EXPECT_THAT(read(dir / "x.wet", options), ElementsAre("2 a\xff\"b\n\xe4\xb8"));
}

TEST(Warc, OtherFormatsRefuseIt) {
  const TempDir dir;
  write_file(dir / "x.wet", info);
  write_file(dir / "x.txt", "text");
  DocumentOptions options;
  options.format = TextFormat::lines;
  EXPECT_THAT(input_error_of([&] { read(dir / "x.wet", options); }),
              HasSubstr("x.wet: holds a WARC archive"));
  options.format = TextFormat::warc;
  EXPECT_TRUE(read(dir / "x.wet", options).empty());
  EXPECT_EQ(input_error_of([&] { read(dir / "x.txt", options); }),
            (dir / "x.txt") + ": is no WARC archive; set the format to auto");
}

}  // namespace
}  // namespace fathom
