#include "measure/steps.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <span>

#include "core/error.h"
#include "data/packing.h"
#include "ops/elementwise.h"

namespace fathom::measure {

using Clock = std::chrono::steady_clock;

namespace {

std::int64_t sum_of(std::span<const std::int64_t> values) {
  return std::accumulate(values.begin(), values.end(), std::int64_t{0});
}

}  // namespace

LearnerOptions learner_options(const StepShape& shape, const RankGroups& ranks) {
  LearnerOptions options(ranks);
  options.model = shape.model;
  options.dtype = shape.dtype;
  options.products = shape.products;
  options.device = shape.device;
  options.stage = {shape.recompute, shape.logits_chunk};
  options.sequence_length = shape.sequence_length;
  options.micro_tokens = shape.micro_batch * shape.sequence_length;
  options.tokens_per_step = shape.tokens();
  options.uniform_segments = shape.text_lengths.empty();
  return options;
}

std::vector<std::vector<std::int64_t>> packed_texts(const StepShape& shape) {
  const auto sequences = static_cast<std::size_t>(shape.sequences);
  if (shape.text_lengths.empty()) return {sequences, {shape.sequence_length}};
  for (const std::int64_t length : shape.text_lengths) {
    if (length < 1 || length > shape.sequence_length) {
      fail_input("a text of {} tokens in sequences of {}: use lengths from 1 to {}", length,
                 shape.sequence_length, shape.sequence_length);
    }
  }
  const auto rows = pack_best_fit(shape.text_lengths, shape.sequence_length);
  std::vector<std::vector<std::int64_t>> texts(sequences);
  for (std::size_t i = 0; i < sequences; ++i) {
    const std::size_t row = rows.size() > sequences ? i * rows.size() / sequences : i % rows.size();
    for (const std::int64_t text : rows[row]) {
      texts[i].push_back(shape.text_lengths[static_cast<std::size_t>(text)]);
    }
  }
  return texts;
}

std::int64_t text_tokens(const StepShape& shape) {
  std::int64_t tokens = 0;
  for (const auto& row : packed_texts(shape)) tokens += sum_of(row);
  return tokens;
}

std::size_t BenchBatches::bytes(const StepShape& shape) {
  // Ids, targets, positions, at most as many segments, and weights.
  return static_cast<std::size_t>(shape.tokens()) * (shape.pairs ? 20 : 16) +
         static_cast<std::size_t>(shape.micro_batches()) * (1 << 12);
}

BenchBatches::BenchBatches(Context& context, const StepShape& shape)
    : arena_(context.device, bytes(shape)) {
  const std::vector<Row> rows = packed_texts(shape);
  const auto count = static_cast<std::size_t>(shape.micro_batch);
  for (std::size_t i = 0; i < rows.size(); i += count) {
    add(context, shape, std::span(rows).subspan(i, count));
  }
}

void BenchBatches::add(Context& context, const StepShape& shape, std::span<const Row> rows) {
  std::vector<std::int32_t> positions, offsets = {0}, targets = random_tokens(shape);
  const auto add_segment = [&](std::int64_t length) {
    for (std::int64_t i = 0; i < length; ++i) positions.push_back(static_cast<std::int32_t>(i));
    offsets.push_back(static_cast<std::int32_t>(positions.size()));
  };
  std::vector<Text>& texts = texts_.emplace_back();
  for (const Row& row : rows) {
    for (const std::int64_t length : row) {
      texts.push_back({std::ssize(positions), std::ssize(positions) + length});
      add_segment(length);
    }
    const std::int64_t padding = shape.sequence_length - sum_of(row);
    if (padding > 0) add_segment(padding);
    std::fill_n(targets.begin() + std::ssize(positions) - padding, padding, -1);
  }
  MicroBatch batch;
  batch.ids = take(context, random_tokens(shape));
  batch.targets = take(context, targets);
  if (shape.pairs) {
    batch.loss_weights = arena_.take(DType::f32, batch.targets.shape);
    ops::fill(context, batch.loss_weights, 1.0f);
  }
  batch.tokens.positions = take(context, positions);
  batch.tokens.segments = ops::describe_segments(take(context, offsets), offsets);
  batches_.push_back(batch);
}

std::vector<std::int32_t> BenchBatches::random_tokens(const StepShape& shape) {
  std::uniform_int_distribution<std::int32_t> token(
      0, static_cast<std::int32_t>(shape.model.vocab_size - 1));
  std::vector<std::int32_t> tokens(
      static_cast<std::size_t>(shape.micro_batch * shape.sequence_length));
  for (std::int32_t& id : tokens) id = token(random_);
  return tokens;
}

Tensor BenchBatches::take(Context& context, const std::vector<std::int32_t>& values) {
  const Tensor x = arena_.take(DType::i32, {static_cast<std::int64_t>(values.size())});
  copy_bytes(x.data, context.device, values.data(), cpu_device, x.bytes(), context.stream);
  synchronize(context.device, context.stream);
  return x;
}

BenchSteps::BenchSteps(const StepShape& shape)
    : shape_(shape),
      targets_(static_cast<double>(text_tokens(shape))),
      rank_(shape.model),
      learner_(learner_options(shape, rank_.groups)),
      batches_(learner_.context(), shape) {
  learner_.initialize_weights(1);
  const std::span all(batches_.get());
  learner_.warm_up(all.first(std::min<std::size_t>(all.size(), 2)));
}

double BenchSteps::run(const std::function<void()>& before_update) {
  if (!shape_.pairs) return run(WeighMicroBatch{}, before_update);
  const auto weigh_pairs = [this](std::size_t i, std::span<const float> losses,
                                  std::span<float> weights) { weigh(i, losses, weights); };
  return run(weigh_pairs, before_update);
}

double BenchSteps::run_unpaired() {
  return run(WeighMicroBatch{}, {});
}

double BenchSteps::evaluate() {
  const auto start = Clock::now();
  for (const MicroBatch& batch : batches_.get()) learner_.evaluate(batch);
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void BenchSteps::weigh(std::size_t micro_batch, std::span<const float> losses,
                       std::span<float> weights) const {
  constexpr double beta = 0.1;
  const std::vector<BenchBatches::Text>& texts = batches_.texts(micro_batch);
  const auto sum = [&](const BenchBatches::Text& text) {
    return std::accumulate(losses.begin() + text.begin, losses.begin() + text.end, 0.0);
  };
  const auto fill = [&](const BenchBatches::Text& text, double weight) {
    std::fill(weights.begin() + text.begin, weights.begin() + text.end,
              static_cast<float>(weight));
  };
  std::ranges::fill(weights, 0.0f);
  for (std::size_t i = 0; i + 1 < texts.size(); i += 2) {
    const double margin = beta * (sum(texts[i + 1]) - sum(texts[i]));
    const double slope = beta / (1 + std::exp(margin));
    fill(texts[i], slope);
    fill(texts[i + 1], -slope);
  }
}

double BenchSteps::run(const WeighMicroBatch& weigh, const std::function<void()>& before_update) {
  const auto start = Clock::now();
  learner_.queue_gradients(batches_.get(), targets_, weigh);
  if (before_update) before_update();
  learner_.update(1e-4, ++step_);
  synchronize(shape_.device, context().stream);
  learner_.next_result();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void BenchSteps::heat(double seconds) {
  double spent = 0;
  for (int i = 0; i < 2 || spent < seconds; ++i) spent += run();
}

}  // namespace fathom::measure
