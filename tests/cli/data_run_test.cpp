// `fathom data run`: the chain of stages, what it does again and what not, and kills.
#include <gmock/gmock.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/tiny_run.h"
#include "core/philox.h"
#include "io/checksum.h"

namespace fathom::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using Json = nlohmann::json;
using Arguments = std::vector<std::string>;

// A line of `count` words, another one for each `n`.
std::string words(std::uint64_t n, int count) {
  static const char* const list[] = {"the",  "river", "runs", "to",   "a",     "quiet", "sea",
                                     "and",  "that",  "ship", "of",   "old",   "men",   "sailed",
                                     "with", "grain", "home", "from", "north", "again"};
  std::string text;
  for (int i = 0; i < count; ++i) {
    text += list[Philox{n, 7}.bits(static_cast<std::uint64_t>(i)) % std::size(list)];
    text += i + 1 < count ? " " : ".";
  }
  return text;
}

class DataRun : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return dir_ / name; }

  // Rows of JSON: the first ones of each file are copies of one another, and one is short.
  void write_rows(const std::string& name, std::uint64_t seed, int count, int length = 60) {
    std::string rows;
    for (int i = 0; i < count; ++i) {
      const auto n = static_cast<std::uint64_t>(i < 5 ? 0 : i);
      rows += Json{{"text", i == 5 ? "short" : words(seed + n, length)}}.dump() + "\n";
    }
    write_file(path(name), rows);
  }

  void SetUp() override {
    write_rows("text/web/a.jsonl", 1000, 40);
    write_rows("text/web/b.jsonl", 2000, 40);
    write_rows("text/web/kept.jsonl", 3000, 30);
    std::string lines;
    for (std::uint64_t i = 0; i < 50; ++i) lines += words(4000 + i, 60) + "\n";
    write_file(path("text/books.txt"), lines);
    write_config("");
  }

  // `changes`: --set of each command line after it.
  void write_config(const std::string& more) {
    write_file(path("chain.toml"), fmt::format(R"(output = "{0}/corpus"
[[sources]]
name = "web"
paths = ["{0}/text/web"]
held_out_paths = ["{0}/text/web/kept.jsonl"]
weight = 2.5
[[sources]]
name = "books"
paths = ["{0}/text/books.txt"]
format = "lines"
[clean]
part_mb = 1
[[clean.filters]]
rule = "characters"
min = 50
[dedup]
part_mb = 1
[tokenizer]
vocab_size = 300
[prepare]
held_out_fraction = 0.1
{1})",
                                               dir_.path(), more));
  }

  Arguments command(const Arguments& more) const {
    Arguments arguments{"data", "run", path("chain.toml")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  Outcome run(const Arguments& more = {}) { return run_fathom(dir_, command(more)); }
  std::vector<std::string> dry(Arguments more = {}) {
    more.emplace_back("--dry-run");
    const Outcome outcome = run(more);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return lines_of(outcome.out);
  }
  // The message of a call that is refused.
  std::string refusal(const Arguments& more = {}) {
    const Outcome outcome = run(more);
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    return outcome.err;
  }

  // Checksums of all that the stages wrote, but for their times.
  std::map<std::string, std::uint64_t> outputs() const {
    std::map<std::string, std::uint64_t> files;
    for (const auto& entry : fs::recursive_directory_iterator(path("corpus"))) {
      const std::string name = entry.path().lexically_relative(path("corpus"));
      if (!entry.is_regular_file() || name.ends_with(".lock")) continue;
      if (!name.ends_with(".stage.json")) files[name] = checksum_of_file(entry.path());
    }
    return files;
  }
  // The files that are not as they were.
  std::vector<std::string> changes_since(const std::map<std::string, std::uint64_t>& before) const {
    const auto now = outputs();
    std::vector<std::string> names;
    for (const auto& [name, checksum] : now) {
      const auto found = before.find(name);
      if (found == before.end() || found->second != checksum) names.push_back(name);
    }
    for (const auto& [name, checksum] : before) {
      if (!now.contains(name)) names.push_back(name);
    }
    return names;
  }
  bool has(const std::string& name) const { return fs::exists(path("corpus/" + name)); }
  bool is_done(const std::string& stage) const {
    const std::string stamp = path("corpus/" + stage + ".stage.json");
    return fs::exists(stamp) && Json::parse(read_file(stamp)).at("done") == true;
  }

  TempDir dir_;
};

TEST_F(DataRun, TakesTextToShards) {
  const Outcome first = run();
  must(first);
  EXPECT_THAT(first.err, AllOf(HasSubstr("clean: to run"), HasSubstr("prepare: to run")));
  // 110 rows and 50 lines are read; 3 of the rows are short, and of 5 equal ones of a file one
  // stays.
  EXPECT_THAT(
      first.out,
      AllOf(testing::ContainsRegex("read +web +80 "),
            testing::ContainsRegex("read +web\\.held-out +30 "),
            testing::ContainsRegex("read +all +160 "), testing::ContainsRegex("clean +web +78 "),
            testing::ContainsRegex("dedup +web +70 "),
            testing::ContainsRegex("dedup +web\\.held-out +25 "),
            testing::ContainsRegex("prepare +web +95 +[0-9]+ +[0-9]+\n"),
            testing::ContainsRegex("prepare +books +50 "),
            testing::ContainsRegex("prepare +all +145 +[0-9]+ +[0-9]+ +[0-9.]+ s")));
  const Json manifest = Json::parse(read_file(path("corpus/prepare/manifest.json")));
  ASSERT_EQ(manifest.at("sources").size(), 2u);
  EXPECT_EQ(manifest["sources"][0].at("name"), "web");
  EXPECT_EQ(manifest["sources"][0].at("weight"), 2.5);
  // What was held out whole, and no more.
  const Outcome held_out =
      run_fathom(dir_, {"data", "text", path("corpus/prepare"), "--source", "web", "--held-out"});
  EXPECT_EQ(lines_of(held_out.out).size(), 25u);
  EXPECT_THAT(held_out.out, HasSubstr(words(3007, 60)));
  must(run_fathom(dir_, {"data", "check", path("corpus/prepare")}));

  const auto files = outputs();
  const Outcome second = run();
  must(second);
  EXPECT_THAT(second.err, AllOf(HasSubstr("clean: done"), HasSubstr("dedup: done"),
                                HasSubstr("tokenizer: done"), HasSubstr("prepare: done"),
                                Not(HasSubstr("running"))));
  EXPECT_EQ(second.out, first.out);
  EXPECT_THAT(changes_since(files), IsEmpty());
}

// The commands one by one, each with the parts that the one before it wrote.
TEST_F(DataRun, IsWhatItsCommandsDo) {
  must(run());
  const auto source = [&](const std::string& name, const std::string& stage) {
    return fmt::format(
        "[[sources]]\nname = \"{0}\"\npaths = [\"{1}/{2}/texts/{0}-00000.jsonl.zst\"]\n", name,
        dir_.path(), stage);
  };
  write_file(path("clean.toml"), fmt::format(R"(output = "{0}/cleaned"
[[filters]]
rule = "characters"
min = 50
[[sources]]
name = "web"
paths = ["{0}/text/web/a.jsonl", "{0}/text/web/b.jsonl"]
[[sources]]
name = "web.held-out"
paths = ["{0}/text/web/kept.jsonl"]
[[sources]]
name = "books"
paths = ["{0}/text/books.txt"]
format = "lines"
)",
                                             dir_.path()));
  must(run_fathom(dir_, {"data", "clean", path("clean.toml")}));
  write_file(path("dedup.toml"), fmt::format("output = \"{}/deduped\"\n", dir_.path()) +
                                     source("web", "cleaned") + source("web.held-out", "cleaned") +
                                     source("books", "cleaned"));
  must(run_fathom(dir_, {"data", "dedup", path("dedup.toml")}));
  const std::string texts = path("deduped/texts/");
  must(run_fathom(
      dir_, {"tokenizer", "train", texts + "web-00000.jsonl.zst", texts + "books-00000.jsonl.zst",
             "--vocab-size", "300", "--out", path("tokenizer.json")}));
  write_file(path("data.toml"),
             fmt::format("tokenizer = \"{0}/tokenizer.json\"\noutput = \"{0}/data\"\n"
                         "held_out_fraction = 0.1\n",
                         dir_.path()) +
                 source("web", "deduped") + "weight = 2.5\nheld_out_paths = [\"" + texts +
                 "web.held-out-00000.jsonl.zst\"]\n" + source("books", "deduped"));
  must(run_fathom(dir_, {"data", "prepare", path("data.toml")}));
  for (const char* name : {"manifest.json", "tokenizer.json", "train/web-00000.tokens",
                           "train/books-00000.tokens", "held_out/web-00000.tokens"}) {
    EXPECT_EQ(read_file(path("corpus/prepare/") + name), read_file(path("data/") + name)) << name;
  }
}

