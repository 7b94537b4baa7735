#include "align/preference_reference.h"

#include "core/error.h"
#include "core/log.h"

namespace fathom {

void PreferenceReference::begin(const EvaluateBatch& evaluate, std::int64_t steps_done) {
  values_.clear();
  const bool found = gather_values(ranks_.world(), int{ranks_.first() && read()}).front() != 0;
  if (found) return broadcast();
  if (steps_done > 0) {
    fail_input(
        "{}: missing, and the run has done {} steps since its reference: restore the file, or "
        "begin "
        "again with --resume none",
        options_.path, steps_done);
  }
  compute(evaluate);
}

bool PreferenceReference::read() {
  ReferenceCache cache(options_.key);
  if (!cache.load(options_.path)) return false;
  for (const NamedPairs& pairs : pairs_) {
    values_.push_back(cache.find(pairs.source->pairs(), pairs.name, options_.path));
  }
  log::info("reference log-probabilities read from {}", options_.path);
  return true;
}

void PreferenceReference::compute(const EvaluateBatch& evaluate) {
  ReferenceCache cache(options_.key);
  for (const NamedPairs& pairs : pairs_) {
    const std::string label =
        ranks_.first() ? fmt::format("reference log-probabilities, {}", pairs.name) : "";
    values_.push_back(
        evaluate_pairs(*pairs.source, {options_.micro_batch, label}, evaluate, ranks_.data()));
    cache.add(pairs.source->pairs(), values_.back());
  }
  if (ranks_.first()) cache.save(options_.path);
}

void PreferenceReference::broadcast() {
  Context context(cpu_device, 0);
  values_.resize(pairs_.size());
  for (std::size_t i = 0; i < pairs_.size(); ++i) {
    std::vector<PairLogProbs>& values = values_[i];
    values.resize(static_cast<std::size_t>(pairs_[i].source->pairs().size()));
    ranks_.world().broadcast(context, Tensor(values.data(), DType::f32, {2 * std::ssize(values)}),
                             0);
  }
}

}  // namespace fathom
