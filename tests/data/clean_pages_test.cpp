#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "core/config.h"
#include "data/clean/clean.h"
#include "data/stats.h"
#include "io/checksum.h"
#include "io/json_object.h"
#include "io/line_reader.h"
#include "io/temp_dir.h"

namespace fathom::clean {
namespace {

using test::TempDir;
using test::write_file;
using testing::HasSubstr;

const std::string sentence =
    "The old mill by the river was built in 1820, and it ground the corn of three villages.";

std::string record(const std::string& headers, const std::string& body) {
  const std::string content = headers + "\r\n\r\n" + body;
  return "WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://a/\r\nContent-Length: " +
         std::to_string(content.size()) + "\r\n\r\n" + content + "\r\n\r\n";
}

std::string page(const std::string& title, const std::string& text) {
  return record("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8",
                "<title>" + title + "</title><div class=nav><a href=/>Home</a></div><article><p>" +
                    text + "</p></article>");
}

CleanConfig pages_config(const TempDir& dir) {
  write_file(dir / "crawl.warc",
             page("A mill", sentence) +
                 page("古镇的水磨",
                      "河边的水磨建于一八二零年，三个村子的粮食"
                      "都在这里磨，一直到铁路通车。") +
                 record("HTTP/1.1 404 Not Found", "<p>" + sentence) + page("Nothing", "") +
                 record("HTTP/1.1 200 OK\r\nContent-Type: image/png", "\x89PNG") +
                 page("A mill again", sentence + " " + sentence));
  CleanConfig config;
  config.output = dir / "out";
  config.write_dropped = true;
  FilterConfig all;
  all.rule = "characters";
  all.max = 130;
  config.filters = {all};
  TextSourceConfig crawl;
  crawl.name = "crawl";
  crawl.paths = {dir / "crawl.warc"};
  crawl.content = TextContent::html;
  config.sources = {crawl};
  return config;
}

std::vector<nlohmann::json> rows(const std::string& path) {
  std::istringstream lines(read_text(path));
  std::vector<nlohmann::json> found;
  for (std::string line; std::getline(lines, line);) found.push_back(nlohmann::json::parse(line));
  return found;
}

TEST(CleanPages, KeepsTheTextOfResponses) {
  const TempDir dir;
  const CleanConfig config = pages_config(dir);
  const CleanReport report = clean_data(config);
  const auto kept = rows(config.output + "/texts/crawl-00000.jsonl.zst");
  ASSERT_EQ(kept.size(), 2u);
  EXPECT_EQ(kept[0]["text"], "# A mill\n\n" + sentence);
  EXPECT_EQ(kept[0]["title"], "A mill");
  EXPECT_EQ(kept[0]["url"], "http://a/");
  EXPECT_EQ(kept[0]["language"], "en");
  EXPECT_EQ(kept[1]["language"], "zh");
  const auto dropped = rows(config.output + "/dropped/crawl-00000.jsonl.zst");
  ASSERT_EQ(dropped.size(), 1u);
  EXPECT_EQ(dropped[0]["reason"], "characters");
  EXPECT_EQ(dropped[0]["title"], "A mill again");
}

TEST(CleanPages, PagesWithoutTextHaveReasons) {
  const TempDir dir;
  const CleanConfig config = pages_config(dir);
  const CleanReport report = clean_data(config);
  const Counts& counts = report.sources.at(0).second;
  for (const char* reason : {"http_status", "no_main_text", "not_html"}) {
    EXPECT_EQ(counts.tallies.at({"-", reason}).documents, 1) << reason;
    ASSERT_EQ(counts.samples.at(reason).size(), 1u);
    EXPECT_THAT(counts.samples.at(reason)[0].document, HasSubstr("crawl.warc:"));
  }
  EXPECT_EQ(counts.read.pages, 6);
  EXPECT_THAT(summary(report), HasSubstr("6 web pages were read"));
  EXPECT_THAT(summary(report), testing::ContainsRegex("crawl +- +not_html +1"));
  EXPECT_THAT(summary(try_out(config, 6)), testing::ContainsRegex("crawl +- +http_status +1"));
  // The counts of a part that is done are read again.
  EXPECT_EQ(summary(clean_data(config)), summary(report));
}

// Unfinished outputs go on under programs that know more keys.
TEST(CleanPages, StampsOfTextDoNotNameTheContent) {
  const TempDir dir;
  CleanConfig config = pages_config(dir);
  write_file(dir / "a.txt", sentence);
  config.sources[0].content = TextContent::text;
  config.sources[0].paths = {dir / "a.txt"};
  clean_data(config);
  CleanConfig stamped = config;
  stamped.output.clear();
  stamped.sources.clear();
  std::string keys = config_to_toml(stamped);
  for (const std::string_view later : {"repair_mojibake = false\n",
                                       "\n[personal]\nemails = false\nip_addresses = false\nphones "
                                       "= false\nid_numbers = false\n",
                                       "\n[perplexity]\nmodel = \"\"\ndevice = \"cpu\"\n"
                                       "max_tokens = 1024\nlanguages = []\n",
                                       "\n[buckets]\nby = \"\"\nedges = []\nnames = []\n"}) {
    ASSERT_NE(keys.find(later), std::string::npos) << later;
    keys.erase(keys.find(later), later.size());
  }
  Checksum checksum;
  checksum.update(keys +
                  "name = \"crawl\"\npaths = []\nformat = \"auto\"\nfield = \"text\"\n"
                  "separator = \"\"\nskip_broken_lines = false\n" +
                  (dir / "a.txt") + "\n" + std::to_string(sentence.size()) + "\n");
  const auto counts = JsonObject::load(config.output + "/parts/crawl-00000.json");
  EXPECT_EQ(counts.text("config"), checksum_text(checksum.value()));
}

TEST(CleanPages, SamplesCountWhatIsRefused) {
  const TempDir dir;
  const DocumentSample sample = sample_documents(pages_config(dir).sources[0], 1, 0);
  EXPECT_EQ(sample.lines.size(), 1u);
  EXPECT_THAT(lines_about(sample.counts),
              testing::Contains(HasSubstr("of 6 web pages are left out: http_status")));
}

}  // namespace
}  // namespace fathom::clean
