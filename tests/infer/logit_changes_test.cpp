// Penalties, bias and banned tokens: the changes themselves, and the distributions they lead to.
#include "infer/logit_changes.h"

#include <gmock/gmock.h>

#include <cmath>
#include <map>

#include "core/error.h"
#include "infer/sampler.h"

namespace fathom::infer {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;
using Tokens = std::vector<std::int32_t>;

// Every combination of options against the formulas of OpenAI's and transformers' documentation,
// in double precision.
TEST(LogitChanges, GiveTheExactDistribution) {
  const std::vector<float> logits{1.5f, -0.5f, 0.25f, 2.0f, -1.0f, 0.0f};
  const Tokens history{0, 1, 3, 3, 3, 4, 1};
  const std::int64_t prompt_length = 3;
  const Tokens banned{2};
  for (int mask = 0; mask < 32; ++mask) {
    SamplingOptions options;
    options.temperature = 0.7;
    if (mask & 1) options.repetition_penalty = 1.3;
    if (mask & 2) options.presence_penalty = 0.6;
    if (mask & 4) options.frequency_penalty = -0.4;
    if (mask & 8) options.logit_bias = {{3, -1.5f}, {5, 2.0f}};
    SequenceState state{prompt_length, {}};
    if (mask & 16) state.banned = banned;
    std::vector<double> weights;
    double sum = 0;
    for (std::int32_t token = 0; token < 6; ++token) {
      double x = logits[static_cast<std::size_t>(token)];
      if ((mask & 1) && std::ranges::count(history, token)) x = x < 0 ? x * 1.3 : x / 1.3;
      const auto generated = std::count(history.begin() + prompt_length, history.end(), token);
      if ((mask & 2) && generated > 0) x -= 0.6;
      if (mask & 4) x += 0.4 * static_cast<double>(generated);
      if (mask & 8) x += token == 3 ? -1.5 : token == 5 ? 2.0 : 0.0;
      const bool is_banned = (mask & 16) && token == 2;
      weights.push_back(is_banned ? 0 : std::exp(x / 0.7));
      sum += weights.back();
    }
    TokenSampler sampler;
    std::map<std::int32_t, double> found;
    for (const Candidate& c : sampler.distribution(logits, history, options, state)) {
      found[c.token] = c.probability;
    }
    EXPECT_EQ(found.size(), mask & 16 ? 5u : 6u) << mask;
    for (std::int32_t token = 0; token < 6; ++token) {
      EXPECT_NEAR(found[token], weights[static_cast<std::size_t>(token)] / sum, 1e-6)
          << mask << " token " << token;
    }
  }
}

// A presence penalty counts once even where the frequency penalty cancels it out.
TEST(LogitChanges, CountsPresenceOnce) {
  LogitChanges changes;
  SamplingOptions options;
  options.presence_penalty = 0.5;
  options.frequency_penalty = -0.5;
  const Tokens history{1, 1, 1};
  const auto found = changes.of(history, options, {}, 4);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].bias, 1.0f);
}

// The bias of a token that is there twice counts twice; what is banned stays so, whatever its bias.
TEST(LogitChanges, AddUpForAToken) {
  LogitChanges changes;
  SamplingOptions options;
  options.presence_penalty = 0.5;
  options.frequency_penalty = 0.25;
  options.logit_bias = {{2, 4.0f}, {2, 1.0f}, {3, 7.0f}};
  const Tokens history{1, 2, 2}, banned{3};
  const auto found = changes.of(history, options, {1, banned}, 4);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].token, 2);
  EXPECT_EQ(found[0].bias, 4);  // 5 − 0.5 − 2 · 0.25
  EXPECT_EQ(found[0].penalty, 1);
  EXPECT_EQ(found[1].token, 3);
  EXPECT_EQ(found[1].bias, -INFINITY);
}

// A prompt longer than the history, as while it is read, has nothing that was generated.
TEST(LogitChanges, OfAPromptAreItsRepetitionPenaltiesAlone) {
  LogitChanges changes;
  SamplingOptions options;
  options.presence_penalty = options.frequency_penalty = 1;
  EXPECT_TRUE(changes.of(Tokens{1, 2}, options, {2, {}}, 4).empty());
  EXPECT_TRUE(changes.of(Tokens{1, 2}, options, {3, {}}, 4).empty());
  options.repetition_penalty = 1.5;
  EXPECT_EQ(changes.of(Tokens{1, 2}, options, {2, {}}, 4).size(), 2u);
}

TEST(LogitChanges, LeavesOutTokensOutsideTheVocabularyAndForgetsEarlierCalls) {
  LogitChanges changes;
  SamplingOptions options;
  options.repetition_penalty = 2;
  options.logit_bias = {{-1, 1.0f}, {9, 1.0f}};
  EXPECT_EQ(changes.of(Tokens{2, 9, -3}, options, {}, 4).size(), 1u);
  EXPECT_EQ(changes.of(Tokens{}, {}, {}, 4).size(), 0u);
  const auto again = changes.of(Tokens{2}, options, {}, 4);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].token, 2);
  EXPECT_EQ(again[0].penalty, 2.0f);
}

TEST(LogitChanges, OptionsOutOfRangeAreRefusedByName) {
  SamplingOptions options;
  options.presence_penalty = 2.5;
  EXPECT_THAT([&] { check(options); }, ThrowsMessage<Error>(HasSubstr("presence_penalty is 2.5")));
  options.presence_penalty = 0;
  options.frequency_penalty = NAN;
  EXPECT_THAT([&] { check(options); }, ThrowsMessage<Error>(HasSubstr("frequency_penalty is nan")));
  options.frequency_penalty = 0;
  options.logit_bias = {{7, 101.0f}};
  EXPECT_THAT([&] { check(options); },
              ThrowsMessage<Error>(HasSubstr("logit_bias of token 7 is 101")));
}

}  // namespace
}  // namespace fathom::infer
