#include "train/run_directory.h"

#include <filesystem>

#include "io/atomic_file.h"
#include "io/mapped_file.h"
#include "model/hugging_face.h"

namespace fathom {

void write_run_files(const TrainPlan& plan, const PreparedData& data) {
  TrainConfig config = plan.config;
  write_file_atomically(config.output + "/config.toml", config_to_toml(config));
  const std::string tokenizer = data.directory + "/tokenizer.json";
  if (std::filesystem::exists(tokenizer)) {
    write_file_atomically(config.output + "/tokenizer.json", MappedFile(tokenizer).text());
  }
}

void write_final_model(const TrainPlan& plan, const PreparedData& data, Learner& learner,
                       const RankGroups* ranks, std::int64_t steps) {
  const std::string& directory = plan.config.output;
  SaveModelOptions save;
  save.dtype = plan.dtype;
  save.eos_tokens = {data.eos};
  save.replace = true;
  const std::string tokenizer = directory + "/tokenizer.json";
  if (std::filesystem::exists(tokenizer)) save.tokenizer_path = tokenizer;
  if (!ranks) {
    return save_model(directory + "/model", plan.config.model,
                      weights_of(learner.parameters(), learner.context()), save);
  }
  const Checkpoint checkpoint(directory + "/checkpoints/" + checkpoint_name(steps),
                              Checkpoint::Verify::sizes);
  Context host(cpu_device, 0);
  const WeightReader reader = [&](const ParameterSpec& spec, std::int64_t first_row, Tensor rows) {
    std::vector<std::int64_t> offset(static_cast<std::size_t>(spec.shape.rank()), 0);
    offset.front() = first_row;
    checkpoint.load_slice(host, StateKind::weight, spec.name, offset, rows);
  };
  save_model(directory + "/model", plan.config.model, reader, save);
}

}  // namespace fathom
