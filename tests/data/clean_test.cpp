#include "data/clean/clean.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "data/clean/edits.h"
#include "io/checksum.h"
#include "io/line_reader.h"
#include "io/temp_dir.h"
#include "text/normal_form.h"
#include "text/utf8.h"

namespace fathom::clean {
namespace {

namespace fs = std::filesystem;
using test::input_error_of;
using test::TempDir;
using test::write_file;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(Edits, Normalise) {
  EXPECT_EQ(normalised("\ufeff a\u200bb \r\nc\u00ad\td  \r\r\r\n\n\ne\x01\n\n"), " ab\nc\td\n\ne");
  EXPECT_EQ(normalised("e\u0301 가"), "é 가");
  EXPECT_EQ(normalised("中文，。\u3000\n"), "中文，。");
  EXPECT_EQ(normalised(" \n\n "), "");
  for (const char* text : {"x\n\n\ny \n", "\n a\r\r b\u2028c", "e\u0301", "a \u0001 b"}) {
    EXPECT_EQ(normalised(normalised(text)), normalised(text)) << text;
  }
}

// What is plainly composed by its bytes is what the library leaves alone.
TEST(Edits, NormalFormOfEveryCharacter) {
  for (char32_t c = 1; c < 0x30000; ++c) {
    if (c >= 0xd800 && c < 0xe000) continue;
    std::string one, two;
    utf8::append(one, c);
    // A character that needs the library, so that it is asked for both.
    utf8::append(two, c);
    two += "x\u0301\u0344";
    const std::string composed = normal_form_c(two);
    EXPECT_TRUE(composed.starts_with(normal_form_c(one))) << static_cast<unsigned>(c);
  }
  EXPECT_EQ(normal_form_c("\u2126\u212b"), "\u03a9\u00c5");
}

TEST(Edits, LinesOfC4) {
  std::int64_t dropped = 0;
  const std::string text =
      "This line has enough words.\nToo few words.\nNo mark at its end of all\n"
      "It ends in three points...\nPlease enable JavaScript to see it.\n"
      "See our privacy policy for the details.\nThe fact [12] is old [edit]. \n\n" +
      ("A word of " + std::string(1001, 'x') + " is too long.");
  EXPECT_EQ(filtered_lines(text, LineRules::c4, dropped),
            "This line has enough words.\nThe fact  is old .");
  EXPECT_EQ(dropped, 6);
  EXPECT_EQ(filtered_lines("他说：“你好。”\n导航 首页\n一二三四。\n好。\n乱码□乱码。",
                           LineRules::c4_chinese, dropped),
            "他说：“你好。”\n一二三四。");
  EXPECT_EQ(filtered_lines(text, LineRules::off, dropped), text);
}

TEST(Edits, CitationsAreNumbersAndTwoNotes) {
  const auto without = [](const std::string& citation) {
    std::int64_t dropped = 0;
    return filtered_lines("The mill was built in " + citation + " by two.", LineRules::c4, dropped);
  };
  for (const char* citation :
       {"[0]", "[9]", "[19]", "[1234567890]", "[edit]", "[citation needed]", "[1][2]", "[]"}) {
    EXPECT_EQ(without(citation), "The mill was built in  by two.") << citation;
  }
  for (const char* text : {"[/]", "[:]", "[1a]", "[a1]", "[Edit]", "[1", "1]", "[ 1]", "[1,2]"}) {
    EXPECT_EQ(without(text), "The mill was built in " + std::string(text) + " by two.") << text;
  }
  EXPECT_EQ(without("[x[3]]"), "The mill was built in [x] by two.");
}

// Each end, phrase and broken character of the rules by itself.
TEST(Edits, LinesOfC4KnowEachEndAndPhrase) {
  const auto stays = [](const std::string& line, LineRules rules) {
    std::int64_t dropped = 0;
    return filtered_lines(line, rules, dropped) == line;
  };
  const std::string words = "one two three four five";
  for (const char* end : {".", "?", "!", "\"", "。", "．", "！", "？", "।", "؟", "۔", ".\""}) {
    EXPECT_TRUE(stays(words + end, LineRules::c4)) << end;
  }
  for (const char* end : {"", ",", ":", ";", ")", "...", "…", "'", "”"}) {
    EXPECT_FALSE(stays(words + end, LineRules::c4)) << end;
  }
  for (const char* phrase : {"JavaScript", "terms of use", "Privacy Policy", "cookie policy",
                             "uses cookies", "use of cookies", "USE COOKIES"}) {
    EXPECT_FALSE(stays(words + " " + phrase + " six.", LineRules::c4)) << phrase;
  }
  for (const char* other : {"java script", "terms of service", "cookies", "private policy"}) {
    EXPECT_TRUE(stays(words + " " + other + " six.", LineRules::c4)) << other;
  }
  for (const char* end : {"。", "．", "！", "？", "…", "”", "："}) {
    EXPECT_TRUE(stays("一二三四" + std::string(end), LineRules::c4_chinese)) << end;
  }
  for (const char* end : {"", ".", "?", "，", "\"", "、"}) {
    EXPECT_FALSE(stays("一二三四五" + std::string(end), LineRules::c4_chinese)) << end;
  }
  for (const char* broken : {"□", "■", "\ufffd"}) {
    EXPECT_FALSE(stays("一二三四" + std::string(broken) + "。", LineRules::c4_chinese)) << broken;
  }
}

// The shortest line, and the longest word, that stay; and one beyond.
TEST(Edits, LinesOfC4HaveBounds) {
  const auto stays = [](const std::string& line, LineRules rules) {
    std::int64_t dropped = 0;
    const bool kept = filtered_lines(line, rules, dropped) == line;
    EXPECT_EQ(dropped, kept ? 0 : 1) << line;
    return kept;
  };
  EXPECT_TRUE(stays("one two three four five.", LineRules::c4));
  EXPECT_FALSE(stays("one two three four.", LineRules::c4));
  EXPECT_FALSE(stays("one  two \t three four.", LineRules::c4)) << "blanks are no words";
  for (const char* at : {"{} b c d e.", "a b {} d e.", "a b c d {}."}) {
    const auto with_word = [&](std::size_t length) {
      std::string line = at;
      return line.replace(line.find("{}"), 2, std::string(length, 'x'));
    };
    const std::size_t point = std::string(at).ends_with("{}.") ? 1 : 0;
    EXPECT_TRUE(stays(with_word(1000 - point), LineRules::c4)) << at;
    EXPECT_FALSE(stays(with_word(1001 - point), LineRules::c4)) << at;
  }
  EXPECT_TRUE(stays("一二三四。", LineRules::c4_chinese));
  EXPECT_FALSE(stays("一二三。", LineRules::c4_chinese));
}

TEST(Edits, TextIsNormalisedUnlessTheConfigSaysNo) {
  CleanConfig config;
  const auto text = [&] { return judge_document("a\u200bb \r\nc", config, {}, nullptr, {}).text; };
  EXPECT_EQ(text(), "ab\nc");
  config.normalise = false;
  EXPECT_EQ(text(), "a\u200bb \r\nc");
}

// The first and last character of each range that normalising takes out, and those beside it.
TEST(Edits, InvisibleCharactersAreTakenOut) {
  const auto between = [](const std::string& text) { return normalised("a" + text + "b"); };
  for (const char* gone : {"\x01", "\x08", "\x0b", "\x1f", "\x7f", "\xc2\x80", "\xc2\x84",
                           "\xc2\x86", "\xc2\x9f", "\xc2\xad", "\u200b", "\u2060", "\ufeff"}) {
    EXPECT_EQ(between(gone), "ab") << gone;
  }
  for (const char* kept :
       {" ", "\t", "~", "\u00a0", "\u00ac", "\u00ae", "\u200a", "\u200c", "\u2061"}) {
    EXPECT_EQ(between(kept), "a" + std::string(kept) + "b") << kept;
  }
  for (const char* end : {"\n", "\r", "\r\n", "\xc2\x85", "\u2028", "\u2029"}) {
    EXPECT_EQ(between(end), "a\nb");
  }
}

// Sentences of other scripts end in marks of their own.
TEST(Edits, LinesOfC4InOtherScripts) {
  std::int64_t dropped = 0;
  for (const std::string line :
       {"यह एक लंबा वाक्य है जो यहाँ समाप्त होता है।", "هل هذه جملة طويلة بما يكفي هنا؟",
        "یہ ایک لمبا جملہ ہے جو یہاں ختم ہوتا ہے۔"}) {
    EXPECT_EQ(filtered_lines(line + "\nno end of any sentence here", LineRules::c4, dropped), line);
  }
  CleanConfig config;
  config.c4_lines = true;
  const std::string japanese =
      "これは日本語の文章であり、とても静かな港町について書かれています．\n"
      "船は北から来て、穀物と塩を運んでいました。\n";
  const Cleaned cleaned = clean_document(japanese + "メニュー", config, filters_of({}));
  EXPECT_EQ(cleaned.language, "ja");
  EXPECT_EQ(cleaned.text + "\n", japanese);
}

// Time is linear in the line, also with brackets that nothing closes.
TEST(Edits, LinesOfOpenBrackets) {
  const auto start = std::chrono::steady_clock::now();
  const std::string brackets(1 << 20, '[');
  std::int64_t dropped = 0;
  EXPECT_EQ(filtered_lines(brackets, LineRules::c4, dropped), "");
  EXPECT_EQ(filtered_lines(brackets + "x]", LineRules::c4, dropped), "");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
  EXPECT_EQ(filtered_lines("There are [some [3] odd[] brackets] in it [a.", LineRules::c4, dropped),
            "There are [some  odd brackets] in it [a.");
}

std::string good_english(int n) {
  std::string text;
  const char* words[] = {"the",  "river", "runs", "to",  "a",      "quiet", "sea",   "and",
                         "that", "ships", "of",   "old", "sailed", "with",  "grain", "home"};
  for (int i = 0; i < 20; ++i) {
    for (int k = 0; k < 9; ++k) {
      text += words[(i * i * 7 + k * (5 + 2 * (n % 7)) + n * k * i) % 16] + std::string(" ");
    }
    text += std::to_string(n * 31 + i) + "th harbour.\n";
  }
  return text;
}

std::string good_chinese(int n) {
  std::string text;
  for (int i = 0; i < 12; ++i) {
    text += "我在";
    for (int k = 0; k < 22; ++k) {
      utf8::append(text, static_cast<char32_t>(0x4e00 + (n * 997 + i * 131 + k * k * 17) % 3000));
    }
    text += "的是。\n";
  }
  return text;
}

TextSourceConfig source(const TempDir& dir, const std::string& name, int files, int documents) {
  TextSourceConfig source;
  source.name = name;
  for (int f = 0; f < files; ++f) {
    std::string lines;
    for (int i = 0; i < documents; ++i) {
      const int n = f * documents + i;
      const std::string text = n % 5 == 0   ? "too short"
                               : n % 5 == 1 ? good_english(n) + "\r\n"
                               : n % 5 == 2 ? good_chinese(n)
                               : n % 5 == 3 ? good_english(n)
                                            : "Привет, как твои дела сегодня, мой старый друг?";
      lines += nlohmann::json{{"text", text}, {"n", n}}.dump() + "\n";
    }
    const std::string path = dir / (name + std::to_string(f) + ".jsonl");
    write_file(path, lines);
    source.paths.push_back(path);
  }
  return source;
}

CleanConfig config_of(const TempDir& dir, const std::string& output = "out") {
  CleanConfig config;
  config.output = dir / output;
  config.languages = {"en", "zh"};
  config.sources = {source(dir, "web", 3, 50)};
  config.threads = 2;
  FilterConfig words;
  words.rule = "words";
  words.min = 50;
  config.filters = {words};
  return config;
}

std::map<std::string, std::string> outputs_of(const CleanConfig& config) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(config.output)) {
    const std::string name = fs::relative(entry.path(), config.output);
    if (entry.is_regular_file() && !name.starts_with(".")) {
      files[name] = test::read_file(entry.path());
    }
  }
  return files;
}

