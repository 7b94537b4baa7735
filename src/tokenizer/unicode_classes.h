// Classes of characters as the steps of a tokenizer.json use them: the general
// categories of Unicode, in the versions that Hugging Face's `tokenizers` knows.
#pragma once

namespace fathom::tokenizer {

// ASCII's punctuation and symbols, and the categories P* of Unicode.
bool is_punctuation(char32_t c);
// The category Mn; BertNormalizer strips these.
bool is_nonspacing_mark(char32_t c);
// The categories Mn, Mc and Me; StripAccents strips these.
bool is_mark(char32_t c);
// The categories Cc, Cf and Co without tab, line feed and carriage return.
bool is_control(char32_t c);
// The blocks of Chinese characters that BertNormalizer sets apart. It begins one of
// them at U+2B920 instead of U+2B820, and models are trained with that.
bool is_cjk_ideograph(char32_t c);
// The lower-case character; all but U+0130 have one of one character.
char32_t to_lower(char32_t c);

}  // namespace fathom::tokenizer
