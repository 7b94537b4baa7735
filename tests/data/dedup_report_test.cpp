// What `data dedup` tells: its table, the options of its index, and what it refuses of a config.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "data/dedup/dedup.h"
#include "data/dedup/output.h"
#include "data/dedup/segment.h"
#include "data/dedup/segment_json.h"
#include "data/dedup_corpus.h"

namespace fathom::dedup {
namespace {

using test::input_error_of;
using test::TempDir;
using testing::ElementsAre;
using testing::HasSubstr;

DedupReport report_of_two() {
  DedupReport report;
  report.sources.push_back({"web", {100, 20, 5}, {}, 4000, 3000, {100, 20, 5}});
  report.sources.push_back({"books", {10, 0, 1}, {}, 1000, 995, {110, 22, 11}});
  report.cluster_sizes = {70, 8, 0, 1};
  report.largest_cluster = 9;
  report.candidates = 40;
  report.verified = 26;
  report.notes = {"3 empty documents are left out"};
  return report;
}

TEST(DedupSummary, SharesAreOfWhatGoes) {
  EXPECT_EQ(summary(report_of_two()),
            "source                  documents      exact       near   % gone  % bytes   % gone of "
            "this and all before\n"
            "web                           100         20          5    25.00    25.00   25.00\n"
            "books                          10          0          1    10.00     0.50   30.00\n"
            "all                           110         20          6    23.64\n"
            "40 pairs compared, 26 of them copies; clusters by size: 1 70, 2+ 8, 8+ 1, largest 9\n"
            "3 empty documents are left out\n");
}

TEST(DedupSummary, CutsAreOfWhatStays) {
  DedupReport report = report_of_two();
  report.has_cuts = true;
  report.sources[0].kept_bytes = 900;
  report.sources[0].cuts = {7, 1, 2, 30, 4, 500, 100};
  report.sources[1].cuts = {1, 0, 0, 5, 0, 60, 0};
  EXPECT_THAT(summary(report),
              HasSubstr("of what stays                 cut left empty lost too much      lines "
                        "paragraphs       tokens  % bytes\n"
                        "web                             7          1             2         30     "
                        "     4          500    10.00\n"
                        "books                           1          0             0          5     "
                        "     0           60     0.00\n"
                        "all                             8          1             2         35     "
                        "     4          560     5.01\n"));
}

TEST(DedupSummary, JsonHasEachCountUnderItsKey) {
  DedupReport report = report_of_two();
  report.sources.resize(1);
  report.sources[0].within_first = {90, 19, 4};
  const auto json = [&] { return nlohmann::ordered_json::parse(to_json(report)).dump(); };
  const std::string source = R"({"sources":[{"documents":100,"exact":20,"near":5,"name":"web",)"
                             R"("bytes":4000,"kept_bytes":3000,"with_sources_before":)"
                             R"({"documents":90,"exact":19,"near":4})";
  const std::string rest = R"(}],"cluster_sizes":[70,8,0,1],"largest_cluster":9,"candidates":40,)"
                           R"("verified":26,"notes":["3 empty documents are left out"]})";
  EXPECT_EQ(json(), source + rest);
  report.has_cuts = true;
  report.sources[0].cuts = {7, 1, 2, 30, 4, 500, 100};
  EXPECT_EQ(json(), source +
                        R"(,"cuts":{"cut_documents":7,"left_empty":1,"lost_too_much":2,)"
                        R"("lines":30,"paragraphs":4,"tokens":500,"bytes":100})" +
                        rest);
}

TEST(DedupSummary, NothingIsNoShare) {
  DedupReport report;
  report.sources.push_back({"empty", {}, {}, 0, 0, {}});
  report.has_cuts = true;
  EXPECT_THAT(summary(report), HasSubstr("0     0.00     0.00   0.00\n"));
  EXPECT_THAT(summary(report), HasSubstr("clusters by size: largest 0"));
}

std::string options_of(const DedupConfig& config) {
  return IndexOptions(config).text();
}

TEST(IndexOptions, NameAllThatAnIndexDependsOn) {
  DedupConfig config;
  EXPECT_EQ(options_of(config),
            "keep longest, 18 bands of 7 rows, shingles of 5 words or 8 "
            "characters, 512 of them kept, seed 1");
  config.minhash.bands = 4;
  config.minhash.rows = 2;
  config.minhash.words = 3;
  config.minhash.characters = 6;
  config.minhash.verify_shingles = 64;
  config.minhash.seed = 7;
  EXPECT_EQ(options_of(config),
            "keep longest, 4 bands of 2 rows, shingles of 3 words or 6 "
            "characters, 64 of them kept, seed 7");
  config.minhash.enabled = false;
  EXPECT_EQ(options_of(config), "keep longest, exact only");
  config.quality_field = "score";
  EXPECT_EQ(options_of(config), "keep longest, exact only") << "which is not asked for";
  config.keep = Keep::best;
  EXPECT_EQ(options_of(config), "keep best by score, exact only");
}

TEST(IndexOptions, LinesAndParagraphsHaveBoundsOfTheirOwn) {
  DedupConfig config;
  config.minhash.enabled = false;
  config.lines.min_bytes = 20;
  config.paragraphs.min_bytes = 90;
  EXPECT_EQ(options_of(config), "keep longest, exact only");
  config.lines.enabled = true;
  EXPECT_EQ(options_of(config), "keep longest, exact only, lines of 20 bytes");
  config.paragraphs.enabled = true;
  EXPECT_EQ(options_of(config),
            "keep longest, exact only, lines of 20 bytes, paragraphs of 90 bytes");
  config.lines.enabled = false;
  EXPECT_EQ(options_of(config), "keep longest, exact only, paragraphs of 90 bytes");
}

TEST(Repeats, ShortParagraphsStayThoughTheirLinesWouldGo) {
  const TempDir dir;
  const std::string line = "a line that is repeated";
  const std::string paragraph = line + "\nand goes on for a while, so that it is long enough";
  DedupConfig config =
      config_of(dir, {source(dir, "a",
                             line_of("one one\n\n" + line + "\n\n" + paragraph) +
                                 line_of("two two\n\n" + line + "\n\n" + paragraph))});
  config.exact = Exact::off;
  config.minhash.enabled = false;
  config.max_lost = 1;
  config.paragraphs = {true, 1, 1, 40};
  config.lines.min_bytes = 10;
  const DedupReport report = deduplicate(config);
  EXPECT_EQ(report.sources[0].cuts.paragraphs, 1u);
  EXPECT_EQ(report.sources[0].cuts.lines, 0u);
  EXPECT_EQ(texts_of(config, "a").at(1), "two two\n\n" + line);
}

TEST(SegmentInfo, ReadsBackAsItWasWritten) {
  const TempDir dir;
  SegmentInfo info{"web", 3, "keep longest", {{"a.jsonl", 10}, {"中", 0}}, 5, 70, {}};
  info.counts.broken_lines = 1;
  info.counts.first_broken = "a.jsonl:2";
  info.counts.empty_documents = 2;
  info.counts.repaired_documents = 3;
  info.counts.replaced_bytes = 4;
  info.counts.first_repaired = "a.jsonl:9";
  const std::string path = dir / "segment.json";
  test::write_file(path, to_json(info));
  const SegmentInfo read = load_segment_info(path);
  EXPECT_EQ(to_json(read), to_json(info));
  EXPECT_EQ(read.part, 3);
  EXPECT_EQ(read.documents, 5u);
  EXPECT_EQ(read.text_bytes, 70u);
  EXPECT_EQ(read.counts.first_broken, "a.jsonl:2");
  EXPECT_EQ(read.counts.replaced_bytes, 4);
  EXPECT_EQ(read.counts.first_repaired, "a.jsonl:9");
  ASSERT_EQ(read.files.size(), 2u);
  EXPECT_EQ(read.files[0].bytes, 10u);
  nlohmann::json other = nlohmann::json::parse(to_json(info));
  other["version"] = 1;
  test::write_file(path, other.dump());
  EXPECT_EQ(input_error_of([&] { load_segment_info(path); }),
            path + ": is of version 1, this program reads 2; remove the index to build it again");
}

// The last value that each key may have, and the first that it may not.
TEST(DedupConfig, KeysHaveBounds) {
  const TempDir dir;
  DedupConfig config = config_of(dir, {source(dir, "a", "")});
  const auto problem = [&](auto&& change) {
    DedupConfig changed = config;
    change(changed);
    return input_error_of([&] { check_config(changed); });
  };
  EXPECT_EQ(problem([](DedupConfig&) {}), "no error");
  const auto bounds = [&](const std::string& key, auto member, auto least, auto most, auto step) {
    for (const auto& [value, holds] :
         {std::pair(least, true), std::pair(most, true), std::pair(least - step, false),
          std::pair(most + step, false)}) {
      const std::string expected =
          holds ? "no error"
                : fmt::format("{}: {} is not in [{}, {}]", key, static_cast<double>(value),
                              static_cast<double>(least), static_cast<double>(most));
      EXPECT_EQ(problem([&, v = value](DedupConfig& c) { member(c) = v; }), expected);
    }
  };
  using Whole = std::int64_t;
  bounds(
      "part_mb", [](auto& c) -> auto& { return c.part_mb; }, Whole{1}, Whole{1} << 24, Whole{1});
  bounds(
      "memory_mb", [](auto& c) -> auto& { return c.memory_mb; }, Whole{64}, Whole{1} << 24,
      Whole{1});
  bounds(
      "threads", [](auto& c) -> auto& { return c.threads; }, Whole{0}, Whole{4096}, Whole{1});
  bounds(
      "max_lost", [](auto& c) -> auto& { return c.max_lost; }, 0.0, 1.0, 0.5);
  bounds(
      "minhash.words", [](auto& c) -> auto& { return c.minhash.words; }, Whole{1}, Whole{1000},
      Whole{1});
  bounds(
      "minhash.characters", [](auto& c) -> auto& { return c.minhash.characters; }, Whole{1},
      Whole{1000}, Whole{1});
  bounds(
      "minhash.verify_shingles", [](auto& c) -> auto& { return c.minhash.verify_shingles; },
      Whole{16}, Whole{1} << 20, Whole{1});
  bounds(
      "lines.min_bytes", [](auto& c) -> auto& { return c.lines.min_bytes; }, Whole{1},
      Whole{1} << 30, Whole{1});
  bounds(
      "paragraphs.more_than", [](auto& c) -> auto& { return c.paragraphs.more_than; }, Whole{1},
      Whole{1000000}, Whole{1});
  bounds(
      "lines.keep", [](auto& c) -> auto& { return c.lines.keep; }, Whole{0}, Whole{1}, Whole{1});
  bounds(
      "substrings.tokens", [](auto& c) -> auto& { return c.substrings.tokens; }, Whole{2},
      Whole{1} << 20, Whole{1});
}

TEST(DedupConfig, KeysOfMinHashHaveBounds) {
  const TempDir dir;
  DedupConfig config = config_of(dir, {source(dir, "a", "")});
  config.minhash.bands = config.minhash.rows = 3;  // which decide alone
  const auto problem = [&](auto&& change) {
    DedupConfig changed = config;
    change(changed.minhash);
    return input_error_of([&] { check_config(changed); });
  };
  for (const auto& [value, holds] :
       {std::pair(0.01, true), {1.0, true}, {0.009, false}, {1.001, false}}) {
    EXPECT_EQ(problem([&, v = value](MinHashConfig& c) { c.threshold = v; }),
              holds ? "no error" : fmt::format("minhash.threshold: {} is not in [0.01, 1]", value));
  }
  for (const auto& [value, holds] :
       {std::pair(0.01, true), {0.9999, true}, {0.009, false}, {1.0, false}}) {
    EXPECT_EQ(
        problem([&, v = value](MinHashConfig& c) { c.recall = v; }),
        holds ? "no error" : fmt::format("minhash.recall: {} is not in [0.01, 0.9999]", value));
  }
  using Key = std::pair<std::string, std::int64_t MinHashConfig::*>;
  for (const auto& [key, member] :
       {Key("permutations", &MinHashConfig::permutations), Key("bands", &MinHashConfig::bands),
        Key("rows", &MinHashConfig::rows)}) {
    const std::int64_t least = key == "permutations" ? 1 : 0;
    for (const std::int64_t value :
         {least - 1, std::int64_t{1}, std::int64_t{65536}, std::int64_t{65537}}) {
      EXPECT_EQ(problem([&, m = member](MinHashConfig& c) { c.*m = value; }),
                value >= least && value <= 65536
                    ? "no error"
                    : fmt::format("minhash.{}: {} is not in [{}, 65536]", key, value, least));
    }
  }
}

TEST(DedupConfig, KeysGoTogether) {
  const TempDir dir;
  const DedupConfig config = config_of(dir, {source(dir, "a", "")});
  const auto problem = [&](auto&& change) {
    DedupConfig changed = config;
    change(changed);
    return input_error_of([&] { check_config(changed); });
  };
  EXPECT_EQ(problem([](auto& c) { c.output.clear(); }),
            "output: missing; name the directory to make");
  EXPECT_EQ(problem([](auto& c) { c.sources.clear(); }),
            "sources: missing; add at least one [[sources]] table");
  EXPECT_EQ(problem([](auto& c) { c.minhash.bands = 3; }),
            "minhash.bands and minhash.rows: give both");
  EXPECT_EQ(problem([](auto& c) { c.minhash.rows = 3; }),
            "minhash.bands and minhash.rows: give both");
  EXPECT_EQ(problem([](auto& c) { c.minhash.rows = c.minhash.bands = 3; }), "no error");
  const auto nothing = [](DedupConfig& c) {
    c.exact = Exact::off;
    c.minhash.enabled = false;
  };
  EXPECT_EQ(problem(nothing), "exact = \"off\" and minhash.enabled = false leave nothing to find");
  for (const std::string table : {"lines", "paragraphs", "substrings"}) {
    const auto enable = [&](DedupConfig& c) {
      (table == "lines"        ? c.lines.enabled
       : table == "paragraphs" ? c.paragraphs.enabled
                               : c.substrings.enabled) = true;
    };
    EXPECT_EQ(problem([&](auto& c) { nothing(c), enable(c); }), "no error") << table;
    EXPECT_EQ(problem([&](auto& c) { enable(c), c.write_texts = false; }),
              table + ".enabled takes parts out of texts; it needs write_texts = true");
  }
}

}  // namespace
}  // namespace fathom::dedup
