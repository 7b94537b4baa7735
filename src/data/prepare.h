// `data prepare`: turns text into a directory of token shards (data/prepared.h).
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

// The parts of a tokenizer that preparation needs.
struct DocumentEncoder {
  std::int64_t vocab_size = 0;
  std::int32_t eos = 0;
  std::uint64_t hash = 0;
  std::string tokenizer_json;  // copied beside the shards; empty: not copied
  // Appends the ids of a text. Called from many threads.
  std::function<void(std::string_view, std::vector<std::int32_t>&)> encode;
};
// `end_of_document`: the token's name; empty: the tokenizer's only special token with a
// usual name. Throws an input Error that lists the candidates when there are several, or
// when there is none.
DocumentEncoder make_encoder(const Tokenizer& tokenizer, const std::string& path,
                             const std::string& end_of_document = "");

struct PrepareReport {
  Manifest manifest;
  std::vector<DocumentCounts> sources;  // documents left out or repaired, per source
};

// A table for people: documents, bytes, tokens and bytes per token of each source and
// split.
std::string summary(const PrepareReport& report);

// Names of all files of a prepared directory.
OwnFiles prepared_files();
// Of one of these sources.
OwnFiles prepared_files(std::span<const std::string> sources);

enum class Overwrite { no, yes };

// Reads, encodes and writes everything, and commits the directory by one rename. The
// directory is the same for any number of threads. A document is held out when a hash of
// its text and the seed falls under the fraction, so equal documents stay together; of a source
// with held_out_paths, when it is in a file of these.
// Before any work, throws an input Error for a config that cannot be carried out, for an
// output that exists and may not be overwritten or was not made by prepare_data(), and for
// sources that overlap with the output; and a runtime Error for a disk with clearly less space free
// than the shards take. After any error an earlier output is unchanged.
PrepareReport prepare_data(const PrepareConfig& config, const DocumentEncoder& encoder,
                           Overwrite overwrite = Overwrite::no);

// Whether a document is kept for validation. Pure.
bool is_held_out(std::string_view text, std::uint64_t seed, double fraction);

}  // namespace fathom
