#include "data/dedup/dedup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <thread>

#include "core/philox.h"
#include "data/dedup/shingles.h"
#include "data/dedup_corpus.h"
#include "io/line_reader.h"
#include "io/temp_dir.h"
#include "text/characters.h"

namespace fathom::dedup {
namespace {

using test::input_error_of;
using test::TempDir;
using test::write_file;
using testing::ElementsAre;
using testing::HasSubstr;

// "3 of 1 near" by line numbers, for each copy of the first part of a source.
std::vector<std::string> copies_of(const DedupConfig& config, const std::string& name) {
  std::vector<std::string> copies;
  for (const std::string& line : lines_of(config.output + "/copies/" + name + "-00000.jsonl.zst")) {
    const auto json = nlohmann::json::parse(line);
    const auto number = [&](const char* key) {
      const std::string place = json.at(key);
      return place.substr(place.rfind('/') + 1);
    };
    copies.push_back(number("document") + " of " + number("of") + " " +
                     json.at("how").get<std::string>());
  }
  return copies;
}

TEST(Dedup, FindsEqualAndSimilarDocuments) {
  const TempDir dir;
  const std::string english = text_of(1, 400), chinese = text_of(2, 400, 0, true);
  const std::string lines = line_of(english) + line_of(chinese) + line_of(text_of(3, 400)) +
                            line_of("  " + english + "\n") + line_of(text_of(1, 400, 4)) +
                            line_of(text_of(2, 400, 4, true)) + line_of(text_of(1, 400, 100)) +
                            line_of("short") + line_of("short") + line_of("...");
  const DedupConfig config = config_of(dir, {source(dir, "a", lines)});
  const DedupReport report = deduplicate(config);
  // The fourth is the longest of the three in English.
  EXPECT_THAT(copies_of(config, "a"),
              ElementsAre("a.jsonl:1 of a.jsonl:4 exact", "a.jsonl:5 of a.jsonl:4 near",
                          "a.jsonl:6 of a.jsonl:2 near", "a.jsonl:9 of a.jsonl:8 exact"));
  EXPECT_EQ(lines_of(config.output + "/texts/a-00000.jsonl.zst").size(), 6u);
  EXPECT_EQ(report.sources[0].removed.exact, 2u);
  EXPECT_EQ(report.sources[0].removed.near, 2u);
  EXPECT_EQ(report.largest_cluster, 3u);
  EXPECT_THAT(summary(report), HasSubstr("40.00"));
}

// A file of several chunks, whose second half are edited copies of the first: all are found, and
// each goes for its own original.
TEST(Dedup, FindsCopiesInLargeFiles) {
  const TempDir dir;
  constexpr std::uint64_t documents = 2500;
  std::string lines;
  for (std::uint64_t i = 0; i < documents; ++i) lines += line_of(text_of(i, 120) + "the original");
  for (std::uint64_t i = 0; i < documents; ++i) lines += line_of(text_of(i, 120, 1));
  const DedupConfig config = config_of(dir, {source(dir, "a", lines)});
  const DedupReport report = deduplicate(config);
  EXPECT_EQ(report.sources[0].removed.near, documents);
  EXPECT_EQ(report.sources[0].removed.exact, 0u);
  for (const std::string& copy : copies_of(config, "a")) {
    std::uint64_t of = 0, number = 0;
    ASSERT_EQ(std::sscanf(copy.c_str(), "a.jsonl:%lu of a.jsonl:%lu near", &number, &of), 2);
    EXPECT_EQ(number, of + documents);
  }
}

// Sets of shingles as strings, made in another way.
std::set<std::string> string_shingles(const std::string& text, bool chinese) {
  std::vector<std::string> tokens;
  if (chinese) {
    for (const char *p = text.data(), *end = p + text.size(); p < end;) {
      const char* begin = p;
      if (utf8::next(p) >= 0x4e00) tokens.emplace_back(begin, p);
    }
  } else {
    std::istringstream in(text);
    for (std::string word; in >> word; tokens.push_back(word)) {
      if (word.ends_with('.')) word.pop_back();
    }
  }
  const std::size_t n = chinese ? 8 : 5;
  std::set<std::string> shingles;
  for (std::size_t i = 0; i + n <= tokens.size(); ++i) {
    std::string joined;
    for (std::size_t k = 0; k < n; ++k) joined += tokens[i + k] + " ";
    shingles.insert(joined);
  }
  return shingles;
}

double exact_similarity(const std::string& a, const std::string& b, bool chinese) {
  const auto x = string_shingles(a, chinese), y = string_shingles(b, chinese);
  std::vector<std::string> both;
  std::ranges::set_intersection(x, y, std::back_inserter(both));
  return static_cast<double>(both.size()) / static_cast<double>(x.size() + y.size() - both.size());
}

// Planted pairs of known similarity: as many are found as the curve of the bands says, and none
// below the threshold.
TEST(Dedup, RecallFollowsTheCurve) {
  const TempDir dir;
  constexpr int pairs = 4000;
  std::string lines;
  std::vector<double> similarities;
  for (int i = 0; i < pairs; ++i) {
    const bool chinese = i % 2 == 0;
    const int length = chinese ? 200 : 120, edits = 1 + i / 2 % 6;
    const auto n = static_cast<std::uint64_t>(i);
    const std::string a = text_of(n, length, 0, chinese), b = text_of(n, length, edits, chinese);
    lines += line_of(a) + line_of(b);
    similarities.push_back(exact_similarity(a, b, chinese));
  }
  DedupConfig config = config_of(dir, {source(dir, "a", lines)});
  config.minhash.threshold = 0.6;
  config.minhash.bands = 14, config.minhash.rows = 8;
  deduplicate(config);
  std::vector<bool> found(pairs);
  for (const std::string& copy : copies_of(config, "a")) {
    int of = 0, number = 0;
    ASSERT_EQ(std::sscanf(copy.c_str(), "a.jsonl:%d of a.jsonl:%d near", &number, &of), 2);
    ASSERT_EQ((number - 1) / 2, (of - 1) / 2) << "copies of each other by chance";
    found[static_cast<std::size_t>((number - 1) / 2)] = true;
  }
  double expected = 0, all = 0, below = 0;
  for (int i = 0; i < pairs; ++i) {
    const double s = similarities[static_cast<std::size_t>(i)];
    const bool is_found = found[static_cast<std::size_t>(i)];
    all += is_found;
    below += is_found && s < 0.6;
    if (s >= 0.6) expected += candidate_probability(s, {14, 8});
  }
  EXPECT_EQ(below, 0);
  EXPECT_GT(expected, 1000);
  EXPECT_LT(expected, 3500);
  EXPECT_NEAR(all / expected, 1, 0.02);
}

TEST(Dedup, KeptRowsAreAsTheyWereRead) {
  const TempDir dir;
  const std::string row = R"({"id": 1.50, "text": "a \u4e2d b", "more": {"x": [1]}})";
  DedupConfig config = config_of(dir, {source(dir, "a", row + "\n")});
  write_file(dir / "plain.txt", "one text\nof two lines\n");
  config.sources.push_back({"b", {dir / "plain.txt"}, TextFormat::text, "text", "", false});
  deduplicate(config);
  EXPECT_THAT(lines_of(config.output + "/texts/a-00000.jsonl.zst"), ElementsAre(row));
  EXPECT_THAT(lines_of(config.output + "/texts/b-00000.jsonl.zst"),
              ElementsAre(R"({"text": "one text\nof two lines\n", "source": ")" +
                          (dir / "plain.txt") + R"(:1"})"));
}

TEST(Dedup, WhichCopyStaysIsARule) {
  const TempDir dir;
  const std::string first = line_of(text_of(1, 300), 5) + line_of(text_of(1, 300, 3) + "more", 7);
  const std::vector<TextSourceConfig> sources = {
      source(dir, "old", first), source(dir, "new", line_of(text_of(1, 300, 2), 6))};
  const auto kept = [&](Keep keep) {
    DedupConfig config = config_of(dir, sources, std::string(enum_name(keep)));
    config.keep = keep;
    deduplicate(config);
    std::string qualities;
    for (const char* name : {"old", "new"}) {
      for (const std::string& line :
           lines_of(config.output + "/texts/" + name + "-00000.jsonl.zst")) {
        qualities += nlohmann::json::parse(line)["quality"].dump();
      }
    }
    return qualities;
  };
  EXPECT_EQ(kept(Keep::first), "5");
  EXPECT_EQ(kept(Keep::last), "6");
  EXPECT_EQ(kept(Keep::longest), "7");
  EXPECT_EQ(kept(Keep::best), "7");
}

// Of equal texts in either order, also where a quality is negative or as good as none.
TEST(Dedup, TheBestQualityStays) {
  const TempDir dir;
  std::string rows;
  std::vector<double> expected;
  for (const auto& [worse, better] : std::vector<std::pair<double, double>>{
           {-1, 0.5}, {-2, -1}, {-1, 0}, {0, 1e-300}, {1, 2}, {-1e300, 1e300}, {0.25, 0.5}}) {
    for (const bool first : {false, true}) {
      const std::string text = "text " + std::to_string(expected.size());
      for (const double quality : {first ? better : worse, first ? worse : better}) {
        rows += nlohmann::json{{"text", text}, {"score", quality}}.dump() + "\n";
      }
      expected.push_back(better);
    }
  }
  DedupConfig config = config_of(dir, {source(dir, "a", rows)});
  config.keep = Keep::best;
  config.quality_field = "score";
  config.minhash.enabled = false;
  deduplicate(config);
  std::vector<double> kept;
  for (const std::string& line : lines_of(config.output + "/texts/a-00000.jsonl.zst")) {
    kept.push_back(nlohmann::json::parse(line).at("score"));
  }
  EXPECT_EQ(kept, expected);
}

TEST(Dedup, KeepBestNeedsAQualityOfEachDocument) {
  const TempDir dir;
  write_file(dir / "plain.txt", "a text");
  DedupConfig config = config_of(dir, {});
  config.sources.push_back({"b", {dir / "plain.txt"}, TextFormat::text, "text", "", false});
  config.keep = Keep::best;
  EXPECT_EQ(input_error_of([&] { deduplicate(config); }),
            (dir / "plain.txt") +
                ":1: text has no field 'quality', which keep = \"best\" needs; give JSON lines or "
                "Parquet");
}

// Marks are no words: texts that differ in them alone have the same shingles.
TEST(Dedup, AThresholdOfOneIsEqualShingles) {
  const TempDir dir;
  const std::string text = text_of(1, 60);
  std::string dashed = text, edited = text;
  for (std::size_t at; (at = dashed.find(". ")) != std::string::npos;) dashed.replace(at, 2, " - ");
  edited.replace(edited.rfind("w"), 1, "v");
  DedupConfig config =
      config_of(dir, {source(dir, "a", line_of(text) + line_of(dashed) + line_of(edited))});
  config.keep = Keep::first;
  config.minhash.threshold = 1;
  const DedupReport report = deduplicate(config);
  EXPECT_THAT(copies_of(config, "a"), ElementsAre("a.jsonl:2 of a.jsonl:1 near"));
  EXPECT_EQ(report.candidates, 1u);
  EXPECT_EQ(report.verified, 1u);
  EXPECT_EQ(report.largest_cluster, 2u);
  EXPECT_EQ(report.cluster_sizes, (std::vector<std::uint64_t>{1, 1}));
}

// Files of the same names and sizes that were written over: their texts are read again, and fit
// no longer.
TEST(Dedup, RefusesFilesWithOtherDocumentsThanIndexed) {
  const TempDir dir;
  const std::string one = line_of("one text"), row = R"({"text":"x"})";
  DedupConfig config = config_of(dir, {source(dir, "a", one + one + one)});
  config.exact = Exact::off;
  deduplicate(config);
  const auto error_with = [&](std::size_t documents) {
    std::string rows;
    for (std::size_t i = 0; i + 1 < documents; ++i) rows += row + "\n";
    rows += row;
    rows += std::string(3 * one.size() - rows.size() - 1, ' ') + "\n";
    write_file(config.sources[0].paths[0], rows);
    std::filesystem::remove(config.output + "/texts/a-00000.jsonl.zst");
    return input_error_of([&] { deduplicate(config); });
  };
  EXPECT_EQ(error_with(2),
            "source 'a': its files have fewer documents than when they were indexed");
  EXPECT_EQ(error_with(3), "no error");
  EXPECT_EQ(error_with(4), (dir / "a.jsonl") + ":4: has more documents than when it was indexed");
}

TEST(Dedup, TablesHaveASize) {
  EXPECT_EQ(cluster_memory(0), 0u);
  EXPECT_EQ(cluster_memory(1000), 19'000u);
}

// Neighbours of a chain are similar, its ends are not: no document goes that is not itself similar
// to the one that stays for it.
TEST(Dedup, ChainsDoNotJoinWhatIsNotSimilar) {
  const TempDir dir;
  std::string lines;
  std::vector<std::string> texts;
  for (int i = 0; i < 40; ++i) {
    std::string text;
    const Philox random{5, 5};
    for (int k = 0; k < 200; ++k) text += "w" + std::to_string(random.bits(10 * i + k)) + " ";
    texts.push_back(text);
    lines += line_of(text);
  }
  DedupConfig config = config_of(dir, {source(dir, "a", lines)});
  config.keep = Keep::first;
  deduplicate(config);
  const auto copies = lines_of(config.output + "/copies/a-00000.jsonl.zst");
  EXPECT_GT(copies.size(), 10u);
  Shingler shingler({5, 8});
  for (const std::string& line : copies) {
    const auto json = nlohmann::json::parse(line);
    std::vector<std::uint32_t> sets[2], both;
    for (int side = 0; side < 2; ++side) {
      const std::string place = json.at(side == 0 ? "document" : "of");
      const int number = std::stoi(place.substr(place.rfind(':') + 1));
      std::string folded;
      fold_text(texts[static_cast<std::size_t>(number - 1)], folded);
      sets[side] = shingler.shingles(folded);
    }
    std::ranges::set_intersection(sets[0], sets[1], std::back_inserter(both));
    const double all = static_cast<double>(sets[0].size() + sets[1].size() - both.size());
    EXPECT_GE(static_cast<double>(both.size()) / all, 0.8) << line;
  }
}

// Several sources with known overlap, of several parts.
std::vector<TextSourceConfig> dumps(const TempDir& dir, int count) {
  std::vector<TextSourceConfig> sources;
  for (int d = 0; d < count; ++d) {
    TextSourceConfig dump;
    dump.name = "dump" + std::to_string(d);
    for (int f = 0; f < 3; ++f) {
      std::string lines;
      for (int i = 0; i < 200; ++i) {
        // A third are texts of the first dump, a third of them with an edit.
        const int n = d * 100000 + f * 1000 + i;
        const int original = i % 3 == 0 ? n % 100000 : n;
        lines += line_of(text_of(original, 60 + i % 7, i % 9 == 0 && d > 0 ? 1 : 0, i % 2 == 0));
      }
      const std::string path = dir / (dump.name + "-" + std::to_string(f) + ".jsonl");
      write_file(path, lines);
      dump.paths.push_back(path);
    }
    sources.push_back(dump);
  }
  return sources;
}

TEST(Dedup, ResultDependsNeitherOnThreadsNorMemory) {
  const TempDir dir;
  DedupConfig config = config_of(dir, dumps(dir, 2), "one");
  config.threads = 1;
  config.minhash.bands = 6000, config.minhash.rows = 1;
  deduplicate(config);
  const auto expected = outputs_of(config);
  EXPECT_EQ(expected.size(), 5u);
  const std::string bands = "/index/segments/dump0-00000/bands";
  const std::string sorted = test::read_file(config.output + bands);
  EXPECT_GT(sorted.size(), 33u << 20) << "more than the half of 64 MB that sorts them";
  config.output = dir / "four";
  config.threads = 4;
  config.memory_mb = 64;
  deduplicate(config);
  EXPECT_TRUE(outputs_of(config) == expected);
  EXPECT_TRUE(test::read_file(config.output + bands) == sorted);
}

TEST(Dedup, DumpsOneByOneGiveWhatAllAtOnceDo) {
  const TempDir dir;
  for (const Keep keep : {Keep::longest, Keep::last}) {
    DedupConfig config = config_of(dir, dumps(dir, 3), std::string("all-") += enum_name(keep));
    config.keep = keep;
    const DedupReport all = deduplicate(config);
    const auto expected = outputs_of(config);
    EXPECT_GT(all.sources[2].within_first.exact, 200u);
    EXPECT_GT(all.sources[2].within_first.near, 30u);

    DedupConfig grown = config;
    grown.output = dir / (std::string("grown-") += enum_name(keep));
    for (std::size_t count = 1; count <= 3; ++count) {
      grown.sources.assign(config.sources.begin(),
                           config.sources.begin() + static_cast<std::ptrdiff_t>(count));
      const DedupReport report = deduplicate(grown);
      for (std::size_t i = 0; i < count; ++i) {
        EXPECT_EQ(report.sources[i].within_first.exact, all.sources[i].within_first.exact);
        EXPECT_EQ(report.sources[i].within_first.near, all.sources[i].within_first.near);
      }
    }
    EXPECT_TRUE(outputs_of(grown) == expected);
  }
}

// The index alone tells about dumps whose text is gone.
TEST(Dedup, AddsADumpWithoutTheOldText) {
  const TempDir dir;
  DedupConfig config = config_of(dir, dumps(dir, 2), "all");
  deduplicate(config);
  const auto expected = outputs_of(config);
  DedupConfig later = config;
  later.output = dir / "later";
  later.sources = {config.sources[0]};
  deduplicate(later);
  for (const std::string& path : config.sources[0].paths) std::filesystem::remove(path);
  later.sources = {config.sources[1]};
  deduplicate(later);
  const auto files = outputs_of(later);
  for (const std::string name : {"copies/dump0-00000.jsonl.zst", "copies/dump1-00000.jsonl.zst",
                                 "texts/dump1-00000.jsonl.zst", "dedup.json"}) {
    EXPECT_TRUE(files.at(name) == expected.at(name)) << name;
  }
}

// An index whose work stopped anywhere: only what is missing is made again.
TEST(Dedup, GoesOnAfterAKill) {
  const TempDir dir;
  DedupConfig config = config_of(dir, dumps(dir, 3), "whole");
  config.part_mb = 1;
  deduplicate(config);
  const auto expected = outputs_of(config);
  DedupConfig cut = config;
  cut.output = dir / "cut";
  deduplicate(cut);
  namespace fs = std::filesystem;
  const fs::path index = fs::path(cut.output) / "index";
  const auto time = fs::last_write_time(index / "segments/dump0-00000/bands");
  fs::remove_all(index / "segments/dump1-00000");
  fs::create_directories(index / "segments/dump2-00000.tmp-1-1");
  fs::create_directories(index / ".dedup-scratch");
  write_file(index / ".dedup-scratch/candidates-0", "half a run");
  fs::remove(fs::path(cut.output) / "texts/dump2-00000.jsonl.zst");
  fs::remove(fs::path(cut.output) / "dedup.json");
  deduplicate(cut);
  EXPECT_TRUE(outputs_of(cut) == expected);
  EXPECT_EQ(fs::last_write_time(index / "segments/dump0-00000/bands"), time);
  EXPECT_FALSE(fs::exists(index / ".dedup-scratch"));
  EXPECT_FALSE(fs::exists(index / "segments/dump2-00000.tmp-1-1"));
}

// Other inputs of the same names, sizes and decisions: nothing of the old outputs stays.
// Of a source in several parts; threads are kept apart by the locks as processes are.
TEST(Dedup, OutputsDoNotDependOnHowManyShareTheIndexing) {
  const TempDir dir;
  TextSourceConfig web;
  web.name = "web";
  for (int file = 0; file < 4; ++file) {
    std::string lines;
    for (int i = 0; i < 400; ++i)
      lines += line_of(text_of(static_cast<std::uint64_t>(file * 300 + i), 500));
    web.paths.push_back(dir / ("web" + std::to_string(file) + ".jsonl"));
    write_file(web.paths.back(), lines);
  }
  web.paths.push_back(dir / "empty.jsonl");
  write_file(web.paths.back(), "");
  DedupConfig config = config_of(dir, {web}, "alone");
  config.part_mb = 1;
  deduplicate(config);
  const auto expected = outputs_of(config);
  config.output = dir / "shared";
  write_file(config.output + "/dedup.json.tmp-2000000000-0", "x");  // as a killed process left it
  std::vector<std::thread> others;
  for (const Role role : {Role::member, Role::helper, Role::helper}) {
    others.emplace_back([&, role] {
      EXPECT_EQ(deduplicate(config, {role, {}}).sources.empty(), role == Role::helper);
    });
  }
  for (std::thread& other : others) other.join();
  EXPECT_TRUE(outputs_of(config) == expected);
  EXPECT_TRUE(std::filesystem::exists(config.output + "/index/.claims/web-00003"));
  deduplicate(config);
  EXPECT_TRUE(outputs_of(config) == expected);
  require_own_files(config.output, dedup_files(std::vector<std::string>{"web"}));
}

TEST(Dedup, CallsOthersWhereSomethingIsToBeRead) {
  const TempDir dir;
  const DedupConfig config = config_of(dir, {source(dir, "web", line_of("a text"))});
  int calls = 0;
  const Sharing<DedupConfig> sharing{Role::member, [&](const DedupConfig& c) {
                                       ++calls;
                                       EXPECT_EQ(c.output, config.output);
                                     }};
  deduplicate(config, sharing);
  EXPECT_EQ(calls, 1);
  deduplicate(config, sharing);
  EXPECT_EQ(calls, 1);
}

TEST(Dedup, OutputsOfARebuiltIndexAreNew) {
  const TempDir dir;
  DedupConfig config = config_of(dir, {source(dir, "a", line_of("one text") + line_of("another"))});
  deduplicate(config);
  write_file(config.sources[0].paths[0], line_of("two text") + line_of("another"));
  std::filesystem::remove_all(config.output + "/index");
  deduplicate(config);
  EXPECT_THAT(lines_of(config.output + "/texts/a-00000.jsonl.zst"),
              ElementsAre(HasSubstr("two text"), HasSubstr("another")));
}

// A better copy arrives when the old dump's files are gone: its texts cannot be written again.
TEST(Dedup, KeepsTextsOfSourcesOutsideTheConfig) {
  const TempDir dir;
  DedupConfig config =
      config_of(dir, {source(dir, "old", line_of(text_of(1, 100)) + line_of(text_of(2, 100)))});
  deduplicate(config);
  const std::string texts = config.output + "/texts/old-00000.jsonl.zst";
  const std::string before = test::read_file(texts);
  std::filesystem::remove(config.sources[0].paths[0]);
  config.sources = {source(dir, "new", line_of(text_of(1, 100) + "and more"))};
  testing::internal::CaptureStderr();
  deduplicate(config);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr(texts + ": is of earlier"));
  EXPECT_TRUE(test::read_file(texts) == before);
  EXPECT_THAT(copies_of(config, "old"), ElementsAre("old.jsonl:1 of new.jsonl:1 near"));
}

// Parts that the index no longer has go; what still holds is not written again.
TEST(Dedup, RemovesLeftoversAndKeepsWhatHolds) {
  const TempDir dir;
  const DedupConfig config = config_of(dir, {source(dir, "a", line_of("one text"))});
  deduplicate(config);
  const std::string texts = config.output + "/texts/a-00000.jsonl.zst";
  const auto time = std::filesystem::last_write_time(texts);
  write_file(config.output + "/texts/a-00001.jsonl.zst", "old");
  write_file(config.output + "/copies/a-00001.jsonl.zst", "old");
  write_file(config.output + "/texts/b-00000.jsonl.zst", "of a source that is not given");
  deduplicate(config);
  EXPECT_EQ(std::filesystem::last_write_time(texts), time);
  EXPECT_FALSE(std::filesystem::exists(config.output + "/texts/a-00001.jsonl.zst"));
  EXPECT_FALSE(std::filesystem::exists(config.output + "/copies/a-00001.jsonl.zst"));
  EXPECT_TRUE(std::filesystem::exists(config.output + "/texts/b-00000.jsonl.zst"));
}

TEST(Dedup, RefusesWhatItCannotDo) {
  const TempDir dir;
  const TextSourceConfig a = source(dir, "a", line_of("one text") + line_of("two texts"));
  DedupConfig config = config_of(dir, {a});
  const auto error_with = [&](auto change) {
    DedupConfig changed = config;
    change(changed);
    return input_error_of([&] { deduplicate(changed); });
  };
  EXPECT_EQ(error_with([](DedupConfig& c) { c.minhash.threshold = 0; }),
            "minhash.threshold: 0 is not in [0.01, 1]");
  EXPECT_EQ(error_with([](DedupConfig& c) { c.minhash.rows = 3; }),
            "minhash.bands and minhash.rows: give both");
  EXPECT_EQ(error_with([](DedupConfig& c) { c.sources.push_back(c.sources[0]); }),
            "sources: two are called 'a'; give each its own name");
  EXPECT_THAT(error_with([](DedupConfig& c) { c.exact = Exact::off, c.minhash.enabled = false; }),
              HasSubstr("leave nothing to find"));
  EXPECT_THAT(error_with([](DedupConfig& c) { c.keep = Keep::best, c.quality_field = "stars"; }),
              HasSubstr(dir / "a.jsonl:1"));
  deduplicate(config);
  EXPECT_THAT(error_with([](DedupConfig& c) { c.minhash.seed = 9; }),
              HasSubstr("this index was made with keep longest, 18 bands of 7 rows"));
  EXPECT_THAT(error_with([](DedupConfig& c) { c.sources[0].skip_broken_lines = true; }),
              testing::ContainsRegex("this index was made with .*skip_broken_lines false.*; the "
                                     "config has .*skip_broken_lines true"));
  write_file(a.paths[0], line_of("other") + line_of("documents"));
  EXPECT_THAT(error_with([](DedupConfig&) {}), HasSubstr("the files of source 'a' are others"));
  write_file(dir / "out/notes.txt", "mine");
  EXPECT_THAT(error_with([](DedupConfig&) {}), HasSubstr("holds 'notes.txt'"));
}

// A part that is gone would take its documents, and those of all later parts, out of the index.
TEST(Dedup, RefusesAnIndexWithAGap) {
  const TempDir dir;
  DedupConfig config = config_of(dir, dumps(dir, 2));
  config.part_mb = 1;
  for (std::string& path : config.sources[0].paths) {
    write_file(path, test::read_file(path) + line_of(text_of(9, 1) + std::string(1 << 20, 'x')));
  }
  deduplicate(config);
  const std::string segments = config.output + "/index/segments/";
  ASSERT_TRUE(std::filesystem::exists(segments + "dump0-00002"));
  std::filesystem::remove_all(segments + "dump0-00001");
  DedupConfig later = config;
  later.sources = {config.sources[1]};
  EXPECT_THAT(input_error_of([&] { deduplicate(later); }),
              HasSubstr("dump0-00001: this part of the index is missing"));
  EXPECT_EQ(deduplicate(config).sources[0].removed.documents, 603u);
}

// Parts that a failed call made are documents of no config that was ever carried out.
TEST(Dedup, RefusesPartsOfAFailedCall) {
  const TempDir dir;
  TextSourceConfig a = source(dir, "a", line_of(std::string(1 << 20, 'x')));
  write_file(dir / "a2.jsonl", line_of("other"));
  DedupConfig config = config_of(dir, {a});
  config.part_mb = 1;
  config.sources[0].paths = {dir / "a.jsonl", dir / "a2.jsonl"};
  config.sources.push_back(source(dir, "b", "no json\n"));
  EXPECT_THAT(input_error_of([&] { deduplicate(config); }), HasSubstr("b.jsonl:1"));
  config.sources = {a};
  EXPECT_THAT(input_error_of([&] { deduplicate(config); }),
              HasSubstr("the files of source 'a' are others"));
}

TEST(Dedup, RefusesToReadIndexedFilesOtherwise) {
  const TempDir dir;
  DedupConfig config = config_of(dir, {source(dir, "a",
                                              R"({"text": "a", "more": "b"})"
                                              "\n")});
  deduplicate(config);
  config.sources[0].field = "more";
  EXPECT_THAT(input_error_of([&] { deduplicate(config); }),
              HasSubstr("field 'text', separator '', skip_broken_lines false; the config has"));
}

TEST(Dedup, OpensMoreSegmentsThanTheUsualLimitOfFiles) {
  const TempDir dir;
  std::vector<TextSourceConfig> sources;
  for (int i = 0; i < 40; ++i) {
    sources.push_back(source(dir, "s" + std::to_string(i), line_of(text_of(i, 30))));
  }
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit few{100, limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  EXPECT_EQ(deduplicate(config_of(dir, sources)).sources.size(), 40u);
  setrlimit(RLIMIT_NOFILE, &limit);
}

// The index may be any directory that a config names: files of others in it are safe.
TEST(Dedup, RefusesAnIndexDirectoryOfOthers) {
  const TempDir dir;
  DedupConfig config = config_of(dir, {source(dir, "a", line_of("one text"))});
  config.index = dir / "work";
  std::filesystem::create_directories(dir / "work/scratch");
  write_file(dir / "work/scratch/notes.txt", "mine");
  EXPECT_THAT(input_error_of([&] { deduplicate(config); }),
              HasSubstr("work holds 'scratch', and no index of `fathom data dedup`"));
  EXPECT_EQ(test::read_file(dir / "work/scratch/notes.txt"), "mine");
}

TEST(Dedup, NamesADamagedIndex) {
  const TempDir dir;
  DedupConfig config =
      config_of(dir, {source(dir, "a", line_of(text_of(1, 50)) + line_of(text_of(2, 50)))});
  deduplicate(config);
  const std::string sketches = config.output + "/index/segments/a-00000/sketches";
  write_file(sketches, "cut");
  EXPECT_THAT(input_error_of([&] { deduplicate(config); }), HasSubstr(sketches + ": has 3 bytes"));
}

}  // namespace
}  // namespace fathom::dedup
