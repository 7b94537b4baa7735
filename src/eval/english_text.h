// English text in sentences and words, for instructions that count them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fathom::eval {

// A sentence ends behind . ? or ! with the quotes and brackets that close there, when a blank follows,
// also before a small letter. It does not end behind a letter alone, nor a usual abbreviation ("Dr.",
// "e.g.", "No. 5"), nor behind an ellipsis before a small letter. The trained splitter of NLTK, which
// IFEval's authors use, knows more abbreviations, and ends a sentence behind one when the next word
// usually begins sentences: each such place is a difference of one.
std::vector<std::string> sentences_of(const std::string& text);

// Words as the Penn Treebank has them: punctuation apart, "don't" as "do" and "n't", "it's" as "it" and
// "'s"; hyphenated words are one.
std::vector<std::string> treebank_words(const std::string& text);

// Python's str.isupper() and str.islower(): there are letters with two cases, all of the one.
bool all_upper(std::string_view text);
bool all_lower(std::string_view text);

}  // namespace fathom::eval
