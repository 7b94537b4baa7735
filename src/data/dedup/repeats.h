// Which lines, or paragraphs, of the documents that stay are copies.
//
// One is repeated when documents that stay hold it more than `more_than` times. Of a repeated one
// the first `keep` in the order of reading stay. Lines and paragraphs are judged apart.
#pragma once

#include <string>

#include "data/dedup/clusters.h"
#include "data/dedup/passages.h"
#include "data/dedup/removed_parts.h"

namespace fathom::dedup {

// Sorts with `memory_bytes`. The result depends on neither that nor the number of threads.
RemovedParts find_repeats(const Index& index, const Clusters& clusters, PassageLevel level,
                          const PassageConfig& config, const std::string& scratch,
                          std::size_t memory_bytes);

}  // namespace fathom::dedup
