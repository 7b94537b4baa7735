// Validation figures against sums made by hand from the documents, on one rank and on many.
#include "train/evaluator.h"

#include <gtest/gtest.h>

#include <mutex>

#include "comm/thread_ranks.h"
#include "core/parallel.h"
#include "data/sample_data.h"
#include "learn/device_batch.h"
#include "learn/learner.h"
#include "parallel/small_model.h"

namespace fathom {
namespace {

using namespace test;

constexpr std::int64_t length = 12, sequences = 2;
constexpr double ln2 = 0.69314718055994530942;

ModelConfig model() {
  return small_model(4, 2, 256);
}

LearnerOptions options(const RankGroups& ranks) {
  LearnerOptions o(ranks);
  o.model = model();
  o.stage = {Recompute::none, 10};
  o.micro_tokens = o.tokens_per_step = length * sequences;
  return o;
}

// Sources "a" and "b" of sample_config(), and "c", of which nothing is held out.
std::shared_ptr<const PreparedData> three_sources(const TempDir& dir) {
  PrepareConfig config = sample_config(dir);
  config.sources.push_back(lines_source(dir, "c", 2, 1.0));
  prepare_data(config, byte_encoder());
  return std::make_shared<const PreparedData>(open_prepared(dir / "out"));
}

struct Text {
  std::vector<std::int32_t> ids;  // of the held-out documents, each with its end
  std::int64_t bytes = 0;
};

Text held_out_text(int documents) {
  Text text;
  for (int i = 0; i < documents; ++i) {
    const std::string document = test::document(i);
    if (!is_held_out(document, 0, 0.2)) continue;
    for (const char c : document) text.ids.push_back(static_cast<unsigned char>(c));
    text.ids.push_back(0);
    text.bytes += std::ssize(document);
  }
  return text;
}

// −log p of each token, window by window; windows of batches that `counts` turns down are 0.
template <class Counts>
double nats_by_hand(Learner& learner, DeviceBatch& memory, const Text& text,
                    std::int64_t first_window, Counts&& counts) {
  double nats = 0;
  for (std::int64_t begin = 0; begin < std::ssize(text.ids); begin += length) {
    if (!counts((first_window + begin / length) / sequences)) continue;
    Batch batch;
    batch.sequences = 1;
    batch.sequence_length = length;
    batch.cu_seqlens = {0, static_cast<std::int32_t>(length)};
    for (std::int64_t i = begin; i < begin + length; ++i) {
      const bool inside = i < std::ssize(text.ids);
      batch.inputs.push_back(i > 0 && inside ? text.ids[std::size_t(i) - 1] : 0);
      batch.targets.push_back(inside ? text.ids[std::size_t(i)] : -1);
      batch.positions.push_back(static_cast<std::int32_t>(i - begin));
    }
    const auto losses = learner.evaluate(memory.upload(learner.context(), batch));
    for (std::int64_t i = 0; i < length && begin + i < std::ssize(text.ids); ++i) {
      nats += double{losses[std::size_t(i)]};
    }
  }
  return nats;
}

struct ValidationFigures {
  MetricsRecord record{7, {}};
};

ValidationFigures evaluate(const std::shared_ptr<const PreparedData>& data, const RankGroups& ranks,
                           std::uint64_t seed) {
  const OwnedStream uploads(cpu_device);
  DeviceBatch memory(uploads, length * sequences);
  Learner learner(options(ranks));
  learner.initialize_weights(seed);
  ValidationFigures figures;
  Evaluator(data, Validation(data, length, sequences), ranks)
      .run(
          [&](const Batch& batch) {
            return learner.evaluate(memory.upload(learner.context(), batch));
          },
          figures.record);
  return figures;
}

std::vector<ValidationFigures> evaluate_on(const std::shared_ptr<const PreparedData>& data, int pp,
                                           int dp, int tp, bool same_weights = true) {
  ParallelConfig parallel;
  parallel.pp = pp;
  parallel.tp = tp;
  const int ranks = pp * dp * tp;
  const ParallelPlan plan = resolve(parallel, ranks, model(), {sequences * dp, sequences, length});
  std::vector<ValidationFigures> all(static_cast<std::size_t>(ranks));
  run_thread_ranks(ranks, {60}, [&](Communicator& world) {
    set_num_threads(1);
    const RankGroups groups(world, plan, model());
    const auto seed = std::uint64_t(same_weights ? 3 : 3 + groups.place().dp);
    all[std::size_t(world.rank())] = evaluate(data, groups, seed);
  });
  return all;
}

double figure(const ValidationFigures& figures, const std::string& name) {
  const double* value = figures.record.find(name);
  EXPECT_NE(value, nullptr) << name;
  return value ? *value : 0;
}

void expect_figures(const ValidationFigures& figures, const Text& a, double nats_a, const Text& b,
                    double nats_b, double bound) {
  const auto near = [&](double value, double expected, const char* what) {
    EXPECT_NEAR(value / expected, 1, bound) << what;
  };
  const double tokens_a = double(a.ids.size()), tokens_b = double(b.ids.size());
  near(figure(figures, "validation_loss/a"), nats_a / tokens_a, "loss of a");
  near(figure(figures, "validation_loss/b"), nats_b / tokens_b, "loss of b");
  near(figure(figures, "bits_per_byte/a"), nats_a / ln2 / double(a.bytes), "bits of a");
  near(figure(figures, "bits_per_byte/b"), nats_b / ln2 / double(b.bytes), "bits of b");
  const double nats = nats_a + nats_b;
  near(figure(figures, "validation_loss"), nats / (tokens_a + tokens_b), "loss");
  near(figure(figures, "bits_per_byte"), nats / ln2 / double(a.bytes + b.bytes), "bits");
  EXPECT_EQ(figures.record.find("validation_loss/c"), nullptr);
  EXPECT_EQ(figures.record.values.size(), 6u);
}

class EvaluatorOf : public testing::Test {
 protected:
  EvaluatorOf()
      : data_(three_sources(dir_)),
        a_(held_out_text(200)),
        b_(held_out_text(90)),
        first_of_b_((std::ssize(a_.ids) + length - 1) / length) {}

