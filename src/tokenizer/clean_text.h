// The normalizer steps that work on one character at a time. Each rewrites valid UTF-8
// `text`, which stays valid.
#pragma once

#include <string>

#include "tokenizer/spec.h"

namespace fathom::tokenizer {

// Every character in lower case, without regard to its neighbours.
void to_lower_case(std::string& text);
// Removes white space from the beginning, the end, or both.
void strip_space(std::string& text, bool left, bool right);
// Removes all combining marks.
void strip_accents(std::string& text);
// Removes control characters, and replaces each character that acts as a space by one
// (the rules of SentencePiece's "nmt" normalisation).
void clean_nmt(std::string& text);
// BERT's steps in their order, each if the step asks for it: removes control characters
// and replaces white space by plain spaces, puts spaces around Chinese characters,
// decomposes characters and strips accents, converts to lower case.
void clean_bert(std::string& text, const NormalizerStep& step);

}  // namespace fathom::tokenizer
