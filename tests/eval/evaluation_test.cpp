// A whole task with a model whose answers are known, and what is written of it.
#include "eval/evaluation.h"

#include <gmock/gmock.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <variant>

#include "eval/groups.h"
#include "eval/python_runner.h"
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

TaskResult result_of_mode(Mode mode, Item item, Answer answer) {
  TaskResult result;
  result.task = task_of(mode);
  item.fields = std::make_shared<nlohmann::ordered_json>(nlohmann::ordered_json{{"q", 1}});
  result.items = {std::move(item)};
  result.answers = {std::move(answer)};
  result.scores.resize(1);
  return result;
}

nlohmann::json sample_in(const TaskResult& result) {
  return nlohmann::json::parse(samples_jsonl(result));
}

// The pairs of the answers alone are numbered behind those with the question.
TEST(Evaluation, WritesAllThatTheModelWasAsked) {
  Item item = item_of({"a", "bb", "c"}, 2, "part");
  for (const char* answer : {" a", " bb", " c"}) item.unconditional.push_back({"A:", answer});
  item.row = 7;
  Answer answer;
  for (int i = 0; i < 3; ++i) {
    answer.pairs.push_back({-1.0 - i, 2, i == 1});
    answer.unconditional.push_back({-5.0 - i, 2, i == 2});
  }
  const nlohmann::json sample = sample_in(result_of_mode(Mode::choices, item, answer));
  EXPECT_EQ(sample["doc_id"], 7);
  EXPECT_EQ(sample["subset"], "part");
  EXPECT_EQ(sample["target"], 2);
  EXPECT_EQ(sample["arguments"].size(), 6u);
  const char* asked[] = {"context", "context", "context", "A:", "A:", "A:"};
  const char* answers[] = {" a", " bb", " c", " a", " bb", " c"};
  const double log_probabilities[] = {-1, -2, -3, -5, -6, -7};
  for (std::size_t i = 0; i < 6; ++i) {
    const nlohmann::json& arguments = sample["arguments"]["gen_args_" + std::to_string(i)];
    EXPECT_EQ(arguments["arg_0"], asked[i]) << i;
    EXPECT_EQ(arguments["arg_1"], answers[i]) << i;
    EXPECT_EQ(sample["resps"][i][0][0], log_probabilities[i]) << i;
    EXPECT_EQ(sample["resps"][i][0][1], i == 1 || i == 5) << i;
  }
  EXPECT_EQ(sample["filtered_resps"], sample["resps"]);
  EXPECT_EQ(sample["prompt_hash"], sha256_hex("context"));
  EXPECT_EQ(sample["target_hash"], sha256_hex("2"));
}

TEST(Evaluation, WritesTheTargetOfEachKind) {
  Item likely = item_of({"bb"}, -1, "");
  Answer one;
  one.pairs = {{-2.5, 3, true}};
  const nlohmann::json of_likely = sample_in(result_of_mode(Mode::likelihood, likely, one));
  EXPECT_EQ(of_likely["target"], "bb");
  EXPECT_FALSE(of_likely.contains("subset"));
  EXPECT_EQ(of_likely["resps"].dump(), "[[[-2.5,true]]]");
  Item document;
  document.document = "a text";
  Answer read;
  read.document.log_probability = -4.5;
  const nlohmann::json of_document = sample_in(result_of_mode(Mode::perplexity, document, read));
  EXPECT_EQ(of_document["target"], "a text");
  EXPECT_EQ(of_document["arguments"].dump(), R"({"gen_args_0":{"arg_0":"a text"}})");
  EXPECT_EQ(of_document["resps"].dump(), "[[-4.5]]");
  EXPECT_EQ(of_document["prompt_hash"], sha256_hex("a text"));
  Answer written;
  written.texts = {"x"};
  for (const auto& [golds, target] : {std::pair(std::vector<std::string>{}, "null"),
                                      {std::vector<std::string>{"a"}, "\"a\""},
                                      {std::vector<std::string>{"a", "b"}, R"(["a","b"])"}}) {
    Item item;
    item.prompt = "p";
    item.golds = golds;
    const nlohmann::json sample = sample_in(result_of_mode(Mode::generate, item, written));
    EXPECT_EQ(sample["target"].dump(), target);
    EXPECT_EQ(sample["resps"].dump(), R"([["x"]])");
    EXPECT_EQ(sample["filtered_resps"].dump(), R"(["x"])");
  }
}

