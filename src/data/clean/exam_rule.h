// The rule that tells exams. Internal to clean: quality_rules.cpp lists it.
#pragma once

#include "data/clean/text_facts.h"

namespace fathom::clean {

// Share of the characters in multiple-choice questions: a stem with ?, empty parentheses or a gap
// ___ in the line before the options, or an answer key such as "Answer: B" behind them; three or
// more options A, B, C, ... in order, none of more than 100 characters, with at most two lines
// without an option between two. An option begins a line, or is behind two blanks or a tab, or
// follows another in a line. A number before the stem does not make one: outlines have that.
double multiple_choice(const TextFacts& facts);

}  // namespace fathom::clean
