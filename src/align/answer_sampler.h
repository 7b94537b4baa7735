// Draws several answers to each of many prompts: the raw material of preference pairs.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "align/answer_ranking.h"
#include "infer/model_loader.h"
#include "infer/sampler.h"

namespace fathom {

struct SampleOptions {
  std::int64_t answers = 4;  // to each prompt
  std::int64_t max_tokens = 512;
  std::int64_t batch = 16;  // drawn at once
  // `stream` is not read: each answer has a stream of its own, so that it depends on nothing but
  // its prompt's number, its own and the seed.
  infer::SamplingOptions sampling;
};

// Calls take(prompt, its answers) for every prompt (token ids), in their order. Throws an input
// Error when a prompt leaves no room for an answer in the model's context.
void sample_answers(const infer::LoadedModel& model, Context& context,
                    std::span<const std::vector<std::int32_t>> prompts,
                    const SampleOptions& options,
                    const std::function<void(std::size_t, std::vector<AnswerSample>)>& take);

}  // namespace fathom
