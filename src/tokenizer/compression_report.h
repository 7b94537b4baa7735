// Average bytes per token, by file and by script.
#pragma once

#include <string>

#include "tokenizer/tokenizer.h"
#include "tokenizer/trainer.h"

namespace fathom::tokenizer {

// Encodes the first config.report_mb of each file and returns a table, one line a file
// and script. A line of text counts as CJK when at least 30 % of its characters are CJK,
// else as Latin when at least half are ASCII letters or spaces, else as other.
std::string compression_report(const Tokenizer& tokenizer, const TokenizerTrainConfig& config);

}  // namespace fathom::tokenizer
