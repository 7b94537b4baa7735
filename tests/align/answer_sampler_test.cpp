#include "align/answer_sampler.h"

#include <gmock/gmock.h>

#include "align/answer_files.h"
#include "infer/tiny_model.h"
#include "io/temp_dir.h"

namespace fathom {
namespace {

using test::Tokens;
using testing::HasSubstr;

// A model of bytes and an end token, with random weights.
struct ByteModel {
  Context context{cpu_device};
  infer::LoadedModel model{
      "", Tokenizer::from_json(test::byte_tokenizer({"</s>"})), {256}, nullptr, nullptr};

  ByteModel() {
    const ModelConfig config = test::tiny_config(257);
    model.parameters = std::make_unique<ParameterStore>(
        stage_parameters(config, whole_model(config)), DType::f32, Gradients::none, cpu_device);
    for (Parameter& p : model.parameters->all()) {
      initialize(context, p.spec, config.init_std, 5, p.weight);
    }
    model.stage = std::make_unique<Stage>(config, whole_model(config), *model.parameters,
                                          StageOptions{}, cpu_device);
  }

  std::vector<std::vector<AnswerSample>> sample(const std::vector<Tokens>& prompts,
                                                const SampleOptions& options) {
    std::vector<std::vector<AnswerSample>> all;
    sample_answers(model, context, prompts, options,
                   [&](std::size_t prompt, std::vector<AnswerSample> answers) {
                     EXPECT_EQ(prompt, all.size());
                     all.push_back(std::move(answers));
                   });
    return all;
  }
};

TEST(AnswerSampler, DrawsSeveralAnswersToEachPromptWhateverRunsBeside) {
  ByteModel model;
  SampleOptions options;
  options.answers = 3;
  options.max_tokens = 24;
  options.sampling.seed = 7;
  options.sampling.temperature = 3;
  const std::vector<Tokens> prompts{{65, 66}, {67}, {68, 69, 70}};
  const auto all = model.sample(prompts, options);
  ASSERT_EQ(all.size(), 3u);
  int ended = 0;
  for (const auto& answers : all) {
    ASSERT_EQ(answers.size(), 3u);
    EXPECT_NE(answers[0].text, answers[1].text);
    for (const AnswerSample& answer : answers) {
      EXPECT_EQ(answer.ended, answer.tokens < 24) << answer.text;
      ended += answer.ended ? 1 : 0;
    }
  }
  options.batch = 1;
  const auto alone = model.sample(prompts, options);
  for (std::size_t p = 0; p < 3; ++p) {
    for (std::size_t a = 0; a < 3; ++a) EXPECT_EQ(alone[p][a].text, all[p][a].text);
  }
}

// A model to which all tokens are equally likely always takes the first one.
TEST(AnswerSampler, ALoopIsNoticed) {
  ByteModel model;
  const Tensor head = model.model.parameters->at("head.weight").weight;
  std::fill_n(head.as<float>(), head.elements(), 0.0f);
  SampleOptions options;
  options.answers = 1;
  options.max_tokens = 20;
  options.sampling.temperature = 0;
  const AnswerSample answer = model.sample({{65}}, options).at(0).at(0);
  EXPECT_TRUE(answer.repeats);
  EXPECT_FALSE(answer.ended);
  EXPECT_EQ(answer.tokens, 20);
}

TEST(AnswerSampler, APromptAsLongAsTheContextIsRefused) {
  ByteModel model;
  EXPECT_EQ(test::input_error_of([&] {
              model.sample({{1}, Tokens(64, 65)}, {});
            }),
            "prompt 2 has 64 tokens, which leaves no room for an answer in a context of 64");
}

const SampledPrompt sampled{{make_message("user", "Say 你好")},
                            {{"你好", 2, true, false}, {"ha ha ha", 20, false, true}}};

TEST(AnswerFiles, AnswersComeBackAsTheyWereWritten) {
  const test::TempDir dir;
  test::write_file(dir / "a.jsonl", answers_line(sampled) + "\n" + answers_line(sampled) + "\n");
  const auto all = read_answers(dir / "a.jsonl");
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[1].prompt.at(0).content(), "Say 你好");
  ASSERT_EQ(all[1].answers.size(), 2u);
  EXPECT_EQ(all[1].answers[1].text, "ha ha ha");
  EXPECT_EQ(all[1].answers[1].tokens, 20);
  EXPECT_TRUE(all[1].answers[0].ended);
  EXPECT_TRUE(all[1].answers[1].repeats);
  test::write_file(dir / "b.jsonl", R"({"prompt": "x", "answers": [{"answer": "y"}]})");
  EXPECT_EQ(test::input_error_of([&] { read_answers(dir / "b.jsonl"); }),
            (dir / "b.jsonl") + ":1: 'answers' wants 'tokens' as a whole number");
}

TEST(AnswerFiles, ScoresBelongToTheAnswers) {
  const std::vector<SampledPrompt> two{sampled, sampled};
  EXPECT_EQ(parse_scores("[1, 2.5]\n[0, -1]\n", "scores", two),
            (std::vector<std::vector<double>>{{1, 2.5}, {0, -1}}));
  const auto error = [&](const char* text) {
    return test::input_error_of([&] { parse_scores(text, "scores", two); });
  };
  EXPECT_EQ(error("[1, 2]\n3\n"), "scores:2: not an array of numbers such as [0.5, 2]");
  EXPECT_EQ(error("[1, 2]\n[1]\n"), "scores:2: 1 scores, where there are 2 answers");
  EXPECT_EQ(error("[1, 2]\n[1, 2]\n[1, 2]\n"), "scores:3: 2 scores, where there are 0 answers");
  EXPECT_EQ(error("[1, 2]\n"), "scores: scores for 1 prompts, and there are 2");
}

TEST(AnswerFiles, APairHoldsTheBestAndTheWorst) {
  EXPECT_EQ(pair_line(sampled, {2, 0.5}),
            R"({"prompt":[{"role":"user","content":"Say 你好"}],"chosen":"你好",)"
            R"("rejected":"ha ha ha","chosen_score":2.0,"rejected_score":0.5})");
  EXPECT_EQ(pair_line(sampled, {1, 1}), "");
}

TEST(AnswerFiles, PromptsComeFromRowsOfManyKinds) {
  const test::TempDir dir;
  test::write_file(dir / "p.jsonl",
                   R"({"prompt": "one"}
{"messages": [{"role": "user", "content": "two"}, {"role": "assistant", "content": "an answer"}]}
{"prompt": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "three"}]}
)");
  const auto prompts = read_prompts({dir / "p.jsonl"});
  ASSERT_EQ(prompts.size(), 3u);
  EXPECT_EQ(prompts[0].messages.at(0).content(), "one");
  EXPECT_EQ(prompts[1].messages.size(), 1u);
  EXPECT_EQ(prompts[2].messages.at(1).content(), "three");
  test::write_file(dir / "q.jsonl", "{\"text\": \"x\"}\n");
  EXPECT_THAT(test::input_error_of([&] { read_prompts({dir / "q.jsonl"}); }),
              HasSubstr("q.jsonl:1: in no known format"));
}

}  // namespace
}  // namespace fathom
