#include "tokenizer/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "core/error.h"
#include "core/parallel.h"
#include "io/temp_dir.h"
#include "text/utf8.h"
#include "tokenizer/compression_report.h"
#include "tokenizer/piece_counter.h"

namespace fathom {
namespace {

std::string temporary(const std::string& name) {
  static const test::TempDir directory("trainer");
  return directory / name;
}

std::string sample(const std::string& name, int lines) {
  const std::string path = temporary(name);
  std::ofstream file(path);
  for (int i = 0; i < lines; ++i) {
    file << "the quick brown fox " << i << " jumps, over 北京 and 上海大学 the lazy dog\n";
    file << "words of line " << i * 7919 % 1000 << " repeat as they do\n";
  }
  return path;
}

TokenizerTrainConfig config_for(const std::string& path) {
  TokenizerTrainConfig config;
  config.files = {path};
  config.vocab_size = 300;
  return config;
}

TEST(Trainer, ResultDoesNotDependOnThreads) {
  const auto config = config_for(sample("threads.txt", 20000));
  set_num_threads(1);
  const auto one = train_tokenizer(config);
  set_num_threads(3);
  const auto three = train_tokenizer(config);
  EXPECT_EQ(one.tokenizer.to_json(), three.tokenizer.to_json());
  EXPECT_THAT(one.report, testing::HasSubstr("Latin"));
}

// Words that occur once each, more of them than 16 MB hold, around some that repeat. "ZZ"
// is the first and the last word.
std::string many_words(const std::string& name) {
  const std::string path = temporary(name);
  std::ofstream file(path);
  file << "ZZ\n";
  for (int i = 0; i < 300000; ++i) {
    std::string word = "qx";
    for (int rest = i * 7 + 11; rest > 0; rest /= 21) word += static_cast<char>('a' + rest % 21);
    file << word << (i % 3 == 0 ? " common words\n" : "\n");
  }
  file << "ZZ\n";
  return path;
}

TEST(Trainer, MemoryBoundDoesNotDependOnThreads) {
  auto config = config_for(many_words("many.txt"));
  config.report_mb = 0;
  const auto train = [&](int threads, std::int64_t memory_mb) {
    set_num_threads(threads);
    config.memory_mb = memory_mb;
    return train_tokenizer(config).tokenizer.to_json();
  };
  const std::string bounded = train(1, 16);
  // Counted in rounds: its first occurrence was forgotten before the second came.
  EXPECT_EQ(bounded.find("\"ZZ\""), std::string::npos);
  EXPECT_EQ(train(3, 16), bounded);
}

TEST(PieceTable, StaysWithinItsBoundAndKeepsWhatIsFrequent) {
  using tokenizer::PieceCounter;
  constexpr std::size_t bound = 4 << 20;
  tokenizer::PieceTable table(bound);
  std::uint64_t number = 0;
  for (int round = 0; round < 10; ++round) {
    std::vector<PieceCounter> counters(2);
    for (int i = 0; i < 20000; ++i) {
      counters[0].add("rare piece " + std::to_string(++number));
      if (i % 1000 == 0) counters[static_cast<std::size_t>(i / 1000 % 2)].add("frequent", 3);
    }
    table.add(counters);
    EXPECT_LE(table.memory(), bound);
  }
  EXPECT_EQ(table.pruned_below(), 2u);
  std::uint64_t frequent = 0, kinds = 0;
  for (const PieceCounter& part : table.parts()) {
    part.for_each([&](std::string_view piece, std::uint64_t count) {
      ++kinds;
      if (piece == "frequent") frequent += count;
    });
  }
  EXPECT_EQ(frequent, 10u * 20 * 3);
  EXPECT_LT(kinds, 60000u);
}

TEST(PieceTable, PrunesHarderWhereItMust) {
  tokenizer::PieceTable table(4 << 20);
  std::vector<tokenizer::PieceCounter> counters(1);
  for (int i = 0; i < 100000; ++i) counters[0].add("seen twice " + std::to_string(i), 2);
  counters[0].add("seen thrice", 3);
  table.add(counters);
  EXPECT_EQ(table.pruned_below(), 3u);
  std::vector<std::string> left;
  for (const auto& part : table.parts()) {
    part.for_each([&](std::string_view piece, std::uint64_t) { left.emplace_back(piece); });
  }
  EXPECT_THAT(left, testing::ElementsAre("seen thrice"));
}

TEST(Trainer, SplitsAsTheReportDoes) {
  const auto t = train_tokenizer(config_for(sample("split.txt", 2000))).tokenizer;
  EXPECT_EQ(t.vocab_size() % 64, 0);
  EXPECT_TRUE(t.eos_id() && t.bos_id() && t.pad_id());
  EXPECT_EQ(t.id_to_bytes(256).size(), 2u);
  for (std::int32_t id = 256; id < 300; ++id) {
    const std::string bytes(t.id_to_bytes(id));
    EXPECT_EQ(bytes.find_first_of("0123456789\n"), std::string::npos) << bytes;
  }
  const std::string text = "the fox 12\n北京, ok";
  EXPECT_EQ(t.decode(t.encode(text)), text);
}

TEST(Trainer, FillsTheVocabularyUpToAMultiple) {
  auto config = config_for(sample("multiple.txt", 500));
  config.special_tokens = {"<a>"};
  config.pad_to_multiple = 7;
  const auto t = train_tokenizer(config).tokenizer;
  EXPECT_EQ(t.vocab_size(), 301);
  EXPECT_EQ(t.token_to_id("<a>"), 300);
  config.pad_to_multiple = 10;
  EXPECT_EQ(train_tokenizer(config).tokenizer.vocab_size(), 310);
  // A text that gives fewer tokens than were asked for.
  config.files = {sample("few.txt", 1)};
  config.vocab_size = 5000;
  for (const int multiple : {1, 7, 64}) {
    config.pad_to_multiple = multiple;
    const auto size = train_tokenizer(config).tokenizer.vocab_size();
    EXPECT_LT(size, 1000);
    EXPECT_EQ(size % multiple, 0) << size;
  }
}

// A reserved token gets a name that no special token has.
TEST(Trainer, ReservedTokensHaveNamesOfTheirOwn) {
  auto config = config_for(sample("reserved.txt", 500));
  config.special_tokens = {"<｜reserved▁1｜>", "<a>", "<｜reserved▁0｜>"};
  config.pad_to_multiple = 8;
  const auto t = train_tokenizer(config).tokenizer;
  EXPECT_EQ(t.vocab_size(), 304);
  const char* names[] = {"<｜reserved▁1｜>", "<a>", "<｜reserved▁0｜>", "<｜reserved▁2｜>"};
  for (std::int32_t id = 300; id < 304; ++id) {
    EXPECT_EQ(t.id_to_token(id), names[id - 300]);
    EXPECT_EQ(t.token_to_id(names[id - 300]), id);
    EXPECT_TRUE(t.is_special(id));
  }
}

TEST(Trainer, DefaultSpecialTokensAreFifteen) {
  const std::vector<std::string> names = default_special_tokens();
  ASSERT_EQ(names.size(), 15u);
  EXPECT_THAT(
      std::vector(names.begin(), names.begin() + 7),
      testing::ElementsAre("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>",
                           "<｜System｜>", "<｜User｜>", "<｜Assistant｜>", "<｜spare▁0｜>"));
  EXPECT_EQ(names.back(), "<｜spare▁8｜>");
  EXPECT_EQ(TokenizerTrainConfig().special_tokens, names);
}

// A pair is joined from as often as the config says, and not below.
TEST(Trainer, JoinsPairsThatAreFrequentEnough) {
  const std::string path = temporary("frequency.txt");
  test::write_file(path, "zq\nzq\nzq\nxj\nxj\n");
  auto config = config_for(path);
  config.vocab_size = 400;
  config.report_mb = 0;
  for (const auto& [least, zq, xj] :
       {std::tuple(2, true, true), {3, true, false}, {4, false, false}}) {
    config.min_frequency = least;
    const auto t = train_tokenizer(config).tokenizer;
    EXPECT_EQ(t.token_to_id("zq").has_value(), zq) << least;
    EXPECT_EQ(t.token_to_id("xj").has_value(), xj) << least;
  }
}

TEST(Trainer, RefusesSizesThatMakeNoSense) {
  const std::string path = sample("small.txt", 10);
  const auto error = [&](auto change) {
    TokenizerTrainConfig config = config_for(path);
    config.report_mb = 0;
    change(config);
    return test::input_error_of([&] { train_tokenizer(config); });
  };
  EXPECT_EQ(error([](auto& c) {
              c.vocab_size = 256, c.pad_to_multiple = 1, c.min_frequency = 1, c.memory_mb = 16;
            }),
            "no error");
  EXPECT_EQ(error([](auto& c) {
              c.vocab_size = 1'000'000;
              c.memory_mb = c.report_mb = std::int64_t{1} << 40;
            }),
            "no error");
  EXPECT_EQ(error([](auto& c) { c.vocab_size = 255; }),
            "vocab_size: 255 is outside 256 (one per byte) to 1000000");
  EXPECT_EQ(error([](auto& c) { c.vocab_size = 1'000'001; }),
            "vocab_size: 1000001 is outside 256 (one per byte) to 1000000");
  EXPECT_EQ(error([](auto& c) { c.pad_to_multiple = 0; }),
            "pad_to_multiple: 0 is outside 1 to 65536");
  EXPECT_EQ(error([](auto& c) { c.pad_to_multiple = 65537; }),
            "pad_to_multiple: 65537 is outside 1 to 65536");
  EXPECT_EQ(error([](auto& c) { c.min_frequency = 0; }), "min_frequency: must be at least 1");
  EXPECT_EQ(error([](auto& c) { c.memory_mb = 15; }),
            "memory_mb: 15 is outside 16 to 1099511627776");
  EXPECT_EQ(error([](auto& c) { c.memory_mb = (std::int64_t{1} << 40) + 1; }),
            "memory_mb: 1099511627777 is outside 16 to 1099511627776");
  EXPECT_EQ(error([](auto& c) { c.report_mb = -1; }),
            "report_mb: -1 is outside 0 to 1099511627776");
  EXPECT_EQ(error([](auto& c) { c.report_mb = (std::int64_t{1} << 40) + 1; }),
            "report_mb: 1099511627777 is outside 0 to 1099511627776");
  EXPECT_EQ(error([](auto& c) {
              c.special_tokens = {"<b>", "<a>", "<b>"};
            }),
            "special_tokens: '<b>' is named twice");
  EXPECT_EQ(error([](auto& c) {
              c.special_tokens = {"<b>", ""};
            }),
            "special_tokens: one of them is empty");
  EXPECT_EQ(error([](auto& c) { c.special_tokens = {"t"}; }),
            "special_tokens: 't' is already an ordinary token of the text; choose another name");
  EXPECT_THAT(error([](auto& c) { c.files = {"/nonexistent/text"}; }),
              testing::HasSubstr("'/nonexistent/text' matches no file"));
}

TEST(Trainer, SplitsLikeAnotherTokenizer) {
  auto config = config_for(sample("like.txt", 200));
  config.special_tokens = {"<a>"};
  const std::string own = train_tokenizer(config).tokenizer.to_json();
  const auto like = [&](const std::string& pre_tokenizer) {
    std::string json = own;
    const std::size_t begin = json.find("\"pre_tokenizer\": ");
    const std::size_t end = json.find(",\n  \"post_processor\"");
    json.replace(begin, end - begin, "\"pre_tokenizer\": " + pre_tokenizer);
    test::write_file(config.like = temporary("like.json"), json);
    return train_tokenizer(config).tokenizer;
  };
  const std::string level =
      R"({"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false})";
  const auto whole = like(level);  // lines are not split
  bool over_a_space = false;
  for (std::int32_t id = 256; id < 300; ++id) {
    over_a_space |= whole.id_to_bytes(id).find(' ', 1) != std::string::npos;
  }
  EXPECT_TRUE(over_a_space);
  EXPECT_THAT(whole.to_json(), testing::HasSubstr("\"pre_tokenizer\": " + level));
  config.like.clear();
  for (const std::string& pre :
       {std::string("null"), std::string(R"({"type":"Digits","individual_digits":true})"),
        R"({"type":"Sequence","pretokenizers":[)" + level + R"(,{"type":"Digits"}]})"}) {
    EXPECT_EQ(
        test::input_error_of([&] { like(pre); }),
        temporary("like.json") + ": pre_tokenizer: training needs one that ends in ByteLevel");
  }
}

