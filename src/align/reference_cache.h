// The file of a reference's log-probabilities: 8 bytes a pair, found by the hash of the pair's
// tokens, with what they depend on besides.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "align/pair_log_probs.h"

namespace fathom {

// What decides log-probabilities besides the pairs' tokens. A field that is empty is not known, and
// not compared.
struct ReferenceKey {
  std::string weights;        // checksum
  std::string tokenizer;      // checksum
  std::string chat_template;  // checksum
  std::string dtype;
};

class ReferenceCache {
 public:
  explicit ReferenceCache(ReferenceKey key) : key_(std::move(key)) {}

  // Reads `path`; false where there is no such file. Throws an input Error that names the file, and
  // what differs, when it belongs to another key or is damaged.
  bool load(const std::string& path);
  // Fails with a runtime Error; an older file stays then.
  void save(const std::string& path) const;

  void add(const PreferenceSet& pairs, std::span<const PairLogProbs> values);
  // [pairs]. Throws an input Error that says which pair of `name` is absent; `path` is where the
  // cache was read.
  std::vector<PairLogProbs> find(const PreferenceSet& pairs, const std::string& name,
                                 const std::string& path) const;

 private:
  ReferenceKey key_;
  std::vector<std::uint64_t> hashes_;  // of the pairs
  std::vector<PairLogProbs> values_;   // by `hashes_`
};

}  // namespace fathom
