// Spans of a text followed through its encoding: into its parts, through the normalizer, and
// to the tokens. All lists of spans are ascending and disjoint. Internal to src/tokenizer.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "text/byte_span.h"
#include "tokenizer/decoder.h"
#include "tokenizer/normalizer.h"

namespace fathom::tokenizer {

bool overlaps(std::span<const ByteSpan> spans, ByteSpan place);

// The spans within `part` of the text, counted from its beginning.
std::vector<ByteSpan> spans_within(std::span<const ByteSpan> spans, ByteSpan part);

// The spans of `raw` in its normal form `plain`. Where the normalizer joins text across a
// span's end, `inward` leaves the joined text out of the span.
enum class Rounding { inward, outward };
std::vector<ByteSpan> normalized_spans(std::vector<ByteSpan> spans, std::string_view raw,
                                       std::string_view plain, const Normalizer& normalizer,
                                       Rounding rounding);

// How tokens are read as the text that they stand for.
struct Spelling {
  const Decoder& decoder;
  std::optional<std::int32_t> unknown;  // the token for text that no other spells
};

// Appends a mark for each of `ids`, the tokens of `text`: 1 for those that overlap `marked`.
// Throws an input Error when it has to know the tokens' places, and they do not spell the text.
void append_marks(std::string_view text, std::span<const std::int32_t> ids,
                  std::span<const ByteSpan> marked, const Spelling& spelling,
                  std::vector<std::uint8_t>& marks);

}  // namespace fathom::tokenizer
