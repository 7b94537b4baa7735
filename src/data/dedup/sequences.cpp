#include "data/dedup/sequences.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <optional>

#include "core/log.h"
#include "data/dedup/exact_tokens.h"
#include "data/dedup/kept_texts.h"
#include "io/atomic_file.h"

namespace fathom::dedup {
namespace {

struct SequenceRecord {
  std::uint64_t key;
  std::uint32_t document;  // in the index
  std::uint32_t token;     // the first

  friend auto operator<=>(const SequenceRecord&, const SequenceRecord&) = default;
};

// Remembers of many keys whether one was added twice: never no for one that was, and seldom yes for
// one that was not. Any thread may call it.
class SeenTwice {
 public:
  // A power of two of bytes.
  explicit SeenTwice(std::size_t bytes) : shift_(64 - std::countr_zero(bytes) - 2), slots_(bytes) {}

  // Returns whether the key, or one in its place, was there.
  bool add(std::uint64_t key) {
    const Place at = place(key);
    const unsigned state = at.byte.load(std::memory_order_relaxed) >> at.bit & 3u;
    if (state == 3) return true;
    if (state == 0) {
      const auto once = static_cast<std::uint8_t>(1u << at.bit);
      if (!(at.byte.fetch_or(once, std::memory_order_relaxed) & once)) return false;
    }
    at.byte.fetch_or(static_cast<std::uint8_t>(2u << at.bit), std::memory_order_relaxed);
    return true;
  }
  bool has(std::uint64_t key) {
    const Place at = place(key);
    return at.byte.load(std::memory_order_relaxed) >> at.bit & 2u;
  }

 private:
  struct Place {
    std::atomic<std::uint8_t>& byte;
    unsigned bit;
  };
  Place place(std::uint64_t key) {
    const std::uint64_t slot = key * 0x9e3779b97f4a7c15u >> shift_;
    return {slots_[slot >> 2], static_cast<unsigned>(slot & 3) * 2};
  }

  int shift_;
  std::vector<std::atomic<std::uint8_t>> slots_;  // four a byte: 0, 1 once, 3 twice
};

class SequenceSearch {
 public:
  SequenceSearch(const Index& index, const Clusters& clusters, const Removals& removals,
                 const DedupConfig& config, const std::string& scratch, std::size_t memory_bytes)
      : index_(index),
        clusters_(clusters),
        removals_(removals),
        config_(config),
        scratch_(scratch),
        memory_bytes_(memory_bytes),
        seen_(table_bytes(index, memory_bytes)),
        progress_("searching sequences", 2 * bytes_to_read(), Progress::Unit::bytes) {}

  RemovedParts find() {
    log_sources();
    const std::uint64_t again = mark();
    require_disk(again);
    // The other half of the memory is the table.
    ExternalSorter<SequenceRecord> records(scratch_ + "/sequences-", memory_bytes_ / 4);
    collect(records);
    progress_.finish();
    ExternalSorter<RemovedPart> removed(scratch_ + "/copied-", memory_bytes_ / 4);
    keep_first(records, removed);
    RemovedParts parts(scratch_, "sequences");
    parts.write(index_, removed);
    return parts;
  }

 private:
  // A slot for each quarter byte of text is many for its tokens.
  static std::size_t table_bytes(const Index& index, std::size_t memory_bytes) {
    const std::size_t most = std::bit_floor(memory_bytes / 2);
    return std::clamp(std::bit_ceil<std::size_t>(index.text_bytes + 1), std::size_t{1} << 16, most);
  }

  void log_sources() const {
    const auto read = std::ranges::count_if(index_.sources, [&](const std::string& name) {
      return std::ranges::find(config_.sources, name, &TextSourceConfig::name) !=
             config_.sources.end();
    });
    if (static_cast<std::size_t>(read) == index_.sources.size()) return;
    log::info("substrings are searched in {} of {} sources: those that are in the config", read,
              index_.sources.size());
  }

  std::uint64_t bytes_to_read() const {
    std::uint64_t bytes = 0;
    for_each_source([&](std::size_t segment, const TextSourceConfig&) {
      for (const PartFile& file : index_.segments[segment].segment->info().files) {
        bytes += file.bytes;
      }
    });
    return bytes;
  }

  // Calls f(segment, source) for the segments whose text is read.
  template <class F>
  void for_each_source(F&& f) const {
    for (std::size_t i = 0; i < index_.segments.size(); ++i) {
      const std::string& name = index_.sources[index_.segments[i].source];
      const auto source = std::ranges::find(config_.sources, name, &TextSourceConfig::name);
      if (source != config_.sources.end()) f(i, *source);
    }
  }

