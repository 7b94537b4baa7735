#include "tokenizer/unicode_forms.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "text/utf8.h"

namespace fathom::tokenizer {
namespace {

// Whether no normal form of this kind can change `text`: true only if none of its
// characters decomposes, composes or reorders. That is so for most text.
bool is_inert(std::string_view text, UnicodeForm form) {
  const char32_t limit = form == UnicodeForm::nfc ? 0x300 : form == UnicodeForm::nfkc ? 0xa0 : 0x80;
  const char* p = text.data();
  const char* const end = p + text.size();
  while (p < end) {
    const char32_t c = utf8::next(p);
    if (c >= limit && !(c >= 0x4e00 && c <= 0x9fff)) return false;
  }
  return true;
}

// Characters that got a decomposition or a combining class in a later version of Unicode
// than Hugging Face's normalizers use (found by comparing each code point with
// `tokenizers` 0.23). They are left unchanged, so that ids agree.
constexpr std::array<std::pair<char32_t, char32_t>, 48> unknown_to_peers = {
    {{0x7fd, 0x7fd},     {0x898, 0x89f},     {0x8ca, 0x8d3},     {0x9fe, 0x9fe},
     {0xc3c, 0xc3c},     {0xd3b, 0xd3c},     {0xeba, 0xeba},     {0x1715, 0x1715},
     {0x1abf, 0x1ace},   {0x1df6, 0x1dfa},   {0x32ff, 0x32ff},   {0xa7f2, 0xa7f4},
     {0xa82c, 0xa82c},   {0xab69, 0xab69},   {0x10781, 0x10785}, {0x10787, 0x107b0},
     {0x107b2, 0x107ba}, {0x10d24, 0x10d27}, {0x10eab, 0x10eac}, {0x10efd, 0x10eff},
     {0x10f46, 0x10f50}, {0x10f82, 0x10f85}, {0x11070, 0x11070}, {0x1133b, 0x1133b},
     {0x1145e, 0x1145e}, {0x11839, 0x1183a}, {0x11930, 0x11930}, {0x11935, 0x11935},
     {0x11938, 0x11938}, {0x1193d, 0x1193e}, {0x11943, 0x11943}, {0x119e0, 0x119e0},
     {0x11a34, 0x11a34}, {0x11a47, 0x11a47}, {0x11a99, 0x11a99}, {0x11d42, 0x11d42},
     {0x11d44, 0x11d45}, {0x11d97, 0x11d97}, {0x11f41, 0x11f42}, {0x16ff0, 0x16ff1},
     {0x1e030, 0x1e06d}, {0x1e08f, 0x1e08f}, {0x1e130, 0x1e136}, {0x1e2ae, 0x1e2ae},
     {0x1e2ec, 0x1e2ef}, {0x1e4ec, 0x1e4ef}, {0x1f16c, 0x1f16c}, {0x1fbf0, 0x1fbf9}}};

bool is_unknown(char32_t c) {
  if (c < unknown_to_peers[0].first) return false;
  const auto range = std::ranges::lower_bound(unknown_to_peers, c, {},
                                              [](const auto& entry) { return entry.second; });
  return range != unknown_to_peers.end() && c >= range->first;
}

void append_form(std::string& out, std::string_view text, utf8proc_option_t options) {
  if (text.empty()) return;
  utf8proc_uint8_t* result = nullptr;
  const auto size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                 static_cast<utf8proc_ssize_t>(text.size()), &result, options);
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(result, &std::free);
  if (size < 0) fail_runtime("cannot normalize a text: {}", utf8proc_errmsg(size));
  out.append(reinterpret_cast<const char*>(result), static_cast<std::size_t>(size));
}

}  // namespace

void to_unicode_form(std::string& text, UnicodeForm form) {
  if (is_inert(text, form)) return;
  int options = UTF8PROC_STABLE;
  options |=
      form == UnicodeForm::nfc || form == UnicodeForm::nfkc ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE;
  if (form == UnicodeForm::nfkc || form == UnicodeForm::nfkd) options |= UTF8PROC_COMPAT;
  std::string result;
  std::size_t done = 0;
  const char* p = text.data();
  const char* const end = p + text.size();
  while (p < end) {
    const auto start = static_cast<std::size_t>(p - text.data());
    if (!is_unknown(utf8::next(p))) continue;
    const auto after = static_cast<std::size_t>(p - text.data());
    append_form(result, std::string_view(text).substr(done, start - done),
                static_cast<utf8proc_option_t>(options));
    result.append(text, start, after - start);
    done = after;
  }
  append_form(result, std::string_view(text).substr(done), static_cast<utf8proc_option_t>(options));
  text = std::move(result);
}

}  // namespace fathom::tokenizer
