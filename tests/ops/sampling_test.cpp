#include "ops/sampling.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <numeric>
#include <set>

#include "ops/ops_test.h"

namespace fathom::ops {
namespace {

using namespace test;

constexpr float infinite = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

struct Result {
  std::int32_t token;
  std::vector<float> log_probabilities;  // of the token, then of the likeliest
  std::vector<std::int32_t> likeliest;
};

class SamplingTest : public testing::TestWithParam<Device> {
 protected:
  // Draws from rows of logits of `vocabulary` each.
  std::vector<Result> draw(const std::vector<float>& logits, std::int64_t vocabulary,
                           const std::vector<DrawRow>& rows,
                           const std::vector<LogitChange>& changes = {},
                           const std::vector<std::int32_t>& masked = {}) {
    const auto n = std::ssize(rows);
    std::int64_t most = 0;
    for (const DrawRow& row : rows) most = std::max<std::int64_t>(most, row.report);
    const Buffer on_device = uploaded(logits), options = uploaded(rows), edits = uploaded(changes),
                 hidden = uploaded(masked);
    const std::vector<std::int32_t> untouched(static_cast<std::size_t>(n * (1 + most)), -7);
    const Buffer tokens = uploaded(untouched), likeliest = uploaded(untouched),
                 log_probabilities = uploaded(untouched);
    const DrawnTokens drawn{tokens.tensor(DType::i32, {n}),
                            log_probabilities.tensor(DType::f32, {n, 1 + most}),
                            likeliest.tensor(DType::i32, {n, most})};
    draw_tokens(context_, on_device.tensor(DType::f32, {n, vocabulary}),
                hidden.tensor(DType::i32, {std::ssize(masked)}),
                options.tensor(DType::u8, {n, sizeof(DrawRow)}),
                edits.tensor(DType::u8, {std::ssize(changes), sizeof(LogitChange)}), drawn);
    const auto drawn_tokens = downloaded<std::int32_t>(tokens, n);
    const auto values = downloaded<float>(log_probabilities, n * (1 + most));
    const auto reported = downloaded<std::int32_t>(likeliest, n * most);
    std::vector<Result> results;
    for (std::int64_t i = 0; i < n; ++i) {
      const auto count = std::max(0, rows[static_cast<std::size_t>(i)].report);
      results.push_back(
          {drawn_tokens[static_cast<std::size_t>(i)],
           {values.begin() + i * (1 + most), values.begin() + i * (1 + most) + 1 + count},
           {reported.begin() + i * most, reported.begin() + i * most + count}});
    }
    return results;
  }

  // `count` rows of the same logits, whose uniforms are spread over [0, 1).
  std::vector<std::int32_t> spread(const std::vector<float>& logits, DrawRow options, int count) {
    std::vector<float> all;
    std::vector<DrawRow> rows;
    for (int i = 0; i < count; ++i) {
      all.insert(all.end(), logits.begin(), logits.end());
      options.uniform = (i + 0.5) / count;
      rows.push_back(options);
    }
    std::vector<std::int32_t> tokens;
    for (const Result& result : draw(all, std::ssize(logits), rows)) tokens.push_back(result.token);
    return tokens;
  }

  Context context_{GetParam()};