TEST(Trainer, ReadsTheFieldThatTheConfigNames) {
  const std::string path = temporary("fields.jsonl");
  test::write_file(path, "{\"text\": \"zzzz\", \"body\": \"qqqq\"}\n");
  auto config = config_for(path);
  config.vocab_size = 257;
  config.min_frequency = 1;
  EXPECT_TRUE(train_tokenizer(config).tokenizer.token_to_id("zz"));
  config.text_field = "body";
  EXPECT_TRUE(train_tokenizer(config).tokenizer.token_to_id("qq"));
  EXPECT_EQ(train_tokenizer(config).tokenizer.token_to_id("zz"), std::nullopt);
}

// The text is counted as that tokenizer's normalizer leaves it, and the new one has it too.
TEST(Trainer, NormalizesLikeAnotherTokenizer) {
  const std::string path = temporary("normalizer.txt");
  std::string text;
  for (int i = 0; i < 50; ++i) text += "ABAB cafe\u0301\n";
  test::write_file(path, text);
  auto config = config_for(path);
  config.vocab_size = 262;
  std::string like = train_tokenizer(config).tokenizer.to_json();
  const std::string none = "\"normalizer\": null";
  ASSERT_NE(like.find(none), std::string::npos);
  const std::string steps =
      R"({"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Lowercase"}]})";
  like.replace(like.find(none), none.size(), "\"normalizer\": " + steps);
  test::write_file(config.like = temporary("normalizer.json"), like);
  const Tokenizer trained = train_tokenizer(config).tokenizer;
  EXPECT_THAT(trained.to_json(), testing::HasSubstr("\"normalizer\": " + steps));
  EXPECT_TRUE(trained.token_to_id("abab"));
  EXPECT_FALSE(trained.token_to_id("AB") || trained.token_to_id("ABAB"));
  EXPECT_EQ(trained.encode("ABAB"), trained.encode("abab"));
  EXPECT_EQ(trained.encode("cafe\u0301"), trained.encode("caf\u00e9"));
}

