// BatchInvariance::on: what a request gives, to the bit, alone and in random company, with its
// prompt in chunks, its beginning from the cache, and its pages taken away and read again.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <random>
#include <tuple>

#include "core/num_threads_scope.h"
#include "infer/engine.h"
#include "infer/scorer.h"
#include "infer/tiny_model.h"

namespace fathom::infer {
namespace {

using test::TinyModel;
using test::Tokens;

// Widths that no vector divides, so that rows begin at any place in one.
ModelConfig invariant_config(std::int64_t head_dim, std::int64_t hidden) {
  ModelConfig config = test::tiny_config(211, 2);
  config.num_heads = 6;
  config.head_dim = head_dim;
  config.hidden_size = hidden;
  config.intermediate_size = hidden + 32;
  config.max_position = 700;
  config.init_std = 0.15;
  return resolve(config);
}

class RandomNumbers {
 public:
  explicit RandomNumbers(unsigned seed) : engine_(seed) {}
  // Of [least, most].
  int operator()(int least, int most) {
    return std::uniform_int_distribution<int>(least, most)(engine_);
  }
  bool chance(int percent) { return (*this)(1, 100) <= percent; }
  std::mt19937& engine() { return engine_; }

 private:
  std::mt19937 engine_;
};

Tokens random_tokens(RandomNumbers& random, int length) {
  Tokens tokens;
  for (int i = 0; i < length; ++i) tokens.push_back(random(0, 210));
  return tokens;
}

SamplingOptions random_sampling(RandomNumbers& random) {
  SamplingOptions options;
  options.seed = static_cast<std::uint64_t>(random(0, 1000));
  options.temperature = random.chance(40) ? 0 : 0.9;
  if (random.chance(30)) options.top_k = random(2, 50);
  if (random.chance(30)) options.top_p = 0.9;
  if (random.chance(30)) options.repetition_penalty = 1.2;
  if (random.chance(20)) options.presence_penalty = 0.5;
  return options;
}

// Prompts of up to `longest` tokens, of which many begin alike.
std::vector<Request> random_requests(int count, int longest, unsigned seed) {
  RandomNumbers random(seed);
  std::vector<Tokens> stems;
  for (int i = 0; i < 4; ++i) stems.push_back(random_tokens(random, longest / 2));
  std::vector<Request> requests;
  for (int i = 0; i < count; ++i) {
    Request& request = requests.emplace_back();
    if (random.chance(60)) {
      const Tokens& stem = stems[static_cast<std::size_t>(random(0, 3))];
      request.prompt.assign(stem.begin(), stem.begin() + random(1, static_cast<int>(stem.size())));
    }
    const int room = longest - static_cast<int>(request.prompt.size());
    const Tokens rest = random_tokens(random, random.chance(15) ? room : random(1, 20));
    request.prompt.insert(request.prompt.end(), rest.begin(), rest.end());
    request.sampling = random_sampling(random);
    request.max_tokens = random(1, 14);
    request.log_probabilities = random(0, 3);
    if (request.prompt.size() < 2 || !random.chance(30)) continue;
    request.prompt_log_probabilities = random(0, 2);
    request.scores_from = random(1, static_cast<int>(request.prompt.size()) - 1);
    if (random.chance(60)) continue;
    request.max_tokens = 0;
    request.alternatives = random_tokens(random, random(0, 2));
  }
  return requests;
}

// Everything that a request gives.
struct AnswerBits {
  Tokens tokens;
  std::vector<float> values;

