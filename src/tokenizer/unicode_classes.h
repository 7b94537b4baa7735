// Classes of characters for the steps of a tokenizer.json: the general categories of
// Unicode, in the versions that Hugging Face's `tokenizers` uses.
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
// The blocks of Chinese characters that BertNormalizer puts spaces around. One of them
// begins at U+2B920 instead of Unicode's U+2B820, because models were trained with that.
bool is_cjk_ideograph(char32_t c);
// The lower-case character. U+0130 alone has two, and its first is returned.
char32_t to_lower(char32_t c);

}  // namespace fathom::tokenizer
