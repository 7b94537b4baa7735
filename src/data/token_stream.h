// The shards of one source as a single sequence of tokens, independent of how it was cut
// into files.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/shard.h"

namespace fathom {

class TokenStream {
 public:
  TokenStream() = default;
  // Throws an input Error when the shards were not made together (tokenizer,
  // vocabulary, source).
  explicit TokenStream(std::vector<Shard> shards);

  const ShardCounts& counts() const { return counts_; }
  std::int64_t tokens() const { return counts_.tokens; }
  // The checksum of all tokens and document boundaries, computed from the checksums in the
  // shards' headers: reads no tokens.
  std::uint64_t checksum() const;

  // Tokens [begin, begin + out.size()), which must exist.
  void read(std::int64_t begin, std::span<std::int32_t> out) const;
  // Sets `starts` to the positions in (begin, end) at which a document begins.
  void document_starts(std::int64_t begin, std::int64_t end,
                       std::vector<std::int64_t>& starts) const;
  // The counts of the whole documents, from the beginning, that fit into `max_tokens`
  // tokens; the first document always counts.
  ShardCounts first_documents(std::int64_t max_tokens) const;

 private:
  std::size_t shard_at(std::int64_t position) const;

  std::vector<Shard> shards_;
  std::vector<std::int64_t> begins_;  // of each shard
  ShardCounts counts_;
};

}  // namespace fathom
