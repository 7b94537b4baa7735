// Decoders: the bytes each token stands for, worked out once, and what remains
// to be done when they are joined.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/spec.h"

namespace fathom::tokenizer {

class Decoder {
 public:
  // `tokens` by id, as tokenizer.json spells them.
  Decoder(const std::vector<DecoderStep>& steps, const std::vector<std::string>& tokens,
          const std::string& where);

  std::string_view bytes(std::int32_t id) const {
    const auto i = static_cast<std::size_t>(id);
    return std::string_view(text_).substr(offsets_[i], offsets_[i + 1] - offsets_[i]);
  }
  // What stands between two tokens: a space when the file names no decoder.
  std::string_view separator() const { return separator_; }
  // Removes what the beginning of a whole text loses (a Strip after Fuse).
  void strip_start(std::string& text) const;
  bool strips_start() const { return strip_count_ > 0; }

 private:
  std::string text_;  // all tokens' bytes, one after the other
  std::vector<std::uint64_t> offsets_;
  std::string separator_;
  std::string strip_content_;
  std::int64_t strip_count_ = 0;
};

}  // namespace fathom::tokenizer