TEST_F(DataRun, DoesAgainWhatAChangeConcerns) {
  must(run());
  const std::string corpus = path("corpus/");
  EXPECT_THAT(dry(), ElementsAre("clean: done", "dedup: done", "tokenizer: done", "prepare: done"));
  EXPECT_THAT(dry({"--set", "clean.threads=1", "--set", "dedup.threads=3"}),
              ElementsAre("clean: done", "dedup: done", "tokenizer: done", "prepare: done"));
  const Arguments shorter{"--set", "dedup.minhash.words=4"};
  EXPECT_THAT(dry(shorter),
              ElementsAre("clean: done", "dedup: its config changed; replaces " + corpus + "dedup",
                          "tokenizer: dedup changes; replaces " + corpus + "tokenizer",
                          "prepare: tokenizer changes; replaces " + corpus + "prepare"));
  EXPECT_THAT(dry({"--set", "sources=[{name='web', paths=['" + path("text/web") +
                                "'], held_out_paths=['" + path("text/web/kept.jsonl") +
                                "'], weight=3}, {name='books', format='lines', paths=['" +
                                path("text/books.txt") + "']}]"}),
              ElementsAre("clean: done", "dedup: done", "tokenizer: done",
                          "prepare: its config changed; replaces " + corpus + "prepare"));
  // A stage more, a stage less.
  const auto before = outputs();
  must(run(shorter));
  EXPECT_THAT(dry(shorter),
              ElementsAre("clean: done", "dedup: done", "tokenizer: done", "prepare: done"));
  must(run());
  EXPECT_THAT(changes_since(before), IsEmpty());

  const std::string file = path("text/web/a.jsonl");
  fs::last_write_time(file, fs::last_write_time(file) + std::chrono::seconds(5));
  EXPECT_EQ(dry().front(), "clean: what it reads changed; replaces " + corpus + "clean");
  must(run());
  EXPECT_THAT(changes_since(before), IsEmpty());
  write_rows("text/web/c.jsonl", 6000, 20);
  EXPECT_EQ(dry().front(), "clean: what it reads changed; replaces " + corpus + "clean");
  must(run());
  EXPECT_THAT(changes_since(before), Not(IsEmpty()));
  fs::remove(path("text/web/c.jsonl"));
  must(run());
  EXPECT_THAT(changes_since(before), IsEmpty());

  fs::resize_file(path("corpus/dedup/texts/books-00000.jsonl.zst"), 10);
  EXPECT_THAT(dry(),
              ElementsAre("clean: done",
                          "dedup: " + corpus + "dedup/texts/books-00000.jsonl.zst is gone or has " +
                              "another size; replaces " + corpus + "dedup",
                          "tokenizer: done", "prepare: done"));
  must(run());
  EXPECT_THAT(changes_since(before), IsEmpty());
}

