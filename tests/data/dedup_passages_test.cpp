// Lines and paragraphs that are copies.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "data/dedup/cut_text.h"
#include "data/dedup/dedup.h"
#include "data/dedup/passages.h"
#include "data/dedup_corpus.h"

namespace fathom::dedup {
namespace {

using test::input_error_of;
using test::TempDir;
using testing::ElementsAre;
using testing::HasSubstr;

TextPassages passages_of(std::string_view text) {
  TextPassages passages;
  find_passages(text, passages);
  return passages;
}

std::uint64_t line_key(std::string_view line) {
  return passages_of(line).lines.at(0).key;
}

TEST(Passages, NumberLinesAndParagraphs) {
  const TextPassages passages =
      passages_of("\nOne two\n---\n \t\u3000\n\nthree, 四\r\nfive\n\n...");
  std::vector<std::pair<std::uint32_t, std::uint32_t>> lines, paragraphs;  // number, bytes
  for (const Passage& p : passages.lines) lines.emplace_back(p.number, p.bytes);
  for (const Passage& p : passages.paragraphs) paragraphs.emplace_back(p.number, p.bytes);
  EXPECT_THAT(lines, ElementsAre(std::pair(1u, 6u), std::pair(5u, 8u), std::pair(6u, 4u)));
  EXPECT_THAT(paragraphs, ElementsAre(std::pair(0u, 6u), std::pair(1u, 12u)));
  EXPECT_TRUE(passages_of("").lines.empty());
  EXPECT_TRUE(passages_of("\n\n").paragraphs.empty());
}

TEST(Passages, KeysAreOfWordsAlone) {
  EXPECT_EQ(line_key("All rights reserved."), line_key("  ALL - rights\treserved"));
  EXPECT_EQ(line_key("版权所有２０２４"), line_key("版权所有 2024"));
  EXPECT_EQ(passages_of("one two\nthree").paragraphs.at(0).key,
            passages_of("one\ntwo three.").paragraphs.at(0).key);
  std::set<std::uint64_t> keys;
  const std::vector<std::string> different = {"a b",      "ab",        "b a",      "a b a", "a",
                                              "版权所有", "版权所有a", "版权有所", "12",    "1 2"};
  for (const std::string& line : different) keys.insert(line_key(line));
  EXPECT_EQ(keys.size(), different.size());
}

TEST(CutText, TakesLinesAndParagraphsOut) {
  using Numbers = std::vector<std::uint32_t>;
  const auto cut = [](std::string_view text, const Numbers& lines, const Numbers& paragraphs) {
    return without_passages(text, lines, paragraphs);
  };
  EXPECT_EQ(cut("a\nb\nc", {1}, {}), "a\nc");
  EXPECT_EQ(cut("a\nb\nc", {0, 2}, {}), "b");
  EXPECT_EQ(cut("a\nb\nc\n", {2}, {}), "a\nb\n");
  EXPECT_EQ(cut("a\nb\r\nc\r\n", {0}, {}), "b\r\nc\r\n");
  EXPECT_EQ(cut("a\r\nb\r\nc", {2}, {}), "a\r\nb");
  EXPECT_EQ(cut("a\n\nb\n\nc", {2}, {}), "a\n\nc");
  EXPECT_EQ(cut("a\n\nb\nc\n\nd", {}, {1}), "a\n\nd");
  EXPECT_EQ(cut("a\n\nb\nc\n\nd", {2}, {}), "a\n\nc\n\nd");
  EXPECT_EQ(cut("a\n\nb\n\nc", {}, {0, 1}), "c");
  EXPECT_EQ(cut("a\n\nb\n\n", {}, {1}), "a\n");
  EXPECT_EQ(cut("a\n\nb\n\nc\n\nd", {}, {1, 2}), "a\n\nd");
  EXPECT_EQ(cut("a\nb\n\n\nc\nd", {1, 5}, {}), "a\n\nc");
  EXPECT_EQ(cut("a\nb\nc\n\n\nd", {1}, {}), "a\nc\n\n\nd") << "blank lines behind what stays";
  EXPECT_EQ(cut("a\nb\nc\n\n\n", {1}, {}), "a\nc\n\n\n");
  EXPECT_EQ(cut("a\n\n\nb\n\n\nc\n\n\nd", {3}, {}), "a\n\n\nc\n\n\nd");
  EXPECT_EQ(cut("\n\na\n\nb\n", {4}, {}), "\n\na\n");
  EXPECT_EQ(cut("a\n\nb", {0}, {1}), "");
  EXPECT_EQ(cut("中文\n\n一行\n", {}, {0}), "一行\n");
  EXPECT_EQ(cut("a\n\n\nb\n ", {}, {}), "a\n\n\nb\n ") << "nothing goes";
}

TEST(CutText, WordsAreLettersDigitsAndIdeographs) {
  for (const char* text : {"a", "...1", "—中", "\n\né"}) EXPECT_TRUE(has_words(text)) << text;
  for (const char* text : {"", " \n", "...", "—。", "{}\n*"}) EXPECT_FALSE(has_words(text)) << text;
}

// The corpus of the tests below: documents of some lines out of few, so that most are repeated.
std::string lines_at_random(std::uint64_t n) {
  static const std::vector<std::string> headings = {"}", "Links", "目录", ""};
  const Philox random{n, 7};
  std::string text;
  for (int i = 0; i < 12; ++i) {
    const std::uint64_t bits = random.bits(i);
    const auto which = static_cast<std::uint64_t>(bits >> 8) % 400;
    if (bits % 4 == 0) {
      text += headings[which % headings.size()] + "\n";
    } else {
      text += text_of(which % 200, which % 2 == 0 ? 8 : 14, 0, which % 2 == 1) + "\n";
    }
  }
  return text;
}

TextSourceConfig random_source(const TempDir& dir, const std::string& name, std::uint64_t first,
                               std::uint64_t documents) {
  std::string lines;
  for (std::uint64_t i = first; i < first + documents; ++i) lines += line_of(lines_at_random(i));
  return source(dir, name, lines);
}

// A line or paragraph in small letters without blanks and marks; made in another way.
std::string plain(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) || c < 0)
      out += static_cast<char>(std::tolower(c));
  }
  for (std::size_t at; (at = out.find("。")) != std::string::npos;) out.erase(at, 3);
  return out;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// The lines that stay of all documents, without blank ones.
