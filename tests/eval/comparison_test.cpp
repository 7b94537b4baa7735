// Two folders of samples against each other.
#include "eval/comparison.h"

#include <gmock/gmock.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <tuple>

#include "eval/sample_hashes.h"
#include "eval/samples.h"
#include "io/temp_dir.h"

namespace fathom::eval {
namespace {

using test::input_error_of;
using test::TempDir;
using test::write_file;
using testing::HasSubstr;
using Json = nlohmann::ordered_json;

std::string sample(int doc, const std::string& prompt, double acc, const std::string& filter = "none") {
  return Json{{"doc_id", doc}, {"arguments", {{"gen_args_0", {{"arg_0", prompt}}}}}, {"filter", filter},
              {"metrics", {"acc"}}, {"acc", acc}}.dump() + "\n";
}

TEST(Comparison, PairsItemsByNumberAndFilter) {
  const TempDir dir;
  write_file(dir / "a/samples_t_2024-01-01T00-00-00.jsonl", "not read\n");
  write_file(dir / "a/samples_t_2025-01-01T00-00-00.jsonl",
             sample(0, "p", 0) + sample(1, "q", 1) + sample(2, "r", 0) + sample(3, "s", 0) + sample(9, "x", 1));
  write_file(dir / "b/m/samples_t_2025-01-01T00-00-00.123.jsonl",
             sample(3, "s", 0) + sample(2, "r", 1) + sample(1, "q", 0) + sample(0, "p", 1));
  write_file(dir / "b/samples_u_2025-01-01T00-00-00.jsonl", sample(0, "p", 1));
  const auto all = compare_samples(dir / "a", dir / "b");
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].task, "t");
  EXPECT_EQ(all[0].score, "acc");
  EXPECT_EQ(all[0].items, 4);
  EXPECT_EQ(all[0].left_out, 1);
  EXPECT_EQ(all[0].first, 0.25);
  EXPECT_EQ(all[0].second, 0.5);
  EXPECT_EQ(all[0].paired.difference.value, 0.25);
  EXPECT_EQ(all[0].first_better, 1);
  EXPECT_EQ(all[0].second_better, 2);
  EXPECT_THAT(comparison_table(all), HasSubstr("+0.2500"));
  EXPECT_EQ(Json::parse(comparison_json(all))[0]["second_better"], 2);
}

// Items that only one of the two has, whichever it is, by the filter of each score.
TEST(Comparison, CountsWhatOneOfThemLacks) {
  const TempDir dir;
  const std::string file = "/samples_t_2025-01-01T00-00-00.jsonl";
  const auto compared = [&](const std::string& first, const std::string& second) {
    write_file((dir / "a") + file, first);
    write_file((dir / "b") + file, second);
    std::vector<std::tuple<std::string, std::int64_t, std::int64_t>> counts;
    for (const ScoreComparison& one : compare_samples(dir / "a", dir / "b")) {
      counts.emplace_back(one.score, one.items, one.left_out);
    }
    return counts;
  };
  const std::string both = sample(0, "p", 1) + sample(1, "q", 0);
  const std::string strict = sample(0, "p", 0, "strict") + sample(1, "q", 0, "strict");
  using testing::ElementsAre;
  EXPECT_THAT(compared(both, both), ElementsAre(std::tuple("acc", 2, 0)));
  EXPECT_THAT(compared(both, both + sample(2, "r", 1)), ElementsAre(std::tuple("acc", 2, 1)));
  EXPECT_THAT(compared(both + sample(2, "r", 1) + sample(3, "s", 1), both + sample(4, "t", 0)),
              ElementsAre(std::tuple("acc", 2, 3)));
  EXPECT_THAT(compared(both + strict + sample(5, "u", 0, "strict"),
                       both + strict + sample(2, "r", 1) + sample(3, "s", 1)),
              ElementsAre(std::tuple("acc", 2, 2), std::tuple("acc,strict", 2, 1)));
}

