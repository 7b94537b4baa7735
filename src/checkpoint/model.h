// The model that a checkpoint holds: its config, and whether it is the expected one.
#pragma once

#include <optional>
#include <string>

#include "checkpoint/checkpoint.h"
#include "model/config.h"

namespace fathom {

// The [model] table of the config that the checkpoint keeps, resolved. Throws an input
// Error that names the checkpoint when there is none.
ModelConfig model_of(const Checkpoint& checkpoint);

// The model of the newest checkpoint at `path` (checkpoints_at()) whose manifest and state are
// undamaged; its tensors are not read. Throws an input Error when there is none.
ModelConfig model_at(const std::string& path);

// Throws an input Error that names the first key that differs when weights of the model `saved`,
// which are at `path`, mean something else in the model `wanted`. Initialisation and the longest
// context may differ.
void require_same_model(const ModelConfig& saved, const ModelConfig& wanted,
                        const std::string& path);

// Throws an input Error that names the first key or tensor that differs when the
// checkpoint's model is not `model`. Initialisation and the longest context may differ:
// weights have the same meaning under any.
void require_model(const Checkpoint& checkpoint, const ModelConfig& model);

// The tokenizer.json in the checkpoint's directory or, for a checkpoint under checkpoints/
// of a run, in the run's. None when neither has one.
std::optional<std::string> tokenizer_of(const Checkpoint& checkpoint);

}  // namespace fathom