// What a killed call wrote of dropped documents, which the next does not write.
TEST(Clean, RemovesTheUnfinishedFilesOfACallThatWroteMore) {
  const TempDir dir;
  const CleanConfig config = config_of(dir);
  fs::create_directories(config.output + "/dropped");
  const std::string unfinished = config.output + "/dropped/web-00000.jsonl.zst.tmp-2000000000-0";
  test::write_file(unfinished, "x");
  clean_data(config);
  EXPECT_FALSE(fs::exists(unfinished));
  test::write_file(config.output + "/dropped/web-00000.jsonl.zst", "x");
  EXPECT_THAT(input_error_of([&] { clean_data(config); }), HasSubstr("not in the config"));
}

TEST(Clean, EveryDocumentIsKeptOrHasAReason) {
  const TempDir dir;
  CleanConfig config = config_of(dir);
  config.write_dropped = true;
  const CleanReport report = clean_data(config);
  const auto& tallies = report.sources.at(0).second.tallies;
  std::map<std::string, std::int64_t> by_reason;
  for (const auto& [key, tally] : tallies) by_reason[key.second] += tally.documents;
  EXPECT_EQ(by_reason["kept"], 90);
  EXPECT_EQ(by_reason["language"] + by_reason["words"], 60);
  std::istringstream kept(read_text(config.output + "/texts/web-00000.jsonl.zst"));
  std::istringstream dropped(read_text(config.output + "/dropped/web-00000.jsonl.zst"));
  int lines = 0;
  for (std::string line; std::getline(kept, line); ++lines) {
    const auto json = nlohmann::json::parse(line);
    const bool chinese = json["language"].get<std::string>().starts_with("zh");
    EXPECT_EQ(chinese, json["n"].get<int>() % 5 == 2) << line;
    EXPECT_EQ(json["text"].get<std::string>().find('\r'), std::string::npos);
    EXPECT_FALSE(json["text"].get<std::string>().ends_with('\n'));
  }
  EXPECT_EQ(lines, 90);
  lines = 0;
  for (std::string line; std::getline(dropped, line); ++lines) {
    EXPECT_TRUE(nlohmann::json::parse(line).contains("reason"));
  }
  EXPECT_EQ(lines, 60);
  EXPECT_THAT(summary(report), HasSubstr("90 documents were changed"));
  EXPECT_EQ(report.sources[0].second.samples.at("kept").size(), 5u);
}

