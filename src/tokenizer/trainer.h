// Training a tokenizer from text files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace fathom {

// The 15 special tokens of a new tokenizer: beginning and end of a document, padding,
// the roles of a conversation, and spare ones. The technical report has as many.
std::vector<std::string> default_special_tokens();

struct TokenizerTrainConfig {
  std::vector<std::string> files;
  std::string text_field = "text";
  std::int64_t vocab_size = 32000;
  std::int64_t pad_to_multiple = 64;
  std::vector<std::string> special_tokens = default_special_tokens();
  std::int64_t min_frequency = 2;
  std::int64_t memory_mb = 4096;
  std::string like;
  std::int64_t report_mb = 8;
};
template <class Visitor>
void visit_fields(TokenizerTrainConfig& c, Visitor&& field) {
  field("files", c.files,
        "text and JSON lines files, also compressed, and Parquet; directories and patterns");
  field("text_field", c.text_field,
        "the key of a JSONL record, or the column, that holds its text");
  field("vocab_size", c.vocab_size, "ordinary tokens: the 256 bytes and one for each merge");
  field("pad_to_multiple", c.pad_to_multiple,
        "reserved tokens fill the vocabulary up to a multiple of this");
  field("special_tokens", c.special_tokens, "names of the special tokens");
  field("min_frequency", c.min_frequency, "pairs seen less often do not merge");
  field("memory_mb", c.memory_mb,
        "megabytes for the table of pieces, and as many for counting a round of text; when the "
        "table is full, the rarest pieces are left out");
  field("like", c.like, "a tokenizer.json whose normalizer and splitting are used");
  field("report_mb", c.report_mb,
        "megabytes of each entry of files that are encoded for the report");
}

// Throws an input Error that names the key for a value out of range.
void check_config(const TokenizerTrainConfig& config);

struct TokenizerTrainResult {
  Tokenizer tokenizer;
  std::string report;  // a table for people: bytes per token by file and by script
  double seconds = 0;  // without the report
};

// Reads the files once, on all threads of core/parallel.h; the result does not
// depend on how many there are. Throws an input Error on a file that cannot be
// read and on sizes that make no sense.
TokenizerTrainResult train_tokenizer(const TokenizerTrainConfig& config);

}  // namespace fathom
