// Finds added tokens in a text: at each position the longest that begins there.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/byte_span.h"
#include "tokenizer/spec.h"

namespace fathom::tokenizer {

// A part of a text: an added token and its id, or other text and -1.
struct TextPart {
  std::string_view text;
  std::int32_t id = -1;
};

class AddedTokenMatcher {
 public:
  // Adds `token`, found where `text` occurs. A text that was added before keeps its token.
  void add(std::string_view text, const AddedToken& token);
  bool empty() const { return tokens_.empty(); }

  // Cuts valid UTF-8 `text` into parts and appends them to `parts`. Special tokens, and
  // tokens spelled like control tokens, stay text unless they lie within one of the spans
  // `special_in`, which are ascending and disjoint.
  void split(std::string_view text, std::span<const ByteSpan> special_in,
             std::vector<TextPart>& parts) const;

 private:
  struct Node {
    std::vector<std::pair<unsigned char, std::uint32_t>> children;  // by byte
    std::int32_t token = -1;                                        // index into tokens_
  };
  // The longest match at the start of `text`: its token, or -1, and its length.
  std::pair<std::int32_t, std::size_t> longest(std::string_view text) const;

  std::vector<Node> nodes_ = std::vector<Node>(1);
  std::array<bool, 256> begins_{};  // whether a token begins with this byte
  std::vector<AddedToken> tokens_;
};

}  // namespace fathom::tokenizer
