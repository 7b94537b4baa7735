#include "data/dedup/clusters.h"

#include <algorithm>
#include <numeric>

#include "core/error.h"
#include "core/parallel.h"
#include "data/dedup/external_sorter.h"

namespace fathom::dedup {
namespace {

struct __attribute__((packed, aligned(4))) ExactRecord {
  std::uint64_t high, low;
  std::uint32_t document;

  bool same_text(const ExactRecord& other) const { return high == other.high && low == other.low; }
  friend bool operator<(const ExactRecord& a, const ExactRecord& b) {
    if (a.high != b.high) return a.high < b.high;
    return a.low != b.low ? a.low < b.low : a.document < b.document;
  }
};

// Two documents with an equal band, the better first.
struct Candidate {
  std::uint64_t preference;  // of `better`
  std::uint32_t better, other;

  friend auto operator<=>(const Candidate&, const Candidate&) = default;
};

// A segment's bands with numbers of documents in the index.
class BandSource {
 public:
  explicit BandSource(const IndexedSegment& segment)
      : records_(segment.segment->file("bands")),
        first_(static_cast<std::uint32_t>(segment.first_document)) {}
  bool ended() const { return records_.ended(); }
  BandRecord front() const {
    BandRecord record = records_.front();
    record.document += first_;
    return record;
  }
  void pop() { records_.pop(); }

 private:
  RecordFile<BandRecord> records_;
  std::uint32_t first_;
};

struct Edge {
  std::uint32_t better, other;
};

class ClusterSearch {
 public:
  ClusterSearch(const Index& index, const DedupConfig& config, const std::string& scratch)
      : index_(index),
        config_(config),
        scratch_(scratch),
        several_sources_(index.sources.size() > 1),
        edges_(scratch + "/edges") {
    const std::uint64_t memory = static_cast<std::uint64_t>(config.memory_mb) << 20;
    const std::uint64_t tables = cluster_memory(index.documents);
    constexpr std::uint64_t least = 16 << 20;
    if (tables + least > memory) {
      fail_input("memory_mb: {} documents need at least {}", index.documents,
                 (tables + least + (1 << 20) - 1) >> 20);
    }
    sort_memory_ = static_cast<std::size_t>(memory - tables);
    load_preferences();
  }

  Clusters find() {
    result_.kept.resize(index_.documents);
    std::iota(result_.kept.begin(), result_.kept.end(), 0u);
    result_.fates.assign(index_.documents, Fate::stays);
    result_.first_sources.resize(index_.sources.size());
    count_documents();
    if (config_.exact == Exact::folded) find_exact();
    if (config_.minhash.enabled) find_near();
    return std::move(result_);
  }

 private:
  std::size_t source_of(std::uint32_t document) const { return index_.segment_of(document).source; }

  bool is_better(std::uint32_t a, std::uint32_t b) const {
    return preferences_[a] != preferences_[b] ? preferences_[a] < preferences_[b] : a < b;
  }

  void load_preferences() {
    preferences_.reserve(index_.documents);
    first_source_.reserve(index_.documents);
    for (const IndexedSegment& segment : index_.segments) {
      RecordFile<DocumentRecord> records(segment.segment->file("documents"), 1 << 20);
      const std::uint64_t from_last = index_.sources.size() - 1 - segment.source;
      for (; !records.ended(); records.pop()) {
        preferences_.push_back(config_.keep == Keep::last ? from_last : records.front().preference);
        first_source_.push_back(static_cast<std::uint16_t>(segment.source));
      }
    }
  }

  void count_documents() {
    for (const IndexedSegment& segment : index_.segments) {
      for (std::size_t i = segment.source; i < index_.sources.size(); ++i) {
        result_.first_sources[i].documents += segment.segment->info().documents;
      }
    }
  }

