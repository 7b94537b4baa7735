// Prompts that a run of alignment asks its model: samples and the repetition meter.
#pragma once

#include <string>

#include "align/conversation.h"
#include "train/repetition_prompts.h"

namespace fathom {

// A user's only message.
Conversation question(const std::string& text);

// Of a prompt that is a conversation: up to its last answer, which it asks for.
Conversation conversation_of(const RepetitionPrompt& prompt);

}  // namespace fathom
