// The configs of `data prepare` and of the loader.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/config.h"
#include "text/text_format.h"

namespace fathom {

// Where text comes from, for every command that reads documents.
struct TextSourceConfig {
  std::string name;
  std::vector<std::string> paths;
  TextFormat format = TextFormat::automatic;
  std::string field = "text";
  std::string separator;
  bool skip_broken_lines = false;
  TextContent content = TextContent::text;
};
template <class Visitor>
void visit_fields(TextSourceConfig& c, Visitor&& field) {
  field("name", c.name, "name in reports and file names: letters, digits, '-', '_' and '.'");
  field("paths", c.paths, "files, directories (read recursively) or patterns such as a/*.txt");
  field("format", c.format, "how files are cut into documents; compressed files are unpacked");
  field("content", c.content,
        "html: documents are web pages, of which the main text is taken; of WARC archives the "
        "responses");
  field("field", c.field, "jsonl, parquet: the key or column of the document's text");
  field("separator", c.separator, "separated: the line between documents; empty: a blank line");
  field("skip_broken_lines", c.skip_broken_lines,
        "leave out and count broken JSON lines, and documents that the tokenizer cannot encode");
}

struct SourceConfig : TextSourceConfig {
  double weight = 1.0;
  std::vector<std::string> held_out_paths;
};
template <class Visitor>
void visit_fields(SourceConfig& c, Visitor&& field) {
  visit_fields(static_cast<TextSourceConfig&>(c), field);
  field("weight", c.weight, "share of this source in training, relative to the others'");
  field("held_out_paths", c.held_out_paths,
        "files and directories held out whole, in place of a share of the documents");
}

struct PrepareConfig {
  std::string tokenizer;
  std::string output;
  std::string end_of_document;
  double held_out_fraction = 0.005;
  std::optional<std::int64_t> held_out_bytes;
  std::int64_t shard_tokens = 100'000'000;
  std::int64_t seed = 0;
  std::int64_t threads = 0;
  std::vector<SourceConfig> sources;
};
template <class Visitor>
void visit_fields(PrepareConfig& c, Visitor&& field) {
  field("tokenizer", c.tokenizer, "path of tokenizer.json");
  field("output", c.output, "directory to make");
  field("end_of_document", c.end_of_document,
        "the token after each document; empty: the tokenizer's own, such as </s>");
  field("held_out_fraction", c.held_out_fraction, "share of the documents held out for validation");
  field("held_out_bytes", c.held_out_bytes,
        "hold out about this many bytes of each source at most");
  field("shard_tokens", c.shard_tokens, "a new shard begins after so many tokens");
  field("seed", c.seed, "seed of the choice of held-out documents");
  field("threads", c.threads, "0: one per core; the output does not depend on it");
  field("sources", c.sources, "");
}

// One source of a prepared directory, possibly with a new weight.
struct DataSourceConfig {
  std::string name;
  std::string directory;
  std::optional<double> weight;
  bool from_beginning = false;
  std::optional<double> max_epochs = {};
};
template <class Visitor>
void visit_fields(DataSourceConfig& c, Visitor&& field) {
  field("name", c.name, "a source of the directory");
  field("directory", c.directory, "the prepared directory that holds it; empty: data.directory");
  field("weight", c.weight, "its share in training, relative to the others'");
  field("max_epochs", c.max_epochs, "data.max_epochs for this source");
  field("from_beginning", c.from_beginning,
        "continue_from: as if nothing was read under its name; for other text of that name");
}

// From a point of the run on the sources have other weights. One of the three says where.
struct MixPhaseConfig {
  std::optional<double> begin_share;
  std::optional<std::int64_t> begin_tokens, begin_step;
  NumberTable weights;
};
template <class Visitor>
void visit_fields(MixPhaseConfig& c, Visitor&& field) {
  field("begin_share", c.begin_share, "begins when so large a share of the run's tokens is read");
  field("begin_tokens", c.begin_tokens, "... when so many tokens are read");
  field("begin_step", c.begin_step, "... after so many steps");
  field("weights", c.weights, "{ source = weight, ... }; sources not named keep their weight");
}

struct DataConfig {
  std::string directory;
  std::vector<DataSourceConfig> sources;
  std::vector<MixPhaseConfig> phases;
  std::optional<double> max_epochs;
  bool attention_within_documents = false;
  std::int64_t validation_tokens = 0;
  std::int64_t prefetch = 4;
  bool verify = false;
};
template <class Visitor>
void visit_fields(DataConfig& c, Visitor&& field) {
  field("directory", c.directory, "a directory that `data prepare` wrote");
  field("sources", c.sources, "");
  field("phases", c.phases, "");
  field("max_epochs", c.max_epochs,
        "refuse a run that reads a source more often; unset: warn above 4");
  field("attention_within_documents", c.attention_within_documents,
        "a token attends to its own document only");
  field("validation_tokens", c.validation_tokens,
        "held-out tokens to validate on, per source (whole documents); 0: all");
  field("prefetch", c.prefetch, "batches made ahead of time");
  field("verify", c.verify, "compare every shard with its checksum at the start");
}

// Whether any source has a limit on repetition.
inline bool has_max_epochs(const DataConfig& config) {
  return config.max_epochs || std::ranges::any_of(config.sources, [](const auto& source) {
           return source.max_epochs.has_value();
         });
}
// Leaves no limit on repetition: for a few steps that measure or compare and are no run of the
// config's length.
inline void clear_max_epochs(DataConfig& config) {
  config.max_epochs.reset();
  for (DataSourceConfig& source : config.sources) source.max_epochs.reset();
}

}  // namespace fathom
