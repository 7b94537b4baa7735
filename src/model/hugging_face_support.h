// Which Hugging Face configs describe our model. Internal to the model folder.
#pragma once

#include "io/json_object.h"

namespace fathom {

// Throws an input Error that names the key when a config.json asks for mathematics that
// this model does not have: another architecture, biases, another activation, scaled or
// partial rotary embeddings, a sliding window, scaled or capped values, experts,
// quantized weights. Keys that change nothing are accepted, known or not.
void require_supported(const JsonObject& config);

}  // namespace fathom