 private:
  template <class T>
  Buffer uploaded(const std::vector<T>& values) {
    Buffer buffer(context_.device, std::max<std::size_t>(1, values.size()) * sizeof(T));
    copy_bytes(buffer.data(), context_.device, values.data(), cpu_device, values.size() * sizeof(T),
               context_.stream);
    synchronize(context_.device, context_.stream);
    return buffer;
  }
  template <class T>
  std::vector<T> downloaded(const Buffer& buffer, std::int64_t count) {
    std::vector<T> values(static_cast<std::size_t>(count));
    copy_bytes(values.data(), cpu_device, buffer.data(), context_.device, values.size() * sizeof(T),
               context_.stream);
    synchronize(context_.device, context_.stream);
    return values;
  }
};

std::vector<Device> devices() {
  std::vector<Device> all{cpu_device};
  if (cuda::device_count() > 0) all.push_back({DeviceType::cuda, 0});
  return all;
}
std::string device_of(const testing::TestParamInfo<Device>& info) {
  return info.param.type == DeviceType::cpu ? "cpu" : "cuda";
}
INSTANTIATE_TEST_SUITE_P(Devices, SamplingTest, testing::ValuesIn(devices()), device_of);

// The probabilities that DrawRow describes, by sorting, in long double; 0 for what is left out.
std::vector<long double> distribution(const std::vector<float>& logits, const DrawRow& row) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] > -infinite) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return logits[a] > logits[b]; });
  if (row.top_k > 0) {
    order.resize(std::min(order.size(), static_cast<std::size_t>(row.top_k)));
  }
  std::vector<long double> weights(logits.size());
  const auto total = [&] {
    long double sum = 0;
    for (const std::size_t i : order) sum += weights[i];
    return sum;
  };
  for (const std::size_t i : order) {
    weights[i] = std::exp(static_cast<long double>(logits[i] - logits[order[0]]) / row.temperature);
  }
  if (row.top_p < 1) {
    const long double target = row.top_p * total();
    long double before = 0;
    std::size_t kept = 0;
    while (kept == 0 || (kept < order.size() && before < target)) before += weights[order[kept++]];
    order.resize(kept);
  }
  std::erase_if(order, [&](std::size_t i) { return weights[i] < row.min_p; });
  std::vector<long double> probabilities(logits.size());
  const long double all = total();
  for (const std::size_t i : order) probabilities[i] = weights[i] / all;
  return probabilities;
}

// Each token is the one at its uniform in the sum of the probabilities; the sums of floats at its
// edges may be off by `slack`.
void expect_inverse(const std::vector<long double>& probabilities,
                    const std::vector<std::int32_t>& tokens, long double slack) {
  std::vector<long double> ends;
  long double sum = 0;
  for (const long double p : probabilities) ends.push_back(sum += p);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const long double uniform = (static_cast<long double>(i) + 0.5L) / tokens.size();
    ASSERT_GE(tokens[i], 0) << i;
    const auto token = static_cast<std::size_t>(tokens[i]);
    ASSERT_LT(token, probabilities.size()) << i;
    EXPECT_GT(probabilities[token], 0) << "token " << token << " is filtered out";
    EXPECT_GE(uniform, ends[token] - probabilities[token] - slack) << i;
    EXPECT_LE(uniform, ends[token] + slack) << i;
  }
}

std::vector<float> random_logits(std::int64_t count, unsigned seed, double scale) {
  const Values values = random_values(count, seed, scale);
  return {values.begin(), values.end()};
}

TEST_P(SamplingTest, TakesTheTokenAtItsUniform) {
  for (const std::int64_t vocabulary : {1, 7, 1000, 1025, 50257}) {
    const std::vector<float> logits =
        random_logits(vocabulary, static_cast<unsigned>(vocabulary), 6);
    for (const float temperature : {0.3f, 1.0f, 2.0f}) {
      for (const int top_k : {0, 1, 3, 40, 100000}) {
        for (const float top_p : {1.0f, 0.9f, 0.05f}) {
          for (const float min_p : {0.0f, 0.3f}) {
            if (vocabulary > 2000 && (temperature != 1 || min_p > 0)) continue;
            DrawRow row;
            row.temperature = temperature;
            row.top_k = top_k;
            row.top_p = top_p;
            row.min_p = min_p;
            SCOPED_TRACE(testing::Message()
                         << vocabulary << " tokens, temperature " << temperature << ", top_k "
                         << top_k << ", top_p " << top_p << ", min_p " << min_p);
            expect_inverse(distribution(logits, row), spread(logits, row, 37), 3e-6);
          }
        }
      }
    }
  }
}

// Logits of few values: a filter cuts among equals, of which the smaller ids stay.
TEST_P(SamplingTest, CutsEqualLogitsById) {
  std::vector<float> logits;
  for (int i = 0; i < 3000; ++i) logits.push_back(static_cast<float>(i * 7919 % 13 / 5));
  for (const int top_k : {1, 5, 600, 601, 2999}) {
    for (const float top_p : {1.0f, 0.37f, 0.02f}) {
      DrawRow row;
      row.top_k = top_k;
      row.top_p = top_p;
      SCOPED_TRACE(testing::Message() << "top_k " << top_k << ", top_p " << top_p);
      expect_inverse(distribution(logits, row), spread(logits, row, 101), 3e-6);
    }
  }
}