std::vector<std::string> expected_lines(std::uint64_t documents, const PassageConfig& config) {
  std::map<std::string, std::int64_t> total, seen;
  for (std::uint64_t i = 0; i < documents; ++i) {
    for (const std::string& line : split(lines_at_random(i))) ++total[plain(line)];
  }
  std::vector<std::string> all;
  for (std::uint64_t i = 0; i < documents; ++i) {
    std::vector<std::string> stay;
    bool words = false;
    for (const std::string& line : split(lines_at_random(i))) {
      const std::string key = plain(line);
      const bool counts = static_cast<std::int64_t>(key.size()) >= config.min_bytes;
      if (line.empty() || (counts && total[key] > config.more_than && ++seen[key] > config.keep)) {
        continue;
      }
      stay.push_back(line);
      words = words || !key.empty();
    }
    if (words) all.insert(all.end(), stay.begin(), stay.end());
  }
  return all;
}

std::vector<std::string> lines_in(const std::vector<std::string>& texts) {
  std::vector<std::string> lines;
  for (const std::string& text : texts) {
    for (const std::string& line : split(text)) {
      if (!line.empty()) lines.push_back(line);
    }
  }
  return lines;
}

TEST(Repeats, LinesAreThoseOfASimpleCount) {
  for (const auto& [more_than, keep, min_bytes] :
       {std::tuple{1, 1, 10}, {4, 1, 10}, {4, 0, 10}, {3, 3, 10}, {1, 1, 30}, {1, 0, 1}}) {
    const TempDir dir;
    DedupConfig config = config_of(dir, {random_source(dir, "a", 0, 60)});
    config.exact = Exact::off, config.minhash.enabled = false;
    config.lines = {true, more_than, keep, min_bytes};
    deduplicate(config);
    const auto lines = lines_in(texts_of(config, "a"));
    EXPECT_THAT(lines, testing::ElementsAreArray(expected_lines(60, config.lines)))
        << more_than << " " << keep << " " << min_bytes;
    EXPECT_LT(lines.size(), 600u);
    EXPECT_GT(lines.size(), 30u);
  }
}