  void add(const DrawnToken& drawn) {
    tokens.push_back(drawn.token);
    if (drawn.log_probability) values.push_back(*drawn.log_probability);
    for (const TokenLogProbability& likely : drawn.likeliest) {
      tokens.push_back(likely.token);
      values.push_back(likely.log_probability);
    }
  }
  bool same_bits(const AnswerBits& other) const {
    return tokens == other.tokens && values.size() == other.values.size() &&
           std::memcmp(values.data(), other.values.data(), values.size() * sizeof(float)) == 0;
  }
};

struct Company {
  SchedulerLimits limits;
  std::int64_t pages = 0;
};

// What the engine did besides.
struct Events {
  std::int64_t preemptions = 0, shared = 0;
};

// Submits `together` requests at a time, in `order`; more come while these run.
std::vector<AnswerBits> answers_of(TinyModel& model, const std::vector<Request>& requests,
                               const std::vector<std::size_t>& order, const Company& company,
                               std::size_t together, Events& events) {
  EngineOptions options;
  options.limits = company.limits;
  options.page_size = 4;
  options.max_length = 700;
  options.cache_bytes = KvCache::page_bytes(model.config, model.stage.dtype(), 4) *
                        static_cast<std::size_t>(company.pages);
  Engine engine(model.stage, model.context, options);
  std::vector<AnswerBits> answers(requests.size());
  std::vector<std::size_t> request_of_id;
  std::size_t running = 0;
  while (running > 0 || request_of_id.size() < order.size()) {
    while (running < together && request_of_id.size() < order.size()) {
      const std::size_t next = order[request_of_id.size()];
      engine.submit(requests[next]);
      request_of_id.push_back(next);
      ++running;
    }
    for (const GeneratedToken& token : engine.step()) {
      AnswerBits& answer = answers[request_of_id[static_cast<std::size_t>(token.sequence)]];
      for (const DrawnToken& score : token.prompt_scores) answer.add(score);
      answer.add(token.drawn);
      if (token.finish != FinishReason::none) --running;
    }
  }
  events.preemptions += engine.scheduler().preemptions();
  events.shared += engine.scheduler().shared_tokens();
  return answers;
}

// Each request by itself, its prompt in one chunk, nothing from the cache.
std::vector<AnswerBits> answers_alone(TinyModel& model, const std::vector<Request>& requests) {
  std::vector<std::size_t> order(requests.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  Events events;
  return answers_of(model, requests, order, {{1, 700, false}, 200}, 1, events);
}

Company random_company(RandomNumbers& random, int longest) {
  Company company;
  company.limits.max_sequences = random(2, 24);
  company.limits.max_tokens_per_step = std::max<std::int64_t>(
      company.limits.max_sequences, random.chance(50) ? random(24, 60) : random(100, 700));
  company.limits.share_prefixes = random.chance(70);
  company.pages = (longest + 16) / 4 + random(0, 10);
  return company;
}

// The requests that give other bits in one of `rounds` random companies.
int count_changed(TinyModel& model, const std::vector<Request>& requests, int longest, int rounds) {
  const NumThreadsScope one_thread(1);
  RandomNumbers random(77);
  const std::vector<AnswerBits> expected = answers_alone(model, requests);
  std::vector<bool> changed(requests.size());
  Events events;
  for (int round = 0; round < rounds; ++round) {
    std::vector<std::size_t> order(requests.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::shuffle(order.begin(), order.end(), random.engine());
    const Company company = random_company(random, longest);
    const auto together = static_cast<std::size_t>(random(2, 60));
    const auto answers = answers_of(model, requests, order, company, together, events);
    for (std::size_t i = 0; i < answers.size(); ++i) {
      if (!answers[i].same_bits(expected[i])) changed[i] = true;
    }
  }
  // What the requests are to be unaffected by has happened.
  EXPECT_GT(events.preemptions, 0);
  EXPECT_GT(events.shared, 0);
  return static_cast<int>(std::ranges::count(changed, true));
}

TEST(BatchInvariance, GivesEachRequestTheSameBitsInAnyCompany) {
  const std::vector<Request> requests = random_requests(90, 90, 1);
  for (const auto& [head_dim, hidden, dtype] :
       {std::tuple{10, 36, DType::f32}, {24, 52, DType::bf16}}) {
    SCOPED_TRACE(testing::Message() << name_of(dtype) << ", heads of " << head_dim);
    TinyModel model(invariant_config(head_dim, hidden), dtype);
    model.context.batch_invariance = BatchInvariance::on;
    EXPECT_EQ(count_changed(model, requests, 90, 4), 0);
  }
}

TEST(BatchInvariance, HoldsForAThousandRequests) {
  const std::vector<Request> requests = random_requests(1000, 60, 6);
  TinyModel model(invariant_config(10, 36), DType::bf16);
  model.context.batch_invariance = BatchInvariance::on;
  EXPECT_EQ(count_changed(model, requests, 60, 2), 0);
}

// Rows of a whole number of blocks, which is what 8 bits need.
TEST(BatchInvariance, HoldsForWeightsIn8Bits) {
  const std::vector<Request> requests = random_requests(60, 90, 3);
  ModelConfig config = invariant_config(16, 64);
  for (const DType dtype : {DType::f32, DType::bf16}) {
    TinyModel model(config, dtype, {}, cpu_device, MatrixStorage::int8);
    ASSERT_TRUE(model.parameters.all()[1].is_int8() || model.parameters.all()[2].is_int8());
    model.context.batch_invariance = BatchInvariance::on;
    EXPECT_EQ(count_changed(model, requests, 90, 3), 0) << name_of(dtype);
  }
}

TEST(BatchInvariance, HoldsForAnyNumberOfThreads) {
  const std::vector<Request> requests = random_requests(8, 200, 4);
  TinyModel model(invariant_config(24, 180));
  model.context.batch_invariance = BatchInvariance::on;
  std::vector<std::vector<AnswerBits>> answers;
  for (const int threads : {1, 3}) {
    const NumThreadsScope scope(threads);
    answers.push_back(answers_alone(model, requests));
  }
  for (std::size_t i = 0; i < requests.size(); ++i) {
    EXPECT_TRUE(answers[0][i].same_bits(answers[1][i])) << i;
  }
}

// Contexts of several pieces of keys.
TEST(BatchInvariance, HoldsForLongContexts) {
  const std::vector<Request> requests = random_requests(30, 640, 2);
  TinyModel model(invariant_config(24, 52), DType::bf16);
  model.context.batch_invariance = BatchInvariance::on;
  EXPECT_EQ(count_changed(model, requests, 640, 3), 0);
}

// Log-probabilities of given tokens without a cache, alone and several requests in a pass.
void expect_scores_in_any_company(TinyModel& model) {
  RandomNumbers random(5);
  std::vector<ScoreRequest> requests;
  for (int i = 0; i < 12; ++i) requests.push_back({random_tokens(random, random(2, 90))});
  Scorer scorer(model.stage, model.context, {400});
  const std::vector<std::vector<float>> together = scorer.score(requests);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    EXPECT_EQ(scorer.score(std::span(requests).subspan(i, 1)).front(), together[i]) << i;
  }
}

TEST(BatchInvariance, HoldsForTheScorer) {
  TinyModel model(invariant_config(10, 36));
  model.context.batch_invariance = BatchInvariance::on;
  expect_scores_in_any_company(model);
}

// The same on a GPU, where steps of few sizes are recorded: by tensor cores, and by the kernels
// that take any width and type.
class GpuBatchInvariance : public testing::Test {
 protected:
  void SetUp() override {
    if (cuda::device_count() == 0) GTEST_SKIP() << "there is no GPU";
  }
};

TEST_F(GpuBatchInvariance, GivesEachRequestTheSameBitsInAnyCompany) {
  const std::vector<Request> requests = random_requests(120, 90, 1);
  for (const auto& [head_dim, hidden, dtype] : {std::tuple{64, 72, DType::bf16},
                                                {128, 200, DType::bf16},
                                                {10, 36, DType::bf16},
                                                {24, 52, DType::f32}}) {
    SCOPED_TRACE(testing::Message() << name_of(dtype) << ", heads of " << head_dim);
    TinyModel model(invariant_config(head_dim, hidden), dtype, {}, {DeviceType::cuda, 0});
    model.context.batch_invariance = BatchInvariance::on;
    EXPECT_EQ(count_changed(model, requests, 90, 4), 0);
  }
}

TEST_F(GpuBatchInvariance, HoldsForLongContextsAndManyRequests) {
  for (const auto& [count, longest] : {std::pair{30, 640}, {1000, 60}}) {
    const std::vector<Request> requests = random_requests(count, longest, 2);
    TinyModel model(invariant_config(64, 72), DType::bf16, {}, {DeviceType::cuda, 0});
    model.context.batch_invariance = BatchInvariance::on;
    EXPECT_EQ(count_changed(model, requests, longest, 3), 0) << count << " requests";
  }
}

TEST_F(GpuBatchInvariance, HoldsForTheScorer) {
  TinyModel model(invariant_config(64, 72), DType::bf16, {}, {DeviceType::cuda, 0});
  model.context.batch_invariance = BatchInvariance::on;
  expect_scores_in_any_company(model);
}

}  // namespace
}  // namespace fathom::infer
