// What `fathom scaling flops` prints of a model (resolved, with its vocabulary).
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "model/config.h"

namespace fathom::scaling {

std::string flops_text(const ModelConfig& model, std::int64_t sequence_length);
nlohmann::ordered_json flops_json(const ModelConfig& model, std::int64_t sequence_length);

}  // namespace fathom::scaling
