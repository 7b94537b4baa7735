// A run of a second on prepared data of two sources, and what its checkpoints hold; for the
// tests of whole runs.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "checkpoint/manifest.h"
#include "data/sample_data.h"
#include "io/checksum.h"
#include "report/metrics.h"
#include "train/metric_names.h"
#include "train/trainer.h"

namespace fathom::test {

inline constexpr std::int64_t total_steps = 12, save_every = 5;

inline TrainConfig tiny(const TempDir& dir, const std::string& run) {
  TrainConfig config;
  config.output = dir / run;
  config.threads = 1;
  config.dtype = DTypeChoice::f32;
  config.model.num_layers = 2;
  config.model.hidden_size = 32;
  config.model.num_heads = 4;
  config.model.num_kv_heads = 2;
  config.model.max_position = 64;
  config.model.init_std = 0.1;
  config.data.directory = dir / "out";
  config.train.sequence_length = 24;
  config.train.global_batch = 4;
  config.train.micro_batch = 4;
  config.train.steps = total_steps;
  config.schedule.peak = 1e-2;
  config.validation.every_steps = 4;
  config.checkpoint.interval_seconds = 0;
  config.checkpoint.every_steps = save_every;
  config.checkpoint.keep_every = save_every;
  return config;
}

// The same for every run of a test: measuring takes longer than the run.
inline constexpr double gemm_peak = 1e10;

inline int run(const TrainConfig& config, const std::string& resume = "auto", int ranks = 1) {
  Runtime runtime(Signals::stop_runs, gemm_peak);
  TrainOptions options;
  options.run.resume = resume;
  options.ranks = ranks;
  return train(runtime, config, options);
}

inline void prepare(const TempDir& dir) {
  prepare_data(sample_config(dir), byte_encoder());
}

inline std::string checkpoint_of(const TrainConfig& config, std::int64_t step) {
  return config.output + "/checkpoints/" + checkpoint_name(step);
}

// All weights and moments of a run's checkpoint, as bytes under their names.
inline std::map<std::string, std::string> tensors_of(const std::string& checkpoint) {
  std::map<std::string, std::string> all;
  const Checkpoint file(checkpoint);
  Context context(cpu_device, 1 << 16);
  for (const Checkpoint::Entry& entry : file.entries()) {
    std::string bytes(static_cast<std::size_t>(entry.shape.elements()) * size_of(entry.dtype), 0);
    file.load(context, entry.kind, entry.name, Tensor(bytes.data(), entry.dtype, entry.shape));
    all[std::string(name_of(entry.kind)) + "/" + entry.name] = std::move(bytes);
  }
  return all;
}

// Replaces a checkpoint's state.json, with its size and checksum in the manifest.
inline void replace_state(const std::string& checkpoint, const std::string& text) {
  const std::string manifest_path = checkpoint + "/" + CheckpointManifest::file_name;
  CheckpointManifest manifest = parse_checkpoint_manifest(read_file(manifest_path), manifest_path);
  for (ManifestFile& file : manifest.files) {
    if (file.name == CheckpointManifest::state_file_name) {
      file.bytes = text.size();
      file.checksum = checksum_of(text);
    }
  }
  write_file(checkpoint + "/" + CheckpointManifest::state_file_name, text);
  write_file(manifest_path, checkpoint_manifest_text(manifest));
}

// A state in the form of checkpoints that list guard and position without names.
inline std::string unnamed_state_text(const TrainingState& state) {
  const GuardState& guard = state.guard.value();
  TrainingState rest = state;
  rest.data.reset();
  rest.guard.reset();
  return fmt::format(
      "{{\"data_position\": [{}, {}],\n\"guard\": [\"{}\", \"{}\", \"{}\", \"{}\", \"{}\"],{}",
      state.data.value().next_sample, static_cast<std::int64_t>(state.data->sample_order),
      guard.mean, guard.variance, guard.seen, guard.skipped, guard.consecutive,
      state_text(rest).substr(1));
}

// The values of one metric with the steps that have it.
inline std::vector<std::pair<std::int64_t, double>> metric_of(const TrainConfig& config,
                                                              std::string_view name) {
  std::vector<std::pair<std::int64_t, double>> values;
  for (const MetricsRecord& record : read_metrics(config.output + "/metrics.jsonl")) {
    if (const double* value = record.find(name)) values.emplace_back(record.step, *value);
  }
  return values;
}

}  // namespace fathom::test