  // By hand, with the weights of `seed`, over the batches that count.
  template <class Counts>
  std::pair<double, double> nats(std::uint64_t seed, Counts&& counts) const {
    const OwnedStream uploads(cpu_device);
    DeviceBatch memory(uploads, length);
    const OneRank rank(model());
    Learner learner(options(rank.groups));
    learner.initialize_weights(seed);
    return {nats_by_hand(learner, memory, a_, 0, counts),
            nats_by_hand(learner, memory, b_, first_of_b_, counts)};
  }

  TempDir dir_;
  std::shared_ptr<const PreparedData> data_;
  Text a_, b_;
  std::int64_t first_of_b_;
};

TEST_F(EvaluatorOf, TwoSourcesHaveTheFiguresMadeByHand) {
  ASSERT_EQ(held_out_text(2).bytes, 0) << "source c";
  ASSERT_NE(std::ssize(a_.ids), a_.bytes);
  const auto [nats_a, nats_b] = nats(3, [](std::int64_t) { return true; });
  expect_figures(evaluate(data_, OneRank(model()).groups, 3), a_, nats_a, b_, nats_b, 1e-6);
}

TEST_F(EvaluatorOf, EveryLayoutHasTheSameFiguresOnEveryRank) {
  const ValidationFigures one = evaluate(data_, OneRank(model()).groups, 3);
  for (const auto& [pp, dp, tp] : {std::array{1, 2, 1}, {1, 3, 1}, {2, 2, 1}, {1, 2, 2}}) {
    SCOPED_TRACE(fmt::format("pp {} dp {} tp {}", pp, dp, tp));
    const std::vector<ValidationFigures> all = evaluate_on(data_, pp, dp, tp);
    // Of replicas alone, the same losses are added in another order; layouts that split a layer
    // round each loss otherwise.
    const double bound = tp == 1 ? 1e-12 : 1e-6;
    for (const auto& [name, value] : one.record.values) {
      EXPECT_NEAR(figure(all.front(), name) / value, 1, bound) << name;
    }
    for (const ValidationFigures& figures : all) {
      EXPECT_EQ(figures.record.values, all.front().record.values);
    }
  }
}

// Replicas with other weights than each other's tell which of them evaluated which batch.
TEST_F(EvaluatorOf, ReplicasTakeTurns) {
  const auto [even_a, even_b] = nats(3, [](std::int64_t batch) { return batch % 2 == 0; });
  const auto [odd_a, odd_b] = nats(4, [](std::int64_t batch) { return batch % 2 == 1; });
  const std::vector<ValidationFigures> all = evaluate_on(data_, 1, 2, 1, false);
  expect_figures(all.front(), a_, even_a + odd_a, b_, even_b + odd_b, 1e-6);
}

}  // namespace
}  // namespace fathom