// The tokens that a filter leaves of few, whose shares are the same in every type of float.
TEST_P(SamplingTest, KeepsAsManyAsAFilterTakesAtItsEdge) {
  const auto kept = [&](const std::vector<float>& logits, const DrawRow& row) {
    const std::vector<std::int32_t> tokens = spread(logits, row, 24);
    const std::set<std::int32_t> different(tokens.begin(), tokens.end());
    return std::vector<std::int32_t>(different.begin(), different.end());
  };
  using Tokens = std::vector<std::int32_t>;
  const std::vector<float> two{1, 1}, four{2, 2, 2, 2}, unlike{0, 3, 3, 1};
  const auto top_p = [](float p) {
    DrawRow row;
    row.top_p = p;
    return row;
  };
  EXPECT_EQ(kept(two, top_p(0.5f)), (Tokens{0})) << "the first reaches p by itself";
  EXPECT_EQ(kept(two, top_p(0.51f)), (Tokens{0, 1}));
  EXPECT_EQ(kept(four, top_p(0.25f)), (Tokens{0}));
  EXPECT_EQ(kept(four, top_p(0.5f)), (Tokens{0, 1}));
  EXPECT_EQ(kept(four, top_p(0.75f)), (Tokens{0, 1, 2}));
  EXPECT_EQ(kept(four, top_p(0.76f)), (Tokens{0, 1, 2, 3}));
  EXPECT_EQ(kept(four, top_p(1e-6f)), (Tokens{0}));
  EXPECT_EQ(kept(four, top_p(1.0f)), (Tokens{0, 1, 2, 3}));
  const auto top_k = [](int k) {
    DrawRow row;
    row.top_k = k;
    return row;
  };
  EXPECT_EQ(kept(unlike, top_k(1)), (Tokens{1}));
  EXPECT_EQ(kept(unlike, top_k(2)), (Tokens{1, 2}));
  EXPECT_EQ(kept(unlike, top_k(3)), (Tokens{1, 2, 3}));
  for (const int k : {0, 4, 5}) EXPECT_EQ(kept(unlike, top_k(k)), (Tokens{0, 1, 2, 3})) << k;
  const auto min_p = [](float p) {
    DrawRow row;
    row.min_p = p;
    return row;
  };
  EXPECT_EQ(kept(unlike, min_p(1)), (Tokens{1, 2})) << "as likely as the likeliest";
  EXPECT_EQ(kept(unlike, min_p(0.13f)), (Tokens{1, 2, 3})) << "exp(-2) is 0.135";
  EXPECT_EQ(kept(unlike, min_p(0.14f)), (Tokens{1, 2}));
  EXPECT_EQ(kept(unlike, min_p(0.04f)), (Tokens{0, 1, 2, 3})) << "exp(-3) is 0.0498";
  DrawRow both = top_k(3);
  both.top_p = 0.9f;
  EXPECT_EQ(kept(unlike, both), (Tokens{1, 2})) << "p is of what top_k leaves";
}

// A filter's share is of the temperature's probabilities.
TEST_P(SamplingTest, FiltersAfterTheTemperature) {
  const std::vector<float> logits{2, 0};
  DrawRow row;
  row.min_p = 0.5f;
  row.uniform = 0.999;
  EXPECT_EQ(draw(logits, 2, {row})[0].token, 0) << "exp(-2) is less";
  row.temperature = 4;
  EXPECT_EQ(draw(logits, 2, {row})[0].token, 1) << "exp(-1/2) is more";
}

TEST_P(SamplingTest, GreedyTakesTheFirstOfTheLikeliest) {
  DrawRow greedy;
  greedy.temperature = 0;
  std::vector<float> logits(5000, -3);
  logits[1700] = logits[4100] = 2;
  logits[1000] = nan;
  EXPECT_EQ(draw(logits, 5000, {greedy})[0].token, 1700);
  EXPECT_EQ(draw(logits, 5000, {greedy}, {}, {1700})[0].token, 4100);
}

