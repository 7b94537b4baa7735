#include "text/web_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "core/enum_names.h"
#include "io/packed.h"
#include "io/temp_dir.h"
#include "text/document.h"
#include "text/page_documents.h"
#include "text/warc.h"

namespace fathom {
namespace {

using test::gzip;
using test::input_error_of;
using test::TempDir;
using test::write_file;
using testing::ElementsAre;
using testing::HasSubstr;

const std::string sentence =
    "The old mill by the river was built in 1820, and it ground the corn of three villages.";
const std::string html = "<html><title>The mill</title><body><p>" + sentence + "</p></body></html>";

std::string served(const std::string& type, const std::string& body) {
  return "HTTP/1.1 200 OK\r\n" + (type.empty() ? "" : "Content-Type: " + type + "\r\n") + "\r\n" +
         body;
}

std::string problem_of(const WebPage& page) {
  return std::string(enum_name(page.problem));
}

TEST(WebPage, OnlyHtml) {
  EXPECT_EQ(read_response(served("text/html; charset=utf-8", html)).text,
            "# The mill\n\n" + sentence);
  EXPECT_EQ(problem_of(read_response(served("application/xhtml+xml", html))), "none");
  EXPECT_EQ(problem_of(read_response(served("", html))), "none");
  EXPECT_EQ(problem_of(read_response(served("text/plain", "\n <!DOCTYPE HTML>" + html))), "none");
  EXPECT_EQ(problem_of(read_response(served("text/plain", sentence))), "not_html");
  EXPECT_EQ(problem_of(read_response(served("application/json", "{}"))), "not_html");
  EXPECT_EQ(problem_of(read_response(served("image/png", html))), "not_html");
  EXPECT_EQ(problem_of(read_response(served("text/html", "%PDF-1.4 " + html))), "not_html");
  EXPECT_EQ(problem_of(read_response(served("text/html", std::string(4000, '\0')))), "not_html");
  EXPECT_EQ(problem_of(read_response(served("text/html", "<p>short</p>"))), "no_main_text");
  EXPECT_EQ(problem_of(read_response("HTTP/1.1 500 No\r\n\r\n" + html)), "http_status");
  EXPECT_EQ(problem_of(read_page(html)), "none");
  EXPECT_EQ(problem_of(read_page(sentence)), "not_html");
  EXPECT_EQ(problem_of(read_page("<html>" + std::string(33 << 20, ' '))), "too_large");
}

// Each tag with which pages begin, and each type of a server that says nothing.
TEST(WebPage, IsKnownByItsFirstTag) {
  for (const char* tag :
       {"<!doctype html", "<html", "<head", "<body", "<script", "<iframe", "<h1", "<div", "<font",
        "<table", "<a", "<style", "<title", "<b", "<br", "<p", "<!--", "<meta"}) {
    std::string large = tag;
    for (char& c : large) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    for (const std::string& begin :
         {std::string(tag), large, " \t\r\n\f" + large, "\xef\xbb\xbf" + std::string(tag)}) {
      EXPECT_NE(problem_of(read_page(begin + "></script></style></title></iframe>-->" + html)),
                "not_html")
          << begin;
    }
  }
  for (const char* begin :
       {"", "<", "x<html>", "<span>", "<h2>", "<ul>", "<!", "<?php ?>", "{\"a\": \"<p>\"}"}) {
    EXPECT_EQ(problem_of(read_page(std::string(*begin == '\0' ? "x" : begin) + html)), "not_html")
        << begin;
  }
  for (const char* type :
       {"", "text/plain", "application/octet-stream", "application/xml", "text/xml"}) {
    EXPECT_EQ(problem_of(read_response(served(type, html))), "none") << type;
    EXPECT_EQ(problem_of(read_response(served(type, "<!DOCTYPE html>" + html))), "none") << type;
    EXPECT_EQ(problem_of(read_response(served(type, "x" + html))), "not_html") << type;
  }
  for (const char* type : {"text/html", "TEXT/HTML; charset=utf-8", "application/xhtml+xml"}) {
    EXPECT_EQ(problem_of(read_response(served(type, "x" + html))), "none") << type;
  }
  for (const char* type : {"application/rss+xml", "text/css", "html"})
    EXPECT_EQ(problem_of(read_response(served(type, html))), "not_html") << type;
}

// A title that the text begins with, as a heading of any level or none, is told once.
TEST(WebPage, BeginsWithItsTitle) {
  const auto text = [](const std::string& title, const std::string& body) {
    return read_page("<title>" + title + "</title><article>" + body + "<p>" + sentence).text;
  };
  for (const char* heading : {"<h2>The mill</h2>", "<h6>The mill</h6>"})
    EXPECT_EQ(text("The mill", heading), "# The mill\n\n" + sentence) << heading;
  EXPECT_EQ(text("The mill", "<h2>The mills</h2>"), "# The mill\n\n## The mills\n\n" + sentence);
  EXPECT_EQ(text("", "<h2>The mill</h2>"), "## The mill\n\n" + sentence);
  EXPECT_EQ(text("", ""), sentence);
  EXPECT_EQ(text("The mill", ""), "# The mill\n\n" + sentence);
}

TEST(WebPage, PrologsAndMarks) {
  const std::string xml = "<?xml version=\"1.0\"?>\n<?xml-stylesheet href='a'?> ";
  EXPECT_EQ(read_page(xml + "<!DOCTYPE html>" + html).text, "# The mill\n\n" + sentence);
  EXPECT_EQ(problem_of(read_page(xml + "<rss><p>" + sentence)), "not_html");
  EXPECT_EQ(problem_of(read_page("<?xml " + html)), "not_html");
  EXPECT_EQ(read_response(served("application/xhtml+xml", "<script src='a'/>" + html)).text,
            "# The mill\n\n" + sentence);
  std::string little = "\xff\xfe", big = "\xfe\xff", text = "\xff\xfe";
  for (const char c : html) little += {c, '\0'}, big += {'\0', c};
  for (const char c : sentence) text += {c, '\0'};
  EXPECT_EQ(read_page(little).text, "# The mill\n\n" + sentence);
  EXPECT_EQ(read_page(big).text, "# The mill\n\n" + sentence);
  EXPECT_EQ(problem_of(read_page(text)), "not_html");
}

TEST(WebPage, FieldsAreUtf8AndHoldATag) {
  const std::string old = "<html><meta charset=iso-8859-1><p>Café: ";
  EXPECT_EQ(read_page_text(old + sentence).text, "Café: " + sentence);
  EXPECT_EQ(read_page_text("Hello <b>world</b>.<section><p>" + sentence).text, sentence);
  EXPECT_EQ(problem_of(read_page_text("1 < 2. " + sentence)), "not_html");
}

TEST(WebPage, TitleComesOnce) {
  const std::string heading = "<h2>The mill</h2>";
  EXPECT_EQ(read_page("<title>The mill</title><article>" + heading + "<p>" + sentence).text,
            "# The mill\n\n" + sentence);
  EXPECT_EQ(read_page("<article><p>" + sentence).text, sentence);
  for (const std::string& behind : {"<br>" + sentence, "<table><tr><td>" + sentence + "</table>"}) {
    EXPECT_EQ(read_page("<title>The mill</title><article><div>The mill" + behind).text,
              "# The mill\n\n" + sentence)
        << behind;
  }
  EXPECT_EQ(read_page("<meta property='og:title' content='The&nbsp;mill'><article>"
                      "<h2>The&nbsp;mill</h2><p>" +
                      sentence)
                .text,
            "# The mill\n\n" + sentence);
}

TEST(PageDocuments, FilesAndFields) {
  const TempDir dir;
  write_file(dir / "a.html", html);
  write_file(dir / "b.jsonl", R"({"id": 7, "page": "<p>)" + sentence +
                                  R"(</p>", "n": [1]})"
                                  "\n"
                                  R"({"id": 8, "page": "no page"})"
                                  "\n");
  write_file(dir / "c.png", "\x89PNG\r\n\x1a\n and more");
  write_file(dir / "empty", "");
  DocumentOptions options;
  options.content = TextContent::html;
  options.fields = {"page"};
  DocumentCounts counts;
  const auto a = read_documents(dir / "a.html", options, counts);
  ASSERT_EQ(a.size(), 1u);
  EXPECT_EQ(a[0].text, "# The mill\n\n" + sentence);
  EXPECT_EQ(a[0].metadata, R"({"page": "# The mill\n\n)" + sentence +
                               R"(", "title": "The mill", "source": ")" + a[0].source + "\"}");
  const auto b = read_documents(dir / "b.jsonl", options, counts);
  ASSERT_EQ(b.size(), 1u);
  EXPECT_EQ(b[0].metadata, R"({"id": 7, "page": ")" + sentence + R"(", "n": [1], "title": ""})");
  // A title of the row stays.
  write_file(dir / "d.jsonl",
             R"({"page": "<title>The mill</title><p>)" + sentence + R"(", "title": 7} )" + "\n");
  DocumentCounts own;
  EXPECT_EQ(read_documents(dir / "d.jsonl", options, own).at(0).metadata,
            R"({"page": "# The mill\n\n)" + sentence + R"(", "title": 7} )");
  EXPECT_TRUE(read_documents(dir / "c.png", options, counts).empty());
  EXPECT_TRUE(read_documents(dir / "empty", options, counts).empty());
  EXPECT_EQ(counts.pages, 5);
  EXPECT_THAT(lines_about(counts),
              ElementsAre("3 of 5 web pages are left out: not_html (the first: " +
                          (dir / "b.jsonl") + ":2)"));
}

