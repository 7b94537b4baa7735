#include "align/answer_sampler.h"

#include <gmock/gmock.h>

#include "infer/tiny_model.h"
#include "io/temp_dir.h"

namespace fathom {
namespace {

using test::Tokens;

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

// To equally likely tokens the first one is drawn, which ends an answer here.
TEST(AnswerSampler, TheEndTokenIsNoPartOfAnAnswer) {
  ByteModel model;
  const Tensor head = model.model.parameters->at("head.weight").weight;
  std::fill_n(head.as<float>(), head.elements(), 0.0f);
  model.model.end_tokens = {0};
  SampleOptions options;
  options.answers = 2;
  options.sampling.temperature = 0;
  for (const std::int64_t most : {1, 9}) {
    options.max_tokens = most;
    const auto all = model.sample({{65}, {66}}, options);
    ASSERT_EQ(all.size(), 2u);
    for (const auto& answers : all) {
      ASSERT_EQ(answers.size(), 2u);
      for (const AnswerSample& answer : answers) {
        EXPECT_TRUE(answer.ended);
        EXPECT_EQ(answer.tokens, 0);
        EXPECT_EQ(answer.text, "");
        EXPECT_FALSE(answer.repeats);
      }
    }
  }
}

TEST(AnswerSampler, NoPromptsHaveNoAnswers) {
  ByteModel model;
  EXPECT_TRUE(model.sample({}, {}).empty());
}

}  // namespace
}  // namespace fathom
