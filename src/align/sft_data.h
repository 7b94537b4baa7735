// The conversations of each stage of `fathom sft`, read and tokenised before the first one begins.
#pragma once

#include <memory>
#include <vector>

#include "align/base_model.h"
#include "align/sft_config.h"
#include "align/sft_source.h"

namespace fathom {

struct SftStageData {
  std::shared_ptr<const SftSource> source;
  std::shared_ptr<const SftSource> held_out;  // null: nothing is validated
};

struct SftData {
  BaseModel model;
  std::vector<SftStageData> stages;
};

// Reads everything that the config names. What was left out and how rows are filled goes to the
// log where `logs`. Throws an input Error for a model, template, file or row that cannot be used.
SftData read_sft_data(const SftConfig& config, bool logs);

// How the config has conversations rendered.
ChatOptions chat_options(const SftConfig& config);

}  // namespace fathom
