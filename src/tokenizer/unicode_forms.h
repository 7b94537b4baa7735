// The normal forms of Unicode.
#pragma once

#include <string>

namespace fathom::tokenizer {

enum class UnicodeForm { nfc, nfd, nfkc, nfkd };

// Rewrites valid UTF-8 `text`. Characters that got a decomposition or a combining class
// in a later version of Unicode than Hugging Face's normalizers use are left unchanged.
void to_unicode_form(std::string& text, UnicodeForm form);

}  // namespace fathom::tokenizer
