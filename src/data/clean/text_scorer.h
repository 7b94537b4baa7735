// Bits per byte of documents under a language model. What models are is known further down, in
// infer: the command hands a scorer in, so that cleaning depends on this interface alone.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::clean {

class TextScorer {
 public:
  virtual ~TextScorer() = default;
  // For each text, none of them empty, in their order: the sum of -log2 p of its tokens divided by
  // the bytes that they stand for; of a long text, those of its first tokens; 0 of a text without
  // tokens. Called by one thread at a time. A text's result does not depend on the texts beside it.
  virtual std::vector<double> bits_per_byte(std::span<const std::string_view> texts) = 0;
  // All that the results depend on besides the text.
  virtual std::string identity() const = 0;
};

}  // namespace fathom::clean
