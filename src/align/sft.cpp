#include "align/sft.h"

#include <filesystem>
#include <mutex>

#include "align/run_prompts.h"
#include "align/sft_data.h"
#include "align/sft_objective.h"
#include "align/shared_config.h"
#include "checkpoint/ranks.h"
#include "core/error.h"
#include "core/log.h"
#include "io/atomic_file.h"
#include "model/hugging_face.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

class SftRun {
 public:
  SftRun(Runtime& runtime, const SftConfig& config, const TrainOptions& options)
      : runtime_(runtime), config_(config), options_(options) {}

  // Collective.
  int on_rank(Communicator& world) {
    read_data(world);
    for (std::size_t stage = 0; stage < config_.stages.size(); ++stage) {
      if (options_.run.resume == "auto" && is_done(stage, world)) continue;
      const int signal = train_rank(
          runtime_, stage_config(stage), options_,
          [&](const TrainConfig&, Communicator&) { return run_data(stage); }, world);
      if (world.rank() == 0) write_config();
      if (world.rank() == 0 && signal == 0 && config_.checkpoint.enabled) {
        write_chat_files(data_->model, model_directory(stage));
      }
      if (signal != 0) return signal;
    }
    return 0;
  }

 private:
  std::string stage_directory(std::size_t stage) const {
    return fmt::format("{}/stage-{}", config_.output, stage + 1);
  }
  std::string model_directory(std::size_t stage) const {
    const bool last = stage + 1 == config_.stages.size();
    return (last ? config_.output : stage_directory(stage)) + "/model";
  }

  // Ranks that are threads share it.
  void read_data(Communicator& world) {
    const bool logs = options_.ranks > 1 || world.rank() == 0;  // once, of all processes
    {
      const std::lock_guard lock(mutex_);
      if (!data_) data_ = std::make_shared<const SftData>(read_sft_data(config_, logs));
    }
    wait_for_disks(world);
  }

  TrainConfig stage_config(std::size_t stage) const;
  RunData run_data(std::size_t stage) const;
  RunParts parts(std::size_t stage, const TrainPlan& plan, const RankGroups& ranks) const;
  std::unique_ptr<TextSamples> samples(const TrainPlan& plan, const RankGroups& ranks) const;
  // Whether the stage's run is at its end, and its model written. Collective.
  bool is_done(std::size_t stage, Communicator& world) const;
  bool first_finds_done(std::size_t stage, int ranks) const;
  bool is_at_end(std::size_t stage, int ranks) const;
  bool has_begun(std::size_t stage) const {
    return stage < config_.stages.size() &&
           !checkpoints_at(stage_directory(stage) + "/checkpoints").empty();
  }
  void write_config() const {
    SftConfig config = config_;
    write_file_atomically(config_.output + "/sft.toml", config_to_toml(config));
  }

  Runtime& runtime_;
  const SftConfig& config_;
  const TrainOptions& options_;
  std::mutex mutex_;
  std::shared_ptr<const SftData> data_;
};

TrainConfig SftRun::stage_config(std::size_t stage) const {
  const SftStageConfig& own = config_.stages[stage];
  TrainConfig c = shared_train_config(config_, data_->model.config);
  c.output = stage_directory(stage);
  c.init_from = stage == 0 ? config_.model.from : stage_directory(stage - 1);
  c.train = config_.train.loop;
  c.train.steps = own.steps;
  c.train.tokens = own.tokens;
  c.train.epochs = own.epochs;
  c.train.max_minutes = own.max_minutes;
  c.schedule = own.schedule;
  return c;
}

RunData SftRun::run_data(std::size_t stage) const {
  RunData run;
  run.facts = {data_->model.tokenizer.vocab_size(),
               data_->stages[stage].source->num_rows() * config_.train.loop.sequence_length, false};
  run.tokenizer = data_->model.files;
  run.model_directory = model_directory(stage);
  run.parts = [this, stage](const TrainPlan& plan, const RankGroups& ranks) {
    return parts(stage, plan, ranks);
  };
  return run;
}

