#include "tokenizer/added_tokens.h"

#include <algorithm>

#include "text/utf8.h"

namespace fathom::tokenizer {
namespace {

// The last character of valid, non-empty `text`.
char32_t last_char(std::string_view text) {
  std::size_t at = text.size() - 1;
  while ((static_cast<unsigned char>(text[at]) & 0xc0) == 0x80) --at;
  const char* p = text.data() + at;
  return utf8::next(p);
}

bool is_single_word(std::string_view before, std::string_view after) {
  if (!before.empty() && utf8::is_word(last_char(before))) return false;
  const char* p = after.data();
  return after.empty() || !utf8::is_word(utf8::next(p));
}

// Bytes of white space at the end of `text`, and at its beginning.
std::size_t trailing_space(std::string_view text) {
  std::size_t end = text.size();
  while (end > 0 && utf8::is_space(last_char(text.substr(0, end)))) {
    do --end;
    while ((static_cast<unsigned char>(text[end]) & 0xc0) == 0x80);
  }
  return text.size() - end;
}
std::size_t leading_space(std::string_view text) {
  const char* p = text.data();
  const char* const end = p + text.size();
  while (p < end) {
    const char* const start = p;
    if (!utf8::is_space(utf8::next(p))) return static_cast<std::size_t>(start - text.data());
  }
  return text.size();
}

// Whether a token is spelled like a control token, "<|im_start|>" or "<｜User｜>". Some
// files do not mark all their control tokens as special.
bool is_control_name(std::string_view token) {
  const auto enclosed = [&](std::string_view begin, std::string_view end) {
    return token.size() > begin.size() + end.size() && token.starts_with(begin) &&
           token.ends_with(end);
  };
  return enclosed("<|", "|>") || enclosed("<｜", "｜>");
}

}  // namespace

void AddedTokenMatcher::add(std::string_view text, const AddedToken& token) {
  if (text.empty()) return;
  begins_[static_cast<unsigned char>(text[0])] = true;
  std::uint32_t node = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    auto& children = nodes_[node].children;
    const auto at =
        std::ranges::lower_bound(children, byte, {}, [](auto& edge) { return edge.first; });
    if (at != children.end() && at->first == byte) {
      node = at->second;
      continue;
    }
    const auto fresh = static_cast<std::uint32_t>(nodes_.size());
    children.insert(at, {byte, fresh});
    nodes_.emplace_back();
    node = fresh;
  }
  if (nodes_[node].token < 0) nodes_[node].token = static_cast<std::int32_t>(tokens_.size());
  tokens_.push_back(token);
}

std::pair<std::int32_t, std::size_t> AddedTokenMatcher::longest(std::string_view text) const {
  std::pair<std::int32_t, std::size_t> best{-1, 0};
  std::uint32_t node = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto& children = nodes_[node].children;
    const auto at =
        std::ranges::lower_bound(children, byte, {}, [](auto& edge) { return edge.first; });
    if (at == children.end() || at->first != byte) break;
    node = at->second;
    if (nodes_[node].token >= 0) best = {nodes_[node].token, i + 1};
  }
  return best;
}

void AddedTokenMatcher::split(std::string_view text, std::span<const ByteSpan> special_in,
                              std::vector<TextPart>& parts) const {
  std::size_t done = 0;
  auto span = special_in.begin();  // the first that ends behind the current place
  for (std::size_t at = 0; at < text.size();) {
    if (!begins_[static_cast<unsigned char>(text[at])]) {
      ++at;
      continue;
    }
    const auto [index, length] = longest(text.substr(at));
    if (index < 0) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[static_cast<std::size_t>(index)];
    std::size_t begin = at, end = at + length;
    at = end;  // the search continues after the match even when it does not count
    if (token.special || is_control_name(token.content)) {
      while (span != special_in.end() && span->end <= begin) ++span;
      if (span == special_in.end()) continue;
      if (begin < span->begin) {
        at = std::min(end, span->begin);  // text may not swallow the beginning of a token
        continue;
      }
      if (end > span->end) continue;
    }
    if (token.single_word && !is_single_word(text.substr(0, begin), text.substr(end))) continue;
    if (token.lstrip) begin = std::max(begin - trailing_space(text.substr(0, begin)), done);
    if (token.rstrip) end += leading_space(text.substr(end));
    if (done < begin) parts.push_back({text.substr(done, begin - done), -1});
    parts.push_back({text.substr(begin, end - begin), token.id});
    done = end;
  }
  if (done < text.size()) parts.push_back({text.substr(done), -1});
}

}  // namespace fathom::tokenizer