// The shares of each file and of each language, in the text's bytes and this vocabulary's tokens.
TEST(Trainer, ReportsTheCompressionOfEachFileAndLanguage) {
  const std::string one = temporary("report/one.txt"), two = temporary("report/two.txt");
  test::write_file(one, "abab\nab\n中文\n");
  test::write_file(two, "中xyzwvu\nabcdefgh1234567\n12345\nab345");
  TokenizerTrainConfig config = config_for(one);
  config.files = {one, two};
  config.vocab_size = 256;
  const auto report = train_tokenizer(config).report;
  const auto row = [](const std::string& name, int bytes) {
    return fmt::format("  {:<40}  1.000 bytes per token ({} bytes, {} tokens)\n", name, bytes,
                       bytes);
  };
  // A character of seven is too few for CJK; half of a line is enough for Latin, two of five are
  // not.
  EXPECT_EQ(report, "compression by file or directory:\n" + row(one, 15) + row(two, 37) +
                        "compression by language of the line:\n" + row("CJK", 7) +
                        row("Latin", 5 + 3 + 10 + 16) + row("other", 6 + 5));
  config.report_mb = 0;
  EXPECT_EQ(train_tokenizer(config).report,
            "compression by file or directory:\ncompression by language of the line:\n");
}

// A token for each byte.
Tokenizer byte_tokens() {
  TokenizerTrainConfig config = config_for(sample("bytes.txt", 1));
  config.vocab_size = 256;
  return train_tokenizer(config).tokenizer;
}

