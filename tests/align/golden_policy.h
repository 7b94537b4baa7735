// The model of tests/golden/preference.json on one rank, with the pairs of that file.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "align/preference_objective.h"
#include "core/num_threads_scope.h"
#include "io/mapped_file.h"
#include "learn/device_batch.h"
#include "learn/learner.h"
#include "model/golden.h"

namespace fathom::test {

struct GoldenPolicy {
  static constexpr std::int64_t row_tokens = 40, micro_rows = 2;

  NumThreadsScope threads{1};
  golden::Golden golden{"gqa"};
  nlohmann::json json = nlohmann::json::parse(MappedFile(golden_path("preference.json")).text());
  OneRank rank{golden.config};
  Learner learner{options()};
  OwnedStream uploads{cpu_device};
  std::vector<DeviceBatch> memory;
  std::shared_ptr<PreferenceSet> pairs = std::make_shared<PreferenceSet>();
  std::shared_ptr<const PairSource> source;

  GoldenPolicy() {
    learner.initialize_weights(1);
    for (const Parameter& parameter : learner.parameters().all()) {
      golden::upload(learner.context(), golden.values<float>("weight." + parameter.spec.name),
                     parameter.weight);
    }
    for (int i = 0; i < 4; ++i) memory.emplace_back(uploads, micro_rows * row_tokens);
    using Ids = std::vector<std::int32_t>;
    for (const auto& pair : json.at("pairs")) {
      const auto prompt = pair.at("prompt").get<Ids>(), chosen = pair.at("chosen").get<Ids>();
      const auto rejected = pair.at("rejected").get<Ids>();
      pairs->add({prompt, chosen, rejected});
    }
    source = std::make_shared<const PairSource>(pairs, row_tokens, 1);
  }

  EvaluateBatch evaluate() {
    return [this](const Batch& batch) {
      return learner.evaluate(memory.front().upload(learner.context(), batch));
    };
  }

  std::vector<PairLogProbs> golden_reference() const {
    std::vector<PairLogProbs> values;
    for (const auto& pair : json.at("pairs")) {
      values.push_back({pair.at("reference").at(0).get<float>(), pair.at("reference").at(1)});
    }
    return values;
  }

  // The micro-batches of `rows` rows, one row each or two.
  std::vector<Batch> batches(std::int64_t rows, std::int64_t each) const {
    std::vector<Batch> all;
    for (std::int64_t first = 0; first < rows; first += each) {
      source->fill(first, std::min(each, rows - first), all.emplace_back());
    }
    return all;
  }

  // The gradients of a step of these micro-batches, and what the objective says of it.
  StepTerms gradients(PreferenceObjective& objective, std::span<Batch> host) {
    StepTerms terms = objective.prepare(host);
    std::vector<MicroBatch> micro_batches;
    for (std::size_t i = 0; i < host.size(); ++i) {
      micro_batches.push_back(memory.at(i).upload(learner.context(), host[i]));
    }
    const auto weigh = [&](std::size_t i, std::span<const float> losses, std::span<float> weights) {
      objective.weigh(host[i], losses, weights);
    };
    learner.compute_gradients(micro_batches, terms.normaliser, weigh);
    objective.conclude(terms);
    return terms;
  }

 private:
  LearnerOptions options() {
    LearnerOptions o(rank.groups);
    o.model = golden.config;
    o.stage = {Recompute::selective, 16};
    o.micro_tokens = micro_rows * row_tokens;
    o.tokens_per_step = 4 * o.micro_tokens;
    o.sequence_length = row_tokens;
    o.uniform_segments = false;
    return o;
  }
};

}  // namespace fathom::test
