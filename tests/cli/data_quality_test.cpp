// `fathom data quality train`, and `fathom data clean` by its model and by a language model.
#include <gmock/gmock.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/tiny_run.h"
#include "io/line_reader.h"

namespace fathom::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using Json = nlohmann::json;

std::string rows_of(const std::vector<std::string>& texts) {
  std::string rows;
  for (const std::string& text : texts) rows += Json{{"text", text}}.dump() + "\n";
  return rows;
}

class DataQuality : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return dir_ / name; }
  Outcome train(std::vector<std::string> more = {}) {
    std::vector<std::string> good, bad;
    for (int i = 0; i < 30; ++i) {
      good.push_back(
          fmt::format("Page {} of the treatise explains the motion of stars. 星星的运动", i));
      bad.push_back(fmt::format("Buy {} shoes now, click here, cheap, cheap! 特价", i));
    }
    write_file(path("good.jsonl"), rows_of(good));
    write_file(path("bad.jsonl"), rows_of(bad));
    write_file(path("quality.toml"),
               fmt::format("output = \"{}\"\nheld_out_fraction = 0.0\ndim = 4\nbuckets = 100\n"
                           "min_count = 1\nepochs = 30\nlearning_rate = 0.5\n"
                           "[[classes]]\nname = \"good\"\npaths = [\"{}\"]\n"
                           "[[classes]]\nname = \"bad\"\npaths = [\"{}\"]\n",
                           path("quality.bin"), path("good.jsonl"), path("bad.jsonl")));
    std::vector<std::string> arguments{"data", "quality", "train", path("quality.toml")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_fathom(dir_, std::move(arguments));
  }
  Outcome clean(const std::string& tables, std::vector<std::string> more = {}) {
    write_file(path("clean.toml"),
               fmt::format("output = \"{}\"\n[[filters]]\nrule = \"characters\"\nmin = 1\n"
                           "[[sources]]\nname = \"web\"\npaths = [\"{}\"]\n{}",
                           path("cleaned"), path("web.jsonl"), tables));
    std::vector<std::string> arguments{"data", "clean", path("clean.toml")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_fathom(dir_, std::move(arguments));
  }
  std::vector<Json> cleaned(const std::string& name) const {
    std::vector<Json> rows;
    std::istringstream in(read_text(path("cleaned/texts/" + name + ".jsonl.zst")));
    for (std::string line; std::getline(in, line);) rows.push_back(Json::parse(line));
    return rows;
  }

  TempDir dir_;
};

TEST_F(DataQuality, FromExamplesToSources) {
  const Outcome trained = train({"--set", "held_out_fraction=0.3"});
  must(trained);
  EXPECT_THAT(trained.out,
              AllOf(HasSubstr("class "), HasSubstr("'good' on held-out documents: AUC"),
                    HasSubstr("precision")));
  EXPECT_THAT(trained.err, AllOf(HasSubstr("reading good"), HasSubstr("training"),
                                 HasSubstr("quality.bin: `fathom data clean` takes it")));
  write_file(path("web.jsonl"), rows_of({"The treatise on the motion of stars. 星星",
                                         "Click here, buy cheap shoes! 特价"}));
  const std::string tables = fmt::format(
      "[[classifiers]]\nmodel = \"{}\"\n[buckets]\nby = \"quality\"\nedges = [0.5]\n"
      "names = [\"low\", \"high\"]\n",
      path("quality.bin"));
  const Outcome tried = clean(tables, {"--dry-run", "10"});
  must(tried);
  EXPECT_THAT(tried.out, HasSubstr("quality of 2 documents: 10 % are below 0."));
  must(clean(tables));
  ASSERT_EQ(cleaned("web-00000.high").size(), 1u);
  EXPECT_THAT(cleaned("web-00000.high")[0].at("text").get<std::string>(), HasSubstr("treatise"));
  ASSERT_EQ(cleaned("web-00000.low").size(), 1u);
  EXPECT_LT(cleaned("web-00000.low")[0].at("quality").get<double>(), 0.5);
  const Outcome dropped = clean(tables, {"--set", "buckets.by=bits_per_byte"});
  EXPECT_EQ(dropped.code, 2);
  EXPECT_THAT(dropped.err, HasSubstr("buckets.by: no score 'bits_per_byte'"));
}

// Texts in lists and objects are the benchmark's, too.
TEST_F(DataQuality, BenchmarksAreSearchedForTheTextsOfTheirRows) {
  const auto text = [](const char* kind) {
    return fmt::format("{0}a {0}b {0}c {0}d {0}e {0}f {0}g {0}h {0}i {0}j", kind);
  };
  const std::string question = text("question"), choice = text("choice"), nested = text("answer");
  write_file(path("data/rows.jsonl"),
             Json{{"q", question}, {"n", 1}, {"c", {"yes", choice}}, {"more", {{"why", {nested}}}}}
                     .dump() +
                 "\n");
  write_file(path("tasks/own.toml"),
             "metric = \"acc\"\n[data]\nfiles = [\"rows.jsonl\"]\n[prompt]\n"
             "context = \"{{ q }}\"\nchoice_list = \"c\"\ngold = \"1\"\n");
  write_file(path("web.jsonl"),
             rows_of({"Asked: " + question, "Chosen: " + choice, "Solved: " + nested, "A page."}));
  const Outcome outcome =
      clean(fmt::format("[contamination]\ntasks = [\"own\"]\nwords = 10\ndata = \"{}\"\n"
                        "configs = \"{}\"\n",
                        path("data"), path("tasks")));
  must(outcome);
  EXPECT_THAT(outcome.err, HasSubstr("of 4 texts of 1 tasks; 1 texts are too short"));
  ASSERT_EQ(cleaned("web-00000").size(), 1u);
  EXPECT_EQ(cleaned("web-00000")[0].at("text"), "A page.");
}

TEST_F(DataQuality, NamesWhatIsWrong) {
  EXPECT_THAT(run_fathom(dir_, {"data", "quality", "train", path("none.toml")}).err,
              HasSubstr("none.toml"));
  EXPECT_THAT(train({"--set", "epochs=0"}).err, HasSubstr("epochs: 0 is not in [1, 1000]"));
  EXPECT_THAT(train({"--set", "epoch=1"}).err, HasSubstr("did you mean 'epochs'?"));
  write_file(path("web.jsonl"), rows_of({"a text"}));
  const Outcome text = clean("[[classifiers]]\nmodel = \"" + path("good.jsonl") + "\"\n");
  EXPECT_EQ(text.code, 2);
  EXPECT_THAT(text.err, HasSubstr("good.jsonl: is not a fastText model"));
  const Outcome none = clean("[perplexity]\nmodel = \"" + path("none") + "\"\n");
  EXPECT_EQ(none.code, 2);
  EXPECT_THAT(none.err, HasSubstr("perplexity.model: " + path("none") + ": "));
  const Outcome device = clean("[perplexity]\nmodel = \"x\"\ndevice = \"gpu\"\n");
  EXPECT_EQ(device.code, 2);
  EXPECT_THAT(device.err, HasSubstr("perplexity.device: device 'gpu' is not known"));
  EXPECT_FALSE(fs::exists(path("cleaned")));
}

// The same numbers as `fathom eval` gives for whole documents of its task.
TEST_F(DataQuality, BitsPerByteAreThoseOfEval) {
  make_tiny_data(dir_);
  must(run_fathom(dir_, {"train", make_tiny_config(dir_), "--set", "train.steps=20"}));
  const std::vector<std::string> texts{"7 ships left the harbour of 北京 with 49 tons of grain",
                                       "zqx jkv wqz 龘靐 vvv qqq zzz", "a",
                                       "zqxjkvwq"};
  write_file(path("web.jsonl"), rows_of(texts));
  const std::string model =
      "[perplexity]\nmodel = \"" + path("run/model") + "\"\nmax_tokens = 64\n";
  must(clean(model));
  const std::vector<Json> rows = cleaned("web-00000");
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_LT(rows[0].at("bits_per_byte").get<double>() + 1,
            rows[1].at("bits_per_byte").get<double>());
  write_file(path("tasks/read.toml"),
             "mode = \"perplexity\"\n[data]\nfiles = [\"one.jsonl\"]\n[prompt]\n"
             "target = \"{{ text }}\"\n");
  for (std::size_t i = 0; i < texts.size(); ++i) {
    write_file(path("bench/one.jsonl"), rows_of({texts[i]}));
    must(run_fathom(dir_, {"eval", path("run/model"), "--tasks", "read", "--data", path("bench"),
                           "--configs", path("tasks"), "--out", path("eval")}));
    const double bits = Json::parse(
        read_file(path("eval/results.json")))["results"]["read"]["scores"]["bits_per_byte"];
    EXPECT_NEAR(rows[i].at("bits_per_byte").get<double>(), bits, 1e-3) << texts[i];
    fs::remove_all(path("eval"));
  }
  // Bounds and buckets; a long document counts by its beginning.
  const double middle =
      (rows[0].at("bits_per_byte").get<double>() + rows[1].at("bits_per_byte").get<double>()) / 2;
  write_file(path("web.jsonl"),
             rows_of({texts[0], texts[1], texts[0] + std::string(5000, ' ') + texts[1]}));
  fs::remove_all(path("cleaned"));
  const Outcome bounded = clean(
      model + fmt::format("max = {}\n[buckets]\nby = \"bits_per_byte\"\nedges = [0.1]\n", middle),
      {"--set", "perplexity.max_tokens=8", "--set", "write_dropped=true"});
  must(bounded);
  EXPECT_THAT(bounded.out, AllOf(HasSubstr("bits_per_byte  "), HasSubstr("of 3 documents")));
  const std::vector<Json> kept = cleaned("web-00000.1");
  ASSERT_EQ(kept.size(), 2u);
  EXPECT_EQ(kept[0].at("bits_per_byte"), kept[1].at("bits_per_byte"));
  // Of the last text each byte is a token: the beginning of a longer one has its score.
  write_file(path("web.jsonl"), rows_of({texts[3] + "zzqxkv", texts[3], "zqx"}));
  fs::remove_all(path("cleaned"));
  must(clean(model, {"--set", "perplexity.max_tokens=8"}));
  const std::vector<Json> cut = cleaned("web-00000");
  ASSERT_EQ(cut.size(), 3u);
  for (const std::size_t i : {0u, 1u}) {
    EXPECT_EQ(cut[i].at("bits_per_byte"), rows[3].at("bits_per_byte")) << i;
  }
  EXPECT_NE(cut[2].at("bits_per_byte"), rows[3].at("bits_per_byte"));
  const Outcome longer = clean(model, {"--set", "perplexity.max_tokens=65"});
  EXPECT_EQ(longer.code, 2);
  EXPECT_THAT(longer.err,
              HasSubstr("perplexity.max_tokens: 65 are more than the model's context of 64"));
}

}  // namespace
}  // namespace fathom::test
