// Names and order of rows in GGUF files. Internal to the model folder.
#pragma once

#include <cstdint>
#include <string>

#include "model/parameters.h"

namespace fathom::gguf {

// ggml's name of a part: "blk.3.attn_q.weight".
std::string tensor_name(const ParameterSpec& spec, const ParameterSpec::HuggingFacePart& part);

// Whether the file holds the part's rows in another order than ours.
bool reorders_rows(const ParameterSpec::HuggingFacePart& part);
// The row of the file that holds our row `row` of the part.
std::int64_t stored_row(const ParameterSpec::HuggingFacePart& part, std::int64_t row);
// Our row that the file holds at `row`: the inverse.
std::int64_t own_row(const ParameterSpec::HuggingFacePart& part, std::int64_t row);

}  // namespace fathom::gguf
