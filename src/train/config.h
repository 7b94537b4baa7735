// The config of `fathom train`, as TOML holds it. What follows from it stands in
// plan.h. `fathom train --help-config` lists every key with its default.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/writer.h"
#include "core/config.h"
#include "core/enum_names.h"
#include "data/config.h"
#include "learn/guard.h"
#include "learn/optimizer.h"
#include "learn/schedule.h"
#include "model/config.h"
#include "model/stage.h"
#include "parallel/config.h"

namespace fathom {

enum class DTypeChoice {
  automatic,  // bf16 where the processor computes in it, else f32
  f32,
  bf16,
};
inline std::span<const std::string_view> enum_names(DTypeChoice) {
  static constexpr std::string_view names[] = {"auto", "f32", "bf16"};
  return names;
}

// Recompute (model/block.h), or to be chosen.
enum class RecomputeChoice {
  automatic,  // on a GPU the fastest that its memory allows, else selective
  none,
  selective,
  full,
};
inline std::span<const std::string_view> enum_names(RecomputeChoice) {
  static constexpr std::string_view names[] = {"auto", "none", "selective", "full"};
  return names;
}
// Absent: to be chosen.
inline std::optional<Recompute> policy_of(RecomputeChoice choice) {
  return enum_of<Recompute>(enum_name(choice));
}
inline RecomputeChoice choice_of(Recompute policy) {
  return enum_of<RecomputeChoice>(enum_name(policy)).value();
}

// Length and size of the steps. The run ends at the first limit it reaches; each counts in its
// own unit from the run's beginning, so that a resumed run may have another global_batch.
struct LoopConfig {
  std::int64_t sequence_length = 512;
  std::int64_t global_batch = 32;
  std::int64_t micro_batch = 0;
  std::optional<std::int64_t> steps;
  std::optional<std::int64_t> tokens;
  std::optional<double> epochs;
  std::optional<double> max_minutes;
  RecomputeChoice recompute = RecomputeChoice::automatic;
  std::int64_t logits_chunk = 0;
  double log_seconds = 10;
};

template <class Visitor>
void visit_fields(LoopConfig& c, Visitor&& field) {
  field("sequence_length", c.sequence_length, "tokens of a sequence");
  field("global_batch", c.global_batch, "sequences of a step");
  field("micro_batch", c.micro_batch, "sequences of one forward and backward; 0: chosen");
  field("steps", c.steps, "the run ends after so many steps, whatever their size");
  field("tokens", c.tokens, "... so many tokens, rounded up to a whole step");
  field("epochs", c.epochs, "... so many passes over the data");
  field("max_minutes", c.max_minutes, "... so many minutes of training; shapes the schedule too");
  field("recompute", c.recompute, "what backward computes again instead of keeping; auto: chosen");
  field("logits_chunk", c.logits_chunk, "tokens whose logits are in memory at once; 0: chosen");
  field("log_seconds", c.log_seconds, "seconds between lines when stderr is no terminal");
}

struct ValidationConfig {
  std::int64_t every_steps = 500;
  std::vector<std::string> sample_prompts = {"Once upon a time", "In the beginning", "从前",
                                             "中国的首都是"};
  std::int64_t sample_tokens = 64;
  double sample_temperature = 0.7;
};

template <class Visitor>
void visit_fields(ValidationConfig& c, Visitor&& field) {
  field("every_steps", c.every_steps, "steps between evaluations; 0: only at the end");
  field("sample_prompts", c.sample_prompts, "texts that the model continues at evaluations");
  field("sample_tokens", c.sample_tokens, "most tokens of such a sample; 0: no samples");
  field("sample_temperature", c.sample_temperature, "of samples; 0: always the likeliest token");
}

// The repetition meter (train/repetition_meter.h). Off without prompts.
struct RepetitionConfig {
  std::vector<std::string> prompts;
  std::string prompts_file;
  std::int64_t every_steps = 0;
  std::int64_t max_tokens = 256;
  std::int64_t prompt_tokens = 256;
  std::int64_t batch = 16;
  double limit = 0.02;

