#include "align/dpo_config.h"

#include "align/shared_config.h"
#include "core/error.h"

namespace fathom {
namespace {

void check(const DpoConfig& config) {
  if (config.output.empty()) fail_input("output is empty: name the directory of the run");
  if (config.model.from.empty()) {
    fail_input("model.from is missing: name a Hugging Face directory, a run or a checkpoint");
  }
  if (config.data.paths.empty()) fail_input("data.paths is empty: name files of preferences");
  if (!config.model.date.empty() && !parse_date(config.model.date)) {
    fail_input("model.date is '{}': write it as 2025-03-07", config.model.date);
  }
  check(config.dpo.loss);
  if (!(config.validation.share >= 0 && config.validation.share < 1)) {
    fail_input("validation.share is {}: use 0 or more, below 1", config.validation.share);
  }
  if (config.train.sequence_length < 2) {
    fail_input("train.sequence_length is {}: use 2 or more", config.train.sequence_length);
  }
}

}  // namespace

DpoConfig load_dpo_config(const std::string& path, std::span<const std::string> overrides) {
  DpoConfig config;
  read_config(ConfigTable::load(path, overrides), config);
  while (config.output.size() > 1 && config.output.ends_with('/')) config.output.pop_back();
  check(config);
  return config;
}

TrainConfig train_config(const DpoConfig& config, const ModelConfig& model) {
  TrainConfig c = shared_train_config(config, model);
  c.output = config.output;
  c.init_from = config.model.from;
  c.train = config.train;
  c.schedule = config.schedule;
  return c;
}

}  // namespace fathom