TEST_F(DataRun, ATokenizerThatIsThereIsRead) {
  must(run({"--until", "tokenizer"}));
  EXPECT_FALSE(has("prepare"));
  fs::copy(path("corpus/tokenizer/tokenizer.json"), path("own.json"));
  const std::string config = read_file(path("chain.toml"));
  const std::string table = "[tokenizer]\nvocab_size = 300\n[prepare]\n";
  const std::size_t at = config.find(table);
  ASSERT_NE(at, std::string::npos);
  write_file(path("chain.toml"), config.substr(0, at) + "[prepare]\ntokenizer = \"" +
                                     path("own.json") + "\"\n" + config.substr(at + table.size()));
  const Outcome outcome = run();
  must(outcome);
  EXPECT_THAT(outcome.err,
              HasSubstr("corpus/tokenizer is of a stage that the config no longer has"));
  EXPECT_TRUE(has("tokenizer/tokenizer.json"));
  EXPECT_THAT(dry(), ElementsAre("clean: done", "dedup: done", "prepare: done"));
  fs::last_write_time(path("own.json"),
                      fs::last_write_time(path("own.json")) + std::chrono::seconds(5));
  EXPECT_THAT(dry(),
              ElementsAre("clean: done", "dedup: done",
                          "prepare: what it reads changed; replaces " + path("corpus/prepare")));
  write_file(path("own.json"), "{}");
  EXPECT_THAT(refusal(), HasSubstr("own.json"));
  fs::remove(path("own.json"));
  EXPECT_THAT(refusal(), HasSubstr("prepare.tokenizer: there is no file " + path("own.json")));
}

