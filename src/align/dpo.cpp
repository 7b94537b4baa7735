#include "align/dpo.h"

#include <mutex>

#include "align/dpo_data.h"
#include "align/preference_objective.h"
#include "align/preference_validator.h"
#include "align/run_prompts.h"
#include "align/weights_checksum.h"
#include "io/atomic_file.h"
#include "io/checksum.h"

namespace fathom {
namespace {

class DpoRun {
 public:
  DpoRun(const DpoConfig& config, const TrainOptions& options)
      : config_(config), options_(options) {}

  // Ranks that are threads share the data.
  void read_data(Communicator& world) {
    const bool logs = options_.ranks > 1 || world.rank() == 0;  // once, of all processes
    {
      const std::lock_guard lock(mutex_);
      if (!data_) data_ = std::make_shared<const DpoData>(read_dpo_data(config_, logs));
    }
    wait_for_disks(world);
  }

  TrainConfig train_config() const { return fathom::train_config(config_, data_->model.config); }

  RunData run_data() const {
    RunData run;
    run.facts = {data_->model.tokenizer.vocab_size(),
                 data_->source->rows() * config_.train.sequence_length, false};
    run.tokenizer = data_->model.files;
    run.parts = [this](const TrainPlan& plan, const RankGroups& ranks) {
      return parts(plan, ranks);
    };
    return run;
  }

  void write_config() const {
    DpoConfig config = config_;
    write_file_atomically(config_.output + "/dpo.toml", config_to_toml(config));
  }
  void write_chat_files() const {
    fathom::write_chat_files(data_->model, config_.output + "/model");
  }

 private:
  RunParts parts(const TrainPlan& plan, const RankGroups& ranks) const;
  std::shared_ptr<PreferenceReference> reference(const TrainPlan& plan,
                                                 const RankGroups& ranks) const;
  std::string reference_path() const {
    return config_.dpo.reference.empty() ? config_.output + "/reference.safetensors"
                                         : config_.dpo.reference;
  }

  const DpoConfig& config_;
  const TrainOptions& options_;
  std::mutex mutex_;
  std::shared_ptr<const DpoData> data_;
};

namespace {

// What the losses of a reference are computed in: "bf16", or "bf16, fp8".
std::string precision_name(const TrainPlan& plan) {
  std::string name(name_of(plan.dtype));
  if (plan.config.precision == Products::dtype) return name;
  return name.append(", ").append(enum_name(plan.config.precision));
}

}  // namespace

std::shared_ptr<PreferenceReference> DpoRun::reference(const TrainPlan& plan,
                                                       const RankGroups& ranks) const {
  if (!config_.dpo.loss.uses_reference()) return nullptr;
  const BaseModel& model = data_->model;
  ReferenceOptions options;
  options.path = reference_path();
  options.micro_batch = plan.config.train.micro_batch;
  // Only the first rank compares the file with them.
  if (ranks.first()) {
    options.key = {weights_checksum(model.path), model.files.hash, checksum_text(model.chat.hash()),
                   precision_name(plan)};
  }
  wait_for_disks(ranks.world());
  std::vector<NamedPairs> pairs{{"training data", data_->source}};
  if (data_->held_out) pairs.push_back({"held-out data", data_->held_out});
  return std::make_shared<PreferenceReference>(options, std::move(pairs), ranks);
}

RunParts DpoRun::parts(const TrainPlan& plan, const RankGroups& ranks) const {
  const auto reference = this->reference(plan, ranks);
  RunParts parts;
  parts.source = data_->source;
  parts.objective =
      std::make_unique<PreferenceObjective>(config_.dpo.loss, data_->source, reference, ranks);
  if (data_->held_out) {
    parts.validator = std::make_unique<PreferenceValidator>(
        config_.dpo.loss, data_->held_out, reference, plan.config.train.micro_batch, ranks);
  }
  if (plan.sample_rows() > 0) {
    const auto encode = [this](const Tokenizer& tokenizer, const std::string& prompt) {
      return data_->model.chat.encode_prompt(question(prompt), tokenizer, chat_options(config_));
    };
    parts.samples = std::make_unique<TextSamples>(plan, data_->model.files, ranks, encode);
  }
  parts.repetition =
      make_repetition_meter(plan, ranks, data_->model.files,
                            [this](const Tokenizer& tokenizer, const RepetitionPrompt& prompt) {
                              return data_->model.chat.encode_prompt(
                                  conversation_of(prompt), tokenizer, chat_options(config_));
                            });
  parts.identity = identity_of(plan.config, data_->model.files, *parts.source, *parts.objective);
  const PreferenceSet& pairs = data_->source->pairs();
  parts.identity.data.sources = {{"pairs", 1, pairs.num_tokens(), pairs.size(), pairs.hash()}};
  return parts;
}

}  // namespace

int dpo(Runtime& runtime, const DpoConfig& config, const TrainOptions& options) {
  DpoRun run(config, options);
  return on_all_ranks(config.parallel, options, [&](Communicator& world) {
    run.read_data(world);
    const int signal = train_rank(
        runtime, run.train_config(), options,
        [&](const TrainConfig&, Communicator&) { return run.run_data(); }, world);
    if (world.rank() == 0) run.write_config();
    if (world.rank() == 0 && signal == 0 && config.checkpoint.enabled) run.write_chat_files();
    return signal;
  });
}

}  // namespace fathom
