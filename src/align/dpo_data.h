// The pairs of `fathom dpo`, read and tokenised before the run begins.
#pragma once

#include <memory>

#include "align/base_model.h"
#include "align/dpo_config.h"
#include "align/pair_source.h"

namespace fathom {

struct DpoData {
  BaseModel model;
  std::shared_ptr<const PairSource> source;
  std::shared_ptr<const PairSource> held_out;  // null: nothing is validated
};

// Reads everything that the config names. What was left out and how rows are filled goes to the
// log where `logs`. Throws an input Error for a model, template, file or row that cannot be used.
DpoData read_dpo_data(const DpoConfig& config, bool logs);

// How the config has conversations rendered.
ChatOptions chat_options(const DpoConfig& config);

}  // namespace fathom
