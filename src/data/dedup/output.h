// Writes the outputs of `data dedup`. Internal to dedup.
#pragma once

#include "data/dedup/clusters.h"
#include "data/dedup/config.h"
#include "data/dedup/dedup.h"
#include "data/dedup/index.h"
#include "data/dedup/removed_parts.h"

namespace fathom::dedup {

// Writes texts, and lists of copies and of what went from documents. Files of an earlier call stay
// when they would be written with the same content; each of the others is replaced by one rename.
// Texts of sources outside the config are never removed, but warned about when they are stale.
// Fills in the sources' bytes.
void write_outputs(const Index& index, const Clusters& clusters, const Removals& removals,
                   const DedupConfig& config, DedupReport& report);

// dedup.json.
std::string to_json(const DedupReport& report);

}  // namespace fathom::dedup
