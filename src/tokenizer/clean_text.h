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
// Removes control characters, and makes a space of each character that acts as one
// (the rules of SentencePiece's "nmt" normalisation).
void clean_nmt(std::string& text);
// BERT's steps in their order: removes control characters and makes plain spaces of
// white space, sets Chinese characters apart by spaces, decomposes and strips accents,
// writes in lower case; each if the step asks for it.
void clean_bert(std::string& text, const NormalizerStep& step);

}  // namespace fathom::tokenizer
