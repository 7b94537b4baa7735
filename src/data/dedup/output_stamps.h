// Stamps of the outputs of `data dedup`: checksums of all that a file's content depends on.
// Internal to dedup.
#pragma once

#include <string>
#include <vector>

#include "data/dedup/clusters.h"
#include "data/dedup/config.h"
#include "data/dedup/removed_parts.h"

namespace fathom::dedup {

class OutputStamps {
 public:
  // `removals`: of lines and paragraphs. Sequences need not be known: they depend on all else.
  OutputStamps(const Index& index, const Clusters& clusters, const Removals& removals,
               const DedupConfig& config);

  // Lists of copies name documents of any segment, so that they share one stamp.
  const std::string& of_copies() const { return copies_; }
  // Of texts and cuts. `segment`: of Index::segments.
  const std::string& of_texts(std::size_t segment) const { return texts_.at(segment); }

 private:
  std::string copies_;
  std::vector<std::string> texts_;
};

}  // namespace fathom::dedup
