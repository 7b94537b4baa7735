#include "infer/engine.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "core/error.h"
#include "core/parallel.h"
#include "core/progress.h"
#include "infer/step_sizes.h"
#include "ops/matmul.h"

namespace fathom::infer {
namespace {

// Beyond these limits 32-bit numbers could not address a step's inputs.
constexpr std::int64_t max_sequences = 1 << 20, max_tokens_per_step = 1 << 24;

// Enough for the products of a step that reads prompts to run at the device's rate.
constexpr std::int64_t usual_tokens_per_step(Device device) {
  return device.type == DeviceType::cpu ? 512 : 2048;
}

EngineOptions checked(EngineOptions options, const ModelConfig& config, Device device) {
  SchedulerLimits& limits = options.limits;
  if (limits.max_sequences < 1 || limits.max_sequences > max_sequences) {
    fail_input("an engine for {} sequences at once: use 1 to {}", limits.max_sequences,
               max_sequences);
  }
  if (limits.max_tokens_per_step == 0) {
    limits.max_tokens_per_step = std::max(usual_tokens_per_step(device), limits.max_sequences);
  }
  if (limits.max_tokens_per_step > max_tokens_per_step) {
    fail_input("an engine for {} tokens a step: use at most {}", limits.max_tokens_per_step,
               max_tokens_per_step);
  }
  if (limits.max_tokens_per_step < limits.max_sequences) {
    fail_input("an engine for {} tokens a step and {} sequences at once: each needs one",
               limits.max_tokens_per_step, limits.max_sequences);
  }
  require(options.page_size > 0, "KV cache pages of {} tokens", options.page_size);
  if (options.max_length == 0) options.max_length = config.max_position;
  options.max_length = std::min(options.max_length, config.max_position);
  // Two tokens: one of the prompt and one of the answer.
  if (options.max_length < 2) {
    fail_input("an engine for sequences of {} tokens: use at least 2", options.max_length);
  }
  for (const std::int32_t id : options.masked_tokens) {
    require(id >= 0 && id < config.vocab_size, "masked token {} is outside the vocabulary of {}",
            id, config.vocab_size);
  }
  return options;
}

// Number of pages of the cache: enough for all sequences at full length, or as many as fit
// into the memory.
std::int64_t plan_pages(const ModelConfig& config, DType dtype, const EngineOptions& options) {
  const std::size_t page_bytes = KvCache::page_bytes(config, dtype, options.page_size);
  const auto affordable = static_cast<std::int64_t>(options.cache_bytes / page_bytes);
  if (affordable == 0) {
    fail_input("the KV cache may use {}, and one page of {} tokens needs {}: allow it more memory",
               human_bytes(static_cast<double>(options.cache_bytes)), options.page_size,
               human_bytes(static_cast<double>(page_bytes)));
  }
  const std::int64_t per_sequence = KvCache::pages_for(options.max_length, options.page_size);
  // Rows of the cache are numbered with 32 bits.
  const std::int64_t addressable = std::numeric_limits<std::int32_t>::max() / options.page_size;
  return std::min({affordable, addressable, per_sequence * options.limits.max_sequences});
}

std::int64_t logit_rows(const EngineOptions& options, Device device) {
  return step_size(device, options.limits.max_sequences);
}

std::size_t logits_bytes(const ModelConfig& config, const EngineOptions& options, Device device) {
  return static_cast<std::size_t>(logit_rows(options, device) * config.vocab_size) * sizeof(float);
}

std::size_t arena_bytes(const ModelConfig& config, const StageRange& range, DType dtype,
                        const EngineOptions& options, Device device) {
  return Stage::logits_bytes(config, range, dtype,
                             step_size(device, options.limits.max_tokens_per_step),
                             logit_rows(options, device));
}

SamplerLimits sampler_limits(const ModelConfig& config, const EngineOptions& options,
                             Device device) {
  return {logit_rows(options, device), config.vocab_size, options.max_length,
          std::min(options.max_log_probabilities, config.vocab_size)};
}

std::optional<OwnedStream> stream_for(Device device) {
  if (device.type != DeviceType::cuda) return std::nullopt;
  return std::optional<OwnedStream>(std::in_place, device);
}

// The context as a step of generation uses it, during this object's lifetime: on a stream of its own
// where there is one, whose work comes in one line; without FP8, whose operands no engine plans for.
class StepScope {
 public:
  StepScope(Context& context, const std::optional<OwnedStream>& stream)
      : context_(context),
        stream_before_(context.stream),
        start_before_(context.kernel_start),
        fp8_before_(context.fp8_products) {
    context.fp8_products = false;
    if (!stream) return;
    context.stream = stream->get();
    context.kernel_start = KernelStart::early;
  }
  ~StepScope() {
    context_.stream = stream_before_;
    context_.kernel_start = start_before_;
    context_.fp8_products = fp8_before_;
  }
  StepScope(const StepScope&) = delete;
  StepScope& operator=(const StepScope&) = delete;

