// The common part of reading chat data: rows in batches, encoded on all threads, kept or left out
// in their order. Internal to src/align.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "align/chat_data.h"
#include "align/row.h"

namespace fathom {

// One encoded example, with what the statistics count.
struct EncodedExample {
  std::vector<std::int32_t> tokens, rejected;  // the second of a pair: its other side, whole
  std::vector<std::uint8_t> learned;           // [tokens]
  std::int64_t prompt = 0;                     // of a pair: tokens of the prompt in both sides
  std::int64_t turns = 0, answers = 0, learned_tokens = 0;
  bool ends_turns = true, multiple_choice = false;
  std::string_view script, language;  // the language: empty when it is not detected

  std::int64_t length() const { return std::max(std::ssize(tokens), std::ssize(rejected)); }
};

// Reads the rows of the files. `encode` is called from several threads at once and may throw
// input Errors; `keep` gets the examples that the options keep, in order.
ChatStatistics read_rows(const std::vector<std::string>& paths, const ChatDataOptions& options,
                         const std::function<std::vector<EncodedExample>(const RowJson&)>& encode,
                         const std::function<void(const EncodedExample&)>& keep);

}  // namespace fathom
