// `data run` without running: its config, its stamps, and which stages it would run.
#include <gmock/gmock.h>

#include <chrono>
#include <filesystem>

#include "data/chain/config.h"
#include "data/chain/plan.h"
#include "data/chain/sources.h"
#include "data/chain/stamp.h"
#include "data/chain/table.h"
#include "io/temp_dir.h"

namespace fathom::chain {
namespace {

using test::input_error_of;
using test::TempDir;
using test::write_file;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

ChainConfig chain_of(const TempDir& dir, const std::string& tables,
                     const std::vector<std::string>& overrides = {}) {
  write_file(dir / "chain.toml", "output = \"corpus\"\n" + tables);
  return load_chain(dir / "chain.toml", overrides);
}

constexpr const char* two_sources =
    "[[sources]]\nname = \"a\"\npaths = [\"x\"]\n"
    "[[sources]]\nname = \"b\"\npaths = [\"y\"]\nfield = \"body\"\n"
    "format = \"jsonl\"\n";

TEST(ChainConfig, HasTheStagesOfItsTables) {
  const TempDir dir;
  const ChainConfig config = chain_of(
      dir, std::string(two_sources) + "[tokenizer]\n[clean]\nthreads = 3\n[prepare]\nseed = 4\n",
      {"sources=[{name='a', paths=['x'], weight=2}]"});
  EXPECT_THAT(config.stages, ElementsAre(Stage::clean, Stage::tokenizer, Stage::prepare));
  EXPECT_FALSE(config.has(Stage::dedup));
  EXPECT_EQ(config.folder(Stage::prepare), "corpus/prepare");
  EXPECT_EQ(config.clean.threads, 3);
  EXPECT_EQ(config.prepare.seed, 4);
  EXPECT_EQ(config.sources.at(0).weight, 2);
  const std::string help = config_help<ChainConfig>();
  EXPECT_THAT(help, AllOf(HasSubstr("  clean.personal.emails "), HasSubstr("  dedup.minhash.rows "),
                          HasSubstr("  tokenizer.vocab_size "), HasSubstr("  sources[].weight ")));
  for (const char* key : {"clean.output", "dedup.index", "tokenizer.files", "tokenizer.text_field",
                          "prepare.sources", "clean.sources[]"}) {
    EXPECT_THAT(help, Not(HasSubstr(std::string("  ") + key))) << key;
  }
}

TEST(ChainConfig, RefusesStagesThatDoNotFit) {
  const TempDir dir;
  const auto error = [&](const std::string& tables) {
    return input_error_of([&] { chain_of(dir, tables); });
  };
  const std::string sources = two_sources;
  EXPECT_THAT(error(sources + "[clean]\n[tokenizer]\n"),
              HasSubstr("tokenizer: sources 'a' and 'b' have their texts in different fields"));
  EXPECT_THAT(
      error("[[sources]]\nname = \"a\"\npaths = [\"x\"]\ncontent = \"html\"\n[tokenizer]\n"),
      HasSubstr("tokenizer: source 'a' is web pages; add [clean]"));
  for (const char* key : {"format = \"lines\"\n", "skip_broken_lines = true\n"}) {
    EXPECT_THAT(
        error("[[sources]]\nname = \"a\"\npaths = [\"x\"]\n" + std::string(key) + "[tokenizer]\n"),
        HasSubstr("tokenizer: source 'a' has format or skip_broken_lines"));
  }
  EXPECT_THAT(error(sources + "[clean.buckets]\nby = \"bits_per_byte\"\nedges = [1]\n"
                              "[clean.perplexity]\nmodel = \"m\"\n"),
              HasSubstr("clean.buckets: a chain does not sort texts into buckets"));
  EXPECT_THAT(error("[[sources]]\nname = \"a\"\npaths = [\"x\"]\nheld_out_paths = [\"y\"]\n"
                    "[[sources]]\nname = \"a.held-out\"\npaths = [\"x\"]\n[dedup]\n"),
              HasSubstr("two are called 'a.held-out'"));
  EXPECT_THAT(error("[dedup]\n"), HasSubstr("sources: missing"));
  EXPECT_THAT(error(sources + "[dedup]\nindex = \"i\"\n"),
              HasSubstr("chain.toml:11: dedup.index: the chain sets this key"));
}

// The next stage would look for the text of a plain file in "body".
TEST(ChainConfig, RefusesAFieldThatPlainTextLacks) {
  const TempDir dir;
  const auto error = [&](const std::string& keys, const std::string& tables) {
    return input_error_of([&] {
      chain_of(dir,
               "[[sources]]\nname = \"a\"\npaths = [\"x\"]\nfield = \"body\"\n" + keys + tables);
    });
  };
  EXPECT_THAT(error("", "[clean]\n[dedup]\n"),
              AllOf(HasSubstr("source 'a': field = \"body\" with format = \"auto\""),
                    HasSubstr("in 'body' behind clean; set format = \"jsonl\"")));
  const std::string tables = "[dedup]\n[tokenizer]\n[prepare]\n";
  EXPECT_THAT(error("format = \"auto\"\n", tables), HasSubstr("behind dedup"));
  for (const char* keys :
       {"format = \"jsonl\"\n", "format = \"lines\"\n", "content = \"html\"\n"}) {
    EXPECT_NO_THROW(chain_of(dir, "[[sources]]\nname = \"a\"\npaths = [\"x\"]\nfield = \"body\"\n" +
                                      std::string(keys) + tables));
  }
}

TEST(ChainConfig, RefusesTablesThatLackWhatTheyNeed) {
  const TempDir dir;
  const std::string source = "[[sources]]\nname = \"a\"\npaths = [\"x\"]\n";
  const auto error = [&](const std::string& tables) {
    const std::string text = input_error_of([&] { chain_of(dir, source + tables); });
    return text.starts_with(dir.path()) ? text.substr((dir / "chain.toml").size() + 2) : text;
  };
  EXPECT_EQ(error(""),
            "no stage: add [clean], [dedup], [tokenizer] or [prepare]; a table may be empty");
  EXPECT_EQ(error("[dedup]\nwrite_texts = false\n[prepare]\n[tokenizer]\n"),
            "dedup.write_texts = false: leaves tokenizer nothing to read");
  EXPECT_EQ(error("[dedup]\nwrite_texts = false\n"), "no error") << "nothing reads behind it";
  EXPECT_EQ(error("[prepare]\n"),
            "prepare.tokenizer: missing; name a tokenizer.json, or add [tokenizer] to train one");
  EXPECT_EQ(error("[prepare]\ntokenizer = \"t\"\n[tokenizer]\n"),
            "prepare.tokenizer: [tokenizer] trains one; remove this key or that table");
  EXPECT_EQ(error("[prepare]\ntokenizer = \"" + (dir / "none.json") + "\"\n"),
            "prepare.tokenizer: there is no file " + (dir / "none.json"));
  EXPECT_EQ(error("[tokenizer]\nspecial_tokens = [\"<a>\", \"<b>\"]\n"
                  "[prepare]\nend_of_document = \"<c>\"\n"),
            "prepare.end_of_document: '<c>' is none of tokenizer.special_tokens");
  EXPECT_EQ(error("[tokenizer]\nspecial_tokens = [\"<a>\", \"<b>\"]\n"
                  "[prepare]\nend_of_document = \"<b>\"\n"),
            "no error");
  // As the stages themselves check their keys.
  EXPECT_EQ(error("[clean]\nsamples = -1\n"), "[clean]: samples: -1 is not in [0, 10000]");
  EXPECT_EQ(error("[dedup]\nmax_lost = 2\n"), "[dedup]: max_lost: 2 is not in [0, 1]");
  EXPECT_EQ(error("[tokenizer]\n[prepare]\nshard_tokens = 0\n"),
            "[prepare]: shard_tokens: 0 is below 1");
}

TEST(ChainConfig, SetsTheKeysThatLinkItsStages) {
  for (const char* key : {"output", "sources", "index", "files", "text_field", "report_mb"}) {
    EXPECT_TRUE(set_by_chain(key)) << key;
  }
  for (const char* key : {"threads", "tokenizer", "outputs", "", "source"}) {
    EXPECT_FALSE(set_by_chain(key)) << key;
  }
}

// Of plain text with a field of its own, rows have "text".
TEST(ChainConfig, PlainTextHasNoFieldOfItsOwn) {
  const TempDir dir;
  const ChainConfig config =
      chain_of(dir,
               "[[sources]]\nname = \"a\"\npaths = [\"x\"]\n"
               "[[sources]]\nname = \"b\"\npaths = [\"y\"]\nfield = \"body\"\nformat = \"lines\"\n"
               "[clean]\n[tokenizer]\n");
  EXPECT_EQ(text_field_of(config.sources[1]), "text");
}

TEST(ChainConfig, AStagesOwnConfigIsWhatItsOutputDependsOn) {
  const TempDir dir;
  const auto own = [&](Stage stage, const std::string& set) {
    return own_config(chain_of(dir, std::string(two_sources) + "[clean]\n[dedup]\n[prepare]\n",
                               {"prepare.tokenizer=" + dir / "chain.toml", set}),
                      stage);
  };
  for (const Stage stage : {Stage::clean, Stage::dedup, Stage::prepare}) {
    const std::string name(enum_name(stage));
    const std::string same = own(stage, "output=elsewhere");
    EXPECT_EQ(own(stage, name + ".threads=7"), same);
    EXPECT_EQ(
        own(stage, "sources=[{name='a', paths=['z']}, {name='b', field='body', format='jsonl'}]"),
        same);
    EXPECT_EQ(
        own(stage, "sources=[{name='a', weight=3}, {name='b', field='body', format='jsonl'}]") ==
            same,
        stage != Stage::prepare);
    for (const char* other : {"{name='c', field='body', format='jsonl'}", "{name='b'}",
                              "{name='b', field='body', format='jsonl', held_out_paths=['h']}",
                              "{name='b', field='body', format='jsonl', skip_broken_lines=true}"}) {
      EXPECT_NE(own(stage, fmt::format("sources=[{{name='a'}}, {}]", other)), same) << other;
    }
  }
  EXPECT_EQ(own(Stage::dedup, "dedup.memory_mb=100"), own(Stage::dedup, "dedup.memory_mb=200"));
  EXPECT_NE(own(Stage::clean, "clean.samples=1"), own(Stage::clean, "clean.samples=2"));
  EXPECT_NE(own(Stage::dedup, "dedup.keep=first"), own(Stage::dedup, "dedup.keep=last"));
}

TEST(ChainConfig, NamesTheFilesThatItsTablesName) {
  const TempDir dir;
  for (const char* name : {"q.bin", "like.json", "own.json", "data/d", "tasks/t", "own.toml"}) {
    write_file(dir / name, "");
  }
  const auto named = [&](const std::string& tables, Stage stage) {
    return named_files(chain_of(dir, two_sources + tables, {"sources=[{name='a', paths=['x']}]"}),
                       stage);
  };
  const std::string clean = fmt::format(
      "[[clean.classifiers]]\nmodel = \"{0}/q.bin\"\n[clean.perplexity]\nmodel = \"{0}/none\"\n"
      "[clean.contamination]\ndata = \"{0}/data\"\nconfigs = \"{0}/tasks\"\n",
      dir.path());
  EXPECT_THAT(named(clean, Stage::clean), ElementsAre(dir / "q.bin"));
  EXPECT_THAT(named(clean + "tasks = [\"t\"]\n", Stage::clean),
              ElementsAre(dir / "q.bin", dir / "data", dir / "tasks"));
  EXPECT_THAT(named(clean + "tasks = [\"t\", \"" + (dir / "own.toml") + "\", \"none.toml\"]\n",
                    Stage::clean),
              ElementsAre(dir / "q.bin", dir / "data", dir / "tasks", dir / "own.toml"));
  EXPECT_THAT(named("[tokenizer]\nlike = \"" + (dir / "like.json") + "\"\n", Stage::tokenizer),
              ElementsAre(dir / "like.json"));
  EXPECT_THAT(named("[prepare]\ntokenizer = \"" + (dir / "own.json") + "\"\n", Stage::prepare),
              ElementsAre(dir / "own.json"));
}

StageStamp sample_stamp() {
  StageStamp stamp{"c", "i", true, 1.5, {}};
  stamp.output.files = {{"tokenizer.json", 3}};
  stamp.output.sources = {{"web", {{"texts/web-00000.jsonl.zst", 5}}, {4, 40}, {2, 20}, 9}};
  return stamp;
}

TEST(ChainStamp, ReadsWhatItWrote) {
  const TempDir dir;
  EXPECT_FALSE(StageStamp::load(dir / "none.json"));
  sample_stamp().save(dir / "a.json");
  const StageStamp stamp = StageStamp::load(dir / "a.json").value();
  EXPECT_EQ(stamp.config, "c");
  EXPECT_EQ(stamp.input, "i");
  EXPECT_TRUE(stamp.done);
  EXPECT_EQ(stamp.seconds, 1.5);
  ASSERT_EQ(stamp.output.files.size(), 1u);
  EXPECT_EQ(stamp.output.files[0].path, "tokenizer.json");
  ASSERT_EQ(stamp.output.sources.size(), 1u);
  const StageSource& web = stamp.output.sources[0];
  EXPECT_EQ(web.name, "web");
  EXPECT_EQ(web.files, sample_stamp().output.sources[0].files);
  EXPECT_EQ(web.read.documents, 4);
  EXPECT_EQ(web.read.bytes, 40);
  EXPECT_EQ(web.kept.documents, 2);
  EXPECT_EQ(web.kept.bytes, 20);
  EXPECT_EQ(web.tokens, 9);
  EXPECT_EQ(stamp.identity(), sample_stamp().identity());
  EXPECT_EQ(stamp.output.bytes(), 8u);
  std::string text = test::read_file(dir / "a.json");
  text.replace(text.find("\"version\": 1"), 12, "\"version\": 2");
  write_file(dir / "a.json", text);
  EXPECT_THAT(input_error_of([&] { StageStamp::load(dir / "a.json"); }),
              AllOf(HasSubstr("a.json"), HasSubstr("version")));
}

TEST(ChainStamp, MissesFilesThatAreNotAsTheyWere) {
  const TempDir dir;
  const StageOutput output = sample_stamp().output;
  EXPECT_EQ(missing_file(output, dir.path()), dir / "tokenizer.json");
  write_file(dir / "tokenizer.json", "123");
  EXPECT_EQ(missing_file(output, dir.path()), dir / "texts/web-00000.jsonl.zst");
  write_file(dir / "texts/web-00000.jsonl.zst", "12345");
  EXPECT_EQ(missing_file(output, dir.path()), "");
  write_file(dir / "texts/web-00000.jsonl.zst", "123456");
  EXPECT_EQ(missing_file(output, dir.path()), dir / "texts/web-00000.jsonl.zst");
}

// What is planned of clean, dedup and prepare, of which those in `done` have run with `sources`.
class ChainPlan : public testing::Test {
 protected:
  ChainPlan() {
    for (const Stage stage : {Stage::clean, Stage::dedup, Stage::prepare}) {
      facts_.push_back({stage, "config of " + std::string(enum_name(stage)), {}, {}, {}, true});
    }
  }
  std::vector<PlannedStage> plan(const Range& range = {}) const {
    return plan_stages(facts_, sources_, range);
  }
  void finish() {
    const auto planned = plan();
    for (std::size_t i = 0; i < planned.size(); ++i) {
      facts_[i].stamp = StageStamp{planned[i].config, planned[i].input, true, 0, {}};
      facts_[i].folder_is_empty = false;
    }
  }
  std::vector<std::string> lines(const Range& range = {}) const {
    std::vector<std::string> lines;
    for (const PlannedStage& planned : plan(range)) lines.push_back(line_of(planned, "F"));
    return lines;
  }

