// Everything that a run writes into its directory besides checkpoints: config and
// tokenizer, records of the steps, the report page and the finished model.
#pragma once

#include <memory>
#include <string>

#include "parallel/rank_groups.h"
#include "train/machine.h"
#include "train/run_observer.h"
#include "train/run_reports.h"
#include "train/run_tokenizer.h"

namespace fathom {

// Of several ranks the first writes what people read; all write the model together.
class RunOutputs final : public RunObserver {
 public:
  // `plan` to `tokenizer` and `ranks` outlive it. The finished model goes to `model_directory`;
  // `reading` is RunParts'.
  RunOutputs(const TrainPlan& plan, const Machine& machine, const RunTokenizer& tokenizer,
             std::string model_directory, const RankGroups& ranks, std::string reading)
      : plan_(plan),
        machine_(machine),
        tokenizer_(tokenizer),
        model_directory_(std::move(model_directory)),
        ranks_(ranks),
        reading_(std::move(reading)) {}

  void begin(const RunPosition& from) override;
  void step(const StepRecord& step) override;
  void validation(const MetricsRecord& record) override;
  void samples(const SamplePoint& point) override;
  void repetition(std::int64_t step, const RepetitionResult& result) override;
  void benchmark(std::int64_t step, const BenchmarkScore& score) override;
  void sync() override;
  void end(const RunEnd& end) override;

 private:
  const TrainPlan& plan_;
  const Machine& machine_;
  const RunTokenizer& tokenizer_;
  std::string model_directory_;
  const RankGroups& ranks_;
  std::string reading_;
  std::unique_ptr<RunReports> reports_;  // null but on the first rank, and before the beginning
};

}  // namespace fathom
