// Which documents of an index are copies of which.
//
// A cluster is a star: every document that goes is a verified copy of the one that stays, never
// only a copy of a copy, so that chains of small changes cannot join texts that have little in
// common. Exact copies are found first, by one sort of all checksums. Then documents with an equal
// band become candidates, ordered by the better document, and its similarity to the other is
// measured (data/dedup/sketch.h). In this order a document goes when a better one that stays, or
// the one that stays in the place of a better one, is similar enough.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dedup/index.h"

namespace fathom::dedup {

enum class Fate : std::uint8_t { stays, exact_copy, near_copy };

struct RemovedCounts {
  std::uint64_t documents = 0, exact = 0, near = 0;  // of the documents, those that go
};

struct Clusters {
  // [documents]: the one that stays in a document's place; itself when it stays.
  std::vector<std::uint32_t> kept;
  std::vector<Fate> fates;                     // [documents]
  std::vector<RemovedCounts> first_sources;    // [i]: were there only the first i + 1 sources
  std::uint64_t candidates = 0, verified = 0;  // pairs compared, and found to be copies
};

// Uses the bytes of cluster_memory() and `config.memory_mb` in all; runs go to `scratch`. In a
// bucket of more than 32 documents with an equal band each is compared with the 8 best and the 8
// before it. The result does not depend on the number of threads or the memory. Throws an input
// Error when memory_mb is too small for the tables.
Clusters find_clusters(const Index& index, const DedupConfig& config, const std::string& scratch);

// Bytes of the tables that are held for so many documents.
std::uint64_t cluster_memory(std::uint64_t documents);

}  // namespace fathom::dedup
