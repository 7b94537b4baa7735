// A whole task with a model whose answers are known, and what is written of it.
#include "eval/evaluation.h"

#include <gmock/gmock.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>
#include <variant>

#include "eval/groups.h"
#include "eval/results_file.h"
#include "eval/results_page.h"
#include "eval/sample_hashes.h"
#include "io/temp_dir.h"

namespace fathom::eval {
namespace {

using test::input_error_of;
using testing::HasSubstr;

// Prefers short continuations, and answers prompts by their last word.
class PlainModel : public LanguageModel {
 public:
  void score(std::span<const TextPair> pairs, const TakeScore& take) override {
    for (std::size_t i = pairs.size(); i-- > 0;) {
      take(i, {-static_cast<double>(pairs[i].continuation.size()), 2, pairs[i].continuation == " a"});
    }
  }
  void generate(std::span<const GenerateRequest> requests, const TakeText& take) override {
    for (std::size_t i = requests.size(); i-- > 0;) {
      take(i, requests[i].prompt.substr(requests[i].prompt.rfind(' ') + 1));
    }
  }
  void score_documents(std::span<const std::string> documents, const TakeScore& take) override {
    for (std::size_t i = documents.size(); i-- > 0;) take(i, {-static_cast<double>(documents[i].size()), 1, false});
  }
  Work work() const override { return {10, 5}; }
};

Item item_of(std::vector<std::string> answers, std::int64_t gold, const std::string& subset) {
  Item item;
  item.subset = subset;
  item.fields = std::make_shared<nlohmann::ordered_json>(nlohmann::ordered_json{{"q", "中"}});
  for (const std::string& answer : answers) item.pairs.push_back({"context", " " + answer});
  item.answers = std::move(answers);
  item.gold = gold;
  return item;
}

TaskConfig task_of(Mode mode) {
  TaskConfig task;
  task.name = "t";
  task.source = "t.toml";
  task.mode = mode;
  task.generate.filters.resize(1);
  return task;
}

TEST(Evaluation, ScoresTheTaskAndItsParts) {
  std::vector<Item> items{item_of({"a", "bb"}, 0, "x"), item_of({"aaa", "bb"}, 0, "x"), item_of({"a", "b"}, 1, "x"),
                          item_of({"cc", "d"}, 1, "y")};
  PlainModel model;
  const TaskResult result = evaluate(task_of(Mode::choices), items, model);
  EXPECT_EQ(result.total.at("acc").value, 0.5);
  EXPECT_EQ(result.subsets.at("x").items, 3);
  EXPECT_NEAR(result.subsets.at("x").scores.at("acc").value, 1.0 / 3, 1e-15);
  EXPECT_EQ(result.subsets.at("y").scores.at("acc").value, 1);
  EXPECT_NEAR(result.macro_average.at("acc"), 2.0 / 3, 1e-15);
  EXPECT_EQ(main_score(result), "acc");
  // The answers stand with their own items.
  EXPECT_EQ(result.answers[1].pairs[0].log_probability, -4);
  EXPECT_TRUE(result.answers[0].pairs[0].greedy);
}

TEST(Evaluation, WritesResultsAndSamples) {
  PlainModel model;
  TaskResult result = evaluate(task_of(Mode::choices), {item_of({"a", "bb"}, 1, "")}, model);
  const nlohmann::json json =
      nlohmann::json::parse(results_json({result}, {"m", "f32", "cpu", 1.5, model.work(), true}));
  EXPECT_EQ(json["batch_invariant"], true);
  EXPECT_EQ(json["results"]["t"]["scores"]["acc"], 0);
  EXPECT_TRUE(json["results"]["t"]["scores"]["acc_stderr"].is_null());
  EXPECT_EQ(json["tokens_computed"], 5);
  const nlohmann::json sample = nlohmann::json::parse(samples_jsonl(result));
  EXPECT_EQ(sample["doc"]["q"], "中");
  EXPECT_EQ(sample["target"], 1);
  EXPECT_EQ(sample["arguments"]["gen_args_1"]["arg_1"], " bb");
  EXPECT_EQ(sample["resps"][0][0][0], -2);
  EXPECT_EQ(sample["resps"][0][0][1], true);
  EXPECT_EQ(sample["acc"], 0);
  EXPECT_EQ(sample["filter"], "none");
  EXPECT_THAT(results_table({result}, false), HasSubstr("acc "));
  EXPECT_THAT(results_table({result}, true), HasSubstr("acc_norm"));
}

// Every figure under its own key and in its own column.
TEST(Evaluation, WritesEachFigureUnderItsName) {
  TaskResult result;
  result.task = task_of(Mode::choices);
  result.task.group = "g";
  result.task.metric = "acc";
  result.task.shots.count = 2;
  result.items.resize(3);
  result.total["acc"] = {0.5, 0.25};
  result.subsets["x"] = {2, {{"acc", {0.75, 0.125}}}};
  result.macro_average["acc"] = 0.625;
  EXPECT_EQ(nlohmann::ordered_json::parse(results_json({result}, {"m", "f32", "cpu", 1.5, {10, 5}, true})).dump(),
            R"({"model":"m","dtype":"f32","device":"cpu","batch_invariant":true,"seconds":1.5,"tokens_named":10,)"
            R"("tokens_computed":5,"results":{"t":{"items":3,"shots":2,"main_score":"acc",)"
            R"("scores":{"acc":0.5,"acc_stderr":0.25},"macro_average":{"acc":0.625},)"
            R"("subsets":{"x":{"items":2,"scores":{"acc":0.75,"acc_stderr":0.125}}}}},)"
            R"("groups":{"g":{"tasks":1,"value":0.5,"stderr":0.25}}})");
  EXPECT_EQ(results_table({result}, false),
            "task                      items shots  score                            value    ± s.e.\n"
            "t                             3     2  acc                             0.5000    0.2500\n");
}

TEST(Evaluation, FiltersGeneratedText) {
  TaskConfig task = task_of(Mode::generate);
  FilterConfig number;
  number.name = "number";
  number.steps.resize(1);
  number.steps[0].kind = FilterKind::regex;
  number.steps[0].pattern = "[0-9]+";
  task.generate.filters.push_back(number);
  task.generate.filters[0].name = "whole";
  std::vector<Item> items(2);
  items[0].prompt = "say x7x";
  items[0].golds = {"7"};
  items[1].prompt = "say 7";
  items[1].golds = {"7", "8"};
  for (Item& item : items) item.fields = std::make_shared<nlohmann::ordered_json>(nlohmann::ordered_json::object());
  PlainModel model;
  const TaskResult result = evaluate(task, items, model);
  EXPECT_EQ(result.total.at("exact_match,whole").value, 0.5);
  EXPECT_EQ(result.total.at("exact_match,number").value, 1);
  std::istringstream lines(samples_jsonl(result));
  std::string line;
  ASSERT_TRUE(std::getline(lines, line));
  EXPECT_EQ(nlohmann::json::parse(line)["filter"], "number");
  EXPECT_EQ(nlohmann::json::parse(line)["filtered_resps"][0], "7");
  EXPECT_EQ(nlohmann::json::parse(line)["exact_match"], 1);
  ASSERT_TRUE(std::getline(lines, line));
  EXPECT_EQ(nlohmann::json::parse(line)["filter"], "whole");
  EXPECT_EQ(nlohmann::json::parse(line)["exact_match"], 0);
}

TEST(Evaluation, ScoresDocuments) {
  std::vector<Item> items(2);
  items[0].document = "four";
  items[1].document = "sixsix";
  PlainModel model;
  const TaskResult result = evaluate(task_of(Mode::perplexity), items, model);
  EXPECT_NEAR(result.total.at("byte_perplexity").value, std::exp(1), 1e-12);
  EXPECT_EQ(main_score(result), "bits_per_byte");
  // A part in a ratio is written with its weight, and shown as the ratio.
  const nlohmann::json sample =
      nlohmann::json::parse(samples_jsonl(result).substr(0, samples_jsonl(result).find('\n')));
  EXPECT_EQ(sample["byte_perplexity"], (nlohmann::json{-4.0, 4.0}));
  const Page page = results_page({result}, {"m", "f32", "cpu", 1.5, model.work(), true});
  EXPECT_THAT(std::get<Preformatted>(page.sections.at(1).parts.back()).text, HasSubstr("byte_perplexity 2.71828"));
}

// Counts the samples of a prompt.
TEST(Evaluation, AsksForSeveralAnswers) {
  class Counting : public PlainModel {
   public:
    void generate(std::span<const GenerateRequest> requests, const TakeText& take) override {
      for (std::size_t i = requests.size(); i-- > 0;) {
        EXPECT_EQ(requests[i].temperature, 0.5);
        take(i, requests[i].prompt + std::to_string(requests[i].sample));
      }
    }
  };
  TaskConfig task = task_of(Mode::generate);
  task.generate.samples = 2;
  task.generate.temperature = 0.5;
  std::vector<Item> items(2);
  items[0].prompt = "a";
  items[0].golds = {"a1"};
  items[1].prompt = "b";
  items[1].golds = {"b0"};
  for (Item& item : items) item.fields = std::make_shared<nlohmann::ordered_json>(nlohmann::ordered_json::object());
  Counting model;
  const TaskResult result = evaluate(task, items, model);
  EXPECT_THAT(result.answers[0].texts, testing::ElementsAre("a0", "a1"));
  EXPECT_THAT(result.answers[1].texts, testing::ElementsAre("b0", "b1"));
  EXPECT_EQ(result.total.at("exact_match").value, 0.5);
  const nlohmann::json sample =
      nlohmann::json::parse(samples_jsonl(result).substr(0, samples_jsonl(result).find('\n')));
  EXPECT_EQ(sample["resps"][0][1], "a1");
  EXPECT_EQ(sample["filtered_resps"][1], "a1");
  EXPECT_EQ(sample["prompt_hash"], sha256_hex("a"));
  EXPECT_EQ(sample["target_hash"], sha256_hex("a1"));
  EXPECT_EQ(sample["doc_hash"], doc_hash(nlohmann::ordered_json::object()));
  const nlohmann::json& asked = sample.at("arguments").at("gen_args_0");
  EXPECT_EQ(asked.at("arg_0"), "a");
  EXPECT_EQ(asked.at("arg_1"), (nlohmann::json{{"until", task.generate.stop}, {"max_gen_toks", task.generate.max_tokens}}));
}

// Of the group's two tasks the second counts three times.
TEST(Evaluation, AveragesGroups) {
  PlainModel model;
  TaskConfig first = task_of(Mode::choices), second = task_of(Mode::choices), alone = task_of(Mode::perplexity);
  first.group = second.group = alone.group = "g";
  second.weight = 3;
  Item document;
  document.document = "four";
  const std::vector<TaskResult> results{evaluate(first, {item_of({"a", "bb"}, 0, ""), item_of({"a", "bb"}, 1, "")}, model),
                                        evaluate(second, {item_of({"a", "bb"}, 0, ""), item_of({"a", "bb"}, 0, "")}, model),
                                        evaluate(alone, {document}, model)};
  const auto groups = group_scores(results);
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(groups[0].tasks, 2);
  EXPECT_EQ(groups[0].estimate.value, 0.875);
  EXPECT_NEAR(groups[0].estimate.standard_error, 0.5 / 4, 1e-15);
  EXPECT_EQ(nlohmann::json::parse(results_json(results, {}))["groups"]["g"]["value"], 0.875);
  EXPECT_THAT(results_table(results, false), HasSubstr("mean of 2 tasks"));
}

TEST(Evaluation, IsShownOnAPage) {
  PlainModel model;
  TaskConfig task = task_of(Mode::choices);
  task.description = "What is <it>?";
  std::vector<Item> items{item_of({"a", "bb"}, 0, "x"), item_of({"a", "c"}, 1, "y"), item_of({"a", "<b>"}, 1, "y"), item_of({"a", "b"}, 1, "y")};
  for (std::size_t i = 0; i < items.size(); ++i) items[i].where = "rows:" + std::to_string(i + 1);
  const std::vector<TaskResult> results{evaluate(task, items, model)};
  const std::string html = page_html(results_page(results, {"the-model", "f32", "cpu", 1, {}}, {}, 2));
  for (const char* text : {"the-model", "What is &lt;it&gt;?", "95 % interval", "2 of 4 items", "&lt;b&gt;", "rows:1", "rows:3", "acc_norm", "<td>y</td>"}) {
    EXPECT_THAT(html, HasSubstr(text));
  }
  EXPECT_THAT(html, testing::Not(HasSubstr("<b>")));
  EXPECT_THAT(html, testing::Not(HasSubstr("rows:2")));  // those that are shown are spread over all
}

TEST(Evaluation, NamesTheScoresThatThereAre) {
  PlainModel model;
  TaskConfig task = task_of(Mode::choices);
  task.metric = "f1";
  const TaskResult result = evaluate(task, {item_of({"a"}, 0, "")}, model);
  EXPECT_THAT(input_error_of([&] { main_score(result); }), HasSubstr("metric is 'f1': use one of acc, acc_bytes"));
}

}  // namespace
}  // namespace fathom::eval
