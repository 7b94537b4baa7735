#include "scaling/run_laws.h"

#include <algorithm>
#include <vector>

#include "core/config.h"
#include "core/error.h"
#include "scaling/flops.h"
#include "scaling/hyperparameters.h"
#include "scaling/laws_file.h"

namespace fathom::scaling {
namespace {

bool gives(const ConfigTable& config, const char* table, const std::string& key) {
  const auto found = config.table(table);
  if (!found) return false;
  const std::vector<std::string> keys = found->keys();
  return std::ranges::find(keys, key) != keys.end();
}

// Sets what the config leaves out.
void apply(const Laws& laws, const ConfigTable& given, TrainConfig& config) {
  LoopConfig& loop = config.train;
  if (!loop.tokens) {
    fail_input("laws = \"{}\" needs train.tokens: the budget is M · train.tokens", config.laws);
  }
  if (loop.sequence_length < 1) {
    fail_input("train.sequence_length is {}: use 1 or more", loop.sequence_length);
  }
  const double compute =
      model_flops(config.model, loop.sequence_length) * static_cast<double>(*loop.tokens);
  const Hyperparameters h = hyperparameters(laws, compute);
  if (!gives(given, "schedule", "peak")) config.schedule.peak = h.learning_rate;
  if (!gives(given, "train", "global_batch")) {
    loop.global_batch = round_batch(h.batch_sequences(loop.sequence_length));
  }
}

}  // namespace

TrainConfig load_config_by_laws(const std::string& path, std::span<const std::string> overrides,
                                const std::string& resume) {
  TrainConfig config = load_train_config(path, overrides, resume);
  if (config.laws.empty()) return config;
  const Laws laws = load_laws(config.laws);
  with_location(path, [&] { apply(laws, ConfigTable::load(path, overrides), config); });
  config.laws.clear();
  return config;
}

}  // namespace fathom::scaling
