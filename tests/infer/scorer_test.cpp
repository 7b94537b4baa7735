#include "infer/scorer.h"

#include <gmock/gmock.h>

#include "core/error.h"
#include "infer/batch_sampler.h"
#include "infer/tiny_model.h"

namespace fathom::infer {
namespace {

using test::tiny_config;
using test::TinyModel;
using test::Tokens;

ScoreRequest request_of(int length, int salt, std::int64_t first = 1) {
  ScoreRequest request;
  request.first = first;
  for (int i = 0; i < length; ++i) request.tokens.push_back((i * i * 5 + i * salt + salt) % 97);
  return request;
}

// Each token's log-probability from the logits that the model gives at the token before.
std::vector<float> expected(TinyModel& model, const ScoreRequest& request) {
  std::vector<float> values;
  for (auto i = static_cast<std::size_t>(request.first); i < request.tokens.size(); ++i) {
    const Tokens before(request.tokens.begin(), request.tokens.begin() + std::ptrdiff_t(i));
    values.push_back(test::log_probability(model.last_logits(before), request.tokens[i]));
  }
  return values;
}

// Several sequences side by side in a pass, one that needs a pass of its own, and one
// longer than a pass.
TEST(Scorer, GivesEachTokensLogProbability) {
  TinyModel model(tiny_config(), DType::f32, {Recompute::selective, 5});
  const std::vector<ScoreRequest> requests{request_of(7, 3),     request_of(2, 1),
                                           request_of(9, 8, 4),  request_of(13, 2, 12),
                                           request_of(40, 6, 2), request_of(3, 9)};
  for (const std::int64_t max_tokens : {1, 12, 16, 1000}) {
    SCOPED_TRACE(max_tokens);
    Scorer scorer(model.stage, model.context, {max_tokens});
    const auto scores = scorer.score(requests);
    ASSERT_EQ(scores.size(), requests.size());
    for (std::size_t i = 0; i < requests.size(); ++i) {
      SCOPED_TRACE(i);
      EXPECT_THAT(scores[i],
                  testing::Pointwise(testing::FloatNear(1e-4f), expected(model, requests[i])));
    }
  }
}

TEST(Scorer, ScoresTheLastPlaceOfTheContext) {
  TinyModel model;
  Scorer scorer(model.stage, model.context);
  // 64 tokens are read; the 65th is only a target.
  const ScoreRequest request = request_of(65, 4, 64);
  const auto scores = scorer.score(std::span(&request, 1));
  EXPECT_THAT(scores[0], testing::Pointwise(testing::FloatNear(1e-4f), expected(model, request)));
}

TEST(Scorer, NeverHoldsTheLogitsOfAllTokens) {
  const std::int64_t vocabulary = 20000, tokens = 512;
  TinyModel model(tiny_config(vocabulary), DType::f32, {Recompute::selective, 16});
  Scorer scorer(model.stage, model.context, {tokens});
  EXPECT_LT(scorer.bytes(), static_cast<std::size_t>(vocabulary * tokens) * sizeof(float) / 8);
}

TEST(Scorer, SaysWhatIsWrongWithAText) {
  TinyModel model;
  Scorer scorer(model.stage, model.context);
  const auto message = [&](ScoreRequest request) -> std::string {
    const std::vector<ScoreRequest> requests{request_of(4, 1), std::move(request)};
    try {
      scorer.score(requests);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::input);
      return error.what();
    }
    return "accepted";
  };
  using testing::HasSubstr;
  EXPECT_THAT(message(request_of(0, 1)), HasSubstr("text 2 to score has 0 tokens"));
  EXPECT_THAT(message(request_of(1, 1)), HasSubstr("text 2 to score has 1 tokens"));
  EXPECT_THAT(message(request_of(5, 1, 0)), HasSubstr("its token 0 cannot be the first"));
  EXPECT_THAT(message(request_of(5, 1, 5)), HasSubstr("its token 5 cannot be the first"));
  EXPECT_THAT(message(request_of(66, 1)), HasSubstr("has 66 tokens: the model's context of 64"));
  EXPECT_THAT(message({{1, 97}, 1}), HasSubstr("token 97 is outside the model's vocabulary of 97"));
  EXPECT_THAT(message({{-1, 5}, 1}), HasSubstr("token -1 is outside"));
  EXPECT_EQ(message(request_of(5, 1, 4)), "accepted");
  EXPECT_THAT([&] { Scorer(model.stage, model.context, {0}); },
              testing::ThrowsMessage<Error>(HasSubstr("a scorer of 0 tokens")));
}

}  // namespace
}  // namespace fathom::infer