  // Calls work(document, hashes) for the documents that have sequences, on all cores, and
  // consume(Result) in their order, where a Result is of one chunk: work(result, document, hashes).
  template <class Result, class Work, class Consume>
  void for_each_document(Work&& work, Consume&& consume) {
    const int threads = config_.threads > 0 ? static_cast<int>(config_.threads) : num_threads();
    for_each_source([&](std::size_t segment, const TextSourceConfig& source) {
      KeptTexts texts(index_, segment, clusters_, removals_, source, threads);
      const auto first = static_cast<std::uint32_t>(index_.segments[segment].first_document);
      texts.for_each_chunk<Result>(
          progress_,
          [&](std::vector<KeptDocument>&& chunk) {
            Result result{};
            SequenceHasher hasher(config_.substrings.tokens);
            std::vector<std::uint64_t> hashes;
            for (const KeptDocument& kept : chunk) {
              const CutDocument rest = cut_document(kept, config_);
              // Of a document that goes whole the rest is empty, and has no sequences.
              hasher.hash(rest.how == Cut::none ? kept.document.text : rest.text, hashes);
              work(result, first + kept.number, hashes);
            }
            return result;
          },
          consume);
    });
  }

  // Returns how many sequences were there before, or another in their place of the table.
  std::uint64_t mark() {
    std::uint64_t again = 0;
    for_each_document<std::uint64_t>(
        [&](std::uint64_t& count, std::uint32_t, const std::vector<std::uint64_t>& hashes) {
          for (const std::uint64_t hash : hashes) count += seen_.add(hash);
        },
        [&](std::uint64_t count) { again += count; });
    return again;
  }

  void require_disk(std::uint64_t again) const {
    // Each of those brings at most one that stood there first.
    const std::uint64_t bytes = 2 * again * sizeof(SequenceRecord) + again * sizeof(RemovedPart);
    if (bytes > memory_bytes_ / 4) require_free_disk(scratch_, bytes, "sequences that stand twice");
  }

  void collect(ExternalSorter<SequenceRecord>& records) {
    for_each_document<std::vector<SequenceRecord>>(
        [&](std::vector<SequenceRecord>& found, std::uint32_t document,
            const std::vector<std::uint64_t>& hashes) {
          for (std::size_t i = 0; i < hashes.size(); ++i) {
            if (!seen_.has(hashes[i])) continue;
            found.push_back({hashes[i], document, static_cast<std::uint32_t>(i)});
          }
        },
        [&](std::vector<SequenceRecord>&& found) {
          for (const SequenceRecord& record : found) records.add(record);
        });
  }

  // All but the first of equal keys go, and in its document those that begin within the one before.
  void keep_first(ExternalSorter<SequenceRecord>& records, ExternalSorter<RemovedPart>& removed) {
    std::optional<SequenceRecord> first;
    std::uint64_t end = 0;  // of the one before
    records.drain([&](const SequenceRecord& record) {
      if (!first || record.key != first->key) {
        first = record;
      } else if (record.document != first->document || record.token >= end) {
        removed.add({record.document, record.token});
      }
      end = record.token + static_cast<std::uint64_t>(config_.substrings.tokens);
    });
  }

  const Index& index_;
  const Clusters& clusters_;
  const Removals& removals_;
  const DedupConfig& config_;
  const std::string& scratch_;
  std::size_t memory_bytes_;
  SeenTwice seen_;
  Progress progress_;
};

}  // namespace

namespace {

constexpr std::uint64_t modulus = (std::uint64_t{1} << 61) - 1;
constexpr std::uint64_t hash_base = 0x0545f4914f6cdd1du;  // below the modulus; otherwise any number

// Numbers below the modulus.
std::uint64_t sum_modulo(std::uint64_t a, std::uint64_t b) {
  const std::uint64_t sum = a + b;
  return sum >= modulus ? sum - modulus : sum;
}
std::uint64_t product_modulo(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = Wide{a} * b;
  // 2^61 is 1.
  return sum_modulo(static_cast<std::uint64_t>(product) & modulus,
                    static_cast<std::uint64_t>(product >> 61));
}

}  // namespace

SequenceHasher::SequenceHasher(std::int64_t length)
    : length_(static_cast<std::size_t>(length)), leaving_(1) {
  for (std::size_t i = 0; i < length_; ++i) leaving_ = product_modulo(leaving_, hash_base);
}

void SequenceHasher::hash(std::string_view text, std::vector<std::uint64_t>& out) {
  tokens_.clear();
  out.clear();
  for_each_exact_token(text, [&](std::uint64_t hash, const char*, const char*) {
    tokens_.push_back(hash % modulus);
  });
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    sum = sum_modulo(product_modulo(sum, hash_base), tokens_[i]);
    if (i >= length_) {
      sum = sum_modulo(sum, modulus - product_modulo(leaving_, tokens_[i - length_]));
    }
    if (i + 1 >= length_) out.push_back(sum);
  }
}

RemovedParts find_sequences(const Index& index, const Clusters& clusters, const Removals& removals,
                            const DedupConfig& config, const std::string& scratch,
                            std::size_t memory_bytes) {
  return SequenceSearch(index, clusters, removals, config, scratch, memory_bytes).find();
}

}  // namespace fathom::dedup
