#include "tokenizer/decoder.h"

#include <optional>

#include "core/error.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/normalizer.h"

namespace fathom::tokenizer {
namespace {

using Kind = DecoderStep::Kind;

// Removes up to `count` times `content` from the front or the back.
void strip(std::string& text, const std::string& content, std::int64_t count, bool front) {
  for (std::int64_t i = 0; i < count && !content.empty(); ++i) {
    if (front ? !text.starts_with(content) : !text.ends_with(content)) return;
    text = front ? text.substr(content.size()) : text.substr(0, text.size() - content.size());
  }
}

}  // namespace

Decoder::Decoder(const std::vector<DecoderStep>& steps, const std::vector<std::string>& tokens,
                 const std::string& where) {
  if (steps.empty()) separator_.push_back(' ');
  std::vector<std::optional<Replacer>> replacers(steps.size());
  std::vector<bool> on_token(steps.size(), true);
  bool fused = false;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto& step = steps[i];
    if (step.kind == Kind::replace) replacers[i].emplace(step.pattern, step.content, where);
    if (step.kind == Kind::fuse || step.kind == Kind::byte_level) {
      fused = true;
    } else if (fused && step.kind == Kind::strip) {
      if (step.stop > 0 || strip_count_ > 0) {
        fail_input("{}: decoder: a Strip of the end after Fuse is not supported", where);
      }
      strip_content_ = step.content;
      strip_count_ = step.start;
      on_token[i] = false;
    } else if (fused) {
      fail_input("{}: decoder: a step other than Strip after Fuse or ByteLevel is not supported",
                 where);
    }
  }
  offsets_.push_back(0);
  for (const auto& token : tokens) {
    std::string text = token;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const auto& step = steps[i];
      if (step.kind == Kind::byte_level) {
        if (auto bytes = from_byte_level(text)) text = std::move(*bytes);
      } else if (step.kind == Kind::replace) {
        replacers[i]->apply(text);
      } else if (step.kind == Kind::byte_fallback) {
        if (const auto byte = byte_of_fallback(text)) {
          text.clear();
          text.push_back(static_cast<char>(*byte));
        }
      } else if (step.kind == Kind::strip && on_token[i]) {
        strip(text, step.content, step.start, true);
        strip(text, step.content, step.stop, false);
      }
    }
    text_ += text;
    offsets_.push_back(text_.size());
  }
}

void Decoder::strip_start(std::string& text) const {
  strip(text, strip_content_, strip_count_, true);
}

}  // namespace fathom::tokenizer