  std::vector<StageFacts> facts_;
  std::string sources_ = "s";
};

TEST_F(ChainPlan, RunsWhatIsNotDone) {
  EXPECT_THAT(lines(), ElementsAre("clean: to run", "dedup: to run", "prepare: to run"));
  EXPECT_THAT(lines({{}, Stage::dedup}), ElementsAre("clean: to run", "dedup: to run"));
  finish();
  EXPECT_THAT(lines(), ElementsAre("clean: done", "dedup: done", "prepare: done"));
  facts_[1].stamp->done = false;
  EXPECT_THAT(lines(), ElementsAre("clean: done", "dedup: was stopped, goes on", "prepare: done"));
  facts_[2].stamp.reset();
  facts_[2].folder_is_empty = true;
  EXPECT_THAT(lines(),
              ElementsAre("clean: done", "dedup: was stopped, goes on", "prepare: to run"));
}

TEST_F(ChainPlan, ReplacesWhatIsOfOtherThings) {
  finish();
  sources_ = "others";
  EXPECT_THAT(lines(), ElementsAre("clean: what it reads changed; replaces F",
                                   "dedup: clean changes; replaces F",
                                   "prepare: dedup changes; replaces F"));
  sources_ = "s";
  facts_[1].config = "another";
  EXPECT_THAT(lines(), ElementsAre("clean: done", "dedup: its config changed; replaces F",
                                   "prepare: dedup changes; replaces F"));
  facts_[1].config = facts_[1].stamp->config;
  facts_[1].files = "a model";
  EXPECT_THAT(lines(), ElementsAre("clean: done", "dedup: what it reads changed; replaces F",
                                   "prepare: dedup changes; replaces F"));
  facts_[1].files.clear();
  // Made of the same, it is the same.
  facts_[1].missing = "x";
  EXPECT_THAT(lines(),
              ElementsAre("clean: done", "dedup: x is gone or has another size; replaces F",
                          "prepare: done"));
  // Also of a stage that was stopped.
  facts_[1].stamp->done = false;
  EXPECT_EQ(plan()[1].action, Action::go_on);
  facts_[1].config = "another";
  EXPECT_EQ(plan()[1].action, Action::replace);
  // A stage that is left out changes what the next one reads.
  finish();
  facts_.erase(facts_.begin() + 1);
  EXPECT_THAT(lines(), ElementsAre("clean: done", "prepare: what it reads changed; replaces F"));
}

TEST_F(ChainPlan, ARangeOfStages) {
  const auto error = [&](const Range& range) { return input_error_of([&] { plan(range); }); };
  EXPECT_EQ(error({Stage::dedup, {}}),
            "--from dedup: clean has no output to read; run without --from");
  EXPECT_EQ(error({Stage::tokenizer, {}}), "--from: the config has no table [tokenizer]");
  EXPECT_EQ(error({{}, Stage::tokenizer}), "--until: the config has no table [tokenizer]");
  EXPECT_EQ(error({Stage::prepare, Stage::dedup}),
            "--from prepare --until dedup: nothing is between them");
  finish();
  const std::string identity = plan()[0].identity();
  sources_.clear();  // what the first stage reads need not exist
  const Range range{Stage::dedup, Stage::dedup};
  EXPECT_THAT(lines(range),
              ElementsAre("clean: taken as it is", "dedup: asked for by --from; replaces F"));
  EXPECT_EQ(plan(range)[0].identity(), identity);
  EXPECT_EQ(plan(range)[1].input, facts_[1].stamp->input);
  facts_[1].stamp->input = "another";
  EXPECT_EQ(error({Stage::prepare, {}}),
            "--from prepare: dedup was run before what it reads changed; run without --from");
  sources_ = "others";
  EXPECT_EQ(error(range),
            "--from dedup: clean was run before what it reads changed; run without "
            "--from");
  sources_.clear();
  facts_[0].sources = {"a", "b"};
  facts_[0].stamp->output.sources = {{"b", {}, {}, {}, 0}, {"c", {}, {}, {}, 0}};
  EXPECT_EQ(error(range), "--from dedup: clean was run with the sources b, c; run without --from");
  facts_[0].stamp->output.sources[1].name = "a";
  EXPECT_EQ(lines(range).size(), 2u);
  facts_[0].missing = "y";
  EXPECT_EQ(error(range), "--from dedup: clean has lost y; run without --from");
  facts_[0].config = "another";
  EXPECT_EQ(error(range), "--from dedup: clean was run with another config; run without --from");
  facts_[0].stamp->done = false;
  EXPECT_EQ(error(range), "--from dedup: clean has no output to read; run without --from");
}

// A stopped `--from dedup` is called again: the sources may be gone by then.
TEST_F(ChainPlan, ARangeGoesOn) {
  finish();
  facts_[1].stamp->done = false;
  sources_.clear();
  const Range range{Stage::dedup, {}};
  EXPECT_THAT(lines(range), ElementsAre("clean: taken as it is", "dedup: was stopped, goes on",
                                        "prepare: asked for by --from; replaces F"));
  facts_[1].config = "another";
  EXPECT_EQ(plan(range)[1].action, Action::replace);
}

TEST(ChainRange, ReadsSourcesUnlessAStageBeforeMadeTheirText) {
  const std::vector<Stage> all = {Stage::clean, Stage::dedup, Stage::tokenizer, Stage::prepare};
  EXPECT_TRUE(reads_sources(all, {}));
  EXPECT_TRUE(reads_sources(all, {{}, Stage::clean}));
  EXPECT_TRUE(reads_sources(all, {Stage::clean, {}}));
  for (const Stage from : {Stage::dedup, Stage::tokenizer, Stage::prepare}) {
    EXPECT_FALSE(reads_sources(all, {from, {}})) << enum_name(from);
  }
  EXPECT_TRUE(reads_sources({Stage::tokenizer, Stage::prepare}, {Stage::prepare, {}}))
      << "a tokenizer makes no text";
}

TEST_F(ChainPlan, TakesNoFolderOfOthers) {
  facts_[1].folder_is_empty = false;
  EXPECT_THAT(input_error_of([&] { plan(); }),
              HasSubstr("dedup: the output has a folder or file of this"));
  EXPECT_EQ(plan({{}, Stage::clean}).size(), 1u);
}

TEST(ChainSources, ChangeWithFilesAndHowTheyAreRead) {
  const TempDir dir;
  write_file(dir / "in/a.txt", "one");
  SourceConfig source;
  source.name = "s";
  source.paths = {dir / "in"};
  const auto checksum = [&] { return find_sources({source}, dir / "corpus").checksum; };
  const std::string before = checksum();
  source.weight = 9;
  EXPECT_EQ(checksum(), before);
  source.paths = {dir / "in/a.txt"};
  EXPECT_EQ(checksum(), before);
  source.format = TextFormat::lines;
  EXPECT_NE(checksum(), before);
  source.format = TextFormat::automatic;
  write_file(dir / "in/b.txt", "two");
  source.held_out_paths = {dir / "in/b.txt"};
  EXPECT_NE(checksum(), before);
  write_file(dir / "in/b.txt", "three");
  EXPECT_EQ(find_sources({source}, dir / "corpus").bytes, 8u);
  source.held_out_paths.clear();
  EXPECT_EQ(checksum(), before);
  source.paths = {dir / "in"};
  EXPECT_NE(checksum(), before);
  EXPECT_THAT(input_error_of([&] { find_sources({source}, dir / "in/corpus"); }),
              HasSubstr("is inside"));
}

// What is written over is seen by its time where its size is the same.
TEST(ChainSources, ChangeWithTheTimeOfAFile) {
  const TempDir dir;
  write_file(dir / "in/a.txt", "one");
  SourceConfig source;
  source.name = "s";
  source.paths = {dir / "in"};
  const std::vector<std::string> paths = {dir / "in"};
  const auto time = std::filesystem::last_write_time(dir / "in/a.txt");
  const auto checksum = [&] { return find_sources({source}, dir / "corpus").checksum; };
  const std::string before = checksum(), text = text_of_files(paths, "prepare");
  EXPECT_EQ(text, fmt::format("{}\n3 {}\n", dir / "in/a.txt", time.time_since_epoch().count()));
  EXPECT_EQ(text_of_files({}, "prepare"), "");
  write_file(dir / "in/a.txt", "two");
  std::filesystem::last_write_time(dir / "in/a.txt", time + std::chrono::milliseconds(1));
  EXPECT_NE(checksum(), before);
  EXPECT_NE(text_of_files(paths, "prepare"), text);
  std::filesystem::last_write_time(dir / "in/a.txt", time);
  EXPECT_EQ(checksum(), before);
  write_file(dir / "in/a.txt", "four");
  std::filesystem::last_write_time(dir / "in/a.txt", time);
  EXPECT_NE(checksum(), before) << "another size";
  EXPECT_THAT(input_error_of([&] { text_of_files({dir / "none"}, "prepare"); }),
              HasSubstr("prepare: '" + (dir / "none") + "' matches no file"));
}

TEST(ChainSources, HaveNamesByStage) {
  SourceConfig web, books;
  web.name = "web";
  web.held_out_paths = {"h"};
  books.name = "books";
  EXPECT_EQ(held_out_name("web"), "web.held-out");
  for (const Stage stage : {Stage::clean, Stage::dedup}) {
    EXPECT_THAT(source_names({web, books}, stage), ElementsAre("web", "web.held-out", "books"));
  }
  EXPECT_THAT(source_names({web, books}, Stage::prepare), ElementsAre("web", "books"));
  EXPECT_TRUE(source_names({web, books}, Stage::tokenizer).empty());
}

TEST(ChainSources, TextsAreInTheFieldTheyWereReadFrom) {
  TextSourceConfig source;
  source.field = "body";
  for (const TextFormat format : {TextFormat::automatic, TextFormat::jsonl, TextFormat::text,
                                  TextFormat::lines, TextFormat::separated}) {
    source.format = format;
    const bool plain = format != TextFormat::automatic && format != TextFormat::jsonl;
    source.content = TextContent::text;
    EXPECT_EQ(text_field_of(source), plain ? "text" : "body") << enum_name(format);
    source.content = TextContent::html;
    EXPECT_EQ(text_field_of(source), "body") << enum_name(format);
  }
}

TEST(ChainSources, AreCarriedAlong) {
  const TempDir dir;
  for (const char* name : {"a", "b", "h"}) write_file(dir / ("in/" + std::string(name)), name);
  SourceConfig web, books;
  web.name = "web";
  web.paths = {dir / "in"};
  web.held_out_paths = {dir / "in/h"};
  web.weight = 3;
  web.field = "body";
  web.skip_broken_lines = true;
  books.name = "books";
  books.paths = {dir / "in/b"};
  books.format = TextFormat::separated;
  books.separator = "--";
  books.field = "unused";
  const auto texts = text_sources({web, books}, dir / "corpus/clean");
  ASSERT_EQ(texts.size(), 3u);
  EXPECT_EQ(texts[0].name, "web");
  EXPECT_THAT(texts[0].paths, ElementsAre(dir / "in/a", dir / "in/b"));
  EXPECT_EQ(texts[1].name, "web.held-out");
  EXPECT_THAT(texts[1].paths, ElementsAre(dir / "in/h"));
  EXPECT_EQ(texts[1].field, "body");
  EXPECT_EQ(texts[2].paths, books.paths);
  EXPECT_THAT(training_files({web}, dir / "corpus"), ElementsAre(dir / "in/a", dir / "in/b"));

  StageOutput output;
  output.sources = {{"web", {{"texts/w", 1}, {"texts/x", 1}}, {}, {}, 0},
                    {"web.held-out", {{"texts/h", 1}}, {}, {}, 0},
                    {"books", {{"texts/b", 1}}, {}, {}, 0}};
  const auto next = carried({web, books}, output, "F");
  ASSERT_EQ(next.size(), 2u);
  EXPECT_THAT(next[0].paths, ElementsAre("F/texts/w", "F/texts/x"));
  EXPECT_THAT(next[0].held_out_paths, ElementsAre("F/texts/h"));
  EXPECT_EQ(next[0].weight, 3);
  EXPECT_EQ(next[0].field, "body");
  EXPECT_EQ(next[0].format, TextFormat::jsonl);
  EXPECT_TRUE(next[0].skip_broken_lines);
  EXPECT_THAT(next[1].paths, ElementsAre("F/texts/b"));
  EXPECT_TRUE(next[1].held_out_paths.empty());
  EXPECT_EQ(next[1].field, "text");
  EXPECT_EQ(next[1].separator, "");
}

TEST(ChainTable, HasEachStageBySource) {
  StageStamp clean{"", "", true, 90, {}}, tokenizer{"", "", true, 3, {}}, prepare = clean;
  clean.output.sources = {{"web", {}, {10, 1000}, {8, 800}, 0}, {"books", {}, {5, 50}, {0, 0}, 0}};
  prepare.seconds = 7;
  prepare.output.sources = {{"web", {}, {8, 790}, {8, 790}, 200},
                            {"books", {}, {5, 50}, {5, 50}, 9}};
  const std::string text =
      summary({{Stage::clean, clean}, {Stage::tokenizer, tokenizer}, {Stage::prepare, prepare}});
  std::vector<std::string> rows;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string row;
    for (std::string word; words >> word;) row += (row.empty() ? "" : " ") + word;
    rows.push_back(row);
  }
  EXPECT_THAT(rows, ElementsAre("stage source documents bytes tokens time", "read web 10 1000 -",
                                "read books 5 50 -", "read all 15 1050 -", "clean web 8 800 -",
                                "clean books 0 0 -", "clean all 8 800 - 1 min 30 s",
                                "tokenizer - - - 3.0 s", "prepare web 8 790 200",
                                "prepare books 5 50 9", "prepare all 13 840 209 7.0 s"));
}

}  // namespace
}  // namespace fathom::chain