  bool enabled() const { return !prompts.empty() || !prompts_file.empty(); }
};

template <class Visitor>
void visit_fields(RepetitionConfig& c, Visitor&& field) {
  field("prompts", c.prompts, "texts that are answered to measure repetition; none: off");
  field("prompts_file", c.prompts_file, "more of them, as JSON lines");
  field("every_steps", c.every_steps, "steps between measurements; 0: only at the end");
  field("max_tokens", c.max_tokens, "most tokens of an answer");
  field("prompt_tokens", c.prompt_tokens, "most tokens of a prompt, which memory is planned for");
  field("batch", c.batch, "answers that a replica writes at once");
  field("limit", c.limit, "most repetition of the checkpoint that the run recommends; a share");
}

// Benchmarks that a run asks its own weights (train/benchmarks.h). Off without tasks: then no other
// key may be given.
struct EvalConfig {
  std::vector<std::string> tasks;
  std::string data;
  std::string configs;
  std::int64_t every_steps = 0;
  std::vector<std::int64_t> steps;
  std::int64_t limit = 0;
  std::optional<std::int64_t> shots;
  bool chat = false;
  std::int64_t batch = 16;
  double cache_gib = 1;

  bool enabled() const { return !tasks.empty(); }
};

template <class Visitor>
void visit_fields(EvalConfig& c, Visitor&& field) {
  field("tasks", c.tasks, "tasks of `fathom eval` that the weights are asked; none: off");
  field("data", c.data, "folder of the tasks' data");
  field("configs", c.configs, "folder of the tasks' files; empty: as `fathom eval` finds it");
  field("every_steps", c.every_steps, "steps between evaluations; 0: only at the end");
  field("steps", c.steps, "more steps to evaluate at; 0: before training");
  field("limit", c.limit, "only the first items of each task; 0: all");
  field("shots", c.shots, "examples before each question, in place of the tasks' own number");
  field("chat", c.chat, "ask in the chat form, by the template of `fathom sft` or `dpo`");
  field("batch", c.batch, "sequences that a rank reads at once");
  field("cache_gib", c.cache_gib, "memory for their keys and values, of one sequence at least");
}

struct TrainConfig {
  std::string output = "runs/train";
  std::string model_file;
  std::string init_from;
  std::string continue_from;
  std::string laws;  // scaling/run_laws.h resolves it
  std::string device = "cpu";
  std::int64_t threads = 0;
  DTypeChoice dtype = DTypeChoice::automatic;
  Products precision = Products::dtype;
  std::int64_t seed = 1;
  bool deterministic = false;
  ModelConfig model;
  DataConfig data;
  LoopConfig train;
  OptimizerConfig optimizer;
  ScheduleConfig schedule;
  ValidationConfig validation;
  RepetitionConfig repetition;
  EvalConfig eval;
  CheckpointConfig checkpoint;
  ParallelConfig parallel;
  GuardConfig guard;
};

template <class Visitor>
void visit_fields(TrainConfig& c, Visitor&& field) {
  field("output", c.output, "run directory");
  field("model_file", c.model_file, "TOML file with a [model] table to start from");
  field("init_from", c.init_from,
        "run, checkpoint or Hugging Face directory whose weights it starts with; empty: random");
  field("continue_from", c.continue_from,
        "run, RUN@STEP or checkpoint that it goes on from, with moments, steps and data read");
  field("laws", c.laws,
        "laws file, or deepseek: gives peak and global_batch where they are left out");
  field("device", c.device, "cpu, cuda or cuda:N");
  field("threads", c.threads, "CPU threads; 0: all cores");
  field("dtype", c.dtype, "of weights and activations");
  field("precision", c.precision, "of the blocks' products: dtype or fp8");
  field("seed", c.seed, "of initial weights and data order");
  field("deterministic", c.deterministic, "on a GPU: the same bits in every run, at some speed");
  field("model", c.model, "");
  field("data", c.data, "");
  field("train", c.train, "");
  field("optimizer", c.optimizer, "");
  field("schedule", c.schedule, "");
  field("validation", c.validation, "");
  field("repetition", c.repetition, "");
  field("eval", c.eval, "");
  field("checkpoint", c.checkpoint, "");
  field("parallel", c.parallel, "");
  field("guard", c.guard, "");
}

// The model whose weights are at `path`: a Hugging Face directory, a checkpoint, or a run's newest
// one. Throws an input Error when there is none.
ModelConfig model_to_begin_with(const std::string& path);

// Reads a run's config. `model_file` is looked for beside it, then as it is
// named; its [model] table stands under the run's own [model] keys, and so does the
// model of what the run takes its weights from: the one that `resume` finds
// (RunOptions::resume), else `init_from` or `continue_from`, which need not exist any more when
// there is one to resume. The returned config has the merged model and no model_file.
TrainConfig load_train_config(const std::string& path, std::span<const std::string> overrides = {},
                              const std::string& resume = "none");

}  // namespace fathom
