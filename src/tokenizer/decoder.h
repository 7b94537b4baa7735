// Decoders: the bytes of each token, computed once, and the steps that can only run
// when tokens are joined.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/normalizer.h"
#include "tokenizer/spec.h"

namespace fathom::tokenizer {

class Decoder {
 public:
  // Whether a token is the first or the last of those decoded together.
  struct Place {
    bool first = false, last = false;
  };

  // `tokens` by id, as tokenizer.json spells them. Throws an input Error starting with
  // `where` for steps that cannot be run token by token.
  Decoder(const std::vector<DecoderStep>& steps, std::span<const std::string> tokens,
          const std::string& where);

  // The bytes of a token that has others before and after it.
  std::string_view bytes(std::int32_t id) const {
    const auto i = static_cast<std::size_t>(id);
    return std::string_view(text_).substr(offsets_[i], offsets_[i + 1] - offsets_[i]);
  }
  // Appends the bytes of the token at its place, and the separator before it.
  void append(std::string& text, std::int32_t id, Place place) const;
  // Whether a token decodes differently at the end of the text than before it.
  bool last_differs() const { return last_differs_; }

  // How many times strip_start() may remove its text from the beginning of a whole text
  // (a Strip after Fuse).
  std::int64_t strip_count() const { return strip_count_; }
  // Removes that text from the beginning of `text` up to `count` times. Lowers `count` by
  // the number removed, or sets it to 0 once `text` begins with something else.
  void strip_start(std::string& text, std::int64_t& count) const;

 private:
  void find_places(const std::string& where);
  std::string decode(const std::string& token, Place place) const;
  void run(std::size_t step, std::string& text, Place place) const;

  std::vector<DecoderStep> steps_;  // those that run on each token
  std::vector<std::optional<Replacer>> replacers_;
  std::vector<std::string> tokens_;  // empty unless a token's place matters
  bool first_differs_ = false, last_differs_ = false;
  std::string text_;  // all tokens' bytes, one after the other
  std::vector<std::uint64_t> offsets_;
  std::string separator_;  // a space when the file names no decoder
  std::string strip_content_;
  std::int64_t strip_count_ = 0;
};

}  // namespace fathom::tokenizer
