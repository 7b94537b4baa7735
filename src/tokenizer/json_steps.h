// The parts of tokenizer.json around its model: what each type's object holds.
#pragma once

#include <vector>

#include "tokenizer/json_value.h"
#include "tokenizer/spec.h"

namespace fathom::tokenizer {

// Each throws an input Error that names the key when the step's type is not supported
// or a key has the wrong type.
NormalizerStep read_normalizer(const Value& value);
PreTokenizerStep read_pre_tokenizer(const Value& value);
PostProcessorStep read_post_processor(const Value& value);
DecoderStep read_decoder(const Value& value);

// The steps of a part that is null, one step, or a Sequence of parts.
template <class Step>
void read_steps(const Value& value, const char* list_key, Step (*read_step)(const Value&),
                std::vector<Step>& steps, int depth = 0) {
  constexpr int max_depth = 16;  // of Sequences inside Sequences
  if (depth > max_depth) value.refuse("Sequences are nested too deeply");
  if (value.is_null()) return;
  if (value.at("type").string() != "Sequence") return steps.push_back(read_step(value));
  for (const auto& item : value.at(list_key).items()) {
    if (item.is_null()) item.refuse("wants an object");
    read_steps(item, list_key, read_step, steps, depth + 1);
  }
}

}  // namespace fathom::tokenizer
