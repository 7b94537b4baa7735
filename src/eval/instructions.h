// IFEval (Zhou et al., Instruction-Following Evaluation for Large Language Models, 2023): 25 kinds of
// instructions whose following a program can check.
//
// The rules are those of its authors' code, as lm-evaluation-harness has them, but: a text's language
// is CLD2's guess, where they take that of langdetect, which is random; sentences and words are cut by
// english_text.h, where they take NLTK's trained data; a letter to count may be
// any character, where they draw a letter in place of another one.
#pragma once

#include <string>
#include <vector>

#include "eval/item.h"

namespace fathom::eval {

struct InstructionScores {
  std::vector<bool> strict;  // for each instruction: the answer follows it
  // The same, or one of seven variants of the answer does: without its first line, its last line,
  // both, and all of these without asterisks.
  std::vector<bool> loose;
};

// The row's fields are `prompt`, `instruction_id_list` and `kwargs`, a list of objects. An empty answer
// follows nothing. Throws an input Error that names the row for an unknown instruction and for an
// argument that is missing or of another type.
InstructionScores follow_instructions(const Item& item, const std::string& answer);

}  // namespace fathom::eval