RunParts SftRun::parts(std::size_t stage, const TrainPlan& plan, const RankGroups& ranks) const {
  const SftStageData& own = data_->stages[stage];
  RunParts parts;
  parts.source = own.source;
  parts.objective = std::make_unique<SftObjective>();
  if (own.held_out) {
    parts.validator =
        std::make_unique<SftValidator>(own.held_out, plan.config.train.micro_batch, ranks);
  }
  if (plan.sample_rows() > 0) parts.samples = samples(plan, ranks);
  parts.repetition =
      make_repetition_meter(plan, ranks, data_->model.files,
                            [this](const Tokenizer& tokenizer, const RepetitionPrompt& prompt) {
                              return data_->model.chat.encode_prompt(
                                  conversation_of(prompt), tokenizer, chat_options(config_));
                            });
  parts.identity = identity_of(plan.config, data_->model.files, *parts.source, *parts.objective);
  const ExampleSet& examples = own.source->examples();
  parts.identity.data.sources = {
      {"conversations", 1, examples.num_tokens(), examples.size(), examples.hash()}};
  return parts;
}

// The prompts are questions of a user.
std::unique_ptr<TextSamples> SftRun::samples(const TrainPlan& plan, const RankGroups& ranks) const {
  const auto encode = [this](const Tokenizer& tokenizer, const std::string& prompt) {
    return data_->model.chat.encode_prompt(question(prompt), tokenizer, chat_options(config_));
  };
  return std::make_unique<TextSamples>(plan, data_->model.files, ranks, encode);
}

bool SftRun::is_done(std::size_t stage, Communicator& world) const {
  const int here = world.rank() == 0 && first_finds_done(stage, world.size());
  return gather_values(world, here).front() != 0;
}

bool SftRun::first_finds_done(std::size_t stage, int ranks) const {
  if (!has_begun(stage)) {
    if (!has_begun(stage + 1)) return false;
    log::info("stage {} has no checkpoints any more, and stage {} has begun: going on with that",
              stage + 1, stage + 2);
    return true;
  }
  if (is_at_end(stage, ranks)) {
    log::info("stage {} is done", stage + 1);
    return true;
  }
  if (has_begun(stage + 1)) {
    fail_input(
        "{}: stage {} would go on, but stage {} has begun with its weights: restore the config of "
        "stage {}, or use another output",
        stage_directory(stage), stage + 1, stage + 2, stage + 1);
  }
  return false;
}

// What differs from the checkpoint, the run itself refuses with a message.
bool SftRun::is_at_end(std::size_t stage, int ranks) const {
  // Written last.
  if (!fs::exists(model_directory(stage) + "/chat_template.jinja")) return false;
  const TrainPlan plan = resolve(stage_config(stage), run_data(stage).facts, ranks);
  for (const std::string& directory : checkpoints_at(stage_directory(stage) + "/checkpoints")) {
    try {
      const TrainingState state = Checkpoint(directory, Checkpoint::Verify::as_read).state();
      const std::uint64_t order = data_->stages[stage].source->fingerprint();
      return state.data && state.data->sample_order == order &&
             state.seed == static_cast<std::uint64_t>(config_.seed) &&
             plan.finished(position_in(state));
    } catch (const DamagedCheckpoint&) {
      continue;
    }
  }
  return false;
}

}  // namespace

int sft(Runtime& runtime, const SftConfig& config, const TrainOptions& options) {
  if (options.run.resume != "auto" && options.run.resume != "none") {
    fail_input("--resume is {}: use auto or none; the stages' checkpoints are found by themselves",
               options.run.resume);
  }
  SftRun run(runtime, config, options);
  return on_all_ranks(config.parallel, options,
                      [&](Communicator& world) { return run.on_rank(world); });
}

}  // namespace fathom