// Every figure under its own name and in its own column.
TEST(Comparison, WritesEachFigureUnderItsName) {
  ScoreComparison one;
  one.task = "t";
  one.score = "acc";
  one.items = 40;
  one.left_out = 7;
  one.first = 0.25;
  one.second = 0.75;
  one.paired = {{0.5, 0.125}, 0.0625};
  one.first_better = 3;
  one.second_better = 11;
  ScoreComparison single = one;
  single.paired.difference.standard_error = std::nan("");
  const std::string table = comparison_table({one, single});
  const std::string name = "t                    acc                     ";
  EXPECT_EQ(table,
            "task                 score                     items     first    second difference   ± s.e."
            "        p        better\n" +
                name + "     40    0.2500    0.7500    +0.5000   0.1250    0.062      3:11    \n" +
                name + "     40    0.2500    0.7500    +0.5000             0.062      3:11    \n");
  const Json json = Json::parse(comparison_json({one, single}));
  EXPECT_EQ(json[0].dump(),
            R"({"task":"t","score":"acc","items":40,"left_out":7,"first":0.25,"second":0.75,"difference":0.5,)"
            R"("difference_stderr":0.125,"p_value":0.0625,"first_better":3,"second_better":11})");
  EXPECT_TRUE(json[1].at("difference_stderr").is_null());
}

std::string sample_of(int doc, const std::string& score, const Json& value) {
  return Json{{"doc_id", doc}, {"metrics", {score}}, {score, value}}.dump() + "\n";
}

// Ratios of sums, whose weights stand in the samples. lm-evaluation-harness writes an item's
// instructions as a list of booleans.
TEST(Comparison, WeighsItems) {
  const TempDir dir;
  const std::string file = "/samples_t_2025-01-01T00-00-00.jsonl";
  const std::string ifeval = "inst_level_strict_acc";
  write_file((dir / "a") + file, sample_of(0, ifeval, {1.0, 1.0}) + sample_of(1, ifeval, {0.0, 3.0}));
  write_file((dir / "b") + file, sample_of(0, ifeval, {true}) + sample_of(1, ifeval, {true, false, true}));
  const auto followed = compare_samples(dir / "a", dir / "b");
  ASSERT_EQ(followed.size(), 1u);
  EXPECT_EQ(followed[0].first, 0.25);
  EXPECT_EQ(followed[0].second, 0.75);
  EXPECT_EQ(followed[0].paired.difference.value, 0.5);
  // To first order the items' differences are 0.25 and 0.75.
  EXPECT_NEAR(followed[0].paired.difference.standard_error, 0.25, 1e-12);
  EXPECT_EQ(followed[0].second_better, 1);

  const double nats = std::log(2.0);
  write_file((dir / "c") + file, sample_of(0, "bits_per_byte", {-nats, 1}) + sample_of(1, "bits_per_byte", {-12 * nats, 3}));
  write_file((dir / "d") + file, sample_of(0, "bits_per_byte", {-2 * nats, 1}) + sample_of(1, "bits_per_byte", {-6 * nats, 3}));
  const auto bits = compare_samples(dir / "c", dir / "d");
  ASSERT_EQ(bits.size(), 1u);
  EXPECT_NEAR(bits[0].first, 3.25, 1e-12);
  EXPECT_NEAR(bits[0].second, 2, 1e-12);
  EXPECT_NEAR(bits[0].paired.difference.value, -1.25, 1e-12);
  EXPECT_EQ(bits[0].first_better, 1);
  EXPECT_EQ(bits[0].second_better, 1);

  write_file((dir / "e") + file, sample_of(0, "perplexity", -nats) + sample_of(1, "perplexity", -3 * nats));
  write_file((dir / "f") + file, sample_of(0, "perplexity", -nats) + sample_of(1, "perplexity", -nats));
  const auto perplexity = compare_samples(dir / "e", dir / "f");
  ASSERT_EQ(perplexity.size(), 1u);
  EXPECT_NEAR(perplexity[0].first, 4, 1e-12);
  EXPECT_NEAR(perplexity[0].second, 2, 1e-12);
  // d exp(-mean) = -exp(-mean) d mean: 4 times the items' deviations of 1 bit.
  EXPECT_NEAR(perplexity[0].paired.difference.standard_error, 4 * nats, 1e-12);
}

