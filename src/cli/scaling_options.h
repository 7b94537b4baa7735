// What the commands of `fathom scaling` have in common.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "model/config.h"

namespace fathom::cli {

inline constexpr std::int64_t usual_length = 4096;

// T of a model when none is given: the report's, if the model reaches so far.
inline std::int64_t usual_length_of(const ModelConfig& model) {
  return std::min(usual_length, model.max_position);
}

inline void add_length(CLI::App* command, std::optional<std::int64_t>& length) {
  command
      ->add_option("--sequence-length", length,
                   "Tokens of a sequence; default: 4096, or the longest that the model takes")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 30));
}

inline std::string text_of(const nlohmann::ordered_json& json) {
  return json.dump(2) + "\n";
}

}  // namespace fathom::cli