// The text that was read may be gone by then.
TEST_F(DataRun, FromAStageOn) {
  EXPECT_THAT(refusal({"--from", "dedup"}),
              HasSubstr("--from dedup: clean has no output to read; run without --from"));
  must(run());
  const auto files = outputs();
  fs::remove_all(path("text"));
  EXPECT_THAT(refusal(), HasSubstr("text/web' matches no file"));
  EXPECT_THAT(dry({"--from", "dedup", "--until", "tokenizer"}),
              ElementsAre("clean: taken as it is",
                          "dedup: asked for by --from; replaces " + path("corpus/dedup"),
                          "tokenizer: asked for by --from; replaces " + path("corpus/tokenizer")));
  must(run({"--from", "dedup"}));
  EXPECT_THAT(changes_since(files), IsEmpty());
  EXPECT_THAT(refusal({"--from", "dedup", "--set", "clean.samples=1"}),
              HasSubstr("--from dedup: clean was run with another config"));
  EXPECT_THAT(refusal({"--from", "dedup", "--set",
                       "sources=[{name='books', format='lines', paths=['" + path("none") + "']}]"}),
              HasSubstr("clean was run with the sources web, web.held-out, books"));
  fs::remove(path("corpus/clean/texts/web-00000.jsonl.zst"));
  EXPECT_THAT(refusal({"--from", "dedup"}),
              HasSubstr("clean has lost " + path("corpus/clean/texts/web")));
}