// The name of a filter, but where there is only the one that does nothing.
TEST(Evaluation, NamesScoresByTheirFilters) {
  Item item;
  item.golds = {"7"};
  Answer answer;
  answer.texts = {"7"};
  const auto names = [&](const std::vector<std::string>& filters) {
    TaskConfig task = task_of(Mode::generate);
    task.generate.filters.clear();
    for (const std::string& name : filters) task.generate.filters.emplace_back().name = name;
    std::vector<std::string> found;
    for (const auto& [name, part] : TextScores(task).of(item, answer)) found.push_back(name);
    return found;
  };
  EXPECT_THAT(names({"none"}), testing::ElementsAre("exact_match"));
  EXPECT_THAT(names({"strict"}), testing::ElementsAre("exact_match,strict"));
  EXPECT_THAT(names({"none", "strict"}),
              testing::ElementsAre("exact_match,none", "exact_match,strict"));
}

TEST(Evaluation, PartsAreToldFromTwoOn) {
  PlainModel model;
  const auto parts = [&](const std::vector<std::string>& subsets) {
    std::vector<Item> items;
    for (const std::string& subset : subsets) items.push_back(item_of({"a", "bb"}, 0, subset));
    const TaskResult result = evaluate(task_of(Mode::choices), items, model);
    EXPECT_EQ(result.macro_average.empty(), result.subsets.empty());
    EXPECT_EQ(nlohmann::json::parse(results_json({result}, {}))["results"]["t"].contains("subsets"),
              !result.subsets.empty());
    return result.subsets.size();
  };
  EXPECT_EQ(parts({"x", "x"}), 0u);
  EXPECT_EQ(parts({"x", "y"}), 2u);
  EXPECT_EQ(parts({"x", ""}), 2u);
}

TEST(Evaluation, AsksTheAnswersAloneToo) {
  PlainModel model;
  Item item = item_of({"aaa", "b"}, 0, "");
  item.unconditional = {{"A:", " aaaaaa"}, {"A:", " b"}};
  const TaskResult result = evaluate(task_of(Mode::choices), {item}, model);
  EXPECT_EQ(result.answers[0].unconditional.at(0).log_probability, -7);
  EXPECT_EQ(result.answers[0].unconditional.at(1).log_probability, -2);
  EXPECT_EQ(result.total.at("acc").value, 0);
  EXPECT_EQ(result.total.at("acc_uncond").value, 1);
  const TaskResult plain = evaluate(task_of(Mode::choices), {item_of({"a", "b"}, 0, "")}, model);
  EXPECT_FALSE(plain.total.contains("acc_uncond"));
}

TEST(Evaluation, HasTheUsualScoreOfItsMode) {
  TaskResult result;
  result.total = {{"a", {0.5, 0}}, {"acc", {0.5, 0}}, {"bits_per_byte", {1, 0}}, {"z", {1, 0}}};
  const auto main_of = [&](Mode mode, const std::string& metric = "") {
    result.task = task_of(mode);
    result.task.metric = metric;
    return main_score(result);
  };
  EXPECT_EQ(main_of(Mode::choices), "acc");
  EXPECT_EQ(main_of(Mode::likelihood), "acc");
  EXPECT_EQ(main_of(Mode::generate), "a");
  EXPECT_EQ(main_of(Mode::perplexity), "bits_per_byte");
  for (const Mode mode : {Mode::choices, Mode::likelihood, Mode::generate, Mode::perplexity})
    EXPECT_EQ(main_of(mode, "z"), "z");
}

TEST(Evaluation, AsksAsTheTaskSays) {
  GenerateConfig how;
  how.stop = {"x"};
  how.max_tokens = 7;
  how.temperature = 0.5;
  how.top_p = 0.25;
  Item item;
  item.prompt = "p";
  item.chat = std::make_shared<Conversation>();
  const GenerateRequest request = generate_request(how, item, 3);
  EXPECT_EQ(request.prompt, "p");
  EXPECT_EQ(request.stop, how.stop);
  EXPECT_EQ(request.max_tokens, 7);
  EXPECT_EQ(request.temperature, 0.5);
  EXPECT_EQ(request.top_p, 0.25);
  EXPECT_EQ(request.sample, 3u);
  EXPECT_EQ(request.chat, item.chat);
}

// Whichever thread meets it.
TEST(Evaluation, NamesTheItemWhoseProgramCannotBeMade) {
  TaskConfig task = task_of(Mode::generate);
  task.generate.metric = TextMetric::code;
  task.generate.program = "{{ part.of }}";
  std::optional<PythonRunner> runner;
  try {
    runner.emplace("python3", Isolation::limits_only);
  } catch (const Error& error) {
    GTEST_SKIP() << error.what();
  }
  std::vector<Item> items(3);
  for (std::size_t i = 0; i < items.size(); ++i) {
    items[i].where = "rows:" + std::to_string(i + 1);
    items[i].fields = std::make_shared<nlohmann::ordered_json>(
        nlohmann::ordered_json{{"part", {{"of", "x = 1"}}}});
  }
  PlainModel model;
  EXPECT_EQ(evaluate(task, items, model, &*runner).total.at("pass@1").value, 1);
  items[1].fields = std::make_shared<nlohmann::ordered_json>(nlohmann::ordered_json::object());
  EXPECT_THAT(input_error_of([&] { evaluate(task, items, model, &*runner); }),
              HasSubstr("rows:2: "));
}

