// Generated programs: pass@k (Chen et al., Evaluating Large Language Models Trained on Code, 2021).
#pragma once

#include <cstdint>

#include "eval/answer_metric.h"
#include "eval/python_runner.h"
#include "eval/row_template.h"

namespace fathom::eval {

// The probability that of k programs drawn from n, of which c pass, at least one passes:
// 1 − C(n−c, k) / C(n, k). k is at most n.
double pass_at_k(std::int64_t n, std::int64_t c, std::int64_t k);

// Runs GenerateConfig::program for each answer. Scores: pass@k for each of GenerateConfig::pass_at.
class CodeMetric : public AnswerMetric {
 public:
  CodeMetric(const TaskConfig& task, const PythonRunner& runner);
  ItemScores score(const Item& item, const std::vector<std::string>& answers) const override;
  bool slow() const override { return true; }

 private:
  TextTemplate program_;
  SandboxLimits limits_;
  std::vector<std::int64_t> pass_at_;
  const PythonRunner& runner_;
};

}  // namespace fathom::eval
