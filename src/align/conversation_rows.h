// Rows of chat data as conversations to learn, whatever their format: the row's keys tell it.
#pragma once

#include <vector>

#include "align/conversation.h"
#include "align/row.h"

namespace fathom {

// One conversation, or for an OpenAssistant tree several; not yet checked. Throws an input Error
// for a row in no known format, and for what is wrong with it in its format.
std::vector<Conversation> conversations_of(const RowJson& row);

// The row's keys, for messages: "id, text, url".
std::string keys_of(const RowJson& row);

// Whether the last question offers answers by letters (A, B, ...) and the answer picks one of
// them, as multiple-choice exams do.
bool is_multiple_choice(const Conversation& conversation);

}  // namespace fathom