std::string record(const std::string& type, const std::string& content) {
  return "WARC/1.0\r\nWARC-Type: " + type +
         "\r\nWARC-Target-URI: http://a/\r\nWARC-Date: 2024-10-01T00:00:00Z\r\nContent-Length: " +
         std::to_string(content.size()) + "\r\n\r\n" + content + "\r\n\r\n";
}

DocumentOptions pages() {
  DocumentOptions options;
  options.content = TextContent::html;
  return options;
}

TEST(PageDocuments, WarcResponses) {
  const TempDir dir;
  const std::string good = record("response", served("text/html", html));
  write_file(dir / "x.warc", record("warcinfo", "x") + record("request", "GET /") + good +
                                 record("response", served("image/png", "x")) +
                                 record("response", std::string(33 << 20, 'x')) +
                                 record("conversion", sentence) + good);
  DocumentCounts counts;
  const auto documents = read_documents(dir / "x.warc", pages(), counts);
  ASSERT_EQ(documents.size(), 2u);
  EXPECT_EQ(documents[1].source, (dir / "x.warc") + ":7");
  EXPECT_EQ(documents[0].metadata, R"({"text": "# The mill\n\n)" + sentence +
                                       R"(", "title": "The mill", "url": "http://a/", )"
                                       R"("date": "2024-10-01T00:00:00Z"})");
  EXPECT_EQ(counts.pages, 4);
  EXPECT_THAT(lines_about(counts), ElementsAre(HasSubstr("1 of 4 web pages are left out: not_html"),
                                               HasSubstr("too_large (the first: ")));
  write_file(dir / "x.wet", record("conversion", sentence));
  EXPECT_THAT(input_error_of([&] { read_documents(dir / "x.wet", pages(), counts); }),
              HasSubstr("holds the texts of pages and no responses; set the content to text"));
}