// Documents of several sources and chunks of a file: their lines are those of one corpus.
TEST(Repeats, AreOfAllSourcesTogether) {
  const TempDir dir;
  const auto rows = [](std::uint64_t first, std::uint64_t documents) {
    std::string lines;
    for (std::uint64_t i = first; i < first + documents; ++i) {
      lines +=
          nlohmann::json{{"text", lines_at_random(i)}, {"pad", std::string(60'000, 'x')}}.dump();
      lines += "\n";
    }
    return lines;
  };
  DedupConfig config =
      config_of(dir, {source(dir, "a", rows(0, 40)), source(dir, "b", rows(40, 40))});
  config.exact = Exact::off, config.minhash.enabled = false;
  config.lines = {true, 1, 1, 10};
  deduplicate(config);
  std::vector<std::string> lines = lines_in(texts_of(config, "a"));
  const std::size_t of_first = lines.size();
  for (const std::string& line : lines_in(texts_of(config, "b"))) lines.push_back(line);
  EXPECT_THAT(lines, testing::ElementsAreArray(expected_lines(80, config.lines)));
  EXPECT_LT(lines.size() - of_first, of_first);
}

TEST(Repeats, ParagraphsGoAsTheyAre) {
  const TempDir dir;
  const std::string p = "The first line of it,\nand the second one of the paragraph.",
                    q = "Another paragraph, of which there is no other copy anywhere.";
  const std::string lines =
      line_of("Short\n\n" + p + "\n\n" + q + "\n") +
      line_of("Short\n\nThe FIRST line of it\nand the second one of the paragraph.\n\nMore") +
      line_of("The first line of it,\n\nand the second one of the paragraph.") + line_of(p);
  DedupConfig config = config_of(dir, {source(dir, "a", lines)});
  config.exact = Exact::off, config.minhash.enabled = false;
  config.paragraphs.enabled = true;
  const DedupReport report = deduplicate(config);
  EXPECT_THAT(texts_of(config, "a"),
              ElementsAre("Short\n\n" + p + "\n\n" + q + "\n", "Short\n\nMore",
                          "The first line of it,\n\nand the second one of the paragraph."));
  EXPECT_THAT(
      lines_of(config.output + "/cuts/a-00000.jsonl.zst"),
      ElementsAre(
          HasSubstr(
              R"(a.jsonl:2", "lines": 0, "paragraphs": 1, "tokens": 0, "bytes": 59, "how": "cut"})"),
          HasSubstr(
              R"(a.jsonl:4", "lines": 0, "paragraphs": 1, "tokens": 0, "bytes": 58, "how": "left_empty"})")));
  const CutCounts& cuts = report.sources[0].cuts;
  EXPECT_EQ(cuts.cut, 1u);
  EXPECT_EQ(cuts.left_empty, 1u);
  EXPECT_EQ(cuts.paragraphs, 2u);
  EXPECT_EQ(cuts.bytes, 117u);
  EXPECT_EQ(report.sources[0].bytes - report.sources[0].kept_bytes, 117u);
  EXPECT_THAT(summary(report), HasSubstr("of what stays"));
}

// Lines of documents that go as copies do not count, and the rest of a row keeps its bytes.
TEST(Repeats, AreThoseOfDocumentsThatStay) {
  const TempDir dir;
  const std::string line = "A line that is in some documents of this corpus.", own = text_of(1, 60);
  const auto row = [](const std::string& text) {
    return "{\"id\": 1.50, \"text\": " + nlohmann::json(text).dump() + ", \"more\": [1 ]}\n";
  };
  const TextSourceConfig a = source(
      dir, "a",
      row(line + "\n" + own) + row(line + "\n" + own) + row("Another.\n" + line + "\nThe end."));
  DedupConfig config = config_of(dir, {a});
  config.keep = Keep::last;
  config.lines = {true, 1, 1, 32};
  deduplicate(config);
  EXPECT_THAT(
      lines_of(config.output + "/texts/a-00000.jsonl.zst"),
      ElementsAre(HasSubstr(line), R"({"id": 1.50, "text": "Another.\nThe end.", "more": [1 ]})"));
  config.lines.more_than = 2;
  config.output = dir / "two";
  deduplicate(config);
  EXPECT_THAT(texts_of(config, "a"), ElementsAre(HasSubstr(line), HasSubstr(line)));
}

TEST(Repeats, DocumentsThatLoseTooMuchGo) {
  const TempDir dir;
  const std::string line = "A line that is in some documents of this corpus.";  // 48 bytes
  const TextSourceConfig a =
      source(dir, "a",
             line_of(line) + line_of(line + "\n" + std::string(48, 'x')) +
                 line_of(line + "\n" + std::string(44, 'y')) + line_of(line + "\n---"));
  DedupConfig config = config_of(dir, {a});
  config.minhash.enabled = false;
  config.lines.enabled = true;
  config.max_lost = 0.51;
  const DedupReport report = deduplicate(config);
  EXPECT_THAT(texts_of(config, "a"), ElementsAre(line, std::string(48, 'x')));
  EXPECT_EQ(report.sources[0].cuts.cut, 1u);
  EXPECT_EQ(report.sources[0].cuts.lost_too_much, 1u);
  EXPECT_EQ(report.sources[0].cuts.left_empty, 1u);
  EXPECT_EQ(report.sources[0].cuts.bytes, 49u + 93u + 52u);
  config.max_lost = 1;
  deduplicate(config);
  EXPECT_EQ(texts_of(config, "a").size(), 3u) << "texts of another max_lost are written again";
}

// Documents of 98 and of 97 bytes that lose 49.
TEST(Repeats, DocumentsThatLoseJustTheMostStay) {
  const TempDir dir;
  const std::string line = "A line that is in some documents of this corpus.";  // 48 bytes
  DedupConfig config =
      config_of(dir, {source(dir, "a",
                             line_of(line) + line_of(line + "\n" + std::string(49, 'x')) +
                                 line_of(line + "\n" + std::string(48, 'y')))});
  config.minhash.enabled = false;
  config.lines.enabled = true;
  config.max_lost = 0.5;
  const DedupReport report = deduplicate(config);
  EXPECT_THAT(texts_of(config, "a"), ElementsAre(line, std::string(49, 'x')));
  EXPECT_EQ(report.sources[0].cuts.cut, 1u);
  EXPECT_EQ(report.sources[0].cuts.lost_too_much, 1u);
  EXPECT_EQ(report.sources[0].cuts.left_empty, 0u);
  EXPECT_EQ(report.sources[0].cuts.lines, 2u);
  EXPECT_EQ(report.sources[0].cuts.bytes, 49u + 97u);
}

// Numbers of documents go on through the parts; what goes is listed for each.
TEST(Repeats, GoOutOfTheFirstDocumentsOfParts) {
  const TempDir dir;
  const std::string line = "A line that is in some documents of this corpus.";
  TextSourceConfig parts;
  parts.name = "a";
  for (int part = 0; part < 2; ++part) {
    std::string rows;
    for (int i = 0; i < 2; ++i) {
      nlohmann::json row = {{"text", fmt::format("{}\nOf part {} and number {}.", line, part, i)}};
      if (part == 0 && i == 0) row["pad"] = std::string(1 << 20, 'x');  // as large as a part
      rows += row.dump() + "\n";
    }
    parts.paths.push_back(dir / fmt::format("a{}.jsonl", part));
    test::write_file(parts.paths.back(), rows);
  }
  DedupConfig config = config_of(dir, {parts});
  config.part_mb = 1;
  config.minhash.enabled = false;
  config.lines.enabled = true;
  EXPECT_EQ(deduplicate(config).sources[0].cuts.lines, 3u);
  for (int part = 0; part < 2; ++part) {
    const auto rows = lines_of(fmt::format("{}/texts/a-{:05}.jsonl.zst", config.output, part));
    ASSERT_EQ(rows.size(), 2u);
    for (int i = 0; i < 2; ++i) {
      const std::string own = fmt::format("Of part {} and number {}.", part, i);
      EXPECT_EQ(nlohmann::json::parse(rows[static_cast<std::size_t>(i)]).at("text"),
                part == 0 && i == 0 ? line + "\n" + own : own);
    }
  }
}

TEST(Repeats, DependNeitherOnThreadsNorMemory) {
  const TempDir dir;
  std::string lines;
  for (int i = 0; i < 4; ++i) {
    std::string text;
    for (int k = 0; k < 200'000; ++k) text += "x" + std::to_string((k * 7919 + i) % 300'000) + "\n";
    lines += line_of(text);
  }
  DedupConfig config =
      config_of(dir, {source(dir, "a", lines), random_source(dir, "b", 0, 200)}, "one");
  config.exact = Exact::off, config.minhash.enabled = false;
  config.lines = {true, 1, 1, 2};
  config.paragraphs = {true, 1, 1, 2};
  config.threads = 1;
  deduplicate(config);
  const auto expected = outputs_of(config);
  const std::string index = "/index/segments/a-00000/lines";
  const std::string sorted = test::read_file(config.output + index);
  EXPECT_GT(sorted.size(), 11u << 20) << "more than the sixth of 64 MB that sorts them";
  config.output = dir / "four";
  config.threads = 4;
  config.memory_mb = 64;
  deduplicate(config);
  EXPECT_TRUE(outputs_of(config) == expected);
  EXPECT_TRUE(test::read_file(config.output + index) == sorted);
}

// Dumps one by one give what all at once do, and what a kill left out is made again.
TEST(Repeats, GoOnWhereTheyWere) {
  const TempDir dir;
  const std::vector<TextSourceConfig> sources = {random_source(dir, "a", 0, 50),
                                                 random_source(dir, "b", 40, 50),
                                                 random_source(dir, "c", 80, 50)};
  DedupConfig config = config_of(dir, sources, "all");
  config.lines = {true, 2, 1, 10};
  config.paragraphs = {true, 1, 1, 10};
  deduplicate(config);
  const auto expected = outputs_of(config);
  EXPECT_EQ(expected.size(), 10u);
  config.output = dir / "grown";
  config.sources = {sources[0]};
  deduplicate(config);
  EXPECT_FALSE(outputs_of(config) == expected);
  config.sources = sources;
  deduplicate(config);
  EXPECT_TRUE(outputs_of(config) == expected);
  namespace fs = std::filesystem;
  const auto untouched = fs::last_write_time(config.output + "/texts/a-00000.jsonl.zst");
  fs::remove(config.output + "/cuts/b-00000.jsonl.zst");
  fs::remove(config.output + "/.texts-stamps/c-00000");
  test::write_file(config.output + "/cuts/d-00000.jsonl.zst", "of a source that is gone");
  test::write_file(config.output + "/texts/c-00000.jsonl.zst", "half");
  deduplicate(config);
  EXPECT_TRUE(outputs_of(config) == expected);
  EXPECT_EQ(fs::last_write_time(config.output + "/texts/a-00000.jsonl.zst"), untouched);
}

// The texts of each part, by what goes out of it.
TEST(Repeats, OtherLinesMakeThePartsAgainThatTheyAreIn) {
  const TempDir dir;
  const std::string twice = "this line stands in two documents";
  const auto own = [](std::uint64_t n) { return "\n" + text_of(n, 40); };
  DedupConfig config =
      config_of(dir, {source(dir, "a", line_of("nothing of the others" + own(0))),
                      source(dir, "b", line_of(twice + own(1)) + line_of(twice + own(2)))});
  config.lines = {true, 2, 1, 10};
  deduplicate(config);
  EXPECT_THAT(texts_of(config, "b"), ElementsAre(twice + own(1), twice + own(2)));
  config.lines.more_than = 1;
  deduplicate(config);
  EXPECT_THAT(texts_of(config, "b"), ElementsAre(twice + own(1), own(2).substr(1)));
  config.lines.more_than = 2;
  deduplicate(config);
  EXPECT_THAT(texts_of(config, "b"), ElementsAre(twice + own(1), twice + own(2)));
}

// What an earlier call cut out of a source that is not read now is no figure of this one.
TEST(Repeats, CountsAreOfCurrentTexts) {
  const TempDir dir;
  const std::vector<TextSourceConfig> sources = {random_source(dir, "a", 0, 30),
                                                 random_source(dir, "b", 20, 30)};
  DedupConfig config = config_of(dir, sources);
  config.lines = {true, 1, 1, 10};
  const DedupReport all = deduplicate(config);
  EXPECT_GT(all.sources[1].cuts.bytes, 0u);
  config.sources = {sources[0]};
  const DedupReport same = deduplicate(config);
  EXPECT_EQ(same.sources[1].cuts.bytes, all.sources[1].cuts.bytes) << "the texts are current";
  config.lines.more_than = 3;
  const DedupReport other = deduplicate(config);
  EXPECT_GT(other.sources[0].cuts.bytes, 0u);
  EXPECT_EQ(other.sources[1].cuts.bytes, 0u);
}

// Without lines and paragraphs nothing of the lists of an earlier call stays.
TEST(Repeats, AreByChoice) {
  const TempDir dir;
  DedupConfig config = config_of(dir, {random_source(dir, "a", 0, 20)});
  config.index = dir / "index-with";
  config.lines.enabled = true;
  deduplicate(config);
  EXPECT_EQ(outputs_of(config).count("cuts/a-00000.jsonl.zst"), 1u);
  config.index = dir / "index-without";
  config.lines.enabled = false;
  const DedupReport report = deduplicate(config);
  EXPECT_EQ(outputs_of(config).count("cuts/a-00000.jsonl.zst"), 0u);
  EXPECT_THAT(summary(report), testing::Not(HasSubstr("of what stays")));
  EXPECT_EQ(texts_of(config, "a").at(0), lines_at_random(0));
}

TEST(Repeats, RefuseWhatCannotBe) {
  const TempDir dir;
  const DedupConfig config = config_of(dir, {source(dir, "a", line_of("one text"))});
  const auto error_with = [&](auto change) {
    DedupConfig changed = config;
    change(changed);
    return input_error_of([&] { deduplicate(changed); });
  };
  EXPECT_EQ(error_with([](DedupConfig& c) { c.lines.more_than = 0; }),
            "lines.more_than: 0 is not in [1, 1000000]");
  EXPECT_EQ(error_with([](DedupConfig& c) { c.paragraphs.keep = 2; }),
            "paragraphs.keep: 2 is not in [0, 1]");
  EXPECT_EQ(error_with([](DedupConfig& c) { c.lines.min_bytes = 0; }),
            "lines.min_bytes: 0 is not in [1, 1073741824]");
  EXPECT_EQ(error_with([](DedupConfig& c) { c.max_lost = 1.5; }), "max_lost: 1.5 is not in [0, 1]");
  EXPECT_EQ(error_with([](DedupConfig& c) { c.lines.enabled = true, c.write_texts = false; }),
            "lines.enabled takes parts out of texts; it needs write_texts = true");
  deduplicate(config);
  EXPECT_THAT(error_with([](DedupConfig& c) { c.lines.enabled = true; }),
              HasSubstr("this index was made with keep longest, 18 bands of 7 rows"));
}

}  // namespace
}  // namespace fathom::dedup
