#include "infer/batch_sampler.h"

#include <algorithm>

#include "core/error.h"
#include "core/philox.h"

namespace fathom::infer {
namespace {

// Changes of a row's logits: for each token of its history, each biased one and each end token.
std::int64_t most_changes(const SamplerLimits& limits) {
  return std::min(limits.vocabulary, limits.length + most_logit_biases + most_end_tokens);
}

// Offsets in bytes of what the sampler holds, each a multiple of 256.
struct Places {
  std::size_t rows = 0, changes, sent;  // what goes to the device; `sent`: its size
  std::size_t tokens, log_probabilities, likeliest, received;  // and what comes back, behind it
  std::size_t masked, all;

  explicit Places(const SamplerLimits& limits) {
    std::size_t end = 0;
    const auto take = [&](std::int64_t count, std::size_t size) {
      const std::size_t at = end;
      end += (static_cast<std::size_t>(count) * size + 255) / 256 * 256;
      return at;
    };
    const std::int64_t n = limits.rows;
    rows = take(n, sizeof(ops::DrawRow));
    changes = take(n * most_changes(limits), sizeof(ops::LogitChange));
    sent = end;
    tokens = take(n, sizeof(std::int32_t));
    log_probabilities = take(n * (1 + limits.reported), sizeof(float));
    likeliest = take(n * limits.reported, sizeof(std::int32_t));
    received = end - sent;
    masked = take(limits.vocabulary, sizeof(std::int32_t));
    all = end;
  }
};

template <class T>
T* at(void* memory, std::size_t offset) {
  return reinterpret_cast<T*>(static_cast<std::byte*>(memory) + offset);
}

}  // namespace

BatchSampler::Bytes BatchSampler::bytes_for(const SamplerLimits& limits) {
  const Places places(limits);
  return {places.all, places.sent + places.received};
}

BatchSampler::BatchSampler(Device device, const SamplerLimits& limits,
                           std::vector<std::int32_t> masked_tokens)
    : limits_(limits), num_masked_(std::ssize(masked_tokens)) {
  const Places places(limits);
  memory_ = Buffer(device, places.all);
  sent_ = HostBuffer(device, places.sent);
  received_ = HostBuffer(device, places.received);
  copy_bytes(at<std::byte>(memory_.data(), places.masked), device, masked_tokens.data(), cpu_device,
             masked_tokens.size() * sizeof(std::int32_t), nullptr);
  synchronize(device, nullptr);
  drawn_.resize(static_cast<std::size_t>(limits.rows));
}

void BatchSampler::write_row(const SamplingRow& row, ops::DrawRow& to) {
  const SamplingOptions& options = *row.options;
  to = {};
  to.uniform = Philox{options.seed, options.stream}.uniform(row.history.size());
  to.temperature = static_cast<float>(options.temperature);
  to.top_k = static_cast<std::int32_t>(std::min(options.top_k, limits_.vocabulary));
  to.top_p = static_cast<float>(options.top_p);
  to.min_p = static_cast<float>(options.min_p);
  to.report = static_cast<std::int32_t>(
      std::min(row.log_probabilities.value_or(-1), limits_.reported));
  to.change_begin = static_cast<std::int32_t>(num_changes_);
  if (row.given) {
    to.given = *row.given;
  } else {
    const Places places(limits_);
    const auto changes = changes_.of(row.history, options, row.state, limits_.vocabulary);
    require(std::ssize(changes) <= most_changes(limits_), "{} changes of logits in a row",
            changes.size());
    std::ranges::copy(changes, at<ops::LogitChange>(sent_.data(), places.changes) + num_changes_);
    num_changes_ += std::ssize(changes);
  }
  to.change_end = static_cast<std::int32_t>(num_changes_);
}

// Returns how many likeliest tokens the row that wants the most wants.
std::int64_t BatchSampler::write_rows(std::span<const SamplingRow> rows) {
  auto* const to = at<ops::DrawRow>(sent_.data(), 0);
  std::int64_t most = 0;
  num_changes_ = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    write_row(rows[i], to[i]);
    most = std::max<std::int64_t>(most, to[i].report);
  }
  return most;
}

void BatchSampler::read_row(std::size_t row, std::int64_t most, const SamplingRow& asked) {
  const Places places(limits_);
  void* const results = received_.data();
  const auto columns = static_cast<std::size_t>(most);
  DrawnToken& drawn = drawn_[row];
  drawn.token = at<std::int32_t>(results, places.tokens - places.sent)[row];
  require(drawn.token >= 0, "no logit is a finite number: the model's weights are damaged");
  drawn.log_probability.reset();
  drawn.likeliest.clear();
  if (!asked.log_probabilities) return;
  const float* const values =
      at<float>(results, places.log_probabilities - places.sent) + row * (1 + columns);
  const std::int32_t* const tokens =
      at<std::int32_t>(results, places.likeliest - places.sent) + row * columns;
  drawn.log_probability = values[0];
  const std::int64_t reported = std::min(*asked.log_probabilities, most);
  for (std::int64_t i = 0; i < reported && tokens[i] >= 0; ++i) {
    drawn.likeliest.push_back({tokens[i], values[1 + i]});
  }
}

std::span<const DrawnToken> BatchSampler::sample(Context& context, Tensor logits,
                                                 std::span<const SamplingRow> rows) {
  if (rows.empty()) return {};
  const std::int64_t n = std::ssize(rows);
  require(n <= limits_.rows && logits.rows() >= n && logits.cols() == limits_.vocabulary &&
              logits.contiguous(),
          "sampling {} rows from logits {}", n, to_string(logits));
  const Places places(limits_);
  const std::int64_t most = write_rows(rows);
  const std::size_t bytes =
      places.changes + static_cast<std::size_t>(num_changes_) * sizeof(ops::LogitChange);
  const Device device = memory_.device();
  copy_bytes(memory_.data(), device, sent_.data(), cpu_device, bytes, context.stream);
  const ops::DrawnTokens drawn{
      memory_.tensor(DType::i32, {n}, places.tokens),
      memory_.tensor(DType::f32, {n, 1 + most}, places.log_probabilities),
      memory_.tensor(DType::i32, {n, most}, places.likeliest)};
  ops::draw_tokens(
      context, logits.slice(0, n), memory_.tensor(DType::i32, {num_masked_}, places.masked),
      memory_.tensor(DType::u8, {n, sizeof(ops::DrawRow)}, places.rows),
      memory_.tensor(DType::u8, {num_changes_, sizeof(ops::LogitChange)}, places.changes), drawn);
  copy_bytes(received_.data(), cpu_device, at<std::byte>(memory_.data(), places.sent), device,
             places.received, context.stream);
  synchronize(device, context.stream);
  for (std::size_t i = 0; i < rows.size(); ++i) read_row(i, most, rows[i]);
  return std::span(drawn_).first(rows.size());
}

}  // namespace fathom::infer