// A score that one of them lacks is left out, and so is one that is no number.
TEST(Comparison, TakesTheScoresOfBoth) {
  const TempDir dir;
  const std::string file = "/samples_t_2025-01-01T00-00-00.jsonl";
  const auto line = [](const Json& scores) {
    Json one{{"doc_id", 0}, {"metrics", Json::array()}};
    for (const auto& [name, value] : scores.items()) {
      one["metrics"].push_back(name);
      one[name] = value;
    }
    return one.dump();
  };
  write_file((dir / "a") + file,
             line({{"acc", true}, {"em", 0.5}, {"f1", 0.25}, {"note", "x"}, {"list", {1, 1}}}));
  write_file((dir / "b") + file,
             line({{"acc", false}, {"f1", 0.75}, {"note", "x"}, {"list", {1, 1}}, {"em2", 1}}));
  const auto all = compare_samples(dir / "a", dir / "b");
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].score, "acc");
  EXPECT_EQ(all[0].first, 1);
  EXPECT_EQ(all[0].second, 0);
  EXPECT_EQ(all[1].score, "f1");
  EXPECT_EQ(all[1].first, 0.25);
  EXPECT_EQ(all[1].second, 0.75);
}

TEST(Samples, AreTheNewestOfEachTask) {
  const TempDir dir;
  for (const char* name :
       {"samples_a_b_2025-01-02T00-00-00.jsonl", "m/samples_a_b_2025-01-02T00-00-01.jsonl",
        "m/samples_a_b_2024-12-31T23-59-59.9.jsonl", "samples_a_2025-01-01T00-00-00.jsonl",
        "samples_c_2025-01-01.jsonl", "samples_2025-01-01T00-00-00.jsonl",
        "x_samples_d_2025-01-01T00-00-00.jsonl", "samples_d_2025-01-01T00-00-00.json"}) {
    write_file(dir / name, "");
  }
  EXPECT_THAT(
      samples_files(dir.path()),
      testing::ElementsAre(testing::Pair("a", dir / "samples_a_2025-01-01T00-00-00.jsonl"),
                           testing::Pair("a_b", dir / "m/samples_a_b_2025-01-02T00-00-01.jsonl")));
}

TEST(Samples, AreReadLineByLine) {
  const TempDir dir;
  const std::string path = dir / "s.jsonl";
  const auto read = [&](const std::string& text) {
    write_file(path, text);
    return read_samples(path);
  };
  EXPECT_TRUE(read("").empty());
  const Samples two = read(
      R"({"doc_id": 7, "filter": "f", "metrics": ["inst_level_x"], "inst_level_x": [true, false, true],)"
      R"( "arguments": {"gen_args_0": {"arg_0": "p"}, "gen_args_1": {"arg_0": "q"}}})"
      "\n"
      R"({"doc_id": 7, "metrics": ["inst_level_x", "acc"], "inst_level_x": [2, 5], "acc": 1, "arguments": [{}, {"arg_0": ["r"]}]})");
  ASSERT_EQ(two.size(), 2u);
  const Sample &first = two.at({7, "f"}), &second = two.at({7, "none"});
  EXPECT_EQ(first.prompt, "\"p\"");
  EXPECT_EQ(first.where, path + ":1");
  EXPECT_EQ(first.scores.at("inst_level_x").value, 2);
  EXPECT_EQ(first.scores.at("inst_level_x").weight, 3);
  EXPECT_EQ(second.prompt, "[\"r\"]");
  EXPECT_EQ(second.where, path + ":2");
  EXPECT_EQ(second.scores.at("inst_level_x").value, 2);
  EXPECT_EQ(second.scores.at("inst_level_x").weight, 5);
  EXPECT_EQ(second.scores.at("acc").value, 1);
  for (const char* value :
       {"[]", "[1]", "[1, 2, 3]", "[1, \"a\"]", "[true, 1, 1]", "null", "\"x\""}) {
    EXPECT_TRUE(read(std::string(R"({"doc_id": 0, "metrics": ["x_perplexity"], "x_perplexity": )") +
                     value + "}")
                    .at({0, "none"})
                    .scores.empty())
        << value;
  }
  const auto error = [&](const char* line) {
    return input_error_of([&] { read("{\"doc_id\": 0, \"metrics\": []}\n" + std::string(line)); });
  };
  for (const char* line :
       {"", "{", "[]", "{}", "{\"doc_id\": 0}", "{\"doc_id\": 1.5, \"metrics\": []}",
        "{\"doc_id\": \"0\", \"metrics\": []}", "{\"doc_id\": 0, \"metrics\": \"acc\"}"}) {
    EXPECT_EQ(error(line),
              *line == '\0' ? "no error" : path + ":2: is no sample: it lacks doc_id or metrics")
        << line;
  }
  EXPECT_EQ(error("{\"doc_id\": 0, \"metrics\": [1]}"), path + ":2: 'metrics' must name scores");
  EXPECT_EQ(error("{\"doc_id\": 0, \"metrics\": [\"acc\"]}"),
            path + ":2: its score 'acc' is missing");
  EXPECT_EQ(error("{\"doc_id\": 0, \"metrics\": [\"word_perplexity\"], \"word_perplexity\": -3.5}"),
            path + ":2: its score 'word_perplexity' lacks its weight");
}

