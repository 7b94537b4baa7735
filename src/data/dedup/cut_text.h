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

// Whether a text has a word or an ideograph.
bool has_words(std::string_view text);

}  // namespace fathom::dedup
