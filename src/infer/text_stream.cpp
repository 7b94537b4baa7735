#include "infer/text_stream.h"

#include <algorithm>
#include <utility>

namespace fathom::infer {

StopMatcher::StopMatcher(std::vector<std::string> stops) : stops_(std::move(stops)) {
  std::erase(stops_, "");
}

std::size_t StopMatcher::open_end() const {
  std::size_t longest = 0;
  for (const std::string& stop : stops_) {
    // push() has found no whole stop, so n stays below its size.
    for (std::size_t n = std::min(stop.size(), held_.size()); n > longest; --n) {
      if (held_.ends_with(std::string_view(stop).substr(0, n))) longest = n;
    }
  }
  return longest;
}

std::string StopMatcher::push(std::string_view piece) {
  if (stopped_) return {};
  held_ += piece;
  std::size_t at = std::string::npos;
  for (const std::string& stop : stops_) at = std::min(at, held_.find(stop));
  stopped_ = at != std::string::npos;
  const std::size_t safe = stopped_ ? at : held_.size() - open_end();
  std::string text = held_.substr(0, safe);
  held_.erase(0, stopped_ ? held_.size() : safe);
  return text;
}

std::string StopMatcher::finish() {
  return std::exchange(held_, {});
}

void TextStream::follow(std::span<const std::int32_t> prompt) {
  for (const std::int32_t token : prompt) decoder_.push(token);
  prompt_end_ = StreamDecoder(decoder_).finish();
}

std::string TextStream::without_prompt(std::string text) {
  const std::size_t count = std::min(prompt_end_.size(), text.size());
  text.erase(0, count);
  prompt_end_.erase(0, count);
  return text;
}

}  // namespace fathom::infer
