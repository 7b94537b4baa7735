#include "train/plan.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/config.h"
#include "core/error.h"
#include "core/parallel.h"
#include "model/shard.h"

namespace fathom {
namespace {

// A thousand times the largest runs; sums and products with it are still numbers.
constexpr std::int64_t max_run_tokens = 1'000'000'000'000'000'000;

void check_at_least(const char* key, std::int64_t value, std::int64_t least) {
  if (value < least) fail_input("{} is {}: use {} or more", key, value, least);
}

// The model's sizes with the tokenizer's vocabulary, padded up for the matrix
// products when the config leaves it open.
ModelConfig resolve_model(ModelConfig model, std::int64_t tokenizer_size) {
  constexpr std::int64_t multiple = 64;
  if (model.vocab_size == 0) {
    model.vocab_size = (tokenizer_size + multiple - 1) / multiple * multiple;
  }
  model = resolve(model);
  if (model.vocab_size < tokenizer_size) {
    fail_input("model.vocab_size ({}) is smaller than the tokenizer's vocabulary ({})",
               model.vocab_size, tokenizer_size);
  }
  return model;
}

void check_loop(const LoopConfig& c, const ModelConfig& model) {
  check_at_least("train.sequence_length", c.sequence_length, 1);
  check_at_least("train.global_batch", c.global_batch, 1);
  check_at_least("train.micro_batch", c.micro_batch, 0);
  check_at_least("train.logits_chunk", c.logits_chunk, 0);
  if (c.sequence_length > model.max_position) {
    fail_input("train.sequence_length ({}) is longer than model.max_position ({})",
               c.sequence_length, model.max_position);
  }
  if (c.micro_batch > 0 && c.global_batch % c.micro_batch != 0) {
    fail_input("train.global_batch ({}) is not a multiple of train.micro_batch ({})",
               c.global_batch, c.micro_batch);
  }
  if (c.global_batch > std::numeric_limits<std::int32_t>::max() / c.sequence_length) {
    fail_input("train.global_batch ({}) times train.sequence_length ({}) is more than 2^31 tokens",
               c.global_batch, c.sequence_length);
  }
  const auto check_positive = [](const char* key, double value) {
    if (!(value > 0) || !std::isfinite(value))
      fail_input("{} is {}: use a positive number", key, value);
  };
  if (c.epochs) check_positive("train.epochs", *c.epochs);
  if (c.max_minutes) check_positive("train.max_minutes", *c.max_minutes);
  if (!(c.log_seconds >= 0)) fail_input("train.log_seconds is {}: use 0 or more", c.log_seconds);
  if (c.steps) check_at_least("train.steps", *c.steps, 1);
  if (c.tokens) check_at_least("train.tokens", *c.tokens, 1);
  const std::int64_t tokens_per_step = c.global_batch * c.sequence_length;
  if (c.steps && *c.steps > max_run_tokens / tokens_per_step) {
    fail_input("train.steps ({}) of {} tokens each are more than {} tokens", *c.steps,
               tokens_per_step, max_run_tokens);
  }
  if (c.tokens && *c.tokens > max_run_tokens) {
    fail_input("train.tokens is {}: use at most {}", *c.tokens, max_run_tokens);
  }
  if (!c.steps && !c.tokens && !c.epochs && !c.max_minutes) {
    fail_input("train: the run has no end: give train.steps, tokens, epochs or max_minutes");
  }
}

void check_counts(const TrainConfig& c) {
  constexpr std::int64_t max_threads = 4096;
  if (c.threads > max_threads) fail_input("threads is {}: use at most {}", c.threads, max_threads);
  check_at_least("data.validation_tokens", c.data.validation_tokens, 0);
  // Batches made ahead lie in host memory.
  constexpr std::int64_t max_prefetch = 1024;
  check_at_least("data.prefetch", c.data.prefetch, 1);
  if (c.data.prefetch > max_prefetch) {
    fail_input("data.prefetch is {}: use at most {}", c.data.prefetch, max_prefetch);
  }
}

void check_validation(const ValidationConfig& c) {
  check_at_least("validation.every_steps", c.every_steps, 0);
  check_at_least("validation.sample_tokens", c.sample_tokens, 0);
  if (!(c.sample_temperature >= 0) || !std::isfinite(c.sample_temperature)) {
    fail_input("validation.sample_temperature is {}: use 0 (greedy) or a positive number",
               c.sample_temperature);
  }
  if (std::ranges::find(c.sample_prompts, "") != c.sample_prompts.end()) {
    fail_input(
        "validation.sample_prompts holds an empty text: a model needs at least one token to continue");
  }
}

void check_repetition(const RepetitionConfig& c) {
  check_at_least("repetition.every_steps", c.every_steps, 0);
  check_at_least("repetition.max_tokens", c.max_tokens, 1);
  check_at_least("repetition.prompt_tokens", c.prompt_tokens, 1);
  check_at_least("repetition.batch", c.batch, 1);
  if (!(c.limit >= 0 && c.limit <= 1)) {
    fail_input("repetition.limit is {}: use a share from 0 to 1", c.limit);
  }
}

void check_eval(EvalConfig c, std::int64_t sequence_length) {
  check_at_least("eval.every_steps", c.every_steps, 0);
  for (const std::int64_t step : c.steps) {
    if (step < 0) fail_input("eval.steps holds {}: use 0 or more", step);
  }
  check_at_least("eval.limit", c.limit, 0);
  check_at_least("eval.shots", c.shots.value_or(0), 0);
  check_at_least("eval.batch", c.batch, 1);
  if (!(c.cache_gib > 0) || !std::isfinite(c.cache_gib)) {
    fail_input("eval.cache_gib is {}: use more than 0", c.cache_gib);
  }
  if (!c.enabled()) {
    EvalConfig usual;
    if (config_to_toml(c) == config_to_toml(usual)) return;
    fail_input("[eval] has keys but no tasks: name some in eval.tasks, or leave the table out");
  }
  if (c.data.empty()) fail_input("eval.data is missing: name the folder of the tasks' data");
  if (sequence_length < 2) {
    fail_input("train.sequence_length is {}: [eval] needs 2 or more", sequence_length);
  }
}

// The smaller of train.tokens and train.epochs; 0 when neither is given.
std::int64_t count_tokens(const LoopConfig& c, std::int64_t train_tokens) {
  std::int64_t tokens = c.tokens.value_or(0);
  if (c.epochs) {
    const double wanted = std::min(std::ceil(*c.epochs * static_cast<double>(train_tokens)),
                                   static_cast<double>(max_run_tokens));
    const auto whole = std::max<std::int64_t>(1, static_cast<std::int64_t>(wanted));
    tokens = tokens == 0 ? whole : std::min(tokens, whole);
  }
  return tokens;
}

// All products of the blocks are to be in FP8: none is left out unsaid.
void check_fp8_sizes(const TrainConfig& config, const TrainPlan& plan) {
  const auto fail = [](const std::string& what, std::int64_t size) {
    fail_input("precision is fp8, which multiplies sizes that are multiples of {}: {} is {}; change that, "
               "or leave precision out",
               ops::fp8_multiple, what, size);
  };
  const bool in_pieces =
      plan.parallel.sequence_parallel &&
      plan.micro_tokens % (plan.parallel.sequence_pieces * plan.parallel.layout.tp) == 0;
  const std::int64_t pieces = in_pieces ? plan.parallel.sequence_pieces : 1;
  if (const std::int64_t tokens = plan.micro_tokens / pieces; tokens % ops::fp8_multiple != 0) {
    fail("train.micro_batch x train.sequence_length, in parallel.sequence_pieces,", tokens);
  }
  for (const ParameterSpec& spec : parameter_table(config.model)) {
    if (!spec.is_block_matrix) continue;
    for (const std::int64_t size : shard_shape(spec, {0, plan.parallel.layout.tp}).dims()) {
      if (size % ops::fp8_multiple != 0) fail("a side of " + spec.name + " on a rank", size);
    }
  }
}

double share(double done, double limit) {
  return limit > 0 ? done / limit : 0;
}

}  // namespace

bool computes_bf16(Device device) {
  if (device.type == DeviceType::cuda) return true;
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;
#endif
}

void require_products(Products products, Device device, const std::string& key) {
  if (products == Products::dtype || device.type != DeviceType::cuda) return;
  if (cuda::compute_capability(device.index) >= 89) return;
  fail_input("{} is fp8, which {} can't multiply: GPUs from compute capability 8.9 on can; leave it out", key,
             to_string(device));
}

DType choose_dtype(DTypeChoice choice, Device device) {
  if (choice == DTypeChoice::automatic) {
    return computes_bf16(device) ? DType::bf16 : DType::f32;
  }
  return choice == DTypeChoice::bf16 ? DType::bf16 : DType::f32;
}

DataFacts facts_of(const PreparedData& data, const DataConfig& config) {
  DataFacts facts;
  facts.vocab_size = data.vocab_size;
  facts.uniform_segments = !config.attention_within_documents;
  for (const PreparedSource& source : data.sources) {
    facts.train_tokens += source.train.counts().tokens;
  }
  return facts;
}

std::int64_t choose_micro_batch(const LoopConfig& loop, std::int64_t replicas, DeviceType device) {
  const std::int64_t tokens = device == DeviceType::cpu ? 4096 : 16384;
  std::int64_t best = 1;
  const std::int64_t batch = loop.global_batch / replicas;  // of one of them
  for (std::int64_t n = 1; n <= batch && n * loop.sequence_length <= tokens; ++n) {
    if (batch % n == 0) best = n;
  }
  return best;
}

// On a GPU each chunk's share of the head's f32 gradient, 4 bytes a weight, is read and
// written again: at 8192 tokens the product takes ten times as long as that.
std::int64_t choose_logits_chunk(DeviceType device) {
  return device == DeviceType::cpu ? 1024 : 8192;
}

TrainPlan resolve(TrainConfig config, const DataFacts& data, int ranks) {
  TrainPlan plan;
  plan.device = parse_device(config.device);
  plan.dtype = choose_dtype(config.dtype, plan.device);
  require_products(config.precision, plan.device, "precision");
  check_at_least("threads", config.threads, 0);
  check_at_least("seed", config.seed, 0);
  check_validation(config.validation);
  check_repetition(config.repetition);
  check_eval(config.eval, config.train.sequence_length);
  check(config.optimizer);
  check(config.schedule);
  check(config.guard);
  check(config.checkpoint);
  check_counts(config);
  config.model = resolve_model(config.model, data.vocab_size);
  check_loop(config.train, config.model);
  if (!config.laws.empty()) {
    fail_input(
        "laws is \"{}\": only `fathom train` goes by laws; give schedule.peak and "
        "train.global_batch",
        config.laws);
  }
  if (config.output.empty()) fail_input("output is empty: name the run's directory");
  if (!config.init_from.empty() && !config.continue_from.empty()) {
    fail_input(
        "init_from and continue_from: give one of them; the first begins a run with weights, the "
        "second goes on with all that a checkpoint holds");
  }

  LoopConfig& loop = config.train;
  const RankLayout layout = choose_layout(config.parallel, ranks);
  if (loop.micro_batch == 0)
    loop.micro_batch = choose_micro_batch(loop, layout.dp, plan.device.type);
  plan.parallel = resolve(config.parallel, ranks, config.model,
                          {loop.global_batch, loop.micro_batch, loop.sequence_length});
  if (loop.recompute == RecomputeChoice::automatic) loop.recompute = RecomputeChoice::selective;
  if (loop.logits_chunk == 0) loop.logits_chunk = choose_logits_chunk(plan.device.type);
  config.parallel.dp = layout.dp;
  if (config.threads == 0) config.threads = num_threads();
  config.dtype = plan.dtype == DType::bf16 ? DTypeChoice::bf16 : DTypeChoice::f32;
  plan.threads = static_cast<int>(config.threads);
  plan.micro_batches = loop.global_batch / (loop.micro_batch * layout.dp);
  plan.micro_tokens = loop.micro_batch * loop.sequence_length;
  plan.tokens_per_step = loop.global_batch * loop.sequence_length;
  plan.max_steps = loop.steps.value_or(0);
  plan.max_tokens = count_tokens(loop, data.train_tokens);
  plan.epoch_tokens = data.train_tokens;
  plan.uniform_segments = data.uniform_segments;
  if (config.precision == Products::fp8) check_fp8_sizes(config, plan);
  plan.max_seconds = 60 * loop.max_minutes.value_or(0);
  plan.flops_per_token = train_flops_per_token(config.model, loop.sequence_length);
  plan.config = std::move(config);
  return plan;
}

double TrainPlan::progress(const RunPosition& now) const {
  const double steps = share(static_cast<double>(now.steps), static_cast<double>(max_steps));
  const double tokens = share(static_cast<double>(now.tokens), static_cast<double>(max_tokens));
  return std::min(1.0, std::max({steps, tokens, share(now.seconds, max_seconds)}));
}

double TrainPlan::epochs() const {
  const double tokens = static_cast<double>(last_step({}) * tokens_per_step);
  return share(tokens, static_cast<double>(epoch_tokens));
}

ScheduleFactors TrainPlan::schedule_factors(const RunPosition& now) const {
  ScheduleFactors factors = ::fathom::schedule_factors(config.schedule, now.steps, progress(now));
  if (branch) factors.warmup = std::max(factors.warmup, branch->warmup);
  return factors;
}

double TrainPlan::learning_rate(const RunPosition& now) const {
  return ::fathom::learning_rate(config.schedule, schedule_factors(now));
}

bool TrainPlan::keeps(const RunPosition& before, const RunPosition& now) const {
  const CheckpointConfig& saves = config.checkpoint;
  if (!saves.enabled) return false;
  if (saves.keep_phase_ends && schedule_phase(config.schedule, progress(before)) <
                                   schedule_phase(config.schedule, progress(now))) {
    return true;
  }
  return std::ranges::any_of(saves.keep_tokens, [&](std::int64_t tokens) {
    return before.tokens < tokens && tokens <= now.tokens;
  });
}

bool TrainPlan::finished(const RunPosition& now) const {
  return (max_steps > 0 && now.steps >= max_steps) ||
         (max_tokens > 0 && now.tokens >= max_tokens) ||
         (max_seconds > 0 && now.seconds >= max_seconds);
}

std::int64_t TrainPlan::last_step(const RunPosition& from) const {
  std::int64_t last = max_steps;
  if (max_tokens > 0) {
    const std::int64_t left = std::max<std::int64_t>(0, max_tokens - from.tokens);
    const std::int64_t by_tokens = from.steps + (left + tokens_per_step - 1) / tokens_per_step;
    last = last == 0 ? by_tokens : std::min(last, by_tokens);
  }
  return last;
}

}  // namespace fathom
