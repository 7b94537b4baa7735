#include "infer/sampler.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <set>

#include "core/error.h"
#include "core/philox.h"

namespace fathom::infer {
namespace {

using testing::ElementsAre;

std::vector<float> logits_of(const std::vector<double>& probabilities) {
  std::vector<float> logits;
  for (const double p : probabilities) logits.push_back(static_cast<float>(std::log(p)));
  return logits;
}

std::vector<std::int32_t> tokens_of(std::span<const Candidate> candidates) {
  std::vector<std::int32_t> tokens;
  for (const Candidate& c : candidates) tokens.push_back(c.token);
  return tokens;
}

TEST(TokenSampler, GreedyTakesTheFirstOfTheLikeliest) {
  TokenSampler sampler;
  SamplingOptions options;
  options.temperature = 0;
  EXPECT_EQ(sampler.sample(std::vector<float>{1, 3, 3, 2}, {}, options), 1);
}

TEST(TokenSampler, TopKKeepsExactlyTheLikeliest) {
  TokenSampler sampler;
  SamplingOptions options;
  options.top_k = 3;
  const std::vector<float> logits{0.5f, 2.0f, 1.0f, 1.0f, -1.0f, 1.0f};
  EXPECT_THAT(tokens_of(sampler.distribution(logits, {}, options)), ElementsAre(1, 2, 3));
  options.top_k = 100;
  EXPECT_EQ(sampler.distribution(logits, {}, options).size(), 6u);
}

TEST(TokenSampler, TopPKeepsTheFewestThatReachP) {
  TokenSampler sampler;
  SamplingOptions options;
  const std::vector<float> logits = logits_of({0.05, 0.4, 0.1, 0.3, 0.15});
  const auto kept = [&](double p) {
    options.top_p = p;
    return tokens_of(sampler.distribution(logits, {}, options));
  };
  EXPECT_THAT(kept(0.39), ElementsAre(1));
  EXPECT_THAT(kept(0.41), ElementsAre(1, 3));
  EXPECT_THAT(kept(0.69), ElementsAre(1, 3));
  EXPECT_THAT(kept(0.71), ElementsAre(1, 3, 4));
  EXPECT_THAT(kept(0.94), ElementsAre(1, 3, 4, 2));
  EXPECT_THAT(kept(0.96), ElementsAre(1, 3, 4, 2, 0));
  EXPECT_THAT(kept(1e-9), ElementsAre(1));
  options.top_k = 2;  // top-p sees the probabilities that top-k left: 4/7 and 3/7
  EXPECT_THAT(kept(0.56), ElementsAre(1));
  EXPECT_THAT(kept(0.58), ElementsAre(1, 3));
}

TEST(TokenSampler, MinPIsRelativeToTheLikeliest) {
  TokenSampler sampler;
  SamplingOptions options;
  options.min_p = 0.3;
  const std::vector<float> logits = logits_of({0.05, 0.4, 0.1, 0.3, 0.15});
  const auto kept = sampler.distribution(logits, {}, options);
  ASSERT_THAT(tokens_of(kept), ElementsAre(1, 3, 4));
  EXPECT_NEAR(kept[0].probability, 0.4 / 0.85, 1e-6);
}

// Positive logits are divided, negative ones multiplied, once per token that
// occurred: what transformers' RepetitionPenaltyLogitsProcessor does.
TEST(TokenSampler, RepetitionPenaltyIsThatOfTransformers) {
  TokenSampler sampler;
  SamplingOptions options;
  options.repetition_penalty = 2;
  const std::vector<float> logits{1.0f, -1.0f, 3.0f, 0.5f};
  const auto penalized =
      sampler.distribution(logits, std::vector<std::int32_t>{1, 2, 1, 2, 9}, options);
  ASSERT_EQ(penalized.size(), 4u);
  EXPECT_FLOAT_EQ(penalized[0].logit, 1.0f);
  EXPECT_FLOAT_EQ(penalized[1].logit, -2.0f);
  EXPECT_FLOAT_EQ(penalized[2].logit, 1.5f);
  EXPECT_FLOAT_EQ(penalized[3].logit, 0.5f);
  options.temperature = 0;
  options.repetition_penalty = 4;
  EXPECT_EQ(sampler.sample(logits, std::vector<std::int32_t>{2}, options), 0);
}

// Every filter at the tie or sum where it turns, in numbers that floats hold exactly.
TEST(TokenSampler, FiltersTurnExactlyAtTheirBounds) {
  TokenSampler sampler;
  const std::vector<float> even(4, 0.0f);  // probabilities 1/4 each
  const auto kept = [&](auto change) {
    SamplingOptions options;
    change(options);
    return tokens_of(sampler.distribution(even, {}, options));
  };
  using O = SamplingOptions;
  EXPECT_THAT(kept([](O& o) { o.top_p = 0.25; }), ElementsAre(0));
  EXPECT_THAT(kept([](O& o) { o.top_p = 0.5; }), ElementsAre(0, 1));
  EXPECT_THAT(kept([](O& o) { o.top_p = 0.75; }), ElementsAre(0, 1, 2));
  EXPECT_THAT(kept([](O& o) { o.top_p = 0.75000001; }), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(kept([](O& o) { o.top_p = 1; }), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(kept([](O& o) { o.min_p = 1; }), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(kept([](O& o) { o.top_k = 1; }), ElementsAre(0));
  EXPECT_THAT(kept([](O& o) { o.top_k = 4; }), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(kept([](O& o) { o.top_k = 3, o.top_p = 0.5; }), ElementsAre(0, 1));
  EXPECT_THAT(kept([](O& o) { o.top_k = INT64_MAX; }).size(), 4u);
}

// The distribution itself, against the softmax in long double: temperature before top-k
// before top-p before min-p, each renormalised.
TEST(TokenSampler, HasTheExactDistribution) {
  TokenSampler sampler;
  const std::vector<float> logits{2.0f, 0.5f, 1.0f, -1.0f, 0.5f};
  const auto expect = [&](const SamplingOptions& options, const std::vector<std::int32_t>& order) {
    long double sum = 0;
    const auto weight = [&](std::int32_t token) {
      return std::exp(static_cast<long double>(logits[static_cast<std::size_t>(token)]) /
                      static_cast<long double>(options.temperature));
    };
    for (const std::int32_t token : order) sum += weight(token);
    const auto candidates = sampler.distribution(logits, {}, options);
    ASSERT_EQ(tokens_of(candidates), order);
    for (const Candidate& c : candidates) {
      EXPECT_NEAR(c.probability, static_cast<double>(weight(c.token) / sum), 1e-15);
    }
  };
  SamplingOptions options;
  expect(options, {0, 1, 2, 3, 4});  // in the order of the logits: nothing is filtered
  options.temperature = 0.5;
  expect(options, {0, 1, 2, 3, 4});
  options.top_k = 4;
  expect(options, {0, 2, 1, 4});
  options.top_k = 3;  // of the equal tokens 1 and 4 the smaller id
  expect(options, {0, 2, 1});
  options.top_k = 0;
  options.temperature = 2;
  options.top_p = 0.5;  // 0.36 + 0.22 at this temperature; at 1 token 0 has 0.54 alone
  expect(options, {0, 2});
  options.top_p = 1;
  options.min_p = 0.45;  // e^-0.75 = 0.47 stays, e^-1.5 goes
  expect(options, {0, 2, 1, 4});
  options.temperature = 1;
  expect(options, {0});
}

TEST(TokenSampler, TakesAnyTemperature) {
  TokenSampler sampler;
  SamplingOptions options;
  const std::vector<float> logits{1.0f, 80.0f, -80.0f, 80.0f};
  options.temperature = 1e-300;
  const auto cold = sampler.distribution(logits, {}, options);
  EXPECT_EQ(cold[1].probability, 0.5);
  EXPECT_EQ(cold[3].probability, 0.5);
  EXPECT_EQ(cold[0].probability, 0.0);
  options.temperature = 1e300;
  for (const Candidate& c : sampler.distribution(logits, {}, options)) {
    EXPECT_NEAR(c.probability, 0.25, 1e-15);
  }
}

TEST(TokenSampler, NeverDrawsMaskedTokens) {
  TokenSampler sampler({1, 4});
  SamplingOptions options;
  const std::vector<float> logits{1, 9, 2, 3, 9};
  EXPECT_THAT(tokens_of(sampler.distribution(logits, {}, options)), ElementsAre(0, 2, 3));
  options.repetition_penalty = 1.5;  // masked after the penalty
  const std::vector<std::int32_t> history{1, 3};
  EXPECT_THAT(tokens_of(sampler.distribution(logits, history, options)), ElementsAre(0, 2, 3));
  options.temperature = 0;
  EXPECT_EQ(sampler.sample(logits, {}, options), 3);
  EXPECT_THAT([&] { TokenSampler({0}).sample(std::vector<float>{5}, {}, options); },
              testing::ThrowsMessage<Error>(testing::HasSubstr("no logit is a finite number")));
}

// The random number depends on the token's position: Philox at (seed, stream, position).
TEST(TokenSampler, DrawsByTheInverseOfTheDistribution) {
  TokenSampler sampler;
  SamplingOptions options;
  options.seed = 9;
  options.stream = 4;
  const std::vector<float> logits = logits_of({0.1, 0.2, 0.3, 0.4});
  std::vector<std::int32_t> history;
  for (int place = 0; place < 200; ++place, history.push_back(0)) {
    const double u = Philox{9, 4}.uniform(static_cast<std::uint64_t>(place));
    const std::int32_t expected = u < 0.1 ? 0 : u < 0.3 ? 1 : u < 0.6 ? 2 : 3;
    EXPECT_EQ(sampler.sample(logits, history, options), expected) << place;
  }
}

TEST(TokenSampler, DrawsFromTheExactDistribution) {
  TokenSampler sampler;
  SamplingOptions options;
  options.temperature = 0.7;
  options.seed = 11;
  const std::vector<float> logits{0.1f, 1.2f, -0.3f, 0.9f, 2.0f, -1.5f, 0.0f, 1.1f};
  std::vector<double> expected(logits.size());
  double sum = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) sum += expected[i] = std::exp(logits[i] / 0.7);
  constexpr int draws = 40000;
  std::vector<int> counts(logits.size());
  const std::vector<std::int32_t> history(3);
  for (int i = 0; i < draws; ++i) {
    options.stream = static_cast<std::uint64_t>(i);
    ++counts[static_cast<std::size_t>(sampler.sample(logits, history, options))];
  }
  double chi_square = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double mean = draws * expected[i] / sum;
    chi_square += (counts[i] - mean) * (counts[i] - mean) / mean;
  }
  EXPECT_LT(chi_square, 24.3);  // 7 degrees of freedom, p = 0.001
}

TEST(TokenSampler, DrawsDependOnSeedStreamAndPlaceAlone) {
  TokenSampler a, b;
  SamplingOptions options;
  const std::vector<float> logits(64, 0.0f);
  std::vector<std::int32_t> history;
  std::vector<std::int32_t> first, other_seed, other_stream;
  for (int i = 0; i < 16; ++i) {
    first.push_back(a.sample(logits, history, options));
    SamplingOptions changed = options;
    changed.seed = 1;
    other_seed.push_back(a.sample(logits, history, changed));
    changed = options;
    changed.stream = 1;
    other_stream.push_back(a.sample(logits, history, changed));
    EXPECT_EQ(b.sample(logits, history, options), first.back());
    history.push_back(0);
  }
  EXPECT_NE(first, other_seed);
  EXPECT_NE(first, other_stream);
  EXPECT_GT(std::set<std::int32_t>(first.begin(), first.end()).size(), 8u);
}

TEST(TokenSampler, SkipsLogitsThatAreNoNumber) {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  constexpr float inf = std::numeric_limits<float>::infinity();
  TokenSampler sampler;
  SamplingOptions options;
  EXPECT_THAT(tokens_of(sampler.distribution(std::vector<float>{nan, 1, -inf}, {}, options)),
              ElementsAre(1));
  for (const double temperature : {0.0, 1.0}) {
    options.temperature = temperature;
    EXPECT_THAT(
        [&] {
          sampler.sample(std::vector<float>{nan, -inf}, {}, options);
        },
        testing::ThrowsMessage<Error>(testing::HasSubstr("no logit is a finite number")));
  }
}

TEST(TokenSampler, NamesTheOptionThatIsOutOfRange) {
  const auto message = [](auto change) -> std::string {
    SamplingOptions options;
    change(options);
    try {
      check(options);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::input);
      return error.what();
    }
    return "";
  };
  using O = SamplingOptions;
  EXPECT_EQ(message([](O&) {}), "");
  EXPECT_THAT(message([](O& o) { o.temperature = -1; }), testing::StartsWith("temperature is -1"));
  EXPECT_THAT(message([](O& o) { o.temperature = NAN; }), testing::StartsWith("temperature is"));
  EXPECT_THAT(message([](O& o) { o.top_k = -2; }), testing::StartsWith("top_k is -2"));
  EXPECT_THAT(message([](O& o) { o.top_p = 0; }), testing::StartsWith("top_p is 0"));
  EXPECT_THAT(message([](O& o) { o.min_p = 1.5; }), testing::StartsWith("min_p is 1.5"));
  EXPECT_THAT(message([](O& o) { o.repetition_penalty = 0; }),
              testing::StartsWith("repetition_penalty is 0"));
  EXPECT_THAT(message([](O& o) { o.top_p = 1.01; }), testing::StartsWith("top_p is 1.01"));
  EXPECT_THAT(message([](O& o) { o.top_p = NAN; }), testing::StartsWith("top_p is nan"));
  EXPECT_THAT(message([](O& o) { o.min_p = -0.01; }), testing::StartsWith("min_p is -0.01"));
  EXPECT_THAT(message([](O& o) { o.repetition_penalty = NAN; }),
              testing::StartsWith("repetition_penalty is nan"));
  EXPECT_EQ(message([](O& o) { o.temperature = 0, o.top_k = 0, o.top_p = 1, o.min_p = 1; }), "");
  EXPECT_EQ(message([](O& o) { o.top_k = 1, o.top_p = 1e-9, o.min_p = 0; }), "");
  // Both ends of each range, and the next number beyond them.
  for (const double end : {1e-3, 1e3}) {
    EXPECT_EQ(message([&](O& o) { o.repetition_penalty = end; }), "");
    const double beyond = std::nextafter(end, end < 1 ? 0 : 1e4);
    EXPECT_THAT(message([&](O& o) { o.repetition_penalty = beyond; }),
                testing::HasSubstr("use 1 (off) or another number from 0.001 to 1000"));
  }
  for (const double end : {-2.0, 2.0}) {
    const double beyond = std::nextafter(end, 2 * end);
    EXPECT_EQ(message([&](O& o) { o.presence_penalty = o.frequency_penalty = end; }), "");
    EXPECT_THAT(message([&](O& o) { o.presence_penalty = beyond; }),
                testing::StartsWith("presence_penalty is "));
    EXPECT_THAT(message([&](O& o) { o.frequency_penalty = beyond; }),
                testing::StartsWith("frequency_penalty is "));
  }
  for (const float end : {-100.0f, 100.0f}) {
    EXPECT_EQ(message([&](O& o) { o.logit_bias = {{5, end}}; }), "");
    EXPECT_THAT(message([&](O& o) {
                  o.logit_bias = {{5, std::nextafter(end, 2 * end)}};
                }),
                testing::StartsWith("logit_bias of token 5 is "));
  }
  EXPECT_EQ(message([](O& o) { o.logit_bias.resize(1024); }), "");
  EXPECT_EQ(message([](O& o) { o.logit_bias.resize(1025); }),
            "logit_bias has 1025 tokens: use at most 1024");
}

// The likeliest has all of the probability that a double holds; the others stay in the choice.
TEST(TokenSampler, TopPOfOneDropsNothing) {
  TokenSampler sampler;
  SamplingOptions options;
  options.top_k = 2;
  const std::vector<float> logits{-60, 0, -50};
  EXPECT_THAT(tokens_of(sampler.distribution(logits, {}, options)), ElementsAre(1, 2));
}

TEST(TokenSampler, RefusesALogitThatIsInfinite) {
  TokenSampler sampler;
  const std::vector<float> logits{1, std::numeric_limits<float>::infinity()};
  EXPECT_THAT([&] { sampler.distribution(logits, {}, {}); },
              testing::ThrowsMessage<Error>(testing::HasSubstr("a logit is infinite")));
}

}  // namespace
}  // namespace fathom::infer
