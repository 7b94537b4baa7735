// Rows of preferences as pairs of answers, whatever their format: the row's keys tell it.
#pragma once

#include <vector>

#include "align/conversation.h"
#include "align/preference_data.h"
#include "align/row.h"

namespace fathom {

struct AnswerPair {
  Conversation prompt;  // without messages: the answers are whole texts that begin alike
  Message chosen, rejected;
};

// One pair, or for a ranking or an OpenAssistant tree several; not yet checked. A prompt that
// is part of both answers' dialogues is found by their common messages. Throws an input Error
// for a row in no known format, and for what is wrong with it in its format.
std::vector<AnswerPair> pairs_of(const RowJson& row, RankingPairs rankings);

}  // namespace fathom
