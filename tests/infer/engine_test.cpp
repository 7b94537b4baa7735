#include "infer/engine.h"

#include <fmt/core.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/error.h"
#include "infer/tiny_model.h"

namespace fathom::infer {
namespace {

using test::tiny_config;
using test::TinyModel;
using test::Tokens;

Tokens prompt_of(int length, int salt) {
  Tokens prompt;
  for (int i = 0; i < length; ++i) prompt.push_back((i * i * 7 + i * 13 + salt * 31 + 3) % 97);
  return prompt;
}

Request request_of(Tokens prompt, std::int64_t max_tokens, double temperature = 0) {
  Request request;
  request.prompt = std::move(prompt);
  request.max_tokens = max_tokens;
  request.sampling.temperature = temperature;
  return request;
}

struct EngineOutput {
  Tokens tokens;
  FinishReason finish = FinishReason::none;
};

std::map<SequenceId, EngineOutput> run(Engine& engine) {
  std::map<SequenceId, EngineOutput> outputs;
  while (!engine.idle()) {
    for (const GeneratedToken& token : engine.step()) {
      outputs[token.sequence].tokens.push_back(token.drawn.token);
      outputs[token.sequence].finish = token.finish;
    }
  }
  return outputs;
}

// Cache for `pages` pages of `page_size` tokens.
EngineOptions small_options(const TinyModel& model, std::int64_t pages, std::int64_t page_size,
                            SchedulerLimits limits) {
  EngineOptions options;
  options.limits = limits;
  options.page_size = page_size;
  options.max_length = 32;
  options.cache_bytes = KvCache::page_bytes(model.config, model.stage.dtype(), page_size) * pages;
  return options;
}

// As beside a training whose products are in FP8: its prompt of 16 tokens would suit them.
TEST(Engine, ComputesInTheWeightsTypeThoughTheyHaveFp8Copies) {
  TinyModel plain;
  ParameterStore parameters(stage_parameters(plain.config, whole_model(plain.config)), DType::f32,
                            Gradients::none, cpu_device, {}, 1, Products::fp8);
  Context context(cpu_device);
  for (Parameter& p : parameters.all())
    initialize(context, p.spec, plain.config.init_std, 5, p.weight);
  const Stage stage(plain.config, whole_model(plain.config), parameters, {}, cpu_device);
  context.fp8_products = true;
  const std::vector<float> in_fp8 = test::last_logits(stage, context, prompt_of(16, 1));
  EXPECT_NE(in_fp8, test::last_logits(plain.stage, plain.context, prompt_of(16, 1)));
  const auto scores = [&](const Stage& model, Context& where) {
    Engine engine(model, where, small_options(plain, 20, 4, {2, 64}));
    Request request = request_of(prompt_of(16, 1), 1);
    request.log_probabilities = 3;
    engine.submit(request);
    return engine.step()[0].drawn.log_probability;
  };
  EXPECT_EQ(scores(stage, context), scores(plain.stage, plain.context));
  EXPECT_TRUE(context.fp8_products) << "the training's again";
}

// Pages, chunks, batching, preemption against reading everything again for each
// token, without any of them.
class EngineMatchesRecompute : public testing::TestWithParam<int> {};

TEST_P(EngineMatchesRecompute, GreedyTokens) {
  TinyModel model(tiny_config(97, GetParam()));
  const int lengths[] = {1, 3, 9, 16, 2, 20};
  std::vector<Tokens> expected;
  for (int i = 0; i < 6; ++i) expected.push_back(model.greedy(prompt_of(lengths[i], i), 12));
  EXPECT_NE(expected[0], expected[1]);
  // Distinct tokens: the model's choices depend on what it reads.
  EXPECT_GT(std::set<std::int32_t>(expected[2].begin(), expected[2].end()).size(), 3u);

  struct Case {
    std::int64_t pages, page_size, sequences, tokens;
    bool preempts;
  };
  for (const Case& c : {Case{60, 4, 6, 64, false}, Case{20, 2, 6, 8, true}, Case{11, 3, 3, 3, true},
                        Case{32, 1, 4, 5, true}, Case{2, 16, 2, 7, false}}) {
    SCOPED_TRACE(testing::Message() << c.pages << " pages of " << c.page_size);
    Engine engine(model.stage, model.context,
                  small_options(model, c.pages, c.page_size, {c.sequences, c.tokens}));
    for (int i = 0; i < 6; ++i) engine.submit(request_of(prompt_of(lengths[i], i), 12));
    const auto outputs = run(engine);
    for (int i = 0; i < 6; ++i) {
      const EngineOutput& output = outputs.at(static_cast<SequenceId>(i));
      EXPECT_EQ(output.tokens, expected[static_cast<std::size_t>(i)]) << "sequence " << i;
      EXPECT_EQ(output.finish, FinishReason::length);
    }
    EXPECT_EQ(engine.scheduler().preemptions() > 0, c.preempts);
    EXPECT_EQ(engine.scheduler().blocks().free_pages(), engine.scheduler().blocks().total_pages());
  }
}
INSTANTIATE_TEST_SUITE_P(KvHeads, EngineMatchesRecompute, testing::Values(4, 2, 1));

TEST(Engine, SampledTokensDoNotDependOnTheBatch) {
  TinyModel model;
  const auto sampled = [&](SchedulerLimits limits, std::int64_t pages) {
    Engine engine(model.stage, model.context, small_options(model, pages, 4, limits));
    for (int i = 0; i < 5; ++i) {
      Request request = request_of(prompt_of(2 + 3 * i, i), 10, 1.0);
      request.sampling.seed = 3;
      request.sampling.stream = static_cast<std::uint64_t>(i);
      engine.submit(std::move(request));
    }
    std::vector<Tokens> tokens;
    for (const auto& [id, output] : run(engine)) tokens.push_back(output.tokens);
    return tokens;
  };
  const auto alone = sampled({1, 64}, 8), together = sampled({5, 16}, 40);
  EXPECT_EQ(alone, together);
  EXPECT_NE(alone[0], alone[1]);
}

TEST(Engine, EndsAtAnEndTokenOfItsOwn) {
  TinyModel model;
  const Tokens expected = model.greedy(prompt_of(5, 1), 8);
  Engine engine(model.stage, model.context, small_options(model, 20, 4, {4, 16}));
  Request request = request_of(prompt_of(5, 1), 8);
  request.end_tokens = {96, expected[2]};
  engine.submit(request);
  const auto outputs = run(engine);
  const auto end = std::ranges::find(expected, expected[2]) + 1;
  EXPECT_EQ(outputs.at(0).tokens, Tokens(expected.begin(), end));
  EXPECT_EQ(outputs.at(0).finish, FinishReason::end_of_text);
}

// A long prompt is read in parts; the steps that only read draw nothing.
TEST(Engine, DrawsNothingWhileAPromptIsRead) {
  TinyModel model;
  Engine engine(model.stage, model.context, small_options(model, 20, 4, {1, 8}));
  engine.submit(request_of(prompt_of(20, 2), 2));
  EXPECT_TRUE(engine.step().empty());
  EXPECT_TRUE(engine.step().empty());
  ASSERT_EQ(engine.step().size(), 1u);
  const auto last = engine.step();
  ASSERT_EQ(last.size(), 1u);
  EXPECT_EQ(last[0].finish, FinishReason::length);
  EXPECT_TRUE(engine.idle());
  EXPECT_TRUE(engine.step().empty());
}

TEST(Engine, StopsAtTheEndOfTheContext) {
  TinyModel model;
  Engine engine(model.stage, model.context, small_options(model, 8, 4, {1, 16}));
  engine.submit(request_of(prompt_of(30, 0), 100));
  const auto outputs = run(engine);
  EXPECT_EQ(outputs.at(0).tokens.size(), 2u);  // max_length is 32
  EXPECT_EQ(outputs.at(0).finish, FinishReason::length);
}

TEST(Engine, CancelledSequencesLeaveTheOthersAlone) {
  TinyModel model;
  Engine engine(model.stage, model.context, small_options(model, 20, 4, {4, 16}));
  const SequenceId first = engine.submit(request_of(prompt_of(4, 0), 10));
  const SequenceId second = engine.submit(request_of(prompt_of(6, 1), 10));
  engine.step();
  engine.cancel(first);
  Tokens tokens = model.greedy(prompt_of(6, 1), 10);
  const auto outputs = run(engine);
  EXPECT_EQ(outputs.size(), 1u);
  EXPECT_EQ(outputs.at(second).tokens, Tokens(tokens.begin() + 1, tokens.end()));
}

TEST(Engine, GeneratesInBfloat16) {
  TinyModel model(tiny_config(), DType::bf16);
  Engine engine(model.stage, model.context, small_options(model, 20, 4, {4, 16}));
  engine.submit(request_of(prompt_of(9, 0), 6));
  EXPECT_EQ(run(engine).at(0).tokens, model.greedy(prompt_of(9, 0), 6));
}

TEST(Engine, SaysWhatIsWrongWithARequest) {
  TinyModel model;
  Engine engine(model.stage, model.context, small_options(model, 20, 4, {4, 16}));
  const auto message = [&](Request request) -> std::string {
    try {
      engine.submit(std::move(request));
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::input);
      return error.what();
    }
    return "accepted";
  };
  EXPECT_THAT(message(request_of({}, 4)), testing::HasSubstr("the prompt is empty"));
  EXPECT_THAT(message(request_of(prompt_of(32, 0), 4)),
              testing::HasSubstr("the prompt has 32 tokens, and the context of 32"));
  EXPECT_THAT(message(request_of({1, 97}, 4)),
              testing::HasSubstr("token 97 is outside the model's vocabulary of 97"));
  EXPECT_THAT(message(request_of({1}, 0)), testing::HasSubstr("max_tokens is 0"));
  EXPECT_THAT(message(request_of({1}, 4, -1)), testing::HasSubstr("temperature is -1"));
  EXPECT_THAT(message(request_of({-1}, 4)), testing::HasSubstr("token -1 is outside"));
  const std::int64_t most = EngineOptions().max_log_probabilities;
  const auto with_log_probabilities = [&](std::int64_t count) {
    Request request = request_of({1}, 4);
    request.log_probabilities = count;
    return message(std::move(request));
  };
  EXPECT_THAT(with_log_probabilities(-1), testing::HasSubstr("log_probabilities is -1: use 0 to"));
  EXPECT_THAT(with_log_probabilities(most + 1), testing::HasSubstr("log_probabilities is"));
  const auto with_prompt_log_probabilities = [&](std::int64_t count) {
    Request request = request_of({1}, 4);
    request.prompt_log_probabilities = count;
    return message(std::move(request));
  };
  EXPECT_THAT(with_prompt_log_probabilities(-1),
              testing::HasSubstr("prompt_log_probabilities is -1: use 0 to"));
  EXPECT_THAT(with_prompt_log_probabilities(most + 1),
              testing::HasSubstr("prompt_log_probabilities is"));
  const auto with_min_tokens = [&](std::int64_t count) {
    Request request = request_of({1}, 4);
    request.min_tokens = count;
    return message(std::move(request));
  };
  EXPECT_EQ(with_min_tokens(-1), "min_tokens is -1: use 0 to max_tokens, which is 4");
  EXPECT_EQ(with_min_tokens(5), "min_tokens is 5: use 0 to max_tokens, which is 4");
  const auto with_end_tokens = [&](std::size_t count) {
    Request request = request_of({1}, 4);
    request.end_tokens.assign(count, 5);
    return message(std::move(request));
  };
  EXPECT_EQ(with_end_tokens(257), "there are 257 end tokens: use at most 256");
  const auto with_bias_of = [&](std::int32_t token) {
    Request request = request_of({1}, 4);
    request.sampling.logit_bias = {{token, 1.0f}};
    return message(std::move(request));
  };
  for (const std::int32_t outside : {-1, 97}) {
    EXPECT_EQ(with_bias_of(outside),
              fmt::format("logit_bias: token {} is outside the model's vocabulary of 97", outside));
  }
  EXPECT_TRUE(engine.idle());
  EXPECT_EQ(with_prompt_log_probabilities(0), "accepted");
  EXPECT_EQ(with_prompt_log_probabilities(most), "accepted");
  EXPECT_EQ(with_min_tokens(0), "accepted");
  EXPECT_EQ(with_min_tokens(4), "accepted");
  EXPECT_EQ(with_end_tokens(256), "accepted");
  EXPECT_EQ(with_bias_of(0), "accepted");
  EXPECT_EQ(with_bias_of(96), "accepted");
  EXPECT_EQ(with_log_probabilities(0), "accepted");
  EXPECT_EQ(with_log_probabilities(most), "accepted");
  EXPECT_EQ(message(request_of({0, 96}, 1)), "accepted");
  EXPECT_EQ(message(request_of(prompt_of(31, 0), 4)), "accepted");
}

// Two pages of four tokens; the last token that is drawn is never read.
TEST(Engine, TakesARequestThatJustFitsTheCache) {
  TinyModel model;
  Engine engine(model.stage, model.context, small_options(model, 2, 4, {1, 8}));
  engine.submit(request_of(prompt_of(3, 0), 6));
  EXPECT_THAT([&] { engine.submit(request_of(prompt_of(3, 0), 7)); },
              testing::ThrowsMessage<Error>(testing::HasSubstr(
                  "the prompt's 3 tokens and up to 7 new ones need a KV cache of 9 tokens, and it "
                  "has room for 8")));
  EXPECT_EQ(run(engine).at(0).tokens.size(), 6u);
}

TEST(Engine, RefusesOptionsItCannotServe) {
  TinyModel model;
  const auto message = [&](std::int64_t pages, SchedulerLimits limits, std::int64_t max_length) {
    EngineOptions options = small_options(model, pages, 4, limits);
    options.max_length = max_length;
    try {
      Engine(model.stage, model.context, options);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::input);
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  constexpr std::int64_t huge = INT64_MAX;
  EXPECT_THAT(message(0, {4, 16}, 32), testing::HasSubstr("one page of 4 tokens needs"));
  EXPECT_THAT(message(9, {0, 16}, 32), testing::HasSubstr("an engine for 0 sequences at once"));
  EXPECT_THAT(message(9, {huge, huge}, 32), testing::HasSubstr("sequences at once: use 1 to"));
  EXPECT_THAT(message(9, {4, huge}, 32), testing::HasSubstr("tokens a step: use at most"));
  EXPECT_THAT(message(9, {4, 16}, 1), testing::HasSubstr("an engine for sequences of 1 tokens"));
  EXPECT_EQ(message(9, {4, 16}, huge), "accepted");  // the context is the longest
  EXPECT_EQ(message(9, {4, 16}, 2), "accepted");
  EXPECT_EQ(message(1, {1, 1}, 32), "accepted");
}

// Without a number of tokens a step has as many as suit a CPU, or one for each sequence.
TEST(Engine, HasTheDefaultsThatItsHeaderSays) {
  const TinyModel model;
  const auto planned = [&](SchedulerLimits limits, std::int64_t max_length) {
    EngineOptions options;
    options.limits = limits;
    options.max_length = max_length;
    return Engine::planned_bytes(model.config, DType::f32, cpu_device, options).device;
  };
  EXPECT_EQ(planned({4, 0}, 0), planned({4, 512}, 64));
  EXPECT_NE(planned({4, 0}, 0), planned({4, 511}, 64));
  EXPECT_EQ(planned({600, 0}, 0), planned({600, 600}, 64));
  EXPECT_NE(planned({4, 0}, 0), planned({4, 0}, 48));
  const EngineOptions options;
  EXPECT_EQ(options.page_size, 16);
  EXPECT_EQ(options.max_length, 0);
  EXPECT_EQ(options.cache_bytes, std::size_t{4} << 30);
  EXPECT_EQ(options.max_log_probabilities, 20);
}

TEST(Engine, ServesSoManySequencesAndTokensAndNoMore) {
  const TinyModel model;
  const auto message = [&](SchedulerLimits limits) -> std::string {
    EngineOptions options;
    options.limits = limits;
    try {
      Engine::planned_bytes(model.config, DType::f32, cpu_device, options);
    } catch (const Error& error) {
      return error.what();
    }
    return "accepted";
  };
  constexpr std::int64_t sequences = 1 << 20, tokens = 1 << 24;
  EXPECT_EQ(message({sequences, tokens}), "accepted");
  EXPECT_EQ(message({sequences + 1, tokens}),
            "an engine for 1048577 sequences at once: use 1 to 1048576");
  EXPECT_EQ(message({1, tokens + 1}), "an engine for 16777217 tokens a step: use at most 16777216");
  EXPECT_EQ(message({8, 7}),
            "an engine for 7 tokens a step and 8 sequences at once: each needs one");
  EXPECT_EQ(message({8, 8}), "accepted");
}

TEST(Engine, RefusesTokensAndPagesThatAreNone) {
  TinyModel model;
  EngineOptions options = small_options(model, 9, 4, {4, 16});
  for (const std::int32_t id : {-1, 97}) {
    options.masked_tokens = {id};
    EXPECT_THROW(Engine(model.stage, model.context, options), Error) << id;
  }
  options.masked_tokens = {0, 96};
  EXPECT_NO_THROW(Engine(model.stage, model.context, options));
  options.page_size = 0;
  EXPECT_THROW(Engine(model.stage, model.context, options), Error);
}

TEST(Engine, TakesAsMuchCacheAsAllSequencesNeed) {
  TinyModel model;
  EngineOptions options = small_options(model, 1000, 4, {3, 16});
  options.max_length = 30;
  const Engine engine(model.stage, model.context, options);
  EXPECT_EQ(engine.scheduler().blocks().total_pages(), 3 * 8);
  EXPECT_EQ(engine.max_length(), 30);
}

TEST(Engine, TakesThePlannedMemory) {
  for (const std::int64_t pages : {3, 1000}) {
    TinyModel model;
    const EngineOptions options = small_options(model, pages, 4, {5, 40});
    const Engine engine(model.stage, model.context, options);
    const Engine::Bytes planned =
        Engine::planned_bytes(model.config, model.stage.dtype(), cpu_device, options);
    EXPECT_EQ(planned.device, engine.bytes()) << pages;
    EXPECT_EQ(planned.host, 0u);
  }
}

}  // namespace
}  // namespace fathom::infer
