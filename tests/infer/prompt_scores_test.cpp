// Log-probabilities of a prompt's tokens, and the least number of tokens before the end.
#include <gmock/gmock.h>

#include <map>

#include "core/error.h"
#include "infer/engine.h"
#include "infer/scorer.h"
#include "infer/tiny_model.h"

namespace fathom::infer {
namespace {

using test::TinyModel;
using test::Tokens;
using testing::HasSubstr;
using testing::ThrowsMessage;

struct ScoredSequence {
  std::vector<DrawnToken> prompt, generated;
};

std::map<SequenceId, ScoredSequence> run_scored(Engine& engine) {
  std::map<SequenceId, ScoredSequence> results;
  while (!engine.idle()) {
    for (const GeneratedToken& token : engine.step()) {
      ScoredSequence& result = results[token.sequence];
      EXPECT_TRUE(token.prompt_scores.empty() || result.generated.empty());
      if (!token.prompt_scores.empty()) result.prompt = token.prompt_scores;
      result.generated.push_back(token.drawn);
    }
  }
  return results;
}

Request scored(Tokens prompt, std::int64_t max_tokens = 2) {
  Request request;
  request.prompt = std::move(prompt);
  request.max_tokens = max_tokens;
  request.sampling.temperature = 0;
  request.prompt_log_probabilities = 2;
  request.log_probabilities = 1;
  return request;
}

Tokens scored_prompt(int length, int seed) {
  Tokens prompt;
  for (int i = 0; i < length; ++i) prompt.push_back((i * i + seed) % 97);
  return prompt;
}

// In parts smaller than the prompt, with fewer rows of logits than tokens, in company and with a
// cache so small that sequences are preempted: always the Scorer's values.
TEST(PromptScores, EqualTheScorersInAnyCompany) {
  TinyModel model;
  EngineOptions options;
  options.limits = {3, 7};
  options.page_size = 4;
  options.cache_bytes = 11 * KvCache::page_bytes(model.config, DType::f32, 4);
  Engine engine(model.stage, model.context, options);
  std::map<SequenceId, Tokens> prompts;
  for (int i = 0; i < 5; ++i) {
    const Tokens prompt = scored_prompt(5 + 6 * i, i);
    prompts[engine.submit(scored(prompt, 12))] = prompt;
    Request plain = scored(prompt, 12);
    plain.prompt_log_probabilities.reset();
    engine.submit(plain);
  }
  Scorer scorer(model.stage, model.context);
  const auto results = run_scored(engine);
  EXPECT_GT(engine.scheduler().preemptions(), 0);
  EXPECT_EQ(results.size(), 10u);
  for (const auto& [id, result] : results) {
    if (!prompts.contains(id)) {
      EXPECT_TRUE(result.prompt.empty());
      continue;
    }
    const Tokens& prompt = prompts.at(id);
    const ScoreRequest request{prompt};
    const std::vector<float> expected = scorer.score(std::span(&request, 1)).front();
    ASSERT_EQ(result.prompt.size(), prompt.size() - 1);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(result.prompt[i].token, prompt[i + 1]);
      EXPECT_NEAR(*result.prompt[i].log_probability, expected[i], 1e-4);
      ASSERT_EQ(result.prompt[i].likeliest.size(), 2u);
      EXPECT_GE(result.prompt[i].likeliest[0].log_probability,
                result.prompt[i].likeliest[1].log_probability);
      EXPECT_GE(result.prompt[i].likeliest[0].log_probability, *result.prompt[i].log_probability);
    }
    EXPECT_EQ(result.generated.size(), 12u);
    EXPECT_EQ(result.generated.front().token, model.greedy(prompt, 1).front());
  }
}

// The likeliest next token of every position is the model's own.
TEST(PromptScores, NameTheLikeliestTokenOfEachPosition) {
  TinyModel model;
  Engine engine(model.stage, model.context, {});
  const Tokens prompt = scored_prompt(9, 3);
  engine.submit(scored(prompt));
  const ScoredSequence result = run_scored(engine).begin()->second;
  ASSERT_EQ(result.prompt.size(), 8u);
  for (std::size_t i = 0; i < 8; ++i) {
    const Tokens before(prompt.begin(), prompt.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    EXPECT_EQ(result.prompt[i].likeliest[0].token, model.greedy(before, 1).front());
  }
}

// Requests for scores alone: many that begin alike, in a cache too small for all, with other last
// tokens beside their own. Each token's log-probability is the Scorer's.
TEST(PromptScores, ScoresAloneShareBeginningsAndTakeAlternatives) {
  TinyModel model;
  EngineOptions options;
  options.limits = {3, 9};
  options.page_size = 4;
  options.cache_bytes = 14 * KvCache::page_bytes(model.config, DType::f32, 4);
  Engine engine(model.stage, model.context, options);
  std::map<SequenceId, Request> requests;
  for (int i = 0; i < 12; ++i) {
    Request request = scored(scored_prompt(18, i / 4), 0);
    for (int j = 0; j < i % 4; ++j) request.prompt.push_back((7 * i + j) % 97);
    request.scores_from = std::ssize(request.prompt) - 1 - i % 3;
    if (i % 2 == 1) request.alternatives = {3, 50, 3};
    requests[engine.submit(request)] = request;
  }
  Scorer scorer(model.stage, model.context);
  const auto expected = [&](Tokens tokens, std::int64_t first) {
    const ScoreRequest request{std::move(tokens), first};
    return scorer.score(std::span(&request, 1)).front();
  };
  const auto results = run_scored(engine);
  ASSERT_EQ(results.size(), requests.size());
  for (const auto& [id, result] : results) {
    const Request& request = requests.at(id);
    ASSERT_EQ(result.generated.size(), 1u);
    EXPECT_EQ(result.generated[0].token, -1);
    std::vector<float> scores = expected(request.prompt, request.scores_from);
    for (const std::int32_t other : request.alternatives) {
      Tokens tokens = request.prompt;
      tokens.back() = other;
      scores.push_back(expected(tokens, std::ssize(tokens) - 1).front());
    }
    ASSERT_EQ(result.prompt.size(), scores.size());
    for (std::size_t i = 0; i < scores.size(); ++i) {
      EXPECT_NEAR(*result.prompt[i].log_probability, scores[i], 1e-4) << id << " " << i;
    }
  }
  EXPECT_GT(engine.scheduler().shared_tokens(), 100);
}

// A token that is only scored needs no place: one more than the context can be scored.
TEST(PromptScores, ScoresAloneReachOneTokenBeyondTheContext) {
  TinyModel model;
  EngineOptions options;
  options.limits = {1, 16};
  Engine engine(model.stage, model.context, options);
  const std::int64_t longest = model.config.max_position + 1;
  const Tokens tokens = scored_prompt(static_cast<int>(longest), 5);
  engine.submit(scored(tokens, 0));
  const ScoredSequence result = run_scored(engine).begin()->second;
  const ScoreRequest request{tokens};
  const std::vector<float> expected = Scorer(model.stage, model.context).score(std::span(&request, 1)).front();
  ASSERT_EQ(result.prompt.size(), expected.size());
  EXPECT_NEAR(*result.prompt.back().log_probability, expected.back(), 1e-4);
  EXPECT_THAT([&] { engine.submit(scored(scored_prompt(static_cast<int>(longest) + 1, 5), 0)); },
              ThrowsMessage<Error>(HasSubstr("context")));
}

TEST(PromptScores, RefuseWhatCannotBeScored) {
  TinyModel model;
  Engine engine(model.stage, model.context, {});
  const auto error = [&](Request request) {
    try {
      engine.submit(std::move(request));
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  Request request = scored(scored_prompt(5, 1), 0);
  request.scores_from = 5;
  EXPECT_THAT(error(request), HasSubstr("scores_from is 5: use 1 to 4"));
  request.scores_from = 0;
  EXPECT_THAT(error(request), HasSubstr("scores_from is 0"));
  EXPECT_THAT(error(scored({3}, 0)), HasSubstr("nothing to score"));
  request = scored(scored_prompt(5, 1), 2);
  request.alternatives = {1};
  EXPECT_THAT(error(request), HasSubstr("alternatives are scored with max_tokens 0 only"));
  request.max_tokens = 0;
  request.alternatives = {97};
  EXPECT_THAT(error(request), HasSubstr("alternatives: token 97"));
  request.prompt_log_probabilities.reset();
  EXPECT_THAT(error(request), HasSubstr("max_tokens is 0"));
}

TEST(MinTokens, KeepsEndTokensFromBeingDrawnBefore) {
  TinyModel model;
  const Tokens prompt = scored_prompt(6, 1);
  Request request;
  request.prompt = prompt;
  request.max_tokens = 20;
  request.sampling.temperature = 0;
  const std::int32_t first = model.greedy(prompt, 1).front();
  request.end_tokens = {first};
  Engine engine(model.stage, model.context, {});
  engine.submit(request);
  EXPECT_EQ(run_scored(engine).begin()->second.generated.size(), 1u);
  request.min_tokens = 4;
  engine.submit(request);
  const auto generated = run_scored(engine).begin()->second.generated;
  EXPECT_GE(generated.size(), 5u);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NE(generated[i].token, first);
}

// An end token that is always the likeliest comes as soon as it may.
TEST(MinTokens, LetsTheEndComeRightBehindThem) {
  TinyModel model;
  Engine engine(model.stage, model.context, {});
  for (const std::int64_t least : {0, 1, 2, 5, 7}) {
    Request request;
    request.prompt = scored_prompt(6, 1);
    request.max_tokens = 7;
    request.min_tokens = least;
    request.end_tokens = {40, 41};
    request.sampling.temperature = 0;
    request.sampling.logit_bias = {{41, 100.0f}};
    engine.submit(request);
    const auto generated = run_scored(engine).begin()->second.generated;
    ASSERT_EQ(std::ssize(generated), std::min<std::int64_t>(least + 1, 7)) << least;
    EXPECT_EQ(generated.back().token == 41, least < 7);
  }
}

TEST(PromptScores, RequestsOutOfRangeAreRefused) {
  TinyModel model;
  const Engine engine(model.stage, model.context, {});
  Request request = scored({1, 2});
  request.prompt_log_probabilities = 21;
  EXPECT_THAT([&] { engine.check(request); },
              ThrowsMessage<Error>(HasSubstr("prompt_log_probabilities is 21")));
  request.prompt_log_probabilities.reset();
  request.min_tokens = 3;
  EXPECT_THAT([&] { engine.check(request); },
              ThrowsMessage<Error>(HasSubstr("min_tokens is 3: use 0 to max_tokens, which is 2")));
  request.min_tokens = 0;
  request.sampling.logit_bias = {{97, 1.0f}};
  EXPECT_THAT([&] { engine.check(request); },
              ThrowsMessage<Error>(HasSubstr("logit_bias: token 97 is outside")));
}

}  // namespace
}  // namespace fathom::infer
