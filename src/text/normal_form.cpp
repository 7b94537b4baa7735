#include "text/normal_form.h"

#include <utf8proc.h>

#include <cstdlib>

#include "core/error.h"

namespace fathom {

namespace {

// Whether a glance tells that `text` is in its normal form: all characters are below U+0300, or in
// U+2010 to U+203F (quotation marks and dashes), U+3000 to U+3029 (Chinese punctuation), U+4000 to
// U+9FFF, or U+FF00 to U+FF7F (full width). Most texts of Chinese and English are such.
bool plainly_composed(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const unsigned lead = at(i);
    if (lead < 0xcc || (lead >= 0xe4 && lead <= 0xe9)) continue;  // or inside a character
    const bool plain =
        i + 2 < text.size() && ((lead == 0xe2 && at(i + 1) == 0x80 && at(i + 2) >= 0x90) ||
                                (lead == 0xe3 && at(i + 1) == 0x80 && at(i + 2) < 0xaa) ||
                                (lead == 0xef && (at(i + 1) == 0xbc || at(i + 1) == 0xbd)));
    if (!plain) return false;
    i += 2;
  }
  return true;
}

}  // namespace

std::string normal_form_c(std::string_view text) {
  if (plainly_composed(text)) return std::string(text);
  utf8proc_uint8_t* result = nullptr;
  const auto length =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &result,
                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  if (length < 0) fail_runtime("utf8proc: {}", utf8proc_errmsg(length));
  std::string out(reinterpret_cast<const char*>(result), static_cast<std::size_t>(length));
  std::free(result);
  return out;
}

}  // namespace fathom
