// Texts without the passages that are copies: pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace fathom::dedup {

// The text without lines and paragraphs of these numbers, ascending (data/dedup/passages.h). Blank
// lines behind one that goes go too when a blank line, or nothing, is before it; so do those before
// it when nothing follows. All other lines keep their bytes.
std::string without_passages(std::string_view text, std::span<const std::uint32_t> lines,
                             std::span<const std::uint32_t> paragraphs);

// The text without these sequences of `length` tokens (data/dedup/exact_tokens.h), by their first
// tokens, ascending. `removed` gets how many tokens went. Of the blanks around a part that went one
// stays: a blank line if there was one, else a line end, else a space; a line keeps its
// indentation, and one of which the beginning went gets that. No blank is made where there was
// none, unless two words would meet, and none stays at an end of the text that was cut, but
// indentation.
std::string without_sequences(std::string_view text, std::span<const std::uint32_t> first,
                              std::int64_t length, std::uint64_t& removed);

// Whether a text has a word or an ideograph.
bool has_words(std::string_view text);

}  // namespace fathom::dedup
