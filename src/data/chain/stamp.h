// What a stage of `data run` made, and of what: OUTPUT/<stage>.stage.json. It is beside the stage's
// folder OUTPUT/<stage>, because a stage refuses a folder with files that it did not write, and
// `data prepare` replaces its folder as a whole. It is written before the stage begins and when it
// has ended, so that a folder without a stamp is not one of the chain.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/parts.h"

namespace fathom::chain {

struct TextCounts {
  std::int64_t documents = 0, bytes = 0;

  void add(const TextCounts& other);
};

// One source's part of an output. Paths are relative to the stage's folder.
struct StageSource {
  std::string name;
  std::vector<PartFile> files;
  TextCounts read, kept;
  std::int64_t tokens = 0;  // of `data prepare`
};

struct StageOutput {
  std::vector<StageSource> sources;
  std::vector<PartFile> files;  // of no source: tokenizer.json, manifest.json

  std::vector<PartFile> all_files() const;
  std::uint64_t bytes() const;  // of all files
};

struct StageStamp {
  std::string config, input;  // checksums: of the stage's own config, of all that it reads
  bool done = false;          // until then `output` has no more than the names of sources
  double seconds = 0;  // of the call that ended the stage
  StageOutput output;

  // What the next stage depends on: equal ones mean equal outputs.
  std::string identity() const;

  std::vector<std::string> source_names() const;

  void save(const std::string& path) const;
  // None when there is no file. Throws an input Error for a file that is no stamp, or of another
  // version.
  static std::optional<StageStamp> load(const std::string& path);
};

// The first file of the output that is not in `folder` with its size; empty: all are.
std::string missing_file(const StageOutput& output, const std::string& folder);

}  // namespace fathom::chain
