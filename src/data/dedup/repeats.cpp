#include "data/dedup/repeats.h"

namespace fathom::dedup {
namespace {

// The passages of a segment with numbers of documents in the index.
class PassageSource {
 public:
  PassageSource(const IndexedSegment& segment, PassageLevel level)
      : records_(segment.segment->file(file_name(level))),
        first_(static_cast<std::uint32_t>(segment.first_document)) {}
  bool ended() const { return records_.ended(); }
  PassageRecord front() const {
    PassageRecord record = records_.front();
    record.document += first_;
    return record;
  }
  void pop() { records_.pop(); }

 private:
  RecordFile<PassageRecord> records_;
  std::uint32_t first_;
};

// Picks out of places in the order of keys those that go.
class RepeatFilter {
 public:
  explicit RepeatFilter(const PassageConfig& config) : config_(config) {}

  // Calls take(place) for those that this one decides about.
  template <class Take>
  void add(const PassageRecord& place, Take&& take) {
    if (copies_ == 0 || place.key != key_) {
      key_ = place.key;
      copies_ = 0;
      first_.clear();
    }
    if (++copies_ > config_.more_than) {
      for (const PassageRecord& earlier : first_) take(earlier);
      first_.clear();
      take(place);
    } else if (copies_ > config_.keep) {
      first_.push_back(place);
    }
  }

 private:
  const PassageConfig& config_;
  std::uint64_t key_ = 0;
  std::int64_t copies_ = 0;
  std::vector<PassageRecord> first_;  // those that go if there are enough
};

}  // namespace

RemovedParts find_repeats(const Index& index, const Clusters& clusters, PassageLevel level,
                          const PassageConfig& config, const std::string& scratch,
                          std::size_t memory_bytes) {
  std::vector<std::unique_ptr<PassageSource>> sources;
  for (const IndexedSegment& segment : index.segments) {
    sources.push_back(std::make_unique<PassageSource>(segment, level));
  }
  ExternalSorter<RemovedPart> removed(fmt::format("{}/{}-", scratch, file_name(level)),
                                      memory_bytes);
  RepeatFilter filter(config);
  merge_sorted(sources, [&](const PassageRecord& place) {
    if (clusters.fates[place.document] != Fate::stays) return;
    filter.add(place, [&](const PassageRecord& gone) {
      removed.add({gone.document, gone.number});
    });
  });
  RemovedParts parts(scratch, file_name(level));
  parts.write(index, removed);
  return parts;
}

}  // namespace fathom::dedup
