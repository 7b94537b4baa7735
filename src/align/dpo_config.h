// The config of `fathom dpo`, as TOML holds it: `fathom dpo --help-config` lists every key.
#pragma once

#include "align/preference_data.h"
#include "align/preference_loss.h"
#include "align/sft_config.h"
#include "train/config.h"

namespace fathom {

// How preferences become rows.
struct DpoDataConfig {
  std::vector<std::string> paths;
  bool packing = true;
  RankingPairs rankings = RankingPairs::best_and_worst;
  RowPolicy too_long = RowPolicy::refuse;
  RowPolicy bad_rows = RowPolicy::refuse;
  std::int64_t prefetch = 4;
};

template <class Visitor>
void visit_fields(DpoDataConfig& c, Visitor&& field) {
  field("paths", c.paths, "files, directories (read recursively) or patterns with preferences");
  field("packing", c.packing, "several pairs share a row; else one a row");
  field("rankings", c.rankings, "the pairs that a ranking of several answers gives");
  field("too_long", c.too_long,
        "pairs longer than train.sequence_length, the prompt counted twice");
  field("bad_rows", c.bad_rows, "rows that are no preference");
  field("prefetch", c.prefetch, "batches made ahead of time");
}

struct DpoLossConfig {
  PreferenceLossConfig loss;
  std::string reference;
};

template <class Visitor>
void visit_fields(DpoLossConfig& c, Visitor&& field) {
  visit_fields(c.loss, field);
  field("reference", c.reference,
        "file of the reference's log-probabilities; empty: reference.safetensors in output");
}

struct DpoValidationConfig : SftValidationConfig {};

template <class Visitor>
void visit_fields(DpoValidationConfig& c, Visitor&& field) {
  field("paths", c.paths, "files of held-out preferences");
  field("share", c.share, "without paths: share of the pairs that is held out");
  field("every_steps", c.every_steps, "steps between evaluations; 0: only at the end");
  field("sample_prompts", c.sample_prompts, "questions that the model answers at evaluations");
  field("sample_tokens", c.sample_tokens, "most tokens of an answer; 0: no samples");
  field("sample_temperature", c.sample_temperature, "of answers; 0: always the likeliest token");
}

struct DpoConfig {
  DpoConfig() {
    train.sequence_length = 2048;
    schedule.kind = ScheduleKind::cosine;
    schedule.peak = 5e-7;
    schedule.warmup_steps = 100;
    schedule.max_warmup = 0.1;
  }

  std::string output = "runs/dpo";
  std::string device = "cpu";
  std::int64_t threads = 0;
  DTypeChoice dtype = DTypeChoice::automatic;
  Products precision = Products::dtype;
  std::int64_t seed = 1;
  bool deterministic = false;
  SftModelConfig model;
  DpoDataConfig data;
  DpoLossConfig dpo;
  LoopConfig train;
  OptimizerConfig optimizer;
  ScheduleConfig schedule;
  DpoValidationConfig validation;
  RepetitionConfig repetition;
  EvalConfig eval;
  CheckpointConfig checkpoint;
  ParallelConfig parallel;
  GuardConfig guard;
};

template <class Visitor>
void visit_fields(DpoConfig& c, Visitor&& field) {
  field("output", c.output, "directory of the run");
  field("device", c.device, "cpu, cuda or cuda:N");
  field("threads", c.threads, "CPU threads; 0: all cores");
  field("dtype", c.dtype, "of weights and activations");
  field("precision", c.precision, "of the blocks' products: dtype or fp8");
  field("seed", c.seed, "of the data's order and of samples");
  field("deterministic", c.deterministic, "on a GPU: the same bits in every run, at some speed");
  field("model", c.model, "");
  field("data", c.data, "");
  field("dpo", c.dpo, "");
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

// Throws an input Error that names the key of what is missing or impossible.
DpoConfig load_dpo_config(const std::string& path, std::span<const std::string> overrides = {});

// Of the run; its model's sizes are those of the model that it begins with.
TrainConfig train_config(const DpoConfig& config, const ModelConfig& model);

}  // namespace fathom