 private:
  Context& context_;
  Stream stream_before_;
  KernelStart start_before_;
  bool fp8_before_;
};

}  // namespace

Engine::Engine(const Stage& stage, Context& context, EngineOptions options)
    : stage_(stage),
      context_(context),
      options_(checked(std::move(options), stage.config(), context.device)),
      max_length_(options_.max_length),
      scheduler_(plan_pages(stage.config(), stage.dtype(), options_), options_.page_size,
                 options_.limits),
      cache_(stage.config(), stage.dtype(), scheduler_.blocks().total_pages(), options_.page_size,
             context.device),
      inputs_(options_.limits, max_length_, options_.page_size, context.device),
      arena_(context.device, arena_bytes(stage.config(), stage.range(), stage.dtype(), options_,
                                         context.device)),
      logits_(context.device, logits_bytes(stage.config(), options_, context.device)),
      stream_(stream_for(context.device)),
      weights_ready_(context.device),
      sampler_(context.device, sampler_limits(stage.config(), options_, context.device),
               options_.masked_tokens),
      recorded_(std::numeric_limits<std::size_t>::max(), stream_ ? Recording::on : Recording::off) {
}

std::size_t Engine::bytes() const {
  return cache_.bytes() + inputs_.bytes() + inputs_.host_bytes() + arena_.capacity() +
         logits_.bytes() + sampler_.device_bytes() + sampler_.host_bytes();
}

Engine::Bytes Engine::planned_bytes(const ModelConfig& config, DType dtype, Device device,
                                    EngineOptions options) {
  options = checked(std::move(options), config, device);
  const auto pages = static_cast<std::size_t>(plan_pages(config, dtype, options));
  const auto step = StepInputs::bytes_for(options.limits, options.max_length, options.page_size,
                                          device);
  const auto sampler = BatchSampler::bytes_for(sampler_limits(config, options, device));
  Bytes bytes;
  bytes.device = pages * KvCache::page_bytes(config, dtype, options.page_size) + step +
                 arena_bytes(config, whole_model(config), dtype, options, device) +
                 logits_bytes(config, options, device) + sampler.device;
  bytes.host = step + sampler.host;
  if (device.type == DeviceType::cpu) bytes.device += std::exchange(bytes.host, 0);
  return bytes;
}

void Engine::check_request(const Request& request) const {
  infer::check(request.sampling);
  const auto length = static_cast<std::int64_t>(request.prompt.size());
  if (length == 0) fail_input("the prompt is empty: the model needs at least one token");
  const bool only_scores = request.max_tokens == 0 && request.prompt_log_probabilities;
  // A last token that is only scored is never read.
  if (length >= max_length_ + (only_scores ? 2 : 0)) {
    fail_input(
        "the prompt has {} tokens, and the context of {} must hold the answer too: shorten it",
        length, max_length_);
  }
  if (request.max_tokens < 1 && !only_scores) {
    fail_input("max_tokens is {}: use at least 1", request.max_tokens);
  }
  const std::int64_t wanted = request.log_probabilities.value_or(0);
  if (wanted < 0 || wanted > options_.max_log_probabilities) {
    fail_input("log_probabilities is {}: use 0 to {}", wanted, options_.max_log_probabilities);
  }
  const std::int64_t prompt_wanted = request.prompt_log_probabilities.value_or(0);
  if (prompt_wanted < 0 || prompt_wanted > options_.max_log_probabilities) {
    fail_input("prompt_log_probabilities is {}: use 0 to {}", prompt_wanted,
               options_.max_log_probabilities);
  }
  check_scores(request);
  if (request.min_tokens < 0 || request.min_tokens > request.max_tokens) {
    fail_input("min_tokens is {}: use 0 to max_tokens, which is {}", request.min_tokens,
               request.max_tokens);
  }
  if (std::ssize(request.end_tokens) > most_end_tokens) {
    fail_input("there are {} end tokens: use at most {}", request.end_tokens.size(),
               most_end_tokens);
  }
  const std::int64_t vocabulary = stage_.config().vocab_size;
  for (const LogitBias& bias : request.sampling.logit_bias) {
    if (bias.token >= 0 && bias.token < vocabulary) continue;
    fail_input("logit_bias: token {} is outside the model's vocabulary of {}", bias.token,
               vocabulary);
  }
  for (const std::int32_t id : request.prompt) {
    if (id < 0 || id >= vocabulary) {
      fail_input("token {} is outside the model's vocabulary of {}: is this its tokenizer?", id,
                 vocabulary);
    }
  }
}

void Engine::check_scores(const Request& request) const {
  const std::int64_t length = std::ssize(request.prompt);
  if (request.prompt_log_probabilities && length > 1 &&
      (request.scores_from < 1 || request.scores_from >= length)) {
    fail_input("scores_from is {}: use 1 to {}, the prompt's last token", request.scores_from,
               length - 1);
  }
  if (request.max_tokens == 0 && length < 2) {
    fail_input("the prompt has one token, which nothing stands before: there is nothing to score");
  }
  if (!request.alternatives.empty() && request.max_tokens > 0) {
    fail_input("alternatives are scored with max_tokens 0 only");
  }
  for (const std::int32_t id : request.alternatives) {
    if (id < 0 || id >= stage_.config().vocab_size) {
      fail_input("alternatives: token {} is outside the model's vocabulary of {}", id,
                 stage_.config().vocab_size);
    }
  }
}

std::int64_t Engine::final_length(const Request& request) const {
  const auto length = static_cast<std::int64_t>(request.prompt.size());
  const std::int64_t generated =
      std::min(request.max_tokens, std::max<std::int64_t>(max_length_ - length, 0));
  const BlockManager& blocks = scheduler_.blocks();
  // The last token is never read, so it needs no place.
  const std::int64_t needed = length + generated - 1;
  const std::int64_t capacity = blocks.total_pages() * blocks.page_size();
  if (needed > capacity) {
    fail_input(
        "the prompt's {} tokens and up to {} new ones need a KV cache of {} tokens, and it has "
        "room for {}: lower max_tokens, or allow the cache more memory",
        length, generated, needed, capacity);
  }
  return length + generated;
}

void Engine::check(const Request& request) const {
  check_request(request);
  final_length(request);
}

SequenceId Engine::submit(Request request) {
  check_request(request);
  Sequence sequence;
  sequence.max_length = final_length(request);
  sequence.id = next_id_;
  sequence.prompt_length = static_cast<std::int64_t>(request.prompt.size());
  sequence.tokens = std::move(request.prompt);
  sequence.end_tokens = std::move(request.end_tokens);
  sequence.sampling = request.sampling;
  sequence.log_probabilities = request.log_probabilities;
  sequence.prompt_log_probabilities = request.prompt_log_probabilities;
  sequence.scores_from = request.scores_from;
  sequence.alternatives = std::move(request.alternatives);
  sequence.min_length = sequence.prompt_length + std::min(request.min_tokens, max_length_);
  scheduler_.add(std::move(sequence));
  return next_id_++;
}

Tensor Engine::generate(const MicroBatch& batch) {
  const std::span<const std::int32_t> rows = inputs_.sampled_rows();
  const Tensor logits = logits_.tensor(DType::f32, {std::ssize(rows), stage_.config().vocab_size});
  const auto forward = [&] { stage_.logits(context_, batch, arena_, rows, logits); };
  recorded_.run(context_, inputs_.step(), forward);
  return logits;
}

void Engine::run(const MicroBatch& batch) {
  if (inputs_.step().generates) return take(0, generate(batch));
  const std::int64_t most = logit_rows(options_, context_.device);
  stage_.logits_in_parts(context_, batch, arena_, inputs_.sampled_rows(),
                         logits_.tensor(DType::f32, {most, stage_.config().vocab_size}),
                         [&](std::int64_t first, Tensor logits) { take(first, logits); });
  // Without rows nothing waits for the device, but its errors belong to this step.
  if (rows_.empty()) synchronize(context_.device, context_.stream);
}

std::span<const GeneratedToken> Engine::step() {
  generated_.clear();
  const std::vector<Chunk> chunks = scheduler_.schedule();
  if (chunks.empty()) return {};
  if (stream_) {
    weights_ready_.record(context_.stream);
    weights_ready_.block(stream_->get());
  }
  const StepScope scope(context_, stream_);
  const MicroBatch batch = inputs_.build(context_, chunks, cache_);
  collect_rows(chunks);
  const auto forward = [&] { run(batch); };
  const std::int64_t most_rows =
      std::max(batch.ids.elements(), std::ssize(inputs_.sampled_rows()));
  if (ops::suits_ready_threads(context_, stage_.dtype(), most_rows)) {
    with_ready_threads(forward);
  } else {
    forward();
  }
  scheduler_.commit(chunks);
  scheduler_.remove_finished();
  return generated_;
}

void Engine::collect_rows(const std::vector<Chunk>& chunks) {
  rows_.clear();
  row_sequences_.clear();
  for (const Chunk& chunk : chunks) {
    Sequence& sequence = *chunk.sequence;
    for (std::int64_t t = chunk.first; t < chunk.first + chunk.count; ++t) {
      for (std::int64_t i = 0; i < sequence.logits_after(t); ++i) collect_row(sequence, t, i);
    }
  }
}

void Engine::collect_row(Sequence& sequence, std::int64_t t, std::int64_t number) {
  row_sequences_.push_back(&sequence);
  SamplingRow& row = rows_.emplace_back();
  row.history = sequence.tokens;
  row.options = &sequence.sampling;
  if (t + 1 < sequence.length()) {
    row.given = number == 0 ? sequence.tokens[static_cast<std::size_t>(t + 1)]
                            : sequence.alternatives[static_cast<std::size_t>(number - 1)];
    row.log_probabilities = sequence.prompt_log_probabilities;
    return;
  }
  row.log_probabilities = sequence.log_probabilities;
  row.state.prompt_length = sequence.prompt_length;
  if (sequence.length() < sequence.min_length) row.state.banned = sequence.end_tokens;
}

// Ends a sequence whose scores are all there.
void Engine::finish_scores(Sequence& sequence) {
  const std::int64_t wanted =
      sequence.prompt_length - sequence.scores_from + std::ssize(sequence.alternatives);
  if (std::ssize(sequence.prompt_scores) < wanted) return;
  sequence.finish = FinishReason::length;
  DrawnToken none;
  none.token = -1;
  generated_.push_back({sequence.id, none, sequence.finish, sequence.prompt_scores});
}

void Engine::take(std::int64_t first, Tensor logits) {
  const std::int64_t left = std::ssize(rows_) - first;  // further rows fill up
  const auto at = static_cast<std::size_t>(first);
  const auto count = static_cast<std::size_t>(std::min(logits.rows(), left));
  const std::span<const DrawnToken> drawn =
      sampler_.sample(context_, logits, std::span(rows_).subspan(at, count));
  for (std::size_t i = 0; i < count; ++i) {
    Sequence& sequence = *row_sequences_[at + i];
    if (rows_[at + i].given) {
      sequence.prompt_scores.push_back(drawn[i]);
      if (sequence.only_scores()) finish_scores(sequence);
      continue;
    }
    // A sequence's last row of the step, so that no other row's history moves.
    sequence.append(drawn[i].token);
    GeneratedToken& token =
        generated_.emplace_back(GeneratedToken{sequence.id, drawn[i], sequence.finish, {}});
    const bool is_first = sequence.length() == sequence.prompt_length + 1;
    if (is_first && sequence.prompt_log_probabilities) token.prompt_scores = sequence.prompt_scores;
  }
}

}  // namespace fathom::infer
