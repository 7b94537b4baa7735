// Runs the commands that read text: files that are read or refused, and messages.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "cli/tiny_run.h"
#include "io/packed.h"

namespace fathom::test {
namespace {

using testing::HasSubstr;

class TextInput : public testing::Test {
 protected:
  void SetUp() override {
    const Outcome trained = fathom({"tokenizer", "train", write("words.txt", "one two three\n"),
                                    "--vocab-size", "260", "--out", dir_ / "t.json"});
    ASSERT_EQ(trained.code, 0) << trained.err;
  }
  std::string write(const std::string& name, const std::string& content) {
    write_file(dir_ / name, content);
    return dir_ / name;
  }
  Outcome fathom(const std::vector<std::string>& arguments) { return run_fathom(dir_, arguments); }
  Outcome prepare(const std::string& paths) {
    write("data.toml", "tokenizer = \"" + (dir_ / "t.json") + "\"\noutput = \"" + (dir_ / "out") +
                           "\"\nheld_out_fraction = 0.0\n[[sources]]\nname = \"s\"\npaths = [\"" +
                           (dir_ / paths) + "\"]\n");
    return fathom({"data", "prepare", dir_ / "data.toml", "--overwrite"});
  }
  std::string prepared(const std::string& paths) {
    const Outcome outcome = prepare(paths);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return fathom({"data", "text", dir_ / "out"}).out;
  }

