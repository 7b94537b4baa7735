// `data prepare`: text in, a directory of token shards out (data/prepared.h).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "data/config.h"
#include "data/prepared.h"
#include "io/output_path.h"
#include "text/document.h"

namespace fathom {

class Tokenizer;

// What preparation needs of a tokenizer.
struct DocumentEncoder {
  std::int64_t vocab_size = 0;
  std::int32_t eos = 0;
  std::uint64_t hash = 0;
  std::string tokenizer_json;  // copied beside the shards; empty: not copied
  // Appends the ids of a text. Called from many threads.
  std::function<void(std::string_view, std::vector<std::int32_t>&)> encode;
};
// `end_of_document`: the token's name; empty: the only one of a usual name. Throws an input
// Error that lists the candidates when there is none or when there are several.
DocumentEncoder make_encoder(const Tokenizer& tokenizer, const std::string& path,
                             const std::string& end_of_document = "");

struct PrepareReport {
  Manifest manifest;
  std::vector<DocumentCounts> sources;  // what was left out or repaired
};

// A table for people: documents, bytes, tokens and bytes a token of each source
// and split.
std::string summary(const PrepareReport& report);

// Names of all files of a prepared directory.
OwnFiles prepared_files();

enum class Overwrite { no, yes };

// Reads, encodes and writes everything, and commits the directory by one rename; it
// is the same for any number of threads. A document is held out when a hash of its
// text and the seed falls under the fraction: equal documents stay together. Throws
// an input Error for a config that cannot be carried out, before any work, when the
// output exists and is not to be overwritten or was not made by prepare_data(), and when
// output and sources overlap. After any error what stood there
// before is untouched.
PrepareReport prepare_data(const PrepareConfig& config, const DocumentEncoder& encoder,
                           Overwrite overwrite = Overwrite::no);

// Whether a document is kept for validation. Pure.
bool is_held_out(std::string_view text, std::uint64_t seed, double fraction);

}  // namespace fathom
