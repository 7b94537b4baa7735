// The shards of one source, one after another, as a single sequence of tokens: how
// it was cut into files does not show.
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
  // Of all tokens and document boundaries, from the checksums that the shards' headers hold:
  // reads no tokens.
  std::uint64_t checksum() const;

  // Tokens [begin, begin + out.size()), which must exist.
  void read(std::int64_t begin, std::span<std::int32_t> out) const;
  // Sets `starts` to the positions in (begin, end) at which a document begins.
  void document_starts(std::int64_t begin, std::int64_t end,
                       std::vector<std::int64_t>& starts) const;
  // What the longest run of whole documents from the beginning with at most
  // `max_tokens` holds; the first document always counts.
  ShardCounts first_documents(std::int64_t max_tokens) const;

 private:
  std::size_t shard_at(std::int64_t position) const;

  std::vector<Shard> shards_;
  std::vector<std::int64_t> begins_;  // of each shard
  ShardCounts counts_;
};

}  // namespace fathom
