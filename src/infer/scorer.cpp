#include "infer/scorer.h"

#include <algorithm>

#include "core/error.h"

namespace fathom::infer {
namespace {

// Tokens that the model reads: the last one is only a target.
std::int64_t tokens_read(const ScoreRequest& request) {
  return std::ssize(request.tokens) - 1;
}

// The micro-batch of some requests on the host, its tensors one after another.
struct HostBatch {
  std::vector<std::int32_t> ids, targets, positions, offsets{0};
  std::int64_t longest = 0;

  explicit HostBatch(std::span<const ScoreRequest> requests) {
    for (const ScoreRequest& request : requests) {
      const std::int64_t count = tokens_read(request);
      for (std::int64_t i = 0; i < count; ++i) {
        ids.push_back(request.tokens[static_cast<std::size_t>(i)]);
        positions.push_back(static_cast<std::int32_t>(i));
        const bool scored = i + 1 >= request.first;
        targets.push_back(scored ? request.tokens[static_cast<std::size_t>(i + 1)] : -1);
      }
      offsets.push_back(static_cast<std::int32_t>(ids.size()));
      longest = std::max(longest, count);
    }
  }
};

// Each tensor of a pass begins at a multiple of this many bytes.
constexpr std::size_t alignment_bytes = 256;

std::size_t aligned_bytes(std::size_t bytes) {
  return (bytes + alignment_bytes - 1) / alignment_bytes * alignment_bytes;
}

// Four tensors with one number per token, and the offsets, of which there is at most one
// more than tokens.
std::size_t input_bytes(std::int64_t tokens) {
  return 4 * aligned_bytes((static_cast<std::size_t>(tokens) + 1) * sizeof(std::int32_t));
}

}  // namespace

Scorer::Scorer(const Stage& stage, Context& context, const ScorerOptions& options)
    : stage_(stage), context_(context), max_tokens_(options.max_tokens) {
  constexpr std::int64_t most = 1 << 24;  // keeps the numbers of a pass within 32 bits
  if (max_tokens_ < 1 || max_tokens_ > most) {
    fail_input("a scorer of {} tokens at once: use 1 to {}", max_tokens_, most);
  }
  memory_ = take_memory(max_tokens_);
}

Scorer::Memory Scorer::take_memory(std::int64_t tokens) const {
  const std::size_t activations = Stage::forward_bytes(stage_.config(), stage_.range(),
                                                       stage_.options(), stage_.dtype(), tokens);
  return {Arena(context_.device, activations), Buffer(context_.device, input_bytes(tokens)),
          Buffer(context_.device, static_cast<std::size_t>(tokens) * sizeof(float))};
}

std::size_t Scorer::bytes() const {
  return memory_.arena.capacity() + memory_.inputs.bytes() + memory_.losses.bytes();
}

void Scorer::check_request(const ScoreRequest& request, std::size_t index) const {
  const std::int64_t count = std::ssize(request.tokens);
  if (request.first < 1 || request.first >= count) {
    fail_input(
        "text {} to score has {} tokens, and its token {} cannot be the first to score: one must "
        "come before it, and it must be there",
        index + 1, count, request.first);
  }
  const ModelConfig& config = stage_.config();
  if (tokens_read(request) > config.max_position) {
    fail_input("text {} to score has {} tokens: the model's context of {} gives {} at most",
               index + 1, count, config.max_position, config.max_position + 1);
  }
  for (const std::int32_t id : request.tokens) {
    if (id < 0 || id >= config.vocab_size) {
      fail_input(
          "text {} to score: token {} is outside the model's vocabulary of {}: is this its "
          "tokenizer?",
          index + 1, id, config.vocab_size);
    }
  }
}

void Scorer::run_pass(Memory& memory, std::span<const ScoreRequest> requests,
                      std::vector<std::vector<float>>& results) {
  const HostBatch host(requests);
  std::size_t at = 0;
  const auto upload = [&](const std::vector<std::int32_t>& values) {
    const Tensor tensor = memory.inputs.tensor(DType::i32, {std::ssize(values)}, at);
    copy_bytes(tensor.data, context_.device, values.data(), cpu_device, tensor.bytes(),
               context_.stream);
    at += aligned_bytes(tensor.bytes());
    return tensor;
  };
  MicroBatch batch;
  batch.ids = upload(host.ids);
  batch.targets = upload(host.targets);
  batch.tokens.positions = upload(host.positions);
  batch.tokens.segments = {upload(host.offsets), host.longest};
  const Tensor losses = memory.losses.tensor(DType::f32, {std::ssize(host.ids)});
  stage_.evaluate(context_, batch, memory.arena, losses);
  std::vector<float> values(host.ids.size());
  copy_bytes(values.data(), cpu_device, losses.data, context_.device, losses.bytes(),
             context_.stream);
  synchronize(context_.device, context_.stream);
  std::size_t end = 0;
  for (const ScoreRequest& request : requests) {
    const std::size_t begin = end + static_cast<std::size_t>(request.first) - 1;
    end += static_cast<std::size_t>(tokens_read(request));
    std::vector<float>& result = results.emplace_back();
    for (std::size_t i = begin; i < end; ++i) result.push_back(-values[i]);
  }
}

std::vector<std::vector<float>> Scorer::score(std::span<const ScoreRequest> requests) {
  for (std::size_t i = 0; i < requests.size(); ++i) check_request(requests[i], i);
  std::vector<std::vector<float>> results;
  results.reserve(requests.size());
  for (std::size_t first = 0; first < requests.size();) {
    std::int64_t tokens = tokens_read(requests[first]);
    std::size_t last = first + 1;
    while (last < requests.size() && tokens + tokens_read(requests[last]) <= max_tokens_) {
      tokens += tokens_read(requests[last++]);
    }
    const std::span<const ScoreRequest> pass = requests.subspan(first, last - first);
    if (tokens <= max_tokens_) {
      run_pass(memory_, pass, results);
    } else {
      Memory larger = take_memory(tokens);
      run_pass(larger, pass, results);
    }
    first = last;
  }
  return results;
}

}  // namespace fathom::infer