// The samples of a reason are those whose places hash lowest, in whatever order they come.
TEST(Clean, SamplesAreDrawnByTheirPlaces) {
  Counts whole(3), first(3), second(3);
  for (int i = 0; i < 40; ++i) {
    const Document document{"text", "a.txt:" + std::to_string(i), ""};
    const auto sample = [] { return "text"; };
    whole.add("en", "words", document, 1, sample);
    (i % 3 == 0 ? first : second).add("en", "words", document, 1, sample);
  }
  second.add(first);
  std::vector<std::uint64_t> ranks;
  for (int i = 0; i < 40; ++i) ranks.push_back(checksum_of("a.txt:" + std::to_string(i)));
  std::ranges::sort(ranks);
  for (const Counts* counts : {&whole, &second}) {
    const std::vector<Sample>& samples = counts->samples.at("words");
    ASSERT_EQ(samples.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(samples[i].rank, ranks[i]);
  }
}

TEST(Clean, OutputDependsNeitherOnThreadsNorOnAKill) {
  const TempDir dir;
  CleanConfig config = config_of(dir, "one");
  config.part_mb = 1;
  for (std::string& path : config.sources[0].paths) {  // larger files: several parts and chunks
    std::string text = test::read_file(path), all;
    while (all.size() < 1'500'000) all += text;
    write_file(path, all);
  }
  config.threads = 1;
  clean_data(config);
  const auto expected = outputs_of(config);
  EXPECT_EQ(expected.size(), 7u);
  config.output = dir / "four";
  config.threads = 4;
  clean_data(config);
  EXPECT_TRUE(outputs_of(config) == expected);

  // A kill after the second part: its text is there, its counts are not.
  fs::remove(config.output + "/parts/web-00001.json");
  fs::remove(config.output + "/parts/web-00002.json");
  fs::remove(config.output + "/texts/web-00002.jsonl.zst");
  fs::remove(config.output + "/clean.json");
  write_file(config.output + "/texts/web-00001.jsonl.zst", "half");
  const auto time = fs::last_write_time(config.output + "/texts/web-00000.jsonl.zst");
  clean_data(config);
  EXPECT_TRUE(outputs_of(config) == expected);
  EXPECT_EQ(fs::last_write_time(config.output + "/texts/web-00000.jsonl.zst"), time);
}

CleanConfig config_of_many_parts(const TempDir& dir, const std::string& output) {
  CleanConfig config = config_of(dir, output);
  config.part_mb = 1;
  for (std::string& path : config.sources[0].paths) {
    std::string text = test::read_file(path), all;
    while (all.size() < 1'100'000) all += text;
    write_file(path, all);
  }
  return config;
}

// Threads are kept apart by the locks as processes are.
TEST(Clean, OutputDoesNotDependOnHowManyShareIt) {
  const TempDir dir;
  CleanConfig config = config_of_many_parts(dir, "alone");
  const std::string report = summary(clean_data(config));
  const auto expected = outputs_of(config);
  config.output = dir / "shared";
  // As killed processes left it.
  write_file(config.output + "/texts/web-00001.jsonl.zst.tmp-2000000000-0", "x");
  write_file(config.output + "/clean.json.tmp-2000000000-0", "x");
  std::vector<std::thread> others;
  for (int i = 0; i < 3; ++i) {
    others.emplace_back([&] {
      EXPECT_EQ(summary(clean_data(config, nullptr, nullptr, {Role::member, {}})), report);
    });
  }
  others.emplace_back([&] {
    EXPECT_TRUE(clean_data(config, nullptr, nullptr, {Role::helper, {}}).sources.empty());
  });
  for (std::thread& other : others) other.join();
  EXPECT_TRUE(outputs_of(config) == expected);
  EXPECT_TRUE(fs::exists(config.output + "/.claims/web-00002"));
  EXPECT_EQ(summary(clean_data(config)), report);
  require_own_files(config.output, clean_files(std::vector<std::string>{"web"}));
}

TEST(Clean, CallsOthersOnceAllIsChecked) {
  const TempDir dir;
  CleanConfig config = config_of(dir, "out");
  std::vector<CleanConfig> begun;
  const Sharing<CleanConfig> sharing{Role::member,
                                     [&](const CleanConfig& c) { begun.push_back(c); }};
  config.samples = -1;
  EXPECT_THAT(input_error_of([&] { clean_data(config, nullptr, nullptr, sharing); }),
              HasSubstr("samples"));
  EXPECT_TRUE(begun.empty());
  config.samples = 2;
  clean_data(config, nullptr, nullptr, sharing);
  ASSERT_EQ(begun.size(), 1u);
  EXPECT_EQ(begun[0].samples, 2);
}

TEST(Clean, DryRunCountsTheSameAndWritesNothing) {
  const TempDir dir;
  const CleanConfig config = config_of(dir);
  const CleanReport tried = try_out(config, 1000);
  EXPECT_FALSE(fs::exists(config.output));
  EXPECT_EQ(summary(tried), summary(clean_data(config)));
  EXPECT_THAT(samples_text(tried), HasSubstr("too short"));
  std::int64_t documents = 0;
  const CleanReport seven = try_out(config, 7);
  for (const auto& [key, tally] : seven.sources[0].second.tallies) {
    documents += tally.documents;
  }
  EXPECT_EQ(documents, 7);
}

TEST(Clean, DefaultFiltersKeepGoodTextOfBothLanguages) {
  const std::vector<Filter> filters = filters_of({});
  CleanConfig config;
  const std::string english =
      "The old harbour of the town was built by merchants who came from the north. They had "
      "ships that sailed with grain, wine and salt to every coast of the sea, and in winter "
      "their sons learned to read the stars.\n\nWhen the river changed its course, the harbour "
      "silted up within two generations. What was left were warehouses with thick walls, a "
      "chapel, and a long street that ends today in a meadow. Children play there in summer, "
      "and nobody remembers where the great crane stood.";
  const std::string chinese =
      "这座古老的港口是由来自北方的商人建造的。他们的船载着粮食、酒和盐驶向大海的每一个海岸，"
      "到了冬天，他们的儿子就学习辨认星辰。\n\n后来河流改道，不到两代人的时间，港口就被泥沙淤塞了。"
      "留下来的只有厚墙的仓库、一座小教堂，和一条如今通向草地的长街。夏天孩子们在那里玩耍，"
      "谁也不记得那台大起重机曾经立在什么地方。";
  EXPECT_EQ(clean_document(english, config, filters).reason, "kept");
  EXPECT_EQ(clean_document(chinese, config, filters).reason, "kept");
  EXPECT_EQ(clean_document(chinese, config, filters).language, "zh");
  EXPECT_EQ(clean_document("Buy now!", config, filters).reason, "words");
  EXPECT_EQ(clean_document("你好，再见。", config, filters).reason, "characters");
}

TEST(Clean, RefusesWhatItCannotDo) {
  const TempDir dir;
  CleanConfig config = config_of(dir);
  clean_data(config);
  CleanConfig other = config;
  other.languages = {"en"};
  EXPECT_THAT(input_error_of([&] { clean_data(other); }),
              HasSubstr("web-00000.json: this part was cleaned with another config"));
  other = config;
  other.sources[0].name = "a/b";
  EXPECT_THAT(input_error_of([&] { clean_data(other); }), HasSubstr("not a valid name"));
  other = config;
  other.samples = -1;
  EXPECT_EQ(input_error_of([&] { clean_data(other); }), "samples: -1 is not in [0, 10000]");
  other = config;
  other.sources[0].paths = {dir.path()};
  EXPECT_THAT(input_error_of([&] { clean_data(other); }), HasSubstr("which source 'web' reads"));
  write_file(dir / "out/mine", "x");
  EXPECT_THAT(input_error_of([&] { clean_data(config); }), HasSubstr("holds 'mine'"));
  write_file(dir / "broken.jsonl", "{\"text\": \"a\"}\n{\"text\": 1}\n");
  other = config;
  other.output = dir / "other";
  other.sources[0].paths = {dir / "broken.jsonl"};
  EXPECT_THAT(input_error_of([&] { clean_data(other); }), HasSubstr("broken.jsonl:2: "));
}

TEST(Clean, RefusesSequencesOutOfRange) {
  const TempDir dir;
  CleanConfig config = config_of(dir);
  for (const std::int64_t length :
       {std::int64_t{-1}, std::int64_t{0}, std::int64_t{1'000'000'000}}) {
    config.contamination = {};
    config.contamination.words = length;
    EXPECT_EQ(input_error_of([&] { check_config(config); }),
              fmt::format("contamination.words: {} is not in [1, 1000]", length));
    config.contamination = {};
    config.contamination.characters = length;
    EXPECT_EQ(input_error_of([&] { check_config(config); }),
              fmt::format("contamination.characters: {} is not in [1, 1000]", length));
  }
}

// Outputs of a source or part that is not given any more would be read as if they were.
TEST(Clean, RefusesOutputsThatAreNotPlanned) {
  const TempDir dir;
  CleanConfig config = config_of(dir);
  config.sources.push_back(source(dir, "books", 1, 5));
  clean_data(config);
  config.sources.pop_back();
  EXPECT_THAT(input_error_of([&] { clean_data(config); }),
              HasSubstr("out/parts/books-00000.json: is of a source or part that is not in"));
  fs::remove(config.output + "/parts/books-00000.json");
  EXPECT_THAT(input_error_of([&] { clean_data(config); }),
              HasSubstr("out/texts/books-00000.jsonl.zst: is of a source"));
}

TEST(Clean, RefusesToGoOnWithOtherBenchmarks) {
  const TempDir dir;
  CleanConfig config = config_of(dir);
  Contamination one(config.contamination), two(config.contamination);
  one.add("quiz", "one two three four five six seven eight nine ten");
  two.add("quiz", "one two three four five six seven eight nine eleven");
  clean_data(config, &one);
  clean_data(config, &one);
  EXPECT_THAT(input_error_of([&] { clean_data(config, &two); }),
              HasSubstr("was cleaned with another config"));
}

// The reports are JSON, which can't name such a file.
TEST(Clean, RefusesFileNamesThatAreNotUtf8) {
  const TempDir dir;
  CleanConfig config = config_of(dir);
  config.sources[0].paths = {dir / "\xff.jsonl"};
  write_file(dir / "\xff.jsonl", "{}\n");
  EXPECT_THAT(input_error_of([&] { clean_data(config); }),
              HasSubstr("\ufffd.jsonl\": the name of this file is not UTF-8; rename it"));
}

}  // namespace
}  // namespace fathom::clean
