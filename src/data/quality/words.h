// A document as a quality classifier reads it: the same words at training and at scoring.
#pragma once

#include <string>
#include <string_view>

namespace fathom::quality {

// Version of the rule below; a model names the one that it was trained by.
inline constexpr int word_rule = 1;

// The words of valid UTF-8 on one line, a space between two, in small letters, half width
// and NFC. Letters and digits side by side are one word, in which each digit becomes
// 0; an ideograph (Han, Kana) and a mark of punctuation are a word each. So no word of a document
// can be a label of fastText ("__label__x") or its end of a line ("</s>"). Pure.
std::string words_of(std::string_view text);

// The text as fastText's own tools read a line: words are what stands between blanks, and line ends
// are blanks. For models that others trained.
std::string blank_separated(std::string_view text);

}  // namespace fathom::quality
