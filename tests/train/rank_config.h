// The config of a run that many layouts of ranks can train: for tests that compare them.
#pragma once

#include <string>

#include "io/temp_dir.h"
#include "train/config.h"

namespace fathom::test {

// Reads the data in dir/out, and writes to dir/output.
inline TrainConfig rank_config(const TempDir& dir, const std::string& output, std::int64_t layers,
                               std::int64_t heads) {
  TrainConfig c;
  c.output = dir / output;
  c.dtype = DTypeChoice::f32;
  c.threads = 1;
  c.model.num_layers = layers;
  c.model.hidden_size = 32;
  c.model.num_heads = heads;
  c.model.num_kv_heads = 2;
  c.model.intermediate_size = 48;
  c.model.max_position = 16;
  c.model.init_std = 0.2;
  c.data.directory = dir / "out";
  c.train.sequence_length = 16;
  c.train.global_batch = 8;
  c.train.micro_batch = 1;
  c.train.steps = 1;
  c.schedule.peak = 1e-3;
  return c;
}

}  // namespace fathom::test
