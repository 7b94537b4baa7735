// Bytes a token, by file and by language.
#pragma once

#include <string>

#include "tokenizer/tokenizer.h"
#include "tokenizer/trainer.h"

namespace fathom::tokenizer {

// Encodes the first config.report_mb of each file. A line counts as CJK when at
// least 30 % of its characters are, else as Latin when at least half are ASCII
// letters or spaces, else as other. The text, with a line for each.
std::string compression_report(const Tokenizer& tokenizer, const TokenizerTrainConfig& config);

}  // namespace fathom::tokenizer