// The first megabytes of a directory, to the end of the file in which they end.
TEST(Trainer, ReportReadsTheFirstMegabytes) {
  std::string text;
  while (text.size() < 600'000) text += "abcd abcd abcd\n";
  for (const char* name : {"a", "b", "c"}) {
    test::write_file(temporary(std::string("megabytes/") + name + ".txt"), text);
  }
  TokenizerTrainConfig config = config_for(temporary("megabytes"));
  const auto bytes_read = [&](std::int64_t megabytes) {
    config.report_mb = megabytes;
    const std::string report = tokenizer::compression_report(byte_tokens(), config);
    const std::size_t at = report.find('(');
    return at == report.npos ? 0 : std::stoul(report.substr(at + 1));
  };
  EXPECT_EQ(bytes_read(0), 0u);
  EXPECT_EQ(bytes_read(1), 2 * text.size());
  EXPECT_EQ(bytes_read(2), 3 * text.size());
}

// Of each block of Chinese, Japanese and Korean characters its ends, and their neighbours.
TEST(Trainer, ReportKnowsTheLanguageOfALine) {
  const std::pair<char32_t, char32_t> blocks[] = {
      {0x3040, 0x30ff}, {0x3400, 0x9fff}, {0xac00, 0xd7a3}, {0xf900, 0xfaff}, {0x20000, 0x3ffff}};
  std::string inside, outside;
  const auto add = [](std::string& text, char32_t c) {
    utf8::append(text, c);
    text += "\n";
  };
  for (const auto& [first, last] : blocks) {
    add(inside, first), add(inside, last);
    add(outside, first - 1), add(outside, last + 1);
  }
  const std::string latin = "ab\nAZ\naz 12\n", path = temporary("languages.txt");
  test::write_file(path, inside + outside + latin + "@[\n`{\n");
  const std::string report = tokenizer::compression_report(byte_tokens(), config_for(path));
  const auto counts = [](std::size_t bytes) {
    return fmt::format("1.000 bytes per token ({0} bytes, {0} tokens)", bytes);
  };
  EXPECT_THAT(report, testing::HasSubstr("CJK                                       " +
                                         counts(inside.size())));
  EXPECT_THAT(report, testing::HasSubstr("Latin                                     " +
                                         counts(latin.size())));
  EXPECT_THAT(report, testing::HasSubstr("other                                     " +
                                         counts(outside.size() + 6)));
}

}  // namespace
}  // namespace fathom