  TempDir dir_;
};

TEST_F(TextInput, PrepareReadsWhatPackersAndPythonWrite) {
  write("pzstd.bin", pzstd("{\"text\": \"packed\"}\n"));
  EXPECT_EQ(prepared("pzstd.bin"), "packed\n");
  write("padded.gz", gzip("{\"text\": \"padded\"}\n") + std::string(512, '\0'));
  EXPECT_EQ(prepared("padded.gz"), "padded\n");
  write("odd.jsonl", "{\"x\": NaN, \"y\": \"\\ud83d\", \"text\": \"odd\"}\n");
  EXPECT_EQ(prepared("odd.jsonl"), "odd\n");
  write("lines.ndjson", "{\"text\": \"lines\"}\r\n");
  EXPECT_EQ(prepared("lines.ndjson"), "lines\n");
}

TEST_F(TextInput, NothingHeldOutIsWarnedOfOnlyWhereSomethingShouldBe) {
  write("a.txt", "one two\n");
  EXPECT_EQ(prepare("a.txt").err.find("held out"), std::string::npos);
  const Outcome some = fathom({"data", "prepare", dir_ / "data.toml", "--overwrite", "--set",
                               "held_out_fraction=0.001"});
  EXPECT_NE(some.err.find("source 's': none of its"), std::string::npos) << some.err;
}

// The tokens are read back in blocks of 65536.
TEST_F(TextInput, LongDocumentsComeBack) {
  std::string text;
  for (int i = 0; text.size() < 200'000; ++i) text += std::to_string(i) + (i % 9 ? " " : "\n");
  write("long.txt", text);
  EXPECT_TRUE(prepared("long.txt") == text + "\n");
}

TEST_F(TextInput, PrepareFollowsLinksAndMatchedDirectories) {
  write("elsewhere/a.txt", "a");
  write("corpus/b.txt", "b");
  write("corpus/.hidden", "no");
  std::filesystem::create_symlink("../elsewhere", dir_ / "corpus/linked");
  EXPECT_EQ(prepared("corpus"), "b\na\n");
  EXPECT_EQ(prepared("c*"), "b\na\n");
  EXPECT_THAT(prepare("corpus").err, HasSubstr("1 hidden files or directories are left out"));
}

TEST_F(TextInput, WhatIsNotTextIsRefusedByEveryCommand) {
  const std::string file = write("in/a.txt", "ORC\x15\x04\x15\x1c");
  for (const Outcome& outcome :
       {prepare("in"), fathom({"tokenizer", "train", dir_ / "in", "--out", dir_ / "u.json"}),
        fathom({"tokenizer", "encode", dir_ / "t.json", file})}) {
    EXPECT_EQ(outcome.code, 2);
    EXPECT_THAT(outcome.err, HasSubstr(file + ": holds an ORC file; convert it to JSON lines"));
  }
  EXPECT_FALSE(std::filesystem::exists(dir_ / "out"));
}

TEST_F(TextInput, OverwriteDeletesNoCorpus) {
  write("out/raw.txt", "text");
  const Outcome outcome = prepare("out");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("not made by `fathom data prepare`"));
  EXPECT_EQ(read_file(dir_ / "out/raw.txt"), "text");
}

TEST_F(TextInput, TrainTellsOfStrayBytes) {
  const Outcome outcome = fathom({"tokenizer", "train", write("a.txt", "one\ntw\xffo\n"),
                                  "--vocab-size", "260", "--out", dir_ / "u.json"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(
      outcome.err,
      HasSubstr("1 bytes in 1 texts are not UTF-8 (the first: " + (dir_ / "a.txt") + ":2)"));
}

// Errors of the tokenizer name the place of the text.
TEST_F(TextInput, ErrorsOfTheTokenizerNameFileAndLine) {
  auto json = nlohmann::json::parse(read_file(dir_ / "t.json"));
  json["normalizer"] = {
      {"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", std::string(1000, 'a')}};
  const std::string grows = write("grows.json", json.dump());
  const std::string text = write("a.txt", "one\n" + std::string(20'000, 'a') + "\n");
  const std::string plain = dir_ / "t.json";
  for (const auto& [arguments, place] : std::vector<std::pair<std::vector<std::string>, int>>{
           {{"tokenizer", "encode", grows, text}, 2},
           {{"tokenizer", "train", text, "--like", grows, "--out", dir_ / "u.json"}, 1}}) {
    const Outcome outcome = fathom(arguments);
    EXPECT_EQ(outcome.code, 2);
    EXPECT_THAT(outcome.err,
                HasSubstr(fmt::format("error: {}:{}: the tokenizer's normalizer", text, place)));
  }
  const std::string ids = write("a.ids", "65\n[65, 9999]\n");
  EXPECT_THAT(fathom({"tokenizer", "decode", plain, ids}).err,
              HasSubstr("error: " + ids + ":2: 9999 is not a token id of this tokenizer"));
  write("a.ids", "65\n\n6x5\n");
  EXPECT_THAT(fathom({"tokenizer", "decode", plain, ids}).err,
              HasSubstr("error: " + ids + ":3: 'x5' is not a token id"));
}

// An output line for each input line, whatever the bytes.
TEST_F(TextInput, EncodeKeepsLinesAndBytes) {
  const std::string text = "one\n\n\xff\xfe\xfd\xfc two\n";
  const Outcome ids = fathom({"tokenizer", "encode", dir_ / "t.json", write("a.txt", text)});
  EXPECT_EQ(ids.code, 0) << ids.err;
  const Outcome back = fathom({"tokenizer", "decode", dir_ / "t.json", write("a.ids", ids.out)});
  EXPECT_EQ(back.out, text);
}

// Nineteen texts of two words and one of 40 ideographs: half are below 8 bytes, 99 % below 128.
TEST_F(TextInput, StatsWriteEachCountInItsColumn) {
  std::string text;
  for (int i = 0; i < 19; ++i) text += "ab c\n";
  for (int i = 0; i < 40; ++i) text += "中";
  const std::vector<std::string> command{"data", "stats", write("a.txt", text), "--format",
                                         "lines"};
  const Outcome table = fathom(command);
  ASSERT_EQ(table.code, 0) << table.err;
  EXPECT_THAT(table.out, testing::StartsWith(
                             "language     documents          bytes     characters        words"
                             "   ideographs    50 % <    99 % <\n"));
  EXPECT_THAT(table.out,
              HasSubstr("\nall                 20            196            116           38"
                        "           40         8       128\n"));
  std::vector<std::string> as_json = command;
  as_json.push_back("--json");
  EXPECT_EQ(nlohmann::ordered_json::parse(fathom(as_json).out).at("all").dump(),
            R"({"documents":20,"bytes":196,"characters":116,"words":38,"ideographs":40,)"
            R"("documents_by_bytes_log2":[0,0,19,0,0,0,1]})");
}

TEST_F(TextInput, StatsTellOfDocumentsThatAreLeftOut) {
  const auto stats = [&](const std::string& rows) {
    return fathom({"data", "stats", write("rows.jsonl", rows)}).out;
  };
  const std::string text = "{\"text\": \"a\"}\n", empty = "{\"text\": \"\"}\n";
  EXPECT_THAT(stats(text), testing::Not(HasSubstr("empty")));
  EXPECT_THAT(stats(text + empty), HasSubstr("\n1 empty documents are left out\n"));
  EXPECT_THAT(stats(empty + text + empty), HasSubstr("\n2 empty documents are left out\n"));
}

// Each switch and the files of the command line come before the config, and the config before the
// defaults.
TEST_F(TextInput, TrainTakesTheCommandLineBeforeTheConfig) {
  const std::string own = write("own.txt", "qq qq qq qq\n"),
                    other = write("other.txt", "zz zz zz\n");
  const std::string like = dir_ / "like.json";
  auto lower = nlohmann::json::parse(read_file(dir_ / "t.json"));
  lower["normalizer"] = {{"type", "Lowercase"}};
  write("like.json", lower.dump());
  lower["normalizer"] = {{"type", "NFC"}};
  write("nfc.json", lower.dump());
  const std::string config =
      write("train.toml", "files = [\"" + own +
                              "\"]\nvocab_size = 257\npad_to_multiple = 5\n"
                              "special_tokens = [\"<own>\"]\nmin_frequency = 1\nlike = \"" +
                              like + "\"\n");
  const auto trained = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"tokenizer", "train"});
    arguments.insert(arguments.end(), {"--out", dir_ / "new.json"});
    const Outcome outcome = fathom(arguments);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return nlohmann::json::parse(read_file(dir_ / "new.json"));
  };
  const auto has = [](const nlohmann::json& json, const char* token) {
    return json["model"]["vocab"].contains(token);
  };
  const auto size = [](const nlohmann::json& json) {
    return std::pair(json["model"]["vocab"].size(), json["added_tokens"].size());
  };
  const auto by_config = trained({config});
  EXPECT_TRUE(has(by_config, "qq") && !has(by_config, "zz"));
  EXPECT_EQ(size(by_config), std::pair(257ul, 3ul));
  EXPECT_EQ(by_config["added_tokens"][0]["content"], "<own>");
  EXPECT_EQ(by_config["normalizer"]["type"], "Lowercase");

  const auto others = trained({config, other});
  EXPECT_TRUE(has(others, "zz") && !has(others, "qq"));
  const auto both = trained({config, other, own, "--vocab-size", "258"});
  EXPECT_TRUE(has(both, "zz") && has(both, "qq"));
  EXPECT_EQ(size(trained({config, "--vocab-size", "256"})), std::pair(256ul, 4ul));
  EXPECT_EQ(size(trained({config, "--pad-to-multiple", "7"})), std::pair(257ul, 2ul));
  EXPECT_EQ(trained({config, "--special", "<a>"})["added_tokens"][0]["content"], "<a>");
  EXPECT_EQ(trained({config, "--like", dir_ / "nfc.json"})["normalizer"]["type"], "NFC");
  const auto without = trained({own, "--set", "vocab_size=257"});
  EXPECT_EQ(without["model"]["vocab"].size(), 257u);
  EXPECT_TRUE(without["normalizer"].is_null());
}

// The same files as text, and as web pages, whose main text counts.
TEST_F(TextInput, StatsAndSampleReadPages) {
  std::string page = "<html><head><title>Ships</title></head><body><nav>Home About</nav><article>";
  for (int i = 0; i < 6; ++i)
    page += "<p>Seven ships left the harbour with grain for the north.</p>\n";
  page += "</article></body></html>\n";
  const std::string file = write("page.html", page);
  const auto drawn = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"data", "sample", file, "--format", "text"});
    const Outcome outcome = fathom(more);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.out;
  };
  EXPECT_THAT(drawn({}), HasSubstr("<p>Seven ships"));
  EXPECT_THAT(drawn({"--content", "text"}), HasSubstr("<p>Seven ships"));
  const std::string text = drawn({"--content", "html"});
  EXPECT_THAT(text, HasSubstr("Seven ships left"));
  EXPECT_THAT(text, testing::Not(HasSubstr("<p>")));
  EXPECT_EQ(fathom({"data", "stats", file, "--content", "pages"}).code, 2);
}

}  // namespace
}  // namespace fathom::test