  void find_exact() {
    ExternalSorter<ExactRecord> sorter(scratch_ + "/exact-", sort_memory_);
    std::uint32_t number = 0;
    for (const IndexedSegment& segment : index_.segments) {
      RecordFile<DocumentRecord> records(segment.segment->file("documents"), 1 << 20);
      for (; !records.ended(); records.pop()) {
        sorter.add({records.front().exact.high, records.front().exact.low, number++});
      }
    }
    std::vector<ExactRecord> same;
    sorter.drain([&](const ExactRecord& record) {
      if (!same.empty() && !same.front().same_text(record)) join_exact(same);
      same.push_back(record);
    });
    join_exact(same);
    for (std::size_t i = 1; i < result_.first_sources.size(); ++i) {
      result_.first_sources[i].exact += result_.first_sources[i - 1].exact;
    }
  }

  // `same`: equal texts in the order of reading; emptied.
  void join_exact(std::vector<ExactRecord>& same) {
    if (same.size() > 1) {
      std::uint32_t best = same.front().document;
      for (const ExactRecord& record : same) {
        if (is_better(record.document, best)) best = record.document;
      }
      for (const ExactRecord& record : same) {
        const std::uint32_t document = record.document;
        if (document != same.front().document) ++result_.first_sources[source_of(document)].exact;
        if (document == best) continue;
        result_.kept[document] = best;
        result_.fates[document] = Fate::exact_copy;
      }
      first_source_[best] = first_source_[same.front().document];
    }
    same.clear();
  }

  void find_near() {
    ExternalSorter<Candidate> candidates(scratch_ + "/candidates-", sort_memory_);
    collect_candidates(candidates);
    std::vector<Candidate> batch;
    const Candidate* last = nullptr;
    Candidate previous{};
    candidates.drain([&](const Candidate& candidate) {
      if (last && candidate == previous) return;
      previous = candidate;
      last = &previous;
      batch.push_back(candidate);
      if (batch.size() == batch_size) verify(batch);
    });
    verify(batch);
    finish_near();
  }

  void collect_candidates(ExternalSorter<Candidate>& candidates) {
    std::vector<std::unique_ptr<BandSource>> sources;
    for (const IndexedSegment& segment : index_.segments) {
      sources.push_back(std::make_unique<BandSource>(segment));
    }
    std::uint64_t key = 0;
    std::vector<std::uint32_t> bucket;
    merge_sorted(sources, [&](const BandRecord& record) {
      if (record.key != key) {
        pair_up(bucket, candidates);
        key = record.key;
      }
      if (result_.fates[record.document] == Fate::stays) bucket.push_back(record.document);
    });
    pair_up(bucket, candidates);
  }

  // `bucket`: documents with an equal band; emptied.
  void pair_up(std::vector<std::uint32_t>& bucket, ExternalSorter<Candidate>& candidates) {
    constexpr std::size_t small = 32, best = 8, near = 8;
    if (bucket.size() > 1) {
      std::ranges::sort(bucket, [&](std::uint32_t a, std::uint32_t b) { return is_better(a, b); });
      const bool all = bucket.size() <= small;
      for (std::size_t j = 1; j < bucket.size(); ++j) {
        for (std::size_t i = 0; i < j; ++i) {
          if (!all && i == best && j > best + near) i = j - near;
          candidates.add({preferences_[bucket[i]], bucket[i], bucket[j]});
        }
      }
    }
    bucket.clear();
  }

  // Measures the pairs on all cores, and decides in their order; `batch` is emptied.
  void verify(std::vector<Candidate>& batch) {
    std::vector<std::uint8_t> similar(batch.size());
    parallel_for(static_cast<std::int64_t>(batch.size()), 64,
                 [&](std::int64_t begin, std::int64_t end) {
                   Comparison comparison(index_);
                   for (std::int64_t i = begin; i < end; ++i) {
                     const Candidate& pair = batch[static_cast<std::size_t>(i)];
                     // Fates do not change meanwhile.
                     if (!several_sources_ && result_.fates[pair.other] != Fate::stays) continue;
                     similar[static_cast<std::size_t>(i)] =
                         comparison.of(pair.better, pair.other) >= config_.minhash.threshold;
                   }
                 });
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (!similar[i]) continue;
      const Edge edge{batch[i].better, batch[i].other};
      ++result_.verified;
      if (several_sources_) write_record(edges_, edge);
      if (absorb(edge, result_.kept)) result_.fates[edge.other] = Fate::near_copy;
    }
    result_.candidates += batch.size();
    batch.clear();
  }

