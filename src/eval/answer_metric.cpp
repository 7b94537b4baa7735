#include "eval/answer_metric.h"

#include <algorithm>

#include "core/error.h"
#include "eval/drop_metric.h"
#include "eval/instructions.h"
#include "eval/math_text.h"
#include "eval/pass_at_k.h"
#include "eval/text_metrics.h"

namespace fathom::eval {
namespace {

// A metric of one answer: the scores of several are their means.
class OneAnswerMetric : public AnswerMetric {
 public:
  ItemScores score(const Item& item, const std::vector<std::string>& answers) const override {
    ItemScores mean;
    const auto count = static_cast<double>(answers.size());
    for (const std::string& answer : answers) {
      for (const auto& [name, part] : score_one(item, answer)) {
        auto& sum = mean.try_emplace(name, Part{0, 0}).first->second;
        sum.value += part.value / count;
        sum.weight += part.weight / count;
      }
    }
    return mean;
  }

 protected:
  virtual ItemScores score_one(const Item& item, const std::string& answer) const = 0;
};

class ComparisonMetric : public OneAnswerMetric {
 public:
  explicit ComparisonMetric(const TaskConfig& task)
      : name_(enum_name(task.generate.metric)), comparison_(task.generate, task.source) {}

 private:
  ItemScores score_one(const Item& item, const std::string& answer) const override {
    return {{name_, {comparison_.score(answer, item.golds)}}};
  }
  std::string name_;
  AnswerComparison comparison_;
};

class DropMetric : public OneAnswerMetric {
  ItemScores score_one(const Item& item, const std::string& answer) const override {
    const DropScore score = best_drop_score(answer, item.gold_texts);
    return {{"em", {score.exact}}, {"f1", {score.f1}}};
  }
};

class MathMetric : public OneAnswerMetric {
  ItemScores score_one(const Item& item, const std::string& answer) const override {
    bool right = false;
    for (const std::string& gold : item.golds) right = right || same_mathematics(answer, gold);
    return {{"exact_match", {right ? 1.0 : 0.0}}};
  }
};

class InstructionsMetric : public OneAnswerMetric {
  ItemScores score_one(const Item& item, const std::string& answer) const override {
    const InstructionScores scores = follow_instructions(item, answer);
    const auto count = static_cast<double>(scores.strict.size());
    const auto add = [&](ItemScores& to, const std::string& kind, const std::vector<bool>& followed) {
      const auto right = static_cast<double>(std::ranges::count(followed, true));
      to["prompt_level_" + kind + "_acc"] = {right == count ? 1.0 : 0.0};
      to["inst_level_" + kind + "_acc"] = {right, count};
    };
    ItemScores result;
    add(result, "strict", scores.strict);
    add(result, "loose", scores.loose);
    return result;
  }
};

}  // namespace

std::unique_ptr<AnswerMetric> make_metric(const TaskConfig& task, const PythonRunner* runner) {
  switch (task.generate.metric) {
    case TextMetric::exact_match:
    case TextMetric::contains:
      return std::make_unique<ComparisonMetric>(task);
    case TextMetric::drop:
      return std::make_unique<DropMetric>();
    case TextMetric::math:
      return std::make_unique<MathMetric>();
    case TextMetric::instructions:
      return std::make_unique<InstructionsMetric>();
    case TextMetric::code:
      if (!runner) fail_input("{}: generate.metric = \"code\" runs programs, and nothing is given that runs them", task.source);
      return std::make_unique<CodeMetric>(task, *runner);
  }
  fail_runtime("{}: an unknown metric", task.source);
}

}  // namespace fathom::eval