TEST(Evaluation, NamesAFilterThatIsWrongBeforeTheModelWorks) {
  class Idle : public PlainModel {
   public:
    void generate(std::span<const GenerateRequest>, const TakeText&) override { FAIL(); }
  } model;
  TaskConfig task = task_of(Mode::generate);
  task.generate.filters[0].steps.resize(1);
  task.generate.filters[0].steps[0].kind = FilterKind::regex;
  EXPECT_THAT(input_error_of([&] { evaluate(task, std::vector<Item>(1), model); }),
              HasSubstr("filter none: the step regex needs a pattern"));
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

// Shares of right answers alone have a mean, which a table tells of from two tasks on.
TEST(Evaluation, AveragesNoPerplexities) {
  TaskResult share;
  share.task = task_of(Mode::likelihood);
  share.task.group = "g";
  share.total = {{"acc", {0.5, std::nan("")}}, {"perplexity", {9, 1}}, {"bits_per_byte", {9, 1}}};
  TaskResult other = share;
  other.task.metric = "perplexity";
  EXPECT_TRUE(is_share(share));
  EXPECT_FALSE(is_share(other));
  TaskResult read = share;
  read.task.mode = Mode::perplexity;
  read.task.metric = "acc";
  EXPECT_FALSE(is_share(read));
  const auto groups = group_scores({other, share, read});
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(groups[0].tasks, 1);
  EXPECT_EQ(groups[0].estimate.value, 0.5);
  const auto json = nlohmann::json::parse(results_json({other, share, read}, {}));
  EXPECT_TRUE(json["groups"]["g"]["stderr"].is_null());
  EXPECT_TRUE(json["results"]["t"]["scores"]["acc_stderr"].is_null());
  EXPECT_THAT(results_table({other, share, read}, false), testing::Not(HasSubstr("mean of")));
  const std::string two = results_table({share, share}, false);
  EXPECT_THAT(two, HasSubstr("\ng                                      mean of 2 tasks             "
                             "    0.5000          \n"));
  EXPECT_THAT(two, HasSubstr("acc                             0.5000          \n"));
  EXPECT_FALSE(nlohmann::json::parse(results_json({other}, {})).contains("groups"));
}

// The places of those that are shown, of any number of items.
TEST(Evaluation, ShowsItemsFromTheWholeTask) {
  TaskResult result;
  result.task = task_of(Mode::choices);
  result.total = {{"acc", {0.5, 0.1}}};
  const auto shown = [&](std::size_t count, std::int64_t samples) {
    result.items.assign(count, item_of({"a"}, 0, ""));
    for (std::size_t i = 0; i < count; ++i) {
      result.items[i].row = static_cast<std::int64_t>(i);
      result.items[i].where = "f:" + std::to_string(i + 1);
    }
    result.answers.assign(count, {});
    for (Answer& answer : result.answers) answer.pairs.resize(1);
    result.scores.assign(count, {});
    std::vector<std::string> all;
    const Page page = results_page({result}, {}, {}, samples);
    for (const SectionPart& part : page.sections.at(1).parts) {
      if (const auto* text = std::get_if<Preformatted>(&part)) all.push_back(text->title);
      if (const auto* text = std::get_if<Paragraph>(&part); text && !text->text.empty())
        all.push_back(text->text);
    }
    return all;
  };
  EXPECT_THAT(shown(10, 2), testing::ElementsAre("2 of 10 items:", "item 0 (f:1)", "item 5 (f:6)"));
  EXPECT_THAT(shown(10, 3), testing::ElementsAre("3 of 10 items:", "item 0 (f:1)", "item 3 (f:4)",
                                                 "item 6 (f:7)"));
  EXPECT_THAT(shown(3, 2), testing::ElementsAre("2 of 3 items:", "item 0 (f:1)", "item 1 (f:2)"));
  EXPECT_THAT(shown(2, 2), testing::ElementsAre("item 0 (f:1)", "item 1 (f:2)"));
  EXPECT_THAT(shown(2, 5), testing::ElementsAre("item 0 (f:1)", "item 1 (f:2)"));
  EXPECT_THAT(shown(2, 0), testing::ElementsAre("0 of 2 items:"));
}

TEST(Evaluation, ShowsWhatAnItemAskedAndGot) {
  const auto text_of = [](TaskResult result, const ItemScores& scores) {
    result.total = {{"acc", {0.5, 0.1}}, {"bits_per_byte", {1, 0.1}}, {"exact_match", {0.5, 0.1}}};
    result.scores[0] = scores;
    return std::get<Preformatted>(results_page({result}, {}).sections.at(1).parts.back()).text;
  };
  Answer answer;
  answer.pairs = {{-1.5, 2, true}, {-12.25, 13, false}};
  Item item = item_of({"a", "bb"}, 1, "");
  EXPECT_EQ(text_of(result_of_mode(Mode::choices, item, answer), {{"acc", {1}}}),
            "context\n\n--- log-probability of each answer; * is right\n"
            "     -1.5000    2 tokens  greedy   a\n*   -12.2500   13 tokens   bb\n\n\n--- acc 1");
  item.pairs[1].context = "another";
  EXPECT_EQ(text_of(result_of_mode(Mode::choices, item, answer), {{"acc", {0}}, {"acc_norm", {1}}}),
            "context\n     -1.5000    2 tokens  greedy   a\nanother\n*   -12.2500   13 tokens   "
            "bb\n\n\n--- acc 0 acc_norm 1");
  Item likely = item_of({"a"}, -1, "");
  EXPECT_THAT(text_of(result_of_mode(Mode::likelihood, likely, answer), {}),
              HasSubstr("\n*    -1.5000    2 tokens  greedy   a\n"));
  Item document;
  document.document = std::string(1999, 'x') + "yz";
  Answer read;
  read.document = {-4.25, 9, true};
  EXPECT_EQ(text_of(result_of_mode(Mode::perplexity, document, read), {}),
            std::string(1999, 'x') + "y\n\n--- log-probability -4.2500, 9 tokens\n\n---");
  Item asked;
  asked.prompt = "p";
  Answer written;
  written.texts = {"one", "two"};
  EXPECT_EQ(text_of(result_of_mode(Mode::generate, asked, written), {}),
            "p\n\n--- the model's answer\none\n\n--- the model's answer\ntwo\n\n---");
  asked.golds = {"a", "b"};
  EXPECT_EQ(
      text_of(result_of_mode(Mode::generate, asked, written), {}),
      "p\n\n--- the model's answer\none\n\n--- the model's answer\ntwo\n\n--- right\na\nb\n\n---");
}

// Groups in the order of their first tasks, each below its mean when it has several.
TEST(Evaluation, ShowsTasksByTheirGroups) {
  const auto result_in = [](const char* name, const char* group, double value, double error) {
    TaskResult result;
    result.task = task_of(Mode::choices);
    result.task.name = name;
    result.task.group = group;
    result.task.shots.count = 5;
    result.items.resize(3);
    result.total = {{"acc", {value, error}}};
    result.scores.resize(3);
    result.answers.resize(3);
    return result;
  };
  const Page page =
      results_page({result_in("a", "g", 0.5, 0.1), result_in("b", "", 0.25, 0),
                    result_in("c", "h", 1, std::nan("")), result_in("d", "g", 1, 0.1)},
                   {"m", "f32", "cpu", 1.26, {10, 5}, true}, {}, 0);
  EXPECT_EQ(page.title, "Evaluation of m");
  using Row = std::vector<std::string>;
  EXPECT_THAT(
      std::get<Table>(page.sections.at(0).parts.at(1)).rows,
      testing::ElementsAre(Row{"g", "mean of 2 tasks", "", "", "", "0.7500", "0.6114 to 0.8886"},
                           Row{"g", "a", "3", "5", "acc", "0.5000", "0.3040 to 0.6960"},
                           Row{"g", "d", "3", "5", "acc", "1.0000", "0.8040 to 1.1960"},
                           Row{"other", "b", "3", "5", "acc", "0.2500", "0.2500 to 0.2500"},
                           Row{"h", "c", "3", "5", "acc", "1.0000", ""}));
  const auto& figures = std::get<Figures>(page.sections.at(0).parts.at(0)).values;
  EXPECT_THAT(figures,
              testing::ElementsAre(
                  testing::Pair("model", "m"), testing::Pair("number type", "f32"),
                  testing::Pair("device", "cpu"), testing::Pair("in any batch", "the same bits"),
                  testing::Pair("seconds", "1.3"), testing::Pair("tokens read", "5 of 10 named")));
  const Page other = results_page({result_in("a", "g", 0.5, 0.1)}, {}, {}, 0);
  EXPECT_EQ(std::get<Figures>(other.sections.at(0).parts.at(0)).values.at(3).second,
            "the same up to rounding");
  EXPECT_EQ(std::get<Table>(other.sections.at(0).parts.at(1)).rows.size(), 1u);
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
