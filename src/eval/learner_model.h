// A model in training of which each rank holds a part (tensor or pipeline parallelism): the ranks
// of a replica answer together, in the memory that the run has planned for a micro-batch.
//
// There is no cache of keys and values: each text is read whole, and a generated token costs one
// forward over all that was written so far. Texts are filled up to a few lengths and a fixed number
// of rows for each: a GPU searches for algorithms for every new shape. Log-probabilities are those of the training's loss,
// whose softmax also counts the model's rows without a token.
#pragma once

#include "eval/token_model.h"
#include "learn/device_batch.h"
#include "learn/learner.h"

namespace fathom::eval {

// Whether PairScore::greedy is asked for, which costs a forward for each logit_rows tokens; without
// it, it is true.
enum class Greedy { unknown, known };

struct LearnerModelOptions {
  TokenModelOptions tokens;  // max_length: at most longest(learner)
  Greedy greedy = Greedy::known;
  std::vector<std::int32_t> end_tokens;
};

class LearnerModel : public TokenModel {
 public:
  // All of these outlive this. `learner` has options.logit_rows of at least 1, `memory` is for
  // micro-batches of its size. All ranks of a replica ask the same. Collective within a replica.
  LearnerModel(Learner& learner, DeviceBatch& memory, const Tokenizer& tokenizer,
               const LearnerModelOptions& options);

  // Lets a device get ready for these shapes, by itself: no rank waits for another. See
  // Learner::warm_up().
  void warm_up();

  void generate(std::span<const GenerateRequest> requests, const TakeText& take) override;
  Work work() const override { return work_; }

  // Most tokens of a text that are read.
  static std::int64_t longest(const LearnerOptions& options);

 private:
  void score_tokens(std::vector<ScoredTokens> requests, const TakeScore& take) override;
  std::int64_t rows_of(std::int64_t length) const {
    return learner_.options().micro_tokens / length;
  }
  // The scores of at most rows_of(length) texts, which are read at once.
  std::vector<PairScore> score_rows(std::span<const ScoredTokens> texts, std::int64_t length);
  void find_greedy(const MicroBatch& batch, std::span<const ScoredTokens> texts,
                   std::int64_t length, std::vector<PairScore>& scores);
  // Throws on every rank of the replica when one of them is to stop.
  void stop_if_one_asks() const;

  Learner& learner_;
  DeviceBatch& memory_;
  LearnerModelOptions options_;
  std::vector<std::int32_t> masked_tokens_;
  std::vector<char> masked_;  // of each row of the model, whether it has no token
  Work work_;
};

}  // namespace fathom::eval
