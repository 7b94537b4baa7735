// The prompts of the repetition meter, from the config and its file.
#pragma once

#include <string>
#include <vector>

#include "train/config.h"

namespace fathom {

struct RepetitionPrompt {
  std::string text;          // of a prompt; empty for a conversation
  std::string conversation;  // the row of a conversation as JSON; empty for a prompt
  std::string where;         // for messages: "prompts.jsonl:3"
};

// The prompts of repetition.prompts, then those of the file. A line is a JSON string, an object with
// "prompt", or one with "messages" or "conversations". Throws an input Error that names the line
// of any other, and the file when it has none.
std::vector<RepetitionPrompt> read_repetition_prompts(const RepetitionConfig& config);

}  // namespace fathom
