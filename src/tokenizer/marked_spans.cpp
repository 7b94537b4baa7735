#include "tokenizer/marked_spans.h"

#include <algorithm>
#include <optional>

#include "core/error.h"
#include "text/utf8.h"

namespace fathom::tokenizer {
namespace {

// SentencePiece's sign for a space.
constexpr std::string_view space_sign = "▁";

// Bytes of `text` that a token with the bytes `token` spells; none when it spells other text.
// A token may begin with a space that the pre-tokenizer put before the text.
std::optional<std::size_t> spelled_bytes(std::string_view text, std::string_view token) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < token.size(); ++i) {
    const std::string_view rest = text.substr(at);
    if (!rest.empty() && rest[0] == token[i]) {
      ++at;
    } else if (token[i] == ' ' && rest.starts_with(space_sign)) {
      at += space_sign.size();
    } else if (token.substr(i).starts_with(space_sign)) {
      i += space_sign.size() - 1;
      if (rest.starts_with(' ')) {
        ++at;
      } else if (at > 0) {
        return std::nullopt;
      }
    } else if (token[i] != ' ' || at > 0) {
      return std::nullopt;
    }
  }
  return at;
}

// The place behind the character at `at`; the text's end there.
std::size_t after_character(std::string_view text, std::size_t at) {
  return at < text.size() ? std::min(at + utf8::length(text[at]), text.size()) : text.size();
}

[[noreturn]] void fail_spelling(std::string_view token, std::string_view text) {
  fail_input(
      "this tokenizer's token '{}' does not spell the text \"{:.20}\" that it stands for, so the "
      "tokens of an answer can't be told from the rest",
      token, text);
}

std::string normal_form(std::string_view text, const Normalizer& normalizer) {
  std::string result(text);
  normalizer.apply(result);
  return result;
}

std::size_t common_prefix(std::string_view a, std::string_view b) {
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

std::size_t common_suffix(std::string_view a, std::string_view b) {
  const auto mismatch = std::mismatch(a.rbegin(), a.rend(), b.rbegin(), b.rend());
  return static_cast<std::size_t>(mismatch.first - a.rbegin());
}

}  // namespace

bool overlaps(std::span<const ByteSpan> spans, ByteSpan place) {
  const auto span = std::ranges::upper_bound(spans, place.begin, {}, &ByteSpan::end);
  return span != spans.end() && span->begin < place.end;
}

std::vector<ByteSpan> spans_within(std::span<const ByteSpan> spans, ByteSpan part) {
  std::vector<ByteSpan> inside;
  auto span = std::ranges::upper_bound(spans, part.begin, {}, &ByteSpan::end);
  for (; span != spans.end() && span->begin < part.end; ++span) {
    inside.push_back({std::max(span->begin, part.begin) - part.begin,
                      std::min(span->end, part.end) - part.begin});
  }
  return inside;
}

std::vector<ByteSpan> normalized_spans(std::vector<ByteSpan> spans, std::string_view raw,
                                       std::string_view plain, const Normalizer& normalizer,
                                       Rounding rounding) {
  if (raw == plain) return spans;
  // Text before a place ends where its own normal form stops to agree with the whole; text
  // behind it begins where its normal form starts to agree.
  const auto end_before = [&](std::size_t place) {
    if (place == 0 || place == raw.size()) return place == 0 ? 0 : plain.size();
    return common_prefix(normal_form(raw.substr(0, place), normalizer), plain);
  };
  const auto begin_behind = [&](std::size_t place) {
    if (place == 0 || place == raw.size()) return place == 0 ? 0 : plain.size();
    return plain.size() - common_suffix(normal_form(raw.substr(place), normalizer), plain);
  };
  std::vector<ByteSpan> mapped;
  for (const ByteSpan& span : spans) {
    const bool inward = rounding == Rounding::inward;
    const std::size_t begin = inward ? begin_behind(span.begin) : end_before(span.begin);
    const std::size_t end = inward ? end_before(span.end) : begin_behind(span.end);
    const std::size_t free = mapped.empty() ? 0 : mapped.back().end;
    if (std::max(begin, free) < end) mapped.push_back({std::max(begin, free), end});
  }
  return mapped;
}

void append_marks(std::string_view text, std::span<const std::int32_t> ids,
                  std::span<const ByteSpan> marked, const Spelling& spelling,
                  std::vector<std::uint8_t>& marks) {
  const bool any = overlaps(marked, {0, text.size()});
  const bool all = marked.size() == 1 && marked[0].begin == 0 && marked[0].end >= text.size();
  if (!any || all) {
    marks.insert(marks.end(), ids.size(), any);
    return;
  }
  const auto spelled = [&](std::size_t at, std::int32_t id) {
    return spelled_bytes(text.substr(at), spelling.decoder.bytes(id));
  };
  std::size_t at = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    std::size_t end = 0;
    if (ids[i] == spelling.unknown) {
      end = after_character(text, at);
      // It stands for all text before the next token, but another unknown one for a character.
      while (end < text.size() &&
             (i + 1 == ids.size() ||
              (ids[i + 1] != spelling.unknown && spelled(end, ids[i + 1]).value_or(0) == 0))) {
        end = after_character(text, end);
      }
    } else {
      auto length = spelled(at, ids[i]);
      if (!length) {  // after white space that the pre-tokenizer removed
        at = std::min(text.find_first_not_of(" \t\r\n", at), text.size());
        length = spelled(at, ids[i]);
      }
      if (!length) fail_spelling(spelling.decoder.bytes(ids[i]), text.substr(at));
      end = at + *length;
    }
    marks.push_back(overlaps(marked, {at, end}));
    at = end;
  }
}

}  // namespace fathom::tokenizer