// Without clean and dedup every stage reads the sources.
TEST_F(DataRun, FromAStageThatReadsTheSources) {
  const auto source = [&](const std::string& text) {
    write_file(path("raw.toml"),
               fmt::format("output = \"{0}/corpus\"\n[[sources]]\nname = \"books\""
                           "\npaths = [\"{0}/text/{1}\"]\n[tokenizer]\n"
                           "vocab_size = 300\n[prepare]\nheld_out_fraction = 0.0\n",
                           dir_.path(), text));
  };
  const auto run_raw = [&](const Arguments& more) {
    Arguments arguments{"data", "run", path("raw.toml")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_fathom(dir_, arguments);
  };
  source("books.txt");
  must(run_raw({}));
  const auto files = outputs();
  must(run_raw({"--from", "prepare"}));
  EXPECT_THAT(changes_since(files), IsEmpty());
  write_file(path("text/books.txt"), "another text\n");
  EXPECT_THAT(run_raw({"--from", "prepare"}).err,
              HasSubstr("--from prepare: tokenizer was run before what it reads changed"));
  source("none.txt");
  EXPECT_THAT(run_raw({"--from", "prepare"}).err, HasSubstr("none.txt' matches no file"));
  EXPECT_THAT(changes_since(files), IsEmpty());
}

TEST_F(DataRun, RefusesBeforeAnythingRuns) {
  const auto refused = [&](const std::string& key, const std::string& message) {
    EXPECT_THAT(refusal({"--set", key}), HasSubstr(message)) << key;
  };
  EXPECT_THAT(refusal({"--from", "dedupe"}),
              HasSubstr("--from: dedupe not in {clean,dedup,tokenizer,prepare}"));
  EXPECT_THAT(refusal({"--until", "x"}), HasSubstr("--until: x not in {clean,"));
  EXPECT_THAT(refusal({"--from", "prepare", "--until", "clean"}), HasSubstr("nothing is between"));
  refused("cleen.samples=1", "cleen: this key is not known; did you mean 'clean'?");
  refused("dedup.minhash.word=1",
          "dedup.minhash.word: this key is not known; did you mean 'words'?");
  refused("clean.output=x", "clean.output: the chain sets this key");
  refused("dedup.sources=[]", "dedup.sources: the chain sets this key");
  refused("clean.part_mb=0", "chain.toml: [clean]: part_mb: 0 is not in");
  refused("tokenizer.vocab_size=1", "[tokenizer]: vocab_size: 1 is outside 256");
  refused("prepare.held_out_fraction=2", "[prepare]: held_out_fraction: 2 is not in [0, 1)");
  refused("dedup.minhash.threshold=7", "[dedup]: minhash.threshold: 7 is not in");
  refused("dedup.write_texts=false", "dedup.write_texts = false: leaves tokenizer nothing to read");
  refused("prepare.tokenizer=own.json", "prepare.tokenizer: [tokenizer] trains one");
  refused("clean.buckets.by=quality", "[clean]: buckets.by: no score 'quality'");
  refused("output=", "output: missing");
  refused("tokenizer.like=" + path("none"), "tokenizer.like: there is no file " + path("none"));
  refused("prepare.end_of_document=<end>",
          "prepare.end_of_document: '<end>' is none of tokenizer.special_tokens");
  refused("sources=[{name='web', paths=['" + path("text/web") + "'], held_out_paths=['" +
              path("text/web/*") + "']}]",
          "source 'web': held_out_paths hold out all files of paths");
  refused("output=" + path("text/web/corpus"), "is inside " + path("text/web"));
  const std::string twice = "[[sources]]\nname = \"web\"\npaths = [\"x\"]\n";
  write_config(twice);
  EXPECT_THAT(refusal(), HasSubstr("chain.toml: sources: two are called 'web'"));
  write_config("[[sources]]\nname = \"none\"\npaths = [\"none\"]\n");
  EXPECT_THAT(refusal(), HasSubstr("source 'none': 'none' matches no file"));
  write_file(path("chain.toml"), "output = \"x\"\n" + twice);
  EXPECT_THAT(refusal(), HasSubstr("no stage: add [clean]"));
  EXPECT_THAT(refusal({"--set", "prepare.seed=1"}), HasSubstr("prepare.tokenizer: missing"));
  EXPECT_FALSE(has("clean"));
  EXPECT_FALSE(fs::exists(path("text/web/corpus")));
}

TEST_F(DataRun, KeepsFilesOfOthers) {
  write_file(path("corpus/dedup/notes.txt"), "mine");
  EXPECT_THAT(refusal(), HasSubstr("dedup: the output has a folder or file of this name that"));
  EXPECT_FALSE(has("clean"));
  fs::remove_all(path("corpus"));
  write_file(path("corpus/clean"), "");
  EXPECT_THAT(refusal(), HasSubstr("clean: the output has a folder or file of this name that"));
  fs::remove_all(path("corpus"));
  must(run());
  const auto files = outputs();
  write_file(path("corpus/clean/texts/notes.txt"), "mine");
  EXPECT_THAT(refusal({"--set", "clean.samples=1"}),
              HasSubstr("corpus/clean: holds texts/notes.txt, which Fathom did not make"));
  fs::remove(path("corpus/clean/texts/notes.txt"));
  for (const char* name : {"clean/texts/mine.jsonl.zst", "dedup/copies/web-copy.jsonl.zst",
                           "dedup/index/segments/web-00000/notes",
                           "dedup/index/segments/mine/segment.json", "prepare/train/mine.tokens"}) {
    write_file(path("corpus/") + name, "mine");
    EXPECT_THAT(refusal({"--set", "clean.samples=1"}), HasSubstr("which Fathom did not make"))
        << name;
    EXPECT_EQ(read_file(path("corpus/") + name), "mine");
    fs::remove(path("corpus/") + name);
    if (std::string(name).find("segments/mine") != std::string::npos)
      fs::remove(path("corpus/dedup/index/segments/mine"));
  }
  EXPECT_THAT(changes_since(files), IsEmpty());
  // Also of a source that the config no longer has; and what a stopped stage left.
  must(run({"--set", "sources=[{name='web', paths=['" + path("text/web") + "']}]"}));
  EXPECT_FALSE(has("clean/texts/books-00000.jsonl.zst"));
  Json stamp = Json::parse(read_file(path("corpus/clean.stage.json")));
  stamp["done"] = false;
  write_file(path("corpus/clean.stage.json"), stamp.dump());
  write_file(path("corpus/clean/texts/mine.jsonl.zst"), "mine");
  EXPECT_THAT(refusal(), HasSubstr("texts/mine.jsonl.zst, which Fathom did not make"));
}

// The shards of a source that is gone stay while a call that replaces them is stopped.
TEST_F(DataRun, GoesOnReplacingShardsOfOtherSources) {
  must(run());
  const std::string web = "sources=[{name='web', paths=['" + path("text/web") + "']}]";
  must(run({"--set", web, "--until", "tokenizer"}));
  EXPECT_EQ(run_fathom(dir_, command({"--set", web}), 9000).code, 1);
  EXPECT_FALSE(is_done("prepare"));
  EXPECT_TRUE(has("prepare/train/books-00000.tokens"));
  must(run({"--set", web}));
  EXPECT_FALSE(has("prepare/train/books-00000.tokens"));
}

// The output is the user's folder: another command may be writing there.
TEST_F(DataRun, KeepsTemporariesOfOtherCommands) {
  for (const char* name :
       {"second.tmp-12-0/train/web-00000.tokens", "a.json.tmp-12-3", "clean.stage.json.tmp-12-0"}) {
    write_file(path("corpus/") + name, "{");
  }
  must(run({"--until", "clean"}));
  EXPECT_TRUE(has("second.tmp-12-0/train/web-00000.tokens"));
  EXPECT_TRUE(has("a.json.tmp-12-3"));
  EXPECT_FALSE(has("clean.stage.json.tmp-12-0"));
  write_file(path("corpus/clean/clean.json.tmp-12-0"), "{");
  must(run({"--until", "clean"}));
  EXPECT_FALSE(has("clean/clean.json.tmp-12-0"));
}

// Sources with holes are larger than the disk.
TEST_F(DataRun, RefusesADiskThatIsClearlyTooSmall) {
  EXPECT_THAT(run({"--dry-run"}).err, HasSubstr("stages without an output write roughly "));
  write_file(path("text/large.txt"), "");
  fs::resize_file(path("text/large.txt"), 3 * fs::space(dir_.path()).available);
  const Outcome outcome =
      run({"--set", "sources=[{name='large', paths=['" + path("text/large.txt") + "']}]"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("are free; choose an output on another disk"));
  EXPECT_FALSE(has("clean.stage.json"));
}

// Before and after a stage's end, and within each of the long ones.
TEST_F(DataRun, GoesOnWhereItWasKilled) {
  for (int file = 0; file < 4; ++file) {
    write_rows(fmt::format("text/web/long{}.jsonl", file), 10000u + 1000u * file, 300, 800);
  }
  must(run());
  const auto files = outputs();
  EXPECT_TRUE(has("clean/texts/web-00001.jsonl.zst"));
  fs::remove_all(path("corpus"));
  const std::vector<std::pair<std::string, std::function<bool()>>> moments{
      {"within clean", [&] { return has("clean/parts/web-00000.json"); }},
      {"behind clean", [&] { return is_done("clean"); }},
      {"within dedup", [&] { return has("dedup/index/segments/web-00000/segment.json"); }},
      {"behind dedup", [&] { return is_done("dedup"); }},
      {"within prepare", [&] { return has("prepare.stage.json"); }}};
  for (const auto& [name, moment] : moments) {
    Process process(dir_, command({}));
    ASSERT_TRUE(process.until(moment)) << name << ": " << process.wait().err;
    process.send(SIGKILL);
    EXPECT_EQ(process.wait().signal, SIGKILL) << name;
  }
  // As a kill while a stamp is written leaves it.
  write_file(path("corpus/clean.stage.json.tmp-1-0"), "{");
  const Outcome last = run();
  must(last);
  EXPECT_THAT(last.err, AllOf(HasSubstr("clean: done"), HasSubstr("tokenizer: done"),
                              HasSubstr("prepare: was stopped, goes on")));
  EXPECT_THAT(changes_since(files), IsEmpty());
}

TEST_F(DataRun, NamesASourceOfWhichNothingIsLeft) {
  write_file(path("text/short.jsonl"), "{\"text\": \"short\"}\n");
  const std::string config = read_file(path("chain.toml"));
  write_file(path("chain.toml"), config + "[[sources]]\nname = \"short\"\npaths = [\"" +
                                     path("text/short.jsonl") + "\"]\n");
  const Outcome outcome = run();
  EXPECT_EQ(outcome.code, 2);
  const std::string message = "source 'short': clean kept none of its 1 documents; change [clean]";
  EXPECT_THAT(outcome.err, HasSubstr(message));
  EXPECT_TRUE(is_done("clean"));
  EXPECT_FALSE(has("dedup"));
  EXPECT_THAT(refusal(), AllOf(HasSubstr("clean: done"), HasSubstr(message)));
  write_file(path("chain.toml"), config);
  must(run());
}

// A chain of one stage, whose text nothing reads.
TEST_F(DataRun, MayEndWithAStageThatKeepsNothing) {
  write_file(path("chain.toml"),
             fmt::format("output = \"{0}/corpus\"\n[[sources]]\nname = \"web\"\n"
                         "paths = [\"{0}/text/web/a.jsonl\"]\n[clean]\n"
                         "[[clean.filters]]\nrule = \"characters\"\n"
                         "min = 100000\n",
                         dir_.path()));
  const Outcome outcome = run();
  must(outcome);
  EXPECT_THAT(outcome.out, testing::ContainsRegex("clean +web +0 +0 "));
}

// Equal ones, those of which no line is left, and those that lose more than they may.
TEST_F(DataRun, CountsEveryDocumentThatDedupDrops) {
  const std::string one = "one two three\nfour five six";
  std::string rows;
  for (const std::string& text :
       {one, one, std::string("one two three"), one + "\nseven", std::string("eight nine")}) {
    rows += Json{{"text", text}}.dump() + "\n";
  }
  write_file(path("text/lines.jsonl"), rows);
  write_file(path("chain.toml"),
             fmt::format("output = \"{0}/corpus\"\n[[sources]]\nname = \"web\"\n"
                         "paths = [\"{0}/text/lines.jsonl\"]\n[dedup]\nmax_lost = 0.5\n"
                         "[dedup.minhash]\nenabled = false\n"
                         "[dedup.lines]\nenabled = true\nmin_bytes = 1\n",
                         dir_.path()));
  const Outcome outcome = run();
  must(outcome);
  EXPECT_THAT(outcome.out, AllOf(testing::ContainsRegex("read +web +5 +110 "),
                                 testing::ContainsRegex("dedup +web +2 +37 "),
                                 testing::ContainsRegex("dedup +all +2 +37 ")));
}

TEST_F(DataRun, GoesOnAfterAFullDisk) {
  must(run());
  const auto files = outputs();
  fs::remove_all(path("corpus"));
  for (const rlim_t bytes : {2000, 5000, 12000}) {
    const Outcome full = run_fathom(dir_, command({}), bytes);
    EXPECT_EQ(full.code, 1) << bytes << full.err;
    EXPECT_THAT(full.err, HasSubstr("File too large")) << bytes;
  }
  must(run());
  EXPECT_THAT(changes_since(files), IsEmpty());
}

// configs/demo/chain.toml, on less text.
TEST_F(DataRun, TheExamplesConfigRuns) {
  for (std::uint64_t n = 0; n < 30; ++n) {
    write_file(path(fmt::format("demo/text/english/{}.txt", n)), words(n, 200));
    write_file(path(fmt::format("demo/text/chinese/{}.txt", n)), words(1000 + n, 200));
  }
  const std::string here = "cd '" + dir_.path() +
                           "'; exec '" FATHOM_BINARY "' data run '" FATHOM_SOURCE_DIR
                           "/configs/demo/chain.toml' --set 'clean.filters=[{rule=\"characters\", "
                           "min=1}]' --set clean.languages=[] --set tokenizer.vocab_size=300";
  const Outcome outcome = Process(dir_, {"/bin/sh", "-c", here}, Process::Program::any).wait();
  must(outcome);
  const Json manifest = Json::parse(read_file(path("demo/corpus/prepare/manifest.json")));
  EXPECT_EQ(manifest["sources"][0].at("weight"), 2.0);
  EXPECT_EQ(manifest["sources"][1].at("name"), "chinese");
}

}  // namespace
}  // namespace fathom::test
