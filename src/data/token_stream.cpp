#include "data/token_stream.h"

#include <algorithm>

#include "core/error.h"

namespace fathom {

TokenStream::TokenStream(std::vector<Shard> shards) : shards_(std::move(shards)) {
  for (const Shard& shard : shards_) {
    if (shard.info() != shards_[0].info()) {
      fail_input(
          "{}: made with another tokenizer or for another source than {}; prepare the data "
          "again",
          shard.path(), shards_[0].path());
    }
    begins_.push_back(counts_.tokens);
    counts_ += shard.counts();
  }
}

std::uint64_t TokenStream::checksum() const {
  std::string text;
  for (const Shard& shard : shards_) text += checksum_text(shard.checksum());
  return checksum_of(text);
}

std::size_t TokenStream::shard_at(std::int64_t position) const {
  const auto after = std::upper_bound(begins_.begin(), begins_.end(), position);
  return static_cast<std::size_t>(after - begins_.begin()) - 1;
}

void TokenStream::read(std::int64_t begin, std::span<std::int32_t> out) const {
  require(
      begin >= 0 && begin <= tokens() && static_cast<std::int64_t>(out.size()) <= tokens() - begin,
      "{} tokens from {} of a stream of {}", out.size(), begin, tokens());
  while (!out.empty()) {
    const std::size_t s = shard_at(begin);
    const std::int64_t inside = begin - begins_[s];
    const auto count =
        std::min(out.size(), static_cast<std::size_t>(shards_[s].counts().tokens - inside));
    shards_[s].read(inside, out.first(count));
    out = out.subspan(count);
    begin += static_cast<std::int64_t>(count);
  }
}

void TokenStream::document_starts(std::int64_t begin, std::int64_t end,
                                  std::vector<std::int64_t>& starts) const {
  starts.clear();
  end = std::min(end, tokens());
  // A document starts where the one before it ends.
  for (std::size_t s = shard_at(begin); s < shards_.size() && begins_[s] < end; ++s) {
    const Shard& shard = shards_[s];
    if (shard.counts().documents == 0) continue;
    std::int64_t document = begins_[s] <= begin ? shard.document_at(begin - begins_[s]) : 0;
    if (begins_[s] > begin) starts.push_back(begins_[s]);
    for (; document + 1 < shard.counts().documents; ++document) {
      const std::int64_t start = begins_[s] + shard.token_end(document);
      if (start >= end) return;
      // Out of order only in a damaged index.
      if (start > (starts.empty() ? begin : std::max(begin, starts.back()))) {
        starts.push_back(start);
      }
    }
  }
}

ShardCounts TokenStream::first_documents(std::int64_t max_tokens) const {
  ShardCounts counts;
  for (const Shard& shard : shards_) {
    if (shard.counts().documents == 0) continue;
    if (counts.tokens + shard.counts().tokens <= max_tokens) {
      counts += shard.counts();
      continue;
    }
    std::int64_t documents = shard.document_at(max_tokens - counts.tokens);
    if (documents == 0 && counts.documents == 0) documents = 1;
    if (documents > 0) {
      counts += {documents, shard.token_end(documents - 1), shard.byte_end(documents - 1)};
    }
    break;
  }
  return counts;
}

}  // namespace fathom