  // Lets the better document, or the one in its place, stand for the other if that still stays.
  bool absorb(Edge edge, std::vector<std::uint32_t>& kept) {
    if (kept[edge.other] != edge.other) return false;
    const std::uint32_t stays = kept[edge.better];
    if (stays != edge.better && decider_.of(stays, edge.other) < config_.minhash.threshold) {
      return false;
    }
    kept[edge.other] = stays;
    return true;
  }

  void finish_near() {
    edges_.close();
    // The best of equal texts may itself be a near copy.
    for (std::size_t document = 0; const Fate fate : result_.fates) {
      std::uint32_t& kept = result_.kept[document++];
      if (fate == Fate::exact_copy) kept = result_.kept[kept];
    }
    for (std::size_t i = 0; i < result_.first_sources.size(); ++i) {
      result_.first_sources[i].near = near_copies_within(i);
    }
  }

  // How many near copies there would be if only sources up to `last` were there.
  std::uint64_t near_copies_within(std::size_t last) {
    if (last + 1 == index_.sources.size()) {
      return static_cast<std::uint64_t>(std::ranges::count(result_.fates, Fate::near_copy));
    }
    std::vector<std::uint32_t> kept(index_.documents);
    std::iota(kept.begin(), kept.end(), 0u);
    std::uint64_t copies = 0;
    for (RecordFile<Edge> edges(edges_.path(), 1 << 20); !edges.ended(); edges.pop()) {
      const Edge edge = edges.front();
      if (first_source_[edge.better] > last || first_source_[edge.other] > last) continue;
      copies += absorb(edge, kept);
    }
    return copies;
  }

  // Similarities of documents. One for each thread.
  class Comparison {
   public:
    explicit Comparison(const Index& index) : index_(index) {}
    double of(std::uint32_t a, std::uint32_t b) {
      if (a != number_) {
        first_ = sketch(a, first_hashes_);
        number_ = a;
      }
      return similarity(first_, sketch(b, second_hashes_));
    }

   private:
    SketchView sketch(std::uint32_t document, std::vector<std::uint32_t>& hashes) {
      const IndexedSegment& owner = index_.segment_of(document);
      return owner.segment->sketch(owner.segment->document(document - owner.first_document),
                                   hashes);
    }

    const Index& index_;
    std::uint64_t number_ = ~std::uint64_t{0};  // whose sketch `first_` is
    SketchView first_;
    std::vector<std::uint32_t> first_hashes_, second_hashes_;
  };

  static constexpr std::size_t batch_size = 1 << 16;

  const Index& index_;
  const DedupConfig& config_;
  const std::string& scratch_;
  bool several_sources_;
  std::size_t sort_memory_ = 0;
  std::vector<std::uint64_t> preferences_;   // [documents], the smallest is best
  std::vector<std::uint16_t> first_source_;  // [documents]: of the first of its exact copies
  FileWriter edges_;                         // Edge: verified, in the order of decisions
  Comparison decider_{index_};
  Clusters result_;
};

}  // namespace

std::uint64_t cluster_memory(std::uint64_t documents) {
  // Preference, first source, kept and fate; kept once more for the table of sources.
  return documents * (8 + 2 + 4 + 1 + 4);
}

Clusters find_clusters(const Index& index, const DedupConfig& config, const std::string& scratch) {
  return ClusterSearch(index, config, scratch).find();
}

}  // namespace fathom::dedup
