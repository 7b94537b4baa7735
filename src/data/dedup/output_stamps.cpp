#include "data/dedup/output_stamps.h"

#include "data/dedup/segment_json.h"

namespace fathom::dedup {
namespace {

// What a segment was made from, and a checksum of what it holds.
std::string identity_of(const Segment& segment) {
  return to_json(segment.info()) + checksum_text(checksum_of_file(segment.file("documents")));
}

std::string removed_from(const Removals& removals, std::size_t segment, double max_lost) {
  std::string text = fmt::format("max_lost {}", max_lost);
  if (removals.lines) text += fmt::format(", lines {}", removals.lines->checksum(segment));
  if (removals.paragraphs) {
    text += fmt::format(", paragraphs {}", removals.paragraphs->checksum(segment));
  }
  return text;
}

// All that decides about sequences.
std::string sequences_of(const std::vector<std::string>& texts, const DedupConfig& config) {
  Checksum all;
  for (const std::string& stamp : texts) all.update(stamp);
  for (const TextSourceConfig& source : config.sources) all.update(source.name + "\n");
  return fmt::format(", sequences of {} in {}", config.substrings.tokens,
                     checksum_text(all.value()));
}

}  // namespace

OutputStamps::OutputStamps(const Index& index, const Clusters& clusters, const Removals& removals,
                           const DedupConfig& config) {
  Checksum all;
  all.update(std::as_bytes(std::span(clusters.kept)));
  all.update(std::as_bytes(std::span(clusters.fates)));
  for (std::size_t i = 0; i < index.segments.size(); ++i) {
    const IndexedSegment& segment = index.segments[i];
    const std::string identity = identity_of(*segment.segment);
    all.update(identity);
    const std::span fates = std::span(clusters.fates)
                                .subspan(segment.first_document, segment.segment->info().documents);
    Checksum own;
    own.update(identity);
    own.update(std::as_bytes(fates));
    if (cuts_documents(config)) own.update(removed_from(removals, i, config.max_lost));
    texts_.push_back(checksum_text(own.value()));
  }
  copies_ = checksum_text(all.value());
  if (!config.substrings.enabled) return;
  const std::string sequences = sequences_of(texts_, config);
  for (std::string& stamp : texts_) stamp += sequences;
}

}  // namespace fathom::dedup
