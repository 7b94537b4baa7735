#include "train/prompt_continuer.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace fathom {
namespace {

// Ranks of sequence parallelism share a micro-batch's tokens out evenly.
std::int64_t tensor_ranks(const LearnerOptions& options) {
  return options.ranks.plan().layout.tp;
}

}  // namespace

PromptContinuer::PromptContinuer(Learner& learner, DeviceBatch& memory, Tokens masked_tokens)
    : learner_(learner), memory_(memory), sampler_(std::move(masked_tokens)) {}

std::int64_t PromptContinuer::max_length(const LearnerOptions& options) {
  const std::int64_t context =
      options.sequence_length > 0 ? options.sequence_length : options.micro_tokens;
  const std::int64_t multiple = tensor_ranks(options);
  return std::min(context, options.micro_tokens) / multiple * multiple;
}

PromptContinuer::Shape PromptContinuer::shape_of(std::span<const Tokens> prompts,
                                                 const ContinueOptions& how) const {
  const LearnerOptions& options = learner_.options();
  const std::int64_t most = max_length(options), multiple = tensor_ranks(options);
  std::int64_t longest = 0;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const std::int64_t length = std::ssize(prompts[i]);
    if (length == 0) fail_input("prompt {} is empty: the model needs at least one token", i + 1);
    if (length > most) {
      fail_input("prompt {} has {} tokens, and {} are the most that can be continued: shorten it",
                 i + 1, length, most);
    }
    longest = std::max(longest, length);
  }
  // The last token is drawn and never read.
  const std::int64_t wanted = longest + std::min(how.max_tokens, most) - 1;
  Shape shape;
  shape.length = how.shapes == TextShapes::few
                     ? length_of_few(options, wanted)
                     : std::min(most, (wanted + multiple - 1) / multiple * multiple);
  shape.rows = std::min(options.logit_rows, options.micro_tokens / shape.length);
  if (how.shapes == TextShapes::exact) shape.rows = std::min(shape.rows, std::ssize(prompts));
  return shape;
}

std::int64_t PromptContinuer::length_of_few(const LearnerOptions& options, std::int64_t length) {
  constexpr std::int64_t shortest = 16;
  const std::int64_t multiple = tensor_ranks(options);
  for (std::int64_t of = max_length(options);;) {
    const std::int64_t half = (of / 2 + multiple - 1) / multiple * multiple;
    if (half < std::max(length, shortest) || half == of) return of;
    of = half;
  }
}

MicroBatch PromptContinuer::upload(const Shape& shape, std::span<const Tokens> texts) {
  const auto length = static_cast<std::size_t>(shape.length);
  Batch batch;
  batch.sequences = shape.rows;
  batch.sequence_length = shape.length;
  batch.inputs.resize(static_cast<std::size_t>(shape.rows) * length);
  batch.cu_seqlens.push_back(0);
  for (std::int64_t row = 0; row < shape.rows; ++row) {
    for (std::int32_t i = 0; i < shape.length; ++i) batch.positions.push_back(i);
    batch.cu_seqlens.push_back(static_cast<std::int32_t>((row + 1) * shape.length));
  }
  for (std::size_t row = 0; row < texts.size(); ++row) {
    const std::size_t count = std::min(texts[row].size(), length);
    std::copy_n(texts[row].begin(), count,
                batch.inputs.begin() + static_cast<std::ptrdiff_t>(row * length));
  }
  return memory_.upload(learner_.context(), batch);
}

std::vector<std::int32_t> PromptContinuer::last_tokens(const Shape& shape,
                                                       std::span<const Tokens> texts) {
  std::vector<std::int32_t> places(static_cast<std::size_t>(shape.rows), 0);
  for (std::size_t row = 0; row < texts.size(); ++row) {
    const std::int64_t last = std::min(std::ssize(texts[row]), shape.length) - 1;
    places[row] = static_cast<std::int32_t>(static_cast<std::int64_t>(row) * shape.length + last);
  }
  return places;
}

std::optional<std::int32_t> PromptContinuer::draw(std::span<const float> logits, const Tokens& text,
                                                  const infer::SamplingOptions& sampling) {
  const auto finite = [](float logit) { return std::isfinite(logit); };
  if (!std::ranges::all_of(logits, finite)) return std::nullopt;
  return sampler_.sample(logits, text, sampling);
}

std::vector<infer::Answer> PromptContinuer::continue_texts(const Shape& shape,
                                                           std::vector<Tokens> texts,
                                                           std::size_t first,
                                                           const ContinueOptions& options) {
  const auto vocabulary = static_cast<std::size_t>(learner_.options().model.vocab_size);
  const std::vector<std::int32_t>& ends = options.end_tokens;
  std::vector<infer::Answer> continuations(texts.size());
  std::vector<char> ended(texts.size(), 0);
  for (std::int64_t drawn = 0; drawn < options.max_tokens; ++drawn) {
    if (std::ranges::find(ended, 0) == ended.end()) break;
    if (options.before_tokens) options.before_tokens();
    const std::span<const float> logits =
        learner_.next_logits(upload(shape, texts), last_tokens(shape, texts));
    for (std::size_t row = 0; row < texts.size(); ++row) {
      if (ended[row]) continue;
      infer::SamplingOptions sampling = options.sampling;
      sampling.stream = options.stream.value_or(first + row);
      infer::Answer& continuation = continuations[row];
      const std::optional<std::int32_t> token =
          draw(logits.subspan(row * vocabulary, vocabulary), texts[row], sampling);
      continuation.ended = token && std::ranges::find(ends, *token) != ends.end();
      if (token && !continuation.ended) {
        texts[row].push_back(*token);
        continuation.tokens.push_back(*token);
      }
      const bool wanted = token && !continuation.ended;
      ended[row] = !wanted || std::ssize(texts[row]) > shape.length ||
                   (options.ends_with && options.ends_with(first + row, *token));
    }
  }
  return continuations;
}

std::vector<infer::Answer> PromptContinuer::run(std::span<const Tokens> prompts,
                                                const ContinueOptions& options) {
  if (prompts.empty() || options.max_tokens < 1) return std::vector<infer::Answer>(prompts.size());
  const Shape shape = shape_of(prompts, options);
  const auto at_once = static_cast<std::size_t>(shape.rows);
  std::vector<infer::Answer> all;
  for (std::size_t first = 0; first < prompts.size(); first += at_once) {
    const auto some = prompts.subspan(first, std::min(at_once, prompts.size() - first));
    for (infer::Answer& one : continue_texts(shape, {some.begin(), some.end()}, first, options)) {
      all.push_back(std::move(one));
    }
  }
  return all;
}

void PromptContinuer::warm_up(std::span<const Tokens> prompts, const ContinueOptions& options) {
  if (prompts.empty() || options.max_tokens < 1) return;
  const Shape shape = shape_of(prompts, options);
  const auto some = prompts.first(std::min(prompts.size(), static_cast<std::size_t>(shape.rows)));
  learner_.warm_up_logits(upload(shape, some), last_tokens(shape, some));
}

}  // namespace fathom