TEST(PageDocuments, ArchivesThatAreCutShort) {
  const TempDir dir;
  const std::string good = gzip(record("response", served("text/html", html)));
  for (const std::size_t cut : {good.size() / 2, good.size() - 1, std::size_t{12}}) {
    write_file(dir / "x.warc.gz", good + good.substr(0, cut));
    DocumentCounts counts;
    DocumentOptions options = pages();
    EXPECT_THAT(input_error_of([&] { read_documents(dir / "x.warc.gz", options, counts); }),
                HasSubstr("x.warc.gz"));
    options.skip_broken_lines = true;
    counts = {};
    EXPECT_GE(read_documents(dir / "x.warc.gz", options, counts).size(), 1u) << cut;
    EXPECT_EQ(counts.broken_lines, 1) << cut;
  }
}

// Bytes that no disk has to hold: `before`, so many times 'x', `after`.
class LongBytes : public ByteReader {
 public:
  LongBytes(std::string before, std::uint64_t times, std::string after)
      : before_(std::move(before)), times_(times), after_(std::move(after)) {}
  std::size_t read(std::span<char> out) override {
    std::string& text = times_ > 0 && before_.empty() ? filling_
                        : before_.empty()             ? after_
                                                      : before_;
    const bool filling = &text == &filling_;
    std::size_t count = std::min<std::size_t>(out.size(), filling ? times_ : text.size());
    if (filling) {
      std::fill_n(out.begin(), count, 'x');
      times_ -= count;
    } else {
      std::copy_n(text.begin(), count, out.begin());
      text.erase(0, count);
    }
    read_ += count;
    return count;
  }
  std::uint64_t file_position() const override { return read_; }

 private:
  std::string before_, filling_;
  std::uint64_t times_;
  std::string after_;
  std::uint64_t read_ = 0;
};

constexpr std::uint64_t gigabyte = 1 << 30;

TEST(PageDocuments, LongLinesAndRecordsTakeNoMemory) {
  const std::string good = record("response", served("text/html", html));
  // A line of a record's header, a record, and a line where a record should begin.
  const std::string beginnings[] = {
      "WARC/1.0\r\nX-Header: ",
      "WARC/1.0\r\nWARC-Type: response\r\nContent-Length: 1073741824\r\n\r\n", good};
  const std::string ends[] = {"\r\nContent-Length: 0\r\n\r\n\r\n\r\n", "\r\n\r\n", "\r\n"};
  for (int i = 0; i < 3; ++i) {
    WarcDocuments archive("long",
                          std::make_unique<LongBytes>(beginnings[i], gigabyte, ends[i] + good),
                          TextContent::html, true);
    DocumentCounts counts;
    int texts = 0;
    for (RawDocument raw; archive.next(raw); raw = {}) {
      EXPECT_LT(raw.content.size(), 1u << 20);
      DocumentOptions options = pages();
      options.skip_broken_lines = true;
      texts += read_document(std::move(raw), options, counts).has_value();
    }
    EXPECT_EQ(texts, i == 2 ? 2 : 1);
    const auto too_large = static_cast<std::size_t>(PageProblem::too_large);
    EXPECT_EQ(counts.refused_pages[too_large].pages, i == 1);
    EXPECT_EQ(counts.broken_lines, i == 1 ? 0 : 1);
  }
  LongBytes page("<html>", gigabyte, "");
  EXPECT_LE(read_page_bytes(page).size(), 128u << 20);
}

}  // namespace
}  // namespace fathom
