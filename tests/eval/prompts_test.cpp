// From rows to prompts; examples as lm-evaluation-harness draws them.
#include "eval/prompts.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "eval/python_random.h"
#include "eval/row_fields.h"
#include "io/temp_dir.h"

namespace fathom::eval {
namespace {

using test::input_error_of;
using testing::ElementsAre;
using testing::HasSubstr;
using Json = nlohmann::ordered_json;

Row row(const std::string& json, const std::string& subset = "") {
  return {std::make_shared<Json>(Json::parse(json)), "data:1", subset};
}

TaskConfig choices_task() {
  TaskConfig task;
  task.name = "t";
  task.source = "t.toml";
  task.prompt.context = "Q: {{ q }}\nA:";
  task.prompt.choice_list = "c";
  task.prompt.gold = "{{ g }}";
  return task;
}

std::vector<Row> four_rows() {
  std::vector<Row> rows;
  for (int i = 0; i < 4; ++i) {
    rows.push_back(row(R"({"q": "q)" + std::to_string(i) + R"(", "c": ["a", "b"], "g": )" + std::to_string(i % 2) + "}"));
  }
  return rows;
}

// Values of CPython 3.11's random.Random.
TEST(PythonRandom, DrawsAsPython) {
  PythonRandom random(1234);
  EXPECT_EQ(random.next(), 4150886329U);
  EXPECT_EQ(random.next(), 3342196574U);
  EXPECT_EQ(random.next(), 1892932127U);
  EXPECT_THAT(random.sample(1000, 5), ElementsAre(119, 7, 92, 932, 965));
  EXPECT_THAT(random.sample(20, 4), ElementsAre(18, 1, 2, 3));
  EXPECT_THAT(random.sample(300, 10), ElementsAre(181, 121, 8, 15, 177, 247, 237, 76, 46, 93));
  PythonRandom wide((std::uint64_t{1} << 40) + 7);
  EXPECT_EQ(wide.next(), 2635837658U);
  EXPECT_EQ(wide.next(), 3209733218U);
  EXPECT_EQ(wide.next(), 3500038837U);
  EXPECT_THAT(wide.sample(1000, 5), ElementsAre(960, 967, 654, 584, 722));
}

// CPython copies small populations, up to 21 for five and fewer, and draws from larger ones again
// until it has others.
TEST(PythonRandom, SamplesOfEverySizeAreThoseOfPython) {
  struct Row {
    std::size_t size, count;
    std::vector<std::size_t> drawn;
  };
  for (const auto& [size, count, drawn] : std::initializer_list<Row>{
           {1, 1, {0}},
           {5, 5, {2, 1, 3, 0, 4}},
           {6, 6, {2, 1, 3, 5, 0, 4}},
           {21, 5, {10, 4, 12, 1, 2}},
           {22, 5, {10, 4, 12, 20, 1}},
           {37, 5, {20, 9, 25, 3, 4}},
           {37, 6, {20, 9, 25, 3, 4, 6}},
           {85, 6, {41, 19, 50, 6, 9, 68}},
           {86, 6, {41, 19, 50, 83, 6, 9}},
           {85, 21, {41, 19, 50, 6, 9, 68, 12, 46, 74, 7, 64, 27, 4, 11, 55, 53, 8, 30, 71, 54, 75}},
           {86, 21, {41, 19, 50, 83, 6, 9, 68, 12, 46, 74, 7, 64, 27, 4, 11, 55, 53, 8, 30, 70, 54}},
           {277, 22, {165, 77, 202, 24, 37, 48, 187, 29, 259, 109, 19, 44, 222, 214, 35, 123, 46, 217, 30, 63, 114, 31}},
           {278, 22, {165, 77, 202, 24, 37, 274, 48, 187, 29, 259, 109, 19, 44, 222, 214, 35, 123, 46, 217, 30, 63, 114}}}) {
    EXPECT_EQ(PythonRandom(7).sample(size, count), drawn) << count << " of " << size;
  }
}

TEST(Prompts, OfChoicesHaveAPairForEach) {
  TaskConfig task = choices_task();
  task.prompt.description = "About {{ subset }}.\n\n";
  task.prompt.unconditional = "A:";
  const auto items = make_items(task, {row(R"({"q": "x", "c": ["yes", 7], "g": "1"})", "law")}, {});
  ASSERT_EQ(items.size(), 1u);
  const Item& item = items[0];
  EXPECT_EQ(item.subset, "law");
  ASSERT_EQ(item.pairs.size(), 2u);
  EXPECT_EQ(item.pairs[0].context, "About law.\n\nQ: x\nA:");
  EXPECT_EQ(item.pairs[1].context, item.pairs[0].context);
  EXPECT_EQ(item.pairs[0].continuation, " yes");
  EXPECT_EQ(item.pairs[1].continuation, " 7");
  EXPECT_THAT(item.answers, ElementsAre("yes", "7"));
  ASSERT_EQ(item.unconditional.size(), 2u);
  EXPECT_EQ(item.unconditional[1].context, "A:");
  EXPECT_EQ(item.unconditional[1].continuation, " 7");
  EXPECT_EQ(item.gold, 1);
}

TEST(Prompts, OfSeveralContextsShareTheAnswer) {
  TaskConfig task = choices_task();
  task.prompt = {};
  task.prompt.contexts = {"{{ a }}", "{{ b }}"};
  task.prompt.target = "rest";
  task.prompt.gold = "{{ g - 1 }}";
  task.shots.count = 1;
  const auto items = make_items(task, {row(R"({"a": "A", "b": "B", "g": 2})"), row(R"({"a": "C", "b": "D", "g": 1})")}, {});
  EXPECT_EQ(items[0].gold, 1);
  EXPECT_EQ(items[0].pairs[0].context, "C rest\n\nA");  // the example shows its right context
  EXPECT_EQ(items[0].pairs[1].context, "C rest\n\nB");
  EXPECT_EQ(items[1].pairs[0].context, "B rest\n\nC");
  EXPECT_EQ(items[1].pairs[1].continuation, " rest");
}

// The task's own rows serve as examples, but never for themselves.
TEST(Prompts, TakeTheFirstRowsAsExamples) {
  TaskConfig task = choices_task();
  task.shots.count = 2;
  const auto items = make_items(task, four_rows(), {});
  EXPECT_EQ(items[0].pairs[0].context, "Q: q1\nA: b\n\nQ: q2\nA: a\n\nQ: q0\nA:");
  EXPECT_EQ(items[3].pairs[0].context, "Q: q0\nA: a\n\nQ: q1\nA: b\n\nQ: q3\nA:");
}

TEST(Prompts, DrawExamplesAsPythonsSample) {
  TaskConfig task = choices_task();
  task.shots.count = 2;
  task.shots.draw = ShotDraw::sample;
  task.shots.separator = "|";
  // random.Random(1234).sample(range(4), 3) for each row gives 3 0 2, 0 2 3, 0 3 1 and 1 0 2, of which
  // the first two that are not the row itself count.
  const auto items = make_items(task, four_rows(), {});
  EXPECT_EQ(items[0].pairs[0].context, "Q: q3\nA: b|Q: q2\nA: a|Q: q0\nA:");
  EXPECT_EQ(items[1].pairs[0].context, "Q: q0\nA: a|Q: q2\nA: a|Q: q1\nA:");
  EXPECT_EQ(items[2].pairs[0].context, "Q: q0\nA: a|Q: q3\nA: b|Q: q2\nA:");
  EXPECT_EQ(items[3].pairs[0].context, "Q: q1\nA: b|Q: q0\nA: a|Q: q3\nA:");
  // From rows of their own as many are drawn as are wanted.
  task.shots.data.files = {"x"};
  const auto other = make_items(task, {row(R"({"q": "new", "c": ["a", "b"], "g": 0})")}, four_rows());
  EXPECT_EQ(other[0].pairs[0].context, "Q: q3\nA: b|Q: q0\nA: a|Q: new\nA:");  // sample(range(4), 2)
}

// A row that stands there twice is no example for itself: then others are drawn, from those that differ.
TEST(Prompts, DrawAgainWhereARowStandsTwice) {
  TaskConfig task = choices_task();
  task.shots.count = 2;
  task.shots.draw = ShotDraw::sample;
  std::vector<Row> rows = four_rows();
  rows[2] = rows[0];
  for (int i = 0; i < 20; ++i) rows.push_back(i % 2 ? rows[0] : rows[1]);
  for (const Item& item : make_items(task, rows, {})) {
    const std::string& context = item.pairs[0].context;
    EXPECT_EQ(std::ranges::count(context, 'Q'), 3);
    const std::string own = context.substr(context.rfind("Q: "));
    EXPECT_EQ(context.find(own), context.rfind(own)) << context;
  }
}

TEST(Prompts, TakeExamplesOfTheSamePartOrTheSameField) {
  TaskConfig task = choices_task();
  task.shots.count = 1;
  task.shots.data.files = {"x"};
  std::vector<Row> shots{row(R"({"q": "of law", "c": ["a"], "g": 0})", "law"), row(R"({"q": "of art", "c": ["a"], "g": 0})", "art")};
  const auto items = make_items(task, {row(R"({"q": "x", "c": ["a"], "g": 0})", "art")}, shots);
  EXPECT_THAT(items[0].pairs[0].context, HasSubstr("of art"));
  EXPECT_THAT(input_error_of([&] { make_items(task, {row(R"({"q": "x", "c": ["a"], "g": 0})", "new")}, shots); }),
              HasSubstr("there are 0 rows for 1 examples"));

  TaskConfig passages = choices_task();
  passages.shots.count = 5;
  passages.shots.draw = ShotDraw::same_value;
  passages.shots.same = "p";
  std::vector<Row> rows;
  for (const char* json : {R"({"p": 1, "q": "x", "c": ["a"], "g": 0})", R"({"p": 2, "q": "y", "c": ["a"], "g": 0})",
                           R"({"p": 1, "q": "z", "c": ["a"], "g": 0})"}) {
    rows.push_back(row(json));
  }
  const auto own = make_items(passages, rows, {});
  EXPECT_EQ(own[0].pairs[0].context, "Q: z\nA: a\n\nQ: x\nA:");
  EXPECT_EQ(own[1].pairs[0].context, "Q: y\nA:");
}

// A row of a file of examples that equals the question is an example like any other.
TEST(Prompts, TakeRowsOfAnotherFileThatEqualTheQuestion) {
  for (const ShotDraw draw : {ShotDraw::first, ShotDraw::sample, ShotDraw::same_value}) {
    TaskConfig task = choices_task();
    task.shots.count = 4;
    task.shots.draw = draw;
    task.shots.same = "c";
    task.shots.data.files = {"x"};
    for (const Item& item : make_items(task, four_rows(), four_rows())) {
      const std::string& context = item.pairs[0].context;
      for (const char* question :
           {"Q: q0\nA: a\n", "Q: q1\nA: b\n", "Q: q2\nA: a\n", "Q: q3\nA: b\n"}) {
        EXPECT_THAT(context, HasSubstr(question));
      }
    }
  }
}

TEST(Prompts, SayThatThereAreTooFewExamples) {
  const auto error = [](ShotDraw draw, std::int64_t count, bool own,
                        std::vector<Row> rows = four_rows()) {
    TaskConfig task = choices_task();
    task.shots.count = count;
    task.shots.draw = draw;
    if (!own) task.shots.data.files = {"x"};
    return input_error_of(
        [&] { make_items(task, own ? rows : four_rows(), own ? std::vector<Row>{} : rows); });
  };
  for (const ShotDraw draw : {ShotDraw::first, ShotDraw::sample}) {
    EXPECT_EQ(error(draw, 3, true), "no error");
    EXPECT_EQ(error(draw, 4, false), "no error");
    EXPECT_EQ(error(draw, 5, false), "data:1: there are 4 rows for 5 examples (shots.count)");
    EXPECT_EQ(error(draw, 1, false, {}), "data:1: there are 0 rows for 1 examples (shots.count)");
  }
  EXPECT_EQ(error(ShotDraw::first, 4, true),
            "data:1: there are 3 rows for 4 examples (shots.count)");
  EXPECT_EQ(error(ShotDraw::sample, 4, true),
            "data:1: there are 4 rows for 4 examples (shots.count)");
  std::vector<Row> alike = four_rows();
  alike[1] = alike[2] = alike[0];
  EXPECT_EQ(error(ShotDraw::sample, 2, true, alike),
            "data:1: there are 1 rows for 2 examples (shots.count)");
  TaskConfig task = choices_task();
  task.shots.count = 1;
  task.shots.draw = ShotDraw::same_value;
  task.shots.same = "p";
  EXPECT_EQ(input_error_of([&] { make_items(task, four_rows(), {}); }),
            "data:1: it has no field 'p'");
}

// Another seed draws others; a chat without a system message and a description begins with a user.
TEST(Prompts, DrawBySeed) {
  TaskConfig task = choices_task();
  task.shots.count = 3;
  task.shots.draw = ShotDraw::sample;
  task.shots.data.files = {"x"};
  const auto drawn = [&](std::int64_t seed) {
    task.shots.seed = seed;
    std::string all;
    for (const Item& item : make_items(task, four_rows(), four_rows()))
      all += item.pairs[0].context;
    return all;
  };
  EXPECT_EQ(drawn(7), drawn(7));
  EXPECT_NE(drawn(7), drawn(8));
}

TEST(Prompts, NumberTheRowsAndKeepTheirPlaces) {
  std::vector<Row> rows = four_rows();
  rows[2].where = "other:9";
  rows[3].subset = "s";
  const auto items = make_items(choices_task(), rows, {});
  for (std::size_t i = 0; i < items.size(); ++i) {
    EXPECT_EQ(items[i].row, std::int64_t(i));
    EXPECT_EQ(items[i].fields, rows[i].fields);
  }
  EXPECT_EQ(items[2].where, "other:9");
  EXPECT_EQ(items[3].subset, "s");
}

TEST(Prompts, OfLikelihoodHaveOneAnswer) {
  TaskConfig task = choices_task();
  task.mode = Mode::likelihood;
  task.prompt.target = "{{ c[g] }}";
  task.prompt.unconditional = "A:";
  task.prompt.delimiter = "|";
  task.shots.count = 1;
  const auto items = make_items(task, four_rows(), {});
  ASSERT_EQ(items[1].pairs.size(), 1u);
  EXPECT_EQ(items[1].pairs[0].context, "Q: q0\nA:|a\n\nQ: q1\nA:");
  EXPECT_EQ(items[1].pairs[0].continuation, "|b");
  EXPECT_THAT(items[1].answers, ElementsAre("b"));
  EXPECT_EQ(items[1].gold, -1);
  EXPECT_EQ(items[1].unconditional.at(0).context, "A:");
  EXPECT_EQ(items[1].unconditional.at(0).continuation, "|b");
}

TEST(Prompts, UseFixedTexts) {
  TaskConfig task = choices_task();
  task.shots.count = 1;
  task.shots.texts = {"one", "two"};
  EXPECT_EQ(make_items(task, four_rows(), {})[0].pairs[0].context, "one\n\nQ: q0\nA:");
  task.shots.count = 2;
  task.shots.separator = "|";
  EXPECT_EQ(make_items(task, four_rows(), {})[0].pairs[0].context, "one|two|Q: q0\nA:");
}

std::vector<std::string> messages_of(const Chat& chat) {
  std::vector<std::string> all;
  for (const Message& message : chat->messages) all.push_back(message.role + ": " + std::string(message.content()));
  return all;
}

TEST(Prompts, InChatFormAreMessages) {
  TaskConfig task = choices_task();
  task.prompt.description = "Answer.";
  task.shots.count = 1;
  const PromptOptions options{PromptForm::chat, "Be brief."};
  const auto items = make_items(task, four_rows(), {}, options);
  EXPECT_THAT(messages_of(items[1].pairs[0].chat), ElementsAre("system: Be brief.\n\nAnswer.", "user: Q: q0\nA:", "assistant: a", "user: Q: q1\nA:"));
  EXPECT_EQ(items[1].pairs[1].continuation, "b");  // no delimiter
  EXPECT_EQ(items[1].pairs[0].context, "Answer.Q: q0\nA: a\n\nQ: q1\nA:");
  EXPECT_EQ(make_items(task, four_rows(), {})[0].pairs[0].chat, nullptr);
  // Fixed texts are not cut into turns.
  task.prompt.description = "";
  EXPECT_THAT(
      messages_of(make_items(task, four_rows(), {}, {PromptForm::chat, ""})[0].pairs[0].chat),
      ElementsAre("user: Q: q1\nA:", "assistant: b", "user: Q: q0\nA:"));
  EXPECT_THAT(
      messages_of(make_items(task, four_rows(), {}, {PromptForm::chat, "Hi."})[0].pairs[0].chat),
      ElementsAre("system: Hi.", "user: Q: q1\nA:", "assistant: b", "user: Q: q0\nA:"));
  task.shots.texts = {"one", "two"};
  task.shots.count = 2;
  task.mode = Mode::generate;
  task.prompt.target = "x";
  EXPECT_THAT(messages_of(make_items(task, four_rows(), {}, {PromptForm::chat, ""})[0].chat), ElementsAre("user: one\n\ntwo\n\nQ: q0\nA:"));
}

TEST(Prompts, OfGeneratedTextMayHaveAnswersOfSeveralTexts) {
  TaskConfig task = choices_task();
  task.mode = Mode::generate;
  task.prompt.golds = "all";
  const auto items = make_items(task, {row(R"({"q": "x", "all": ["a", ["b", "c"], 7]})")}, {});
  EXPECT_THAT(items[0].gold_texts, ElementsAre(ElementsAre("a"), ElementsAre("b", "c"), ElementsAre("7")));
  EXPECT_THAT(items[0].golds, ElementsAre("a", "b, c", "7"));
  EXPECT_THAT(input_error_of([&] { make_items(task, {row(R"({"q": "x", "all": [[]]})")}, {}); }), HasSubstr("data:1: t.toml: prompt.golds gives an empty list"));
}

TEST(Prompts, OfGeneratedTextKeepEveryRightAnswer) {
  TaskConfig task = choices_task();
  task.mode = Mode::generate;
  task.prompt.target = "{{ c[0] }}";
  task.prompt.golds = "c";
  const auto items = make_items(task, four_rows(), {});
  EXPECT_EQ(items[0].prompt, "Q: q0\nA:");
  EXPECT_THAT(items[0].golds, ElementsAre("a", "b"));
}

TEST(Prompts, UseFieldsMadeOfOthers) {
  TaskConfig task = choices_task();
  FieldConfig query;
  query.name = "q";
  query.value = "{{ q }} [x] [title] end";
  query.patterns = {" \\[title\\]", "\\[(.)\\]"};
  query.replacements = {".", "<\\1>"};
  FieldConfig list;
  list.name = "c";
  list.list = "[q, '[y]']";
  list.patterns = {"\\[.*?\\]"};
  list.replacements = {"-"};
  task.fields = {query, list};
  const auto items = make_items(task, four_rows(), {});
  EXPECT_EQ(items[0].pairs[0].context, "Q: q0 <x>. end\nA:");
  EXPECT_THAT(items[0].answers, ElementsAre("q0 <x>. end", "-"));
}

TEST(Prompts, AreLoadedWithTheirExamplesUpToALimit) {
  const test::TempDir dir;
  test::write_file(dir / "rows.jsonl", "{\"q\": 1, \"c\": [\"a\"], \"g\": 0}\n{\"q\": 2, \"c\": [\"a\"], \"g\": 0}\n");
  test::write_file(dir / "shots.jsonl", "{\"q\": 3, \"c\": [\"a\"], \"g\": 0}\n");
  TaskConfig task = choices_task();
  task.data.files = {"rows.jsonl"};
  task.shots.data.files = {"shots.jsonl"};
  EXPECT_EQ(load_items(task, dir.path()).size(), 2u);
  EXPECT_EQ(load_items(task, dir.path(), 2).size(), 2u);
  EXPECT_EQ(load_items(task, dir.path(), 3).size(), 2u);
  task.shots.data.files = {"missing.jsonl"};  // not read: no example is asked for
  EXPECT_EQ(load_items(task, dir.path()).size(), 2u);
  task.shots.data.files = {"shots.jsonl"};
  task.shots.count = 1;
  const auto items = load_items(task, dir.path(), 1);
  ASSERT_EQ(items.size(), 1u);
  EXPECT_EQ(items[0].pairs[0].context, "Q: 3\nA: a\n\nQ: 1\nA:");
}

TEST(Prompts, NameTheRowThatCannotBeAsked) {
  const auto error = [](const std::string& json, TaskConfig task = choices_task()) {
    return input_error_of([&] { make_items(task, {row(json)}, {}); });
  };
  EXPECT_THAT(error(R"({"q": "x", "c": ["a", ""], "g": 0})"), HasSubstr("data:1: its choice 2 is empty"));
  EXPECT_THAT(error(R"({"q": "x", "c": ["a"], "g": 1})"), HasSubstr("data:1: its right answer is number 1, and there are the choices 0 to 0"));
  const std::string four = R"({"q": "x", "c": ["a", "b", "c", "d"], "g": )";
  EXPECT_EQ(error(four + "3}"), "no error");
  EXPECT_EQ(error(four + "4}"),
            "data:1: its right answer is number 4, and there are the choices 0 to 3");
  EXPECT_EQ(error(four + "-1}"),
            "data:1: its right answer is number -1, and there are the choices 0 to 3");
  for (const char* text : {"", " 1", "1 ", "1.0", "+1", "0x1"}) {
    EXPECT_EQ(error(four + "\"" + text + "\"}"),
              "data:1: its right answer '" + std::string(text) + "' is no choice's number");
  }
  TaskConfig contexts = choices_task();
  contexts.prompt = {};
  contexts.prompt.contexts = {"a", "b"};
  contexts.prompt.target = "t";
  contexts.prompt.gold = "{{ g }}";
  EXPECT_EQ(error(R"({"g": 1})", contexts), "no error");
  EXPECT_EQ(error(R"({"g": 2})", contexts),
            "data:1: its right answer is number 2, and there are the choices 0 to 1");
  TaskConfig written = choices_task();
  written.mode = Mode::generate;
  written.prompt.golds = "c";
  EXPECT_EQ(error(R"({"q": "x", "c": []})", written), "data:1: it has no right answer");
  EXPECT_THAT(error(R"({"q": "x", "c": ["a"], "g": "z"})"), HasSubstr("its right answer 'z' is no choice's number"));
  EXPECT_THAT(error(R"({"q": "x", "c": 3, "g": 0})"), HasSubstr("data:1: t.toml: prompt.choice_list gives no list"));
  TaskConfig by_text = choices_task();
  by_text.prompt.gold.clear();
  by_text.prompt.gold_choice = "{{ g }}";
  EXPECT_THAT(error(R"({"q": "x", "c": ["a", "1"], "g": "b"})", by_text), HasSubstr("its right answer 'b' is none of its choices"));
  EXPECT_EQ(make_items(by_text, {row(R"({"q": "x", "c": ["1", "0"], "g": 0})")}, {})[0].gold, 1);
}

TEST(RowFields, SayWhatIsImpossible) {
  const auto refusal = [](const FieldConfig& field) {
    return input_error_of([&] { RowFields({field}, "t.toml"); });
  };
  FieldConfig field;
  field.value = "{{ x }}";
  EXPECT_EQ(refusal(field), "t.toml: a field has no name");
  field.name = "f";
  EXPECT_EQ(refusal(field), "no error");
  field.list = "x";
  EXPECT_EQ(refusal(field), "t.toml: field f: give either value or list");
  field.list = field.value = "";
  EXPECT_EQ(refusal(field), "t.toml: field f: give either value or list");
  field.value = "{{ x }}";
  field.patterns = {"a", "b"};
  field.replacements = {"c"};
  EXPECT_EQ(refusal(field), "t.toml: field f: there are 2 patterns and 1 replacements");
}

}  // namespace
}  // namespace fathom::eval
