#include "infer/engine.h"

#include <algorithm>

#include "core/error.h"
#include "core/parallel.h"
#include "core/progress.h"

namespace fathom::infer {
namespace {

std::int64_t resolve_max_length(const Stage& stage, const EngineOptions& options) {
  const std::int64_t context = stage.config().max_position;
  return options.max_length == 0 ? context : std::min(options.max_length, context);
}

std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

// Pages of the cache: what all sequences at full length need, or what the memory
// allows, but never less than one sequence needs.
std::int64_t plan_pages(const Stage& stage, const EngineOptions& options, std::int64_t max_length) {
  const std::size_t page_bytes =
      KvCache::page_bytes(stage.config(), stage.dtype(), options.page_size);
  const std::int64_t per_sequence = ceil_div(max_length, options.page_size);
  const auto affordable = static_cast<std::int64_t>(options.cache_bytes / page_bytes);
  if (affordable < per_sequence) {
    fail_input(
        "the KV cache may take {}, and one sequence of {} tokens needs {}: allow it more memory, "
        "or shorter sequences",
        human_bytes(static_cast<double>(options.cache_bytes)), max_length,
        human_bytes(static_cast<double>(page_bytes) * static_cast<double>(per_sequence)));
  }
  return std::min(affordable, per_sequence * options.limits.max_sequences);
}

// Memory of one forward pass.
std::size_t plan_arena(const Stage& stage, const SchedulerLimits& limits) {
  return Stage::logits_bytes(stage.config(), stage.dtype(), limits.max_tokens_per_step,
                             limits.max_sequences);
}

}  // namespace

Engine::Engine(const Stage& stage, Context& context, const EngineOptions& options)
    : stage_(stage),
      context_(context),
      options_(options),
      max_length_(resolve_max_length(stage, options)),
      scheduler_(plan_pages(stage, options, max_length_), options.page_size, options.limits),
      cache_(stage.config(), stage.dtype(), scheduler_.blocks().total_pages(), options.page_size,
             context.device),
      inputs_(options.limits, ceil_div(max_length_, options.page_size), context.device),
      arena_(context.device, plan_arena(stage, options.limits)) {
  const auto logits = static_cast<std::size_t>(options.limits.max_sequences) *
                      static_cast<std::size_t>(stage.config().vocab_size);
  logits_ = Buffer(context.device, logits * sizeof(float));
  if (context.device.type != DeviceType::cpu) host_logits_.resize(logits);
  samplers_.resize(static_cast<std::size_t>(num_threads()));
}

std::size_t Engine::bytes() const {
  return cache_.bytes() + inputs_.bytes() + arena_.capacity() + logits_.bytes();
}

SequenceId Engine::submit(Request request) {
  check(request.sampling);
  const auto length = static_cast<std::int64_t>(request.prompt.size());
  if (length == 0) fail_input("the prompt is empty: the model needs at least one token");
  if (length >= max_length_) {
    fail_input(
        "the prompt has {} tokens, and the context of {} must hold the answer too: shorten it",
        length, max_length_);
  }
  if (request.max_tokens < 1) fail_input("max_tokens is {}: use at least 1", request.max_tokens);
  const std::int64_t vocabulary = stage_.config().vocab_size;
  for (const std::int32_t id : request.prompt) {
    if (id < 0 || id >= vocabulary) {
      fail_input("token {} is outside the model's vocabulary of {}: is this its tokenizer?", id,
                 vocabulary);
    }
  }
  Sequence sequence;
  sequence.id = next_id_++;
  sequence.tokens = std::move(request.prompt);
  sequence.prompt_length = length;
  sequence.max_length = length + std::min(request.max_tokens, max_length_ - length);
  sequence.end_tokens = std::move(request.end_tokens);
  sequence.sampling = request.sampling;
  scheduler_.add(std::move(sequence));
  return next_id_ - 1;
}

std::span<const GeneratedToken> Engine::step() {
  generated_.clear();
  const std::vector<Chunk> chunks = scheduler_.schedule();
  if (chunks.empty()) return {};
  const MicroBatch batch = inputs_.build(context_, chunks, options_.page_size, cache_);
  const std::span<const std::int32_t> rows = inputs_.sampled_rows();
  const Tensor logits = logits_.tensor(
      DType::f32, {static_cast<std::int64_t>(rows.size()), stage_.config().vocab_size});
  stage_.logits(context_, batch, arena_, rows, logits);
  if (!host_logits_.empty()) {
    copy_bytes(host_logits_.data(), cpu_device, logits.data, context_.device, logits.bytes(),
               context_.stream);
  }
  synchronize(context_.device, context_.stream);
  sample(chunks);
  scheduler_.remove_finished();
  return generated_;
}

// Draws the next token of every chunk that is complete.
void Engine::sample(const std::vector<Chunk>& chunks) {
  std::vector<Sequence*> ready;
  for (const Chunk& chunk : chunks) {
    if (chunk.samples()) ready.push_back(chunk.sequence);
  }
  const float* logits =
      host_logits_.empty() ? logits_.tensor(DType::f32, {1}).as<float>() : host_logits_.data();
  const auto vocabulary = static_cast<std::size_t>(stage_.config().vocab_size);
  generated_.resize(ready.size());
  on_each_thread(
      [&](int thread, int threads) {
        const auto step = static_cast<std::size_t>(threads);
        for (auto i = static_cast<std::size_t>(thread); i < ready.size(); i += step) {
          const Sequence& sequence = *ready[i];
          generated_[i].token = samplers_[static_cast<std::size_t>(thread)].sample(
              {logits + i * vocabulary, vocabulary}, sequence.tokens, sequence.sampling);
        }
      },
      std::min(static_cast<int>(samplers_.size()), std::max(1, static_cast<int>(ready.size()))));
  scheduler_.commit(chunks);
  for (std::size_t i = 0; i < ready.size(); ++i) {
    ready[i]->append(generated_[i].token);
    generated_[i].sequence = ready[i]->id;
    generated_[i].finish = ready[i]->finish;
  }
}

}  // namespace fathom::infer
