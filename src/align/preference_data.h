// Files of preferences as pairs of answers to one prompt, in tokens. `dpo` and `data check` read
// their data here.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "align/chat_data.h"

namespace fathom {

// Which pairs a ranking of several answers gives; equal ranks give none.
enum class RankingPairs { best_and_worst, all };
inline std::span<const std::string_view> enum_names(RankingPairs) {
  static constexpr std::string_view names[] = {"best_and_worst", "all"};
  return names;
}

// Whether the first row of the files is one of preferences, for commands that take both kinds.
bool holds_preferences(const std::vector<std::string>& paths);

// Adds every pair of the files to `pairs`, as read_examples() adds conversations. A pair is cut
// where its answers begin, or earlier where their tokens already differ. The length of a pair
// is that of its longer side with the prompt; both sides count as turns.
ChatStatistics read_preferences(const std::vector<std::string>& paths, const ChatTemplate& chat,
                                const Tokenizer& tokenizer, const ChatDataOptions& options,
                                RankingPairs rankings, PreferenceSet& pairs);

}  // namespace fathom