TEST_P(SamplingTest, NeverDrawsWhatIsMaskedOrNotANumber) {
  const std::vector<float> logits{5, nan, 1, -infinite, 1, 9};
  std::vector<float> all;
  std::vector<DrawRow> rows(64);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    all.insert(all.end(), logits.begin(), logits.end());
    rows[i].uniform = static_cast<double>(i) / 64;
  }
  int twos = 0;
  for (const Result& result : draw(all, 6, rows, {}, {0, 5})) {
    EXPECT_THAT(result.token, testing::AnyOf(2, 4));
    twos += result.token == 2;
  }
  EXPECT_EQ(twos, 32);
}

TEST_P(SamplingTest, SaysThatNoTokenCanBeDrawn) {
  EXPECT_EQ(draw({nan, -infinite, 3}, 3, {DrawRow{}}, {}, {2})[0].token, -1);
  EXPECT_EQ(draw({1, infinite}, 2, {DrawRow{}})[0].token, -1);
  DrawRow greedy;
  greedy.temperature = 0;
  EXPECT_EQ(draw({nan, nan}, 2, {greedy})[0].token, -1);
}

// The extremes of u: the first and the last token that has a probability.
TEST_P(SamplingTest, ReachesBothEnds) {
  std::vector<float> logits(4000, -infinite);
  logits[3] = logits[2000] = logits[3999] = 1;
  DrawRow row;
  EXPECT_EQ(draw(logits, 4000, {row})[0].token, 3);
  row.uniform = std::nextafter(1.0, 0.0);
  EXPECT_EQ(draw(logits, 4000, {row})[0].token, 3999);
}

TEST_P(SamplingTest, ReportsLogProbabilitiesUnderTheModelItself) {
  const std::vector<float> logits = random_logits(3000, 5, 4);
  long double sum = 0;
  for (const float x : logits) sum += std::exp(static_cast<long double>(x));
  std::vector<std::int32_t> order(3000);
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, std::greater<>{},
                    [&](std::int32_t i) { return logits[static_cast<std::size_t>(i)]; });
  const auto expected = [&](std::int32_t token) {
    return static_cast<float>(logits[static_cast<std::size_t>(token)] - std::log(sum));
  };
  DrawRow greedy;
  greedy.temperature = 0;
  greedy.report = 5;
  greedy.change_end = 2;
  // The likeliest becomes the least likely: the second is drawn; the report does not change.
  const std::vector<LogitChange> changes{{order[0], 1, -100}, {order[1], 1, 1}};
  const std::vector<std::int32_t> masked{order[2]};
  const Result result = draw(logits, 3000, {greedy}, changes, masked)[0];
  EXPECT_EQ(result.token, order[1]);
  EXPECT_NEAR(result.log_probabilities[0], expected(order[1]), 1e-5);
  EXPECT_THAT(result.likeliest,
              testing::ElementsAre(order[0], order[1], order[3], order[4], order[5]));
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_NEAR(result.log_probabilities[1 + i], expected(result.likeliest[i]), 1e-5) << i;
  }
  DrawRow short_row = greedy;
  short_row.change_end = 0;
  EXPECT_THAT(draw({1, 2, -infinite}, 3, {short_row})[0].likeliest,
              testing::ElementsAre(1, 0, -1, -1, -1));
}

// None where none is asked for; of the drawn token alone for 0.
TEST_P(SamplingTest, ReportsNoMoreThanIsAskedFor) {
  std::vector<DrawRow> rows(3);
  for (DrawRow& row : rows) row.temperature = 0;
  rows[0].report = -1;
  rows[1].report = 0;
  rows[2].report = 2;
  const std::vector<float> logits{1, 1, 0};
  std::vector<float> all;
  for (int i = 0; i < 3; ++i) all.insert(all.end(), logits.begin(), logits.end());
  const std::vector<Result> results = draw(all, 3, rows);
  const double drawn = 1 - std::log(2 * std::exp(1) + 1);
  EXPECT_EQ(std::bit_cast<std::int32_t>(results[0].log_probabilities[0]), -7) << "as it was";
  EXPECT_NEAR(results[1].log_probabilities[0], drawn, 1e-6);
  EXPECT_THAT(results[2].likeliest, testing::ElementsAre(0, 1)) << "of equals the smaller id first";
  EXPECT_NEAR(results[2].log_probabilities[2], drawn, 1e-6);
}

