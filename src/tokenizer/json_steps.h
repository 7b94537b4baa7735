// Reads the parts of tokenizer.json other than its model: one function for each kind of step.
#pragma once

#include <fmt/core.h>

#include <cstddef>
#include <vector>

#include "io/json_value.h"
#include "tokenizer/spec.h"

namespace fathom::tokenizer {

// Each throws an input Error that names the key when the step's type is not supported
// or a key has the wrong type.
NormalizerStep read_normalizer(const JsonValue& value);
PreTokenizerStep read_pre_tokenizer(const JsonValue& value);
PostProcessorStep read_post_processor(const JsonValue& value);
DecoderStep read_decoder(const JsonValue& value);

// Refuses the value's "type"; `known` lists the supported types.
[[noreturn]] void refuse_type(const JsonValue& value, const char* known);

// The steps of a part: one step, or those of a Sequence. Their number is bounded, because
// each step runs one level deeper in a recursion.
template <class Step>
void read_steps(const JsonValue& value, const char* list_key, Step (*read_step)(const JsonValue&),
                std::vector<Step>& steps, int depth = 0) {
  constexpr int max_depth = 16;  // of Sequences inside Sequences
  constexpr std::size_t max_steps = 64;
  if (depth > max_depth) value.refuse("is a Sequence nested too deeply");
  if (value.at("type").text() == "Sequence") {
    for (const JsonValue& item : value.at(list_key).items()) {
      read_steps(item, list_key, read_step, steps, depth + 1);
    }
    return;
  }
  if (steps.size() == max_steps) {
    value.refuse(fmt::format("is one step too many: at most {} are supported", max_steps));
  }
  steps.push_back(read_step(value));
}

}  // namespace fathom::tokenizer
