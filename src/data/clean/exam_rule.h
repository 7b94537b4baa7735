// The rule that tells exams. Internal to clean: quality_rules.cpp lists it.
#pragma once

#include "data/clean/text_facts.h"

namespace fathom::clean {

// Share of the characters in multiple-choice questions: three or more options A, B, C, ... in
// order, at the beginnings of lines or behind blanks, with the lines between them and the one
// before. At most two lines without an option are between two.
double multiple_choice(const TextFacts& facts);

}  // namespace fathom::clean