TEST(Comparison, RefusesOtherPromptsAndFiles) {
  const TempDir dir;
  const std::string name = "samples_t_2025-01-01T00-00-00.jsonl";
  write_file(dir / ("a/" + name), sample(0, "p", 0));
  write_file(dir / ("b/" + name), sample(0, "q", 0));
  write_file(dir / ("c/" + name), sample(0, "p", 0) + "{}\n");
  write_file(dir / "d/samples_u_2025-01-01T00-00-00.jsonl", sample(0, "p", 0));
  write_file(dir / "e/x", "");
  const auto error = [&](const char* other) { return input_error_of([&] { compare_samples(dir / "a", dir / other); }); };
  EXPECT_THAT(error("b"), HasSubstr(name + ":1: the prompts differ"));
  EXPECT_THAT(error("c"), HasSubstr(name + ":2: is no sample"));
  EXPECT_THAT(error("d"), HasSubstr("no score of the same task"));
  write_file(dir / ("f/" + name), R"({"doc_id": 0, "metrics": [], "filter": 3})");
  EXPECT_THAT(error("f"), HasSubstr(name + ":1: its filter is no text"));
  write_file(dir / ("g/" + name), sample_of(0, "bits_per_byte", -3.0));
  EXPECT_THAT(error("g"), HasSubstr(name + ":1: its score 'bits_per_byte' lacks its weight"));
  EXPECT_THAT(error("e"), HasSubstr("has no samples_TASK_DATE.jsonl"));
  EXPECT_THAT(error("none"), HasSubstr("there is no folder"));
}

// Values of Python's hashlib, json and str().
TEST(SampleHashes, AreThoseOfPython) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const Json doc{{"q", "中\n\"x\""}, {"n", 1}, {"list", {"a", 2.5, nullptr}}, {"none", Json::array()}};
  EXPECT_EQ(doc_hash(doc), "055da32cbfa20b41dea180f46d8c43d0773b631ea94d6c9ff2f2f141d08e34ab");
  EXPECT_EQ(python_text(3), "3");
  EXPECT_EQ(python_text("3"), "3");
  EXPECT_EQ(python_text(nullptr), "None");
  EXPECT_EQ(python_text(Json{"a", "it's", "b\n\"'", "中"}), "['a', \"it's\", 'b\\n\"\\'', '中']");
  EXPECT_EQ(python_text(Json{"say \"x\"", "\\\r\t\x01\x1f\x7f~ "}),
            R"(['say "x"', '\\\r\t\x01\x1f\x7f~ '])");
  EXPECT_EQ(python_text(Json::parse(R"([1, 2.5, true, false, null, ["a", ["b"]]])")),
            "[1, 2.5, True, False, None, ['a', ['b']]]");
  EXPECT_EQ(python_text(Json::array()), "[]");
  EXPECT_EQ(python_text(true), "True");
  EXPECT_EQ(python_text(false), "False");
  EXPECT_EQ(python_text("it's"), "it's");
  EXPECT_EQ(target_hash({"a", "it's"}), sha256_hex("['a', \"it's\"]"));
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

}  // namespace
}  // namespace fathom::eval
