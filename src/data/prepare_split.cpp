#include "data/prepare_split.h"

#include <fmt/format.h>

namespace fathom {

SplitWriter::SplitWriter(std::string directory, Split split, ShardInfo info,
                         std::int64_t shard_tokens)
    : directory_(std::move(directory)),
      prefix_(fmt::format("{}/{}", name_of(split), info.source)),
      info_(std::move(info)),
      shard_tokens_(shard_tokens) {}

void SplitWriter::add_document(std::span<const std::int32_t> ids, std::int64_t text_bytes) {
  if (!shard_) {
    const std::string file = fmt::format("{}-{:05}.tokens", prefix_, shards_.size());
    shards_.push_back({file, {}, 0});
    shard_.emplace(directory_ + "/" + file, info_);
  }
  shard_->add_document(ids, text_bytes);
  if (shard_->counts().tokens >= shard_tokens_) finish_shard();
}

void SplitWriter::finish_shard() {
  shards_.back().checksum = shard_->finish();
  shards_.back().counts = shard_->counts();
  shard_.reset();
}

std::vector<ShardEntry> SplitWriter::finish() {
  if (shard_) finish_shard();
  return std::move(shards_);
}

}  // namespace fathom
