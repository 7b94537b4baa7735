// The config of `fathom sft`, as TOML holds it: `fathom sft --help-config` lists every key.
#pragma once

#include "align/chat_data.h"
#include "train/config.h"

namespace fathom {

struct SftModelConfig {
  std::string from;
  std::string chat_template;
  SystemPrompt system_prompt = SystemPrompt::keep;
  std::string system_text;
  std::string date;
};

template <class Visitor>
void visit_fields(SftModelConfig& c, Visitor&& field) {
  field("from", c.from, "Hugging Face directory, run or checkpoint that is fine-tuned");
  field("template", c.chat_template,
        "deepseek, chatml, plain, a .jinja file or one of the model's; empty: the model's own");
  field("system_prompt", c.system_prompt, "of conversations: kept, or what system_text does");
  field("system_text", c.system_text, "the text that is added or put in its place");
  field("date", c.date, "2025-03-07: today, for templates that write the date");
}

// How conversations become rows, for all stages.
struct SftDataConfig {
  bool packing = true;
  LearnedTurns learned = LearnedTurns::all;
  RowPolicy too_long = RowPolicy::refuse;
  RowPolicy bad_rows = RowPolicy::refuse;
  Exams multiple_choice = Exams::keep;
  std::int64_t prefetch = 4;
};

template <class Visitor>
void visit_fields(SftDataConfig& c, Visitor&& field) {
  field("packing", c.packing, "several conversations share a row; else one a row, by length");
  field("learned", c.learned, "the assistant's answers that are learned");
  field("too_long", c.too_long, "conversations longer than train.sequence_length; none is cut");
  field("bad_rows", c.bad_rows, "rows that are no conversation to learn from");
  field("multiple_choice", c.multiple_choice, "multiple-choice exams");
  field("prefetch", c.prefetch, "batches made ahead of time");
}

struct SftValidationConfig {
  std::vector<std::string> paths;
  double share = 0;
  std::int64_t every_steps = 500;
  std::vector<std::string> sample_prompts = {"What is the capital of France?",
                                             "中国的首都是哪里？"};
  std::int64_t sample_tokens = 64;
  double sample_temperature = 0;
};

template <class Visitor>
void visit_fields(SftValidationConfig& c, Visitor&& field) {
  field("paths", c.paths, "files of held-out conversations");
  field("share", c.share, "without paths: share of each stage's conversations that is held out");
  field("every_steps", c.every_steps, "steps between evaluations; 0: only at a stage's end");
  field("sample_prompts", c.sample_prompts, "questions that the model answers at evaluations");
  field("sample_tokens", c.sample_tokens, "most tokens of an answer; 0: no samples");
  field("sample_temperature", c.sample_temperature, "of answers; 0: always the likeliest token");
}

struct SftSetConfig {
  std::vector<std::string> paths;
  double weight = 1;
};

template <class Visitor>
void visit_fields(SftSetConfig& c, Visitor&& field) {
  field("paths", c.paths, "files, directories (read recursively) or patterns");
  field("weight", c.weight, "how often an epoch takes each conversation; 0.5: half of them");
}

struct SftStageConfig {
  SftStageConfig() {
    schedule.kind = ScheduleKind::cosine;
    schedule.peak = 1e-5;
    schedule.warmup_steps = 100;
  }

  std::vector<SftSetConfig> data;
  std::optional<std::int64_t> steps, tokens;
  std::optional<double> epochs;
  std::optional<double> max_minutes;
  ScheduleConfig schedule;
};

template <class Visitor>
void visit_fields(SftStageConfig& c, Visitor&& field) {
  field("steps", c.steps, "the stage ends after so many steps");
  field("tokens", c.tokens, "... so many tokens, padding included, rounded up to a whole step");
  field("epochs", c.epochs, "... so many passes over its data");
  field("max_minutes", c.max_minutes, "... so many minutes of training");
  field("data", c.data, "");
  field("schedule", c.schedule, "");
}

// [train] without the limits, which each stage has.
struct SftLoopConfig {
  LoopConfig loop;
};

template <class Visitor>
void visit_fields(SftLoopConfig& c, Visitor&& field) {
  visit_fields(c.loop, [&](const char* key, auto& value, const char* help) {
    for (const char* limit : {"steps", "tokens", "epochs", "max_minutes"}) {
      if (std::string_view(key) == limit) return;
    }
    field(key, value, help);
  });
}

struct SftConfig {
  SftConfig() { train.loop.sequence_length = 2048; }

  std::string output = "runs/sft";
  std::string device = "cpu";
  std::int64_t threads = 0;
  DTypeChoice dtype = DTypeChoice::automatic;
  Products precision = Products::dtype;
  std::int64_t seed = 1;
  bool deterministic = false;
  SftModelConfig model;
  SftDataConfig data;
  std::vector<SftStageConfig> stages;
  SftLoopConfig train;
  OptimizerConfig optimizer;
  SftValidationConfig validation;
  RepetitionConfig repetition;
  EvalConfig eval;
  CheckpointConfig checkpoint;
  ParallelConfig parallel;
  GuardConfig guard;
};

template <class Visitor>
void visit_fields(SftConfig& c, Visitor&& field) {
  field("output", c.output, "directory; each stage's run is in stage-1, stage-2, ... there");
  field("device", c.device, "cpu, cuda or cuda:N");
  field("threads", c.threads, "CPU threads; 0: all cores");
  field("dtype", c.dtype, "of weights and activations");
  field("precision", c.precision, "of the blocks' products: dtype or fp8");
  field("seed", c.seed, "of the data's order and of samples");
  field("deterministic", c.deterministic, "on a GPU: the same bits in every run, at some speed");
  field("model", c.model, "");
  field("data", c.data, "");
  field("stage", c.stages, "");
  field("train", c.train, "");
  field("optimizer", c.optimizer, "");
  field("validation", c.validation, "");
  field("repetition", c.repetition, "");
  field("eval", c.eval, "");
  field("checkpoint", c.checkpoint, "");
  field("parallel", c.parallel, "");
  field("guard", c.guard, "");
}

// The noon of a day such as "2025-03-07"; none for another text.
std::optional<std::tm> parse_date(const std::string& text);

// Throws an input Error that names the key of what is missing or impossible.
SftConfig load_sft_config(const std::string& path, std::span<const std::string> overrides = {});

}  // namespace fathom
