// PreferenceReference: the log-probabilities that the model a run begins with gives its pairs. They
// are computed once, by the training run's own evaluation before its first step, and kept in a
// file, so that training and every resumed run hold one model.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "align/reference_cache.h"
#include "parallel/rank_groups.h"

namespace fathom {

// Pairs and what messages call them: "training data", "held-out data".
struct NamedPairs {
  std::string name;
  std::shared_ptr<const PairSource> source;
};

struct ReferenceOptions {
  std::string path;  // of the file
  ReferenceKey key;
  std::int64_t micro_batch = 1;  // rows, of training
};

class PreferenceReference {
 public:
  // `ranks` outlives this.
  PreferenceReference(const ReferenceOptions& options, std::vector<NamedPairs> pairs,
                      const RankGroups& ranks)
      : options_(options), pairs_(std::move(pairs)), ranks_(ranks) {}

  // Reads the file or, before the first step, computes the values and writes it. Throws an input
  // Error when the file belongs to another model or other data, or is absent after `steps_done`
  // steps: the weights are not the reference's any more. Collective.
  void begin(const EvaluateBatch& evaluate, std::int64_t steps_done);

  // [pairs] of the source number `source` of those given.
  const std::vector<PairLogProbs>& of(std::size_t source) const { return values_.at(source); }

 private:
  // On the first rank; whether it was there.
  bool read();
  void compute(const EvaluateBatch& evaluate);
  void broadcast();

  ReferenceOptions options_;
  std::vector<NamedPairs> pairs_;
  const RankGroups& ranks_;
  std::vector<std::vector<PairLogProbs>> values_;  // by `pairs_`
};

}  // namespace fathom