// A positive logit is divided by the penalty, a negative one multiplied; then comes the bias.
TEST_P(SamplingTest, ChangesLogits) {
  DrawRow row;
  row.change_begin = 1;
  row.change_end = 4;
  const std::vector<LogitChange> changes{{0, 1, 50}, {0, 2, 0}, {2, 2, 0}, {3, 1.5f, 0.25f}};
  const std::vector<float> logits{3, 1, -1, -2}, changed{1.5f, 1, -2, -2.75f};
  const std::vector<long double> probabilities = distribution(changed, DrawRow{});
  std::vector<std::int32_t> tokens;
  for (int i = 0; i < 200; ++i) {
    row.uniform = (i + 0.5) / 200;
    tokens.push_back(draw(logits, 4, {row}, changes)[0].token);
  }
  expect_inverse(probabilities, tokens, 1e-6);
}

// Differences divided by almost nothing are infinite, but for those between equals.
TEST_P(SamplingTest, TakesAnyTemperature) {
  DrawRow cold, hot;
  cold.temperature = 1e-40f;
  hot.temperature = infinite;
  std::vector<float> logits(100, -5);
  logits[20] = logits[21] = 3;
  for (const std::int32_t token : spread(logits, cold, 8)) {
    EXPECT_THAT(token, testing::AnyOf(20, 21));
  }
  EXPECT_EQ(spread(logits, cold, 2), (std::vector<std::int32_t>{20, 21}));
  EXPECT_EQ(spread({1, 2, 3, 4}, hot, 4), (std::vector<std::int32_t>{0, 1, 2, 3}));
  EXPECT_EQ(spread({-0.0f, 0.0f}, cold, 2), (std::vector<std::int32_t>{0, 1}));
}

TEST_P(SamplingTest, ReportsAGivenToken) {
  DrawRow row;
  row.given = 1;
  row.report = 1;
  const Result result = draw({2, 1, 3}, 3, {row})[0];
  EXPECT_EQ(result.token, 1);
  EXPECT_NEAR(result.log_probabilities[0], 1 - std::log(std::exp(2) + std::exp(1) + std::exp(3)),
              1e-5);
  EXPECT_THAT(result.likeliest, testing::ElementsAre(2));
  // Also of a token that is never drawn: its logit is the model's.
  EXPECT_FLOAT_EQ(draw({2, 1, 3}, 3, {row}, {}, {1})[0].log_probabilities[0],
                  result.log_probabilities[0]);
}

TEST_P(SamplingTest, TreatsEachRowByItself) {
  constexpr std::int64_t vocabulary = 2500;
  std::vector<float> logits;
  std::vector<DrawRow> rows;
  for (int i = 0; i < 9; ++i) {
    const std::vector<float> one = random_logits(vocabulary, 100 + static_cast<unsigned>(i), 5);
    logits.insert(logits.end(), one.begin(), one.end());
    DrawRow row;
    row.uniform = 0.1 * i + 0.03;
    row.temperature = static_cast<float>(i % 3);
    row.top_k = i % 2 ? 20 : 0;
    row.top_p = i % 4 ? 0.8f : 1;
    row.report = i - 2;
    rows.push_back(row);
  }
  const std::vector<Result> together = draw(logits, vocabulary, rows);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto first = logits.begin() + static_cast<std::ptrdiff_t>(i) * vocabulary;
    const Result alone = draw({first, first + vocabulary}, vocabulary, {rows[i]})[0];
    EXPECT_EQ(together[i].token, alone.token) << i;
    EXPECT_EQ(together[i].likeliest, alone.likeliest) << i;
    if (rows[i].report >= 0) {
      EXPECT_EQ(together[i].log_probabilities, alone.log_probabilities) << i;
    }
  }
}

}  // namespace
}  // namespace fathom::ops
