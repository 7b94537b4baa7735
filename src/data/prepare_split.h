// Writes one split of one source as a sequence of shards. Internal to data.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/prepared.h"

namespace fathom {

class SplitWriter {
 public:
  // Shards go to <directory>/<split>/<source>-00000.tokens and so on.
  SplitWriter(std::string directory, Split split, ShardInfo info, std::int64_t shard_tokens);

  void add_document(std::span<const std::int32_t> ids, std::int64_t text_bytes);
  std::vector<ShardEntry> finish();

 private:
  void finish_shard();

  std::string directory_, prefix_;
  ShardInfo info_;
  std::int64_t shard_tokens_;
  std::optional<ShardWriter> shard_;
  std::vector<ShardEntry> shards_;
};

}  // namespace fathom
