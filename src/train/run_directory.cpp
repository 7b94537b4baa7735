#include "train/run_directory.h"

#include <filesystem>

#include "checkpoint/checkpoint.h"
#include "checkpoint/export.h"
#include "core/error.h"
#include "io/atomic_file.h"
#include "io/mapped_file.h"

namespace fathom {

void require_run_directory(const std::string& output) {
  namespace fs = std::filesystem;
  // A copy of a run may lack the hidden lock.
  if (fs::exists(output + "/.lock") || !checkpoint_steps(output + "/checkpoints").empty()) return;
  for (const char* name : {"config.toml", "tokenizer.json", "metrics.jsonl", "samples.jsonl",
                           "answers.jsonl", "report.html"}) {
    if (!fs::exists(output + "/" + name)) continue;
    fail_input(
        "output: {} holds {}, which a run would replace, and no run has been there; choose "
        "another directory or move that file away",
        output, name);
  }
}

void write_run_files(const TrainPlan& plan, const RunTokenizer& tokenizer) {
  TrainConfig config = plan.config;
  write_file_atomically(config.output + "/config.toml", config_to_toml(config));
  if (std::filesystem::exists(tokenizer.path)) {
    write_file_atomically(config.output + "/tokenizer.json", MappedFile(tokenizer.path).text());
  }
}

void write_final_model(const TrainPlan& plan, const RunTokenizer& tokenizer,
                       const std::string& directory, Learner& learner, const RankGroups& ranks,
                       std::int64_t steps) {
  const std::string& run = plan.config.output;
  SaveModelOptions save;
  save.dtype = plan.dtype;
  save.bos_token = tokenizer.bos_token;
  save.eos_tokens.assign(tokenizer.end_tokens.begin(), tokenizer.end_tokens.end());
  save.replace = true;
  save.max_shard_bytes = 1'000'000'000;  // many ranks have many files to write beside each other
  const std::string own = run + "/tokenizer.json";
  if (std::filesystem::exists(own)) save.tokenizer_path = own;
  if (ranks.alone()) {
    return save_model(directory, plan.config.model,
                      weights_of(learner.parameters(), learner.context()), save);
  }
  const Checkpoint checkpoint(run + "/checkpoints/" + checkpoint_name(steps),
                              Checkpoint::Verify::as_read);
  export_model(checkpoint, directory, plan.config.model, save, ranks.world());
}

}  // namespace fathom
