#include "align/jinja/text.h"

#include <algorithm>

namespace fathom::jinja {

namespace {

bool begins_character(char byte) {
  return (static_cast<unsigned char>(byte) & 0xc0) != 0x80;
}

std::size_t count_characters(std::string_view bytes) {
  return static_cast<std::size_t>(std::count_if(bytes.begin(), bytes.end(), begins_character));
}

}  // namespace

Text::Text(std::string bytes, std::uint8_t flags)
    : bytes_(std::move(bytes)), characters_(count_characters(bytes_)) {
  if (flags != 0 && !bytes_.empty()) spans_.push_back({0, bytes_.size(), flags});
}

std::uint8_t Text::flags_at(std::size_t byte) const {
  const auto after = std::upper_bound(
      spans_.begin(), spans_.end(), byte,
      [](std::size_t position, const OriginSpan& span) { return position < span.end; });
  return after != spans_.end() && after->begin <= byte ? after->flags : std::uint8_t{0};
}

std::size_t Text::offset(std::size_t character) const {
  if (character >= characters_) return bytes_.size();
  if (ascii()) return character;
  std::size_t at = 0;
  for (; at < bytes_.size(); ++at) {
    if (begins_character(bytes_[at]) && character-- == 0) break;
  }
  return at;
}

std::size_t Text::memory() const {
  return sizeof(Text) + bytes_.capacity() + spans_.capacity() * sizeof(OriginSpan);
}

void TextBuilder::reserve(std::size_t more) {
  rendering_->check_memory(more);  // so that the sum below can't overflow
  // Growing doubles the capacity, and the old bytes live until they are copied.
  rendering_->check_memory(2 * (text_.bytes_.size() + more) +
                           2 * text_.spans_.size() * sizeof(OriginSpan));
  rendering_->spend_bytes(more);
}

void TextBuilder::mark(std::size_t begin, std::size_t end, std::uint8_t flags) {
  flags |= extra_flags_;
  if (flags == 0 || begin == end) return;
  auto& spans = text_.spans_;
  if (!spans.empty() && spans.back().end == begin && spans.back().flags == flags) {
    spans.back().end = end;
  } else {
    spans.push_back({begin, end, flags});
  }
}

void TextBuilder::add(const Text& text, std::size_t begin, std::size_t end) {
  if (begin >= end) return;
  reserve(end - begin);
  const std::size_t at = size();
  text_.bytes_.append(text.bytes(), begin, end - begin);
  std::size_t done = begin;
  const auto& spans = text.spans();
  auto span = std::partition_point(spans.begin(), spans.end(),
                                   [&](const OriginSpan& one) { return one.end <= begin; });
  for (; span != spans.end() && span->begin < end; ++span) {
    const std::size_t from = std::max(begin, span->begin);
    const std::size_t to = std::min(end, span->end);
    mark(at + done - begin, at + from - begin, 0);
    mark(at + from - begin, at + to - begin, span->flags);
    done = to;
  }
  mark(at + done - begin, at + end - begin, 0);
}

void TextBuilder::add(std::string_view bytes, std::uint8_t flags) {
  reserve(bytes.size());
  const std::size_t at = size();
  text_.bytes_ += bytes;
  mark(at, size(), flags);
}

void TextBuilder::add_repeated(char c, std::size_t count) {
  reserve(count);
  const std::size_t at = size();
  text_.bytes_.append(count, c);
  mark(at, size(), from_variable);
}

Text TextBuilder::take() {
  text_.characters_ = count_characters(text_.bytes_);
  rendering_->spend_bytes(text_.bytes_.size());
  return std::exchange(text_, Text());
}

Text subtext(Rendering& rendering, const Text& text, std::size_t begin, std::size_t end) {
  TextBuilder part(rendering);
  part.add(text, begin, end);
  return part.take();
}

}  // namespace fathom::jinja
