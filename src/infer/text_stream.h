// Turns tokens into text to show: whole UTF-8 characters, up to but without a stop
// string.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace fathom::infer {

// Passes text through until a stop string appears in it, also across pieces. Text that
// may be the beginning of a stop string is held back.
class StopMatcher {
 public:
  // Empty stop strings are left out.
  explicit StopMatcher(std::vector<std::string> stops);

  // The text that is now known to come before any stop string.
  std::string push(std::string_view piece);
  // The text still held back. Call it when no more text follows.
  std::string finish();
  bool stopped() const { return stopped_; }

 private:
  // Length of the longest end of `held_` that begins a stop string.
  std::size_t open_end() const;

  std::vector<std::string> stops_;
  std::string held_;
  bool stopped_ = false;
};

class TextStream {
 public:
  TextStream(const Tokenizer& tokenizer, std::vector<std::string> stops,
             SpecialTokens special = SpecialTokens::skip)
      : decoder_(tokenizer, special), matcher_(std::move(stops)) {}

  // To be called first: the text goes on from the prompt's, as part of it. SentencePiece's decoder
  // drops a space at the beginning of a text, but not in its middle.
  void follow(std::span<const std::int32_t> prompt);
  // The text that `token` completes; often empty.
  std::string push(std::int32_t token) { return matcher_.push(without_prompt(decoder_.push(token))); }
  // The rest, after the last token.
  std::string finish() {
    // Two statements: the operands of + may be evaluated in either order.
    std::string text = matcher_.push(without_prompt(decoder_.finish()));
    text += matcher_.finish();
    return text;
  }
  // Whether a stop string has appeared; text from there on is not returned.
  bool stopped() const { return matcher_.stopped(); }

 private:
  // `text` less what is left of the prompt's.
  std::string without_prompt(std::string text);

  StreamDecoder decoder_;
  std::string prompt_end_;  // of the prompt's text: the decoder still holds it back
  StopMatcher matcher_;
};

}  // namespace fathom::infer
