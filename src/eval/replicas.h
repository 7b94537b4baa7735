// A model of which several ranks have a replica each: they share out what it is asked, and every
// rank gets all answers.
#pragma once

#include "comm/communicator.h"
#include "eval/language_model.h"

namespace fathom::eval {

class ReplicatedModel : public LanguageModel {
 public:
  // `own` is this rank's; both outlive this. All ranks of the group ask the same.
  ReplicatedModel(LanguageModel& own, Communicator& replicas) : own_(own), replicas_(replicas) {}

  // Collective. EvaluationStopped on one rank ends all. A runtime Error where another rank's answers
  // are to other questions, as far as their number and sizes tell.
  void score(std::span<const TextPair> pairs, const TakeScore& take) override;
  void generate(std::span<const GenerateRequest> requests, const TakeText& take) override;
  void score_documents(std::span<const std::string> documents, const TakeScore& take) override;
  Work work() const override { return own_.work(); }  // this rank's

 private:
  LanguageModel& own_;
  Communicator& replicas_;
};

}  // namespace fathom::eval
