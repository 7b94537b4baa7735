// The normal forms of Unicode.
#pragma once

#include <string>

namespace fathom::tokenizer {

enum class UnicodeForm { nfc, nfd, nfkc, nfkd };

// Rewrites valid UTF-8 `text`. Characters that got a decomposition or a combining class
// after the version that Hugging Face's normalizers know are left as they are.
void to_unicode_form(std::string& text, UnicodeForm form);

}  // namespace fathom::tokenizer
