// Text, tokenizer, shards and the config of a training run that takes a second.
#pragma once

#include "cli/process.h"

namespace fathom::test {

inline std::string tiny_text() {
  std::string text;
  for (int i = 0; i < 300; ++i) {
    text += fmt::format("{} ships left the harbour of 北京 with {} tons of grain\n", i, i * i % 97);
  }
  return text;
}

inline void must(const Outcome& outcome) {
  ASSERT_EQ(outcome.code, 0) << outcome.err;
}

// dir/text.txt, dir/tokenizer.json and dir/data, made by the binary itself.
inline void make_tiny_data(const TempDir& dir) {
  write_file(dir / "text.txt", tiny_text());
  must(run_fathom(dir, {"tokenizer", "train", dir / "text.txt", "--vocab-size", "300", "--out",
                        dir / "tokenizer.json"}));
  write_file(dir / "data.toml",
             fmt::format("tokenizer = \"{}\"\noutput = \"{}\"\nheld_out_fraction = 0.1\n"
                         "[[sources]]\nname = \"ships\"\npaths = [\"{}\"]\nformat = \"lines\"\n",
                         dir / "tokenizer.json", dir / "data", dir / "text.txt"));
  must(run_fathom(dir, {"data", "prepare", dir / "data.toml"}));
}

// `extra` TOML follows in the [checkpoint] table.
inline std::string make_tiny_config(const TempDir& dir, const std::string& extra = "") {
  const std::string path = dir / "run.toml";
  write_file(path, fmt::format("output = \"{}\"\nthreads = 2\ndtype = \"f32\"\n"
                               "[model]\nnum_layers = 2\nhidden_size = 64\nnum_heads = 4\n"
                               "max_position = 64\ninit_std = 0.05\n"
                               "[data]\ndirectory = \"{}\"\n"
                               "[train]\nsequence_length = 32\nglobal_batch = 4\nsteps = 40\n"
                               "[schedule]\npeak = 1e-3\n"
                               "[checkpoint]\ninterval_seconds = 0\nevery_steps = 2\n{}",
                               dir / "run", dir / "data", extra));
  return path;
}

}  // namespace fathom::test
