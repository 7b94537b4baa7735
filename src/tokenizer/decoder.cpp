#include "tokenizer/decoder.h"

#include <utility>

#include "core/error.h"
#include "text/utf8.h"
#include "tokenizer/byte_level.h"

namespace fathom::tokenizer {
namespace {

using DecoderKind = DecoderStep::Kind;

// Removes up to `count` times `content` from the front or the back.
void strip(std::string& text, const std::string& content, std::int64_t count, bool front) {
  for (std::int64_t i = 0; i < count && !content.empty(); ++i) {
    if (front ? !text.starts_with(content) : !text.ends_with(content)) return;
    text = front ? text.substr(content.size()) : text.substr(0, text.size() - content.size());
  }
}

std::string replaced(const std::string& text, const std::string& what, std::string_view by) {
  std::string out;
  std::size_t done = 0;
  for (std::size_t at; (at = text.find(what, done)) != std::string::npos;) {
    out.append(text, done, at - done).append(by);
    done = at + what.size();
  }
  return out.append(text, done);
}

}  // namespace

Decoder::Decoder(const std::vector<DecoderStep>& steps, std::span<const std::string> tokens,
                 const std::string& where)
    : steps_(steps), replacers_(steps.size()) {
  if (steps.empty()) separator_.push_back(' ');
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (steps[i].kind == DecoderKind::replace) {
      replacers_[i].emplace(steps[i].pattern, steps[i].content, where + ": decoder");
    }
  }
  find_places(where);
  offsets_.reserve(tokens.size() + 1);
  offsets_.push_back(0);
  for (const auto& token : tokens) {
    text_ += decode(token, {});
    offsets_.push_back(text_.size());
  }
  if (first_differs_ || last_differs_) tokens_.assign(tokens.begin(), tokens.end());
}

// Finds the steps that depend on a token's place, and those that run on the whole text.
void Decoder::find_places(const std::string& where) {
  bool fused = false;
  std::size_t on_tokens = 0;  // the steps before a Strip of the whole text
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const auto& step = steps_[i];
    if (fused && step.kind == DecoderKind::strip) {
      if (step.stop > 0 || strip_count_ > 0) {
        fail_input("{}: decoder: a Strip of the end after Fuse is not supported", where);
      }
      strip_content_ = step.content;
      strip_count_ = step.start;
    } else if (fused && step.kind != DecoderKind::fuse) {
      fail_input("{}: decoder: a step other than Strip after Fuse or ByteLevel is not supported",
                 where);
    }
    if (step.kind == DecoderKind::fuse || step.kind == DecoderKind::byte_level) fused = true;
    if (!fused || step.kind != DecoderKind::strip) on_tokens = i + 1;
    if (step.kind == DecoderKind::metaspace) first_differs_ = step.prepend != PrependScheme::never;
    if (step.kind == DecoderKind::bpe) last_differs_ = true;
  }
  steps_.resize(on_tokens);
}

std::string Decoder::decode(const std::string& token, Place place) const {
  std::string text = token;
  for (std::size_t i = 0; i < steps_.size(); ++i) run(i, text, place);
  return text;
}

void Decoder::run(std::size_t index, std::string& text, Place place) const {
  const DecoderStep& step = steps_[index];
  // A byte of ByteFallback may be a part of a character, so later steps skip it.
  if (utf8::valid_prefix(text) != text.size()) return;
  switch (step.kind) {
    case DecoderKind::byte_level:
      if (auto bytes = from_byte_level(text)) text = std::move(*bytes);
      return;
    case DecoderKind::replace:
      return replacers_[index]->apply(text);
    case DecoderKind::byte_fallback:
      if (const auto byte = byte_of_fallback(text)) text.assign(1, static_cast<char>(*byte));
      return;
    case DecoderKind::fuse:
      return;
    case DecoderKind::strip:
      strip(text, step.content, step.start, true);
      return strip(text, step.content, step.stop, false);
    case DecoderKind::metaspace:
      // The character that the pre-tokenizer put before the text is removed too.
      text = replaced(text, step.content,
                      place.first && step.prepend != PrependScheme::never ? "" : " ");
      return;
    case DecoderKind::bpe:
      text = replaced(text, step.content, place.last ? "" : " ");
      return;
  }
}

void Decoder::append(std::string& text, std::int32_t id, Place place) const {
  if (!place.first) text += separator_;
  if ((place.first && first_differs_) || (place.last && last_differs_)) {
    text += decode(tokens_[static_cast<std::size_t>(id)], place);
  } else {
    text += bytes(id);
  }
}

void Decoder::strip_start(std::string& text, std::int64_t& count) const {
  for (; count > 0 && text.starts_with(strip_content_); --count) {
    text.erase(0, strip_content_.size());
  }
  if (!text.empty()) count = 0;
}

}  // namespace fathom::tokenizer
