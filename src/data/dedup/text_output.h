// Writes the texts that stay, without the parts that are copies. Internal to dedup.
//
// What went from documents is listed beside the texts, a line a document:
//   {"document", "lines", "paragraphs", "tokens", "bytes", "how"}
// `tokens` went with sequences, `bytes` of text in all; `how` is the name of a Cut.
#pragma once

#include <string>

#include "data/dedup/dedup.h"
#include "data/dedup/kept_texts.h"
#include "data/dedup/packed_lines.h"

namespace fathom::dedup {

// `cuts`: the list; may be null when nothing goes from documents.
void write_texts(KeptTexts& texts, const DedupConfig& config, const std::string& field,
                 const std::string& path, PackedLines* cuts, Progress& progress);

// The figures of such a list.
CutCounts count_cuts(const std::string& path);

}  // namespace fathom::dedup
