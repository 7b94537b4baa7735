// The directory that `data prepare` makes, opened for reading:
//
//   manifest.json               its sources and shards, and the settings used
//   tokenizer.json              the tokenizer used
//   train/<source>-00000.tokens, ...
//   held_out/<source>-00000.tokens, ...
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/config.h"
#include "data/shard.h"
#include "data/token_stream.h"

namespace fathom {

enum class Split { train, held_out };
inline constexpr Split all_splits[] = {Split::train, Split::held_out};
std::string_view name_of(Split split);  // also its folder's name

struct PreparedSource {
  std::string name;
  double weight = 1.0;
  TokenStream train, held_out;
};

struct PreparedData {
  std::uint64_t tokenizer_hash = 0;
  std::int64_t vocab_size = 0;
  std::int32_t eos = 0;
  std::vector<PreparedSource> sources;

  // Throws an input Error unless the shards were made with this tokenizer.
  void check_tokenizer(std::uint64_t hash, const std::string& tokenizer_path) const;

  std::string directory;  // the first one, for messages
};

// With Verify::content, the share of the shards that this process compares with their
// checksums: processes that open the same data divide them. `between` is called between
// shards, and may throw to end the work.
struct VerifyShare {
  int index = 0, shares = 1;
  std::function<void()> between;
};

// Opens one directory with all its sources. Throws an input Error when a shard is
// missing, damaged, or not the one in the manifest.
PreparedData open_prepared(const std::string& directory, Verify verify = Verify::structure,
                           const VerifyShare& share = {});

// Opens the sources that the config lists or, if it lists none, all sources of
// `directory` with the weights that they were prepared with. Sources of weight 0 are left
// out of training but stay in validation. All must share one tokenizer.
PreparedData open_prepared(const DataConfig& config, const VerifyShare& share = {});

// The content of manifest.json.
struct ShardEntry {
  std::string file;  // relative to the directory
  ShardCounts counts;
  std::uint64_t checksum = 0;
};
struct SourceEntry {
  std::string name;
  double weight = 1.0;
  std::vector<ShardEntry> shards[2];  // by Split
  ShardCounts counts(Split split) const;
};
struct Manifest {
  std::uint64_t tokenizer_hash = 0;
  std::int64_t vocab_size = 0;
  std::int32_t eos = 0;
  std::int64_t seed = 0;
  double held_out_fraction = 0;
  std::vector<SourceEntry> sources;
};
Manifest read_manifest(const std::string& directory);
std::string manifest_text(const Manifest& manifest);

}  // namespace fathom
