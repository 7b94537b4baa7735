// Writes the outputs of `data dedup`. Internal to dedup.
#pragma once

#include "data/dedup/clusters.h"
#include "data/dedup/config.h"
#include "data/dedup/dedup.h"
#include "data/dedup/index.h"

namespace fathom::dedup {

// Where sorted runs and lists of what goes are, and the memory to make them with.
struct Scratch {
  std::string path;
  std::size_t sort_bytes;
};

// Finds what goes from the documents that stay, and writes texts, and lists of copies and of what
// went. Files of an earlier call stay when they would be written with the same content; each of the
// others is replaced by one rename. Texts of sources outside the config are never removed, but
// warned about when they are stale. Fills in the sources' bytes and cuts.
void write_outputs(const Index& index, const Clusters& clusters, const DedupConfig& config,
                   const Scratch& scratch, DedupReport& report);

// dedup.json.
std::string to_json(const DedupReport& report);

}  // namespace fathom::dedup
