// The laws file: Laws as JSON, which `fathom scaling fit` writes and all that goes by laws reads.
//
//   {"version": 1, "data": "wikipedia", "loss_unit": "bits per byte",
//    "learning_rate": {"coefficient": 0.31, "exponent": -0.125,
//                      "exponent_interval": [-0.13, -0.12], "points": [[1e17, 2e-3], ...],
//                      "draws": [[0.30, -0.124], ...]},
//    "batch_tokens": {...}, "model_flops": {...}, "tokens": {...},
//    "loss": {"irreducible": ..., "coefficient": ..., "exponent": ...},
//    "loss_surface": {"irreducible": ..., "model_coefficient": ..., "model_exponent": ...,
//                     "data_coefficient": ..., "data_exponent": ...}}
//
// Members are those of the structs in scaling/laws.h. Each law is optional; so are the intervals,
// points and draws of a law.
#pragma once

#include <string>
#include <string_view>

#include "scaling/laws.h"

namespace fathom::scaling {

// The laws of `name`: a file, or "deepseek" for the report's. Throws an input Error that names
// file and key for an unknown or missing key, another type, or a number that no law can have.
Laws load_laws(const std::string& name);
// `source` begins every message.
Laws parse_laws(std::string_view text, const std::string& source);

// The text of a laws file. All numbers must be finite.
std::string laws_text(const Laws& laws);
// Writes it, whole or not at all.
void save_laws(const std::string& path, const Laws& laws);

}  // namespace fathom::scaling
