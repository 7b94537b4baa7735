// The JSON header of a safetensors file, parsed but not yet compared with the file's size.
// Internal to io.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/safetensors.h"

namespace fathom {

std::optional<StoredType> stored_type_named(std::string_view name);

struct HeaderTensor : TensorSpec {
  std::uint64_t begin = 0, end = 0;  // byte range in the data, which follow the header
};

struct SafetensorsHeader {
  std::vector<HeaderTensor> tensors;  // in the order of the text
  SafetensorsMetadata metadata;
};

// Parses the JSON. Throws an input Error that begins with `source` when it is not a valid
// header: not JSON, an unknown element type, a duplicate name, a number that is not a size,
// anything that the format does not have.
SafetensorsHeader parse_safetensors_header(std::string_view json, const std::string& source);

// The header for these tensors, stored one after another in the given order. Padded with
// spaces so that the data start at a multiple of 8.
std::string write_safetensors_header(const std::vector<TensorSpec>& tensors,
                                     const SafetensorsMetadata& metadata);

}  // namespace fathom
