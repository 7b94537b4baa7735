#include "align/answer_sampler.h"

#include <algorithm>
#include <map>

#include "core/error.h"
#include "infer/repetition.h"
#include "infer/text_engine.h"

namespace fathom {
namespace {

infer::EngineOptions engine_options(std::span<const std::vector<std::int32_t>> prompts,
                                    const SampleOptions& options, std::int64_t context) {
  std::int64_t longest = 0;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const std::int64_t length = std::ssize(prompts[i]);
    if (length >= context) {
      fail_input("prompt {} has {} tokens, which leaves no room for an answer in a context of {}",
                 i + 1, length, context);
    }
    longest = std::max(longest, length);
  }
  infer::EngineOptions engine;
  engine.limits.max_sequences = std::min(options.batch, std::ssize(prompts) * options.answers);
  engine.max_length = std::min(context, longest + std::min(options.max_tokens, context));
  return engine;
}

// The answers to all prompts, as they come in, and which prompt is given out next.
class Collector {
 public:
  Collector(std::size_t prompts, std::size_t answers)
      : per_prompt_(answers),
        answers_(prompts, std::vector<Growing>(answers)),
        left_(prompts, answers) {}

  // `number`: of the answer among those to all prompts.
  void add(std::size_t number, const infer::TextEvent& event) {
    const std::size_t prompt = number / per_prompt_;
    Growing& answer = answers_[prompt][number % per_prompt_];
    answer.text += event.text;
    for (const infer::DrawnToken& token : event.tokens) answer.tokens.push_back(token.token);
    if (event.finish == infer::FinishReason::none) return;
    answer.ended = event.finish == infer::FinishReason::end_of_text;
    if (answer.ended) answer.tokens.pop_back();
    --left_[prompt];
  }

  bool next_is_complete() const { return next_ < left_.size() && left_[next_] == 0; }
  std::size_t next() const { return next_; }
  std::vector<AnswerSample> take_next() {
    std::vector<AnswerSample> samples;
    for (Growing& answer : answers_[next_]) {
      const bool repeats = infer::periodic_tail(answer.tokens).length >= repetition_tokens;
      samples.push_back({std::move(answer.text), std::ssize(answer.tokens), answer.ended, repeats});
    }
    answers_[next_++].clear();
    return samples;
  }

 private:
  struct Growing {
    std::string text;
    std::vector<std::int32_t> tokens;
    bool ended = false;
  };
  std::size_t per_prompt_;
  std::vector<std::vector<Growing>> answers_;  // by prompt
  std::vector<std::size_t> left_;              // answers that have not ended, by prompt
  std::size_t next_ = 0;
};

}  // namespace

void sample_answers(const infer::LoadedModel& model, Context& context,
                    std::span<const std::vector<std::int32_t>> prompts,
                    const SampleOptions& options,
                    const std::function<void(std::size_t, std::vector<AnswerSample>)>& take) {
  if (prompts.empty()) return;
  const auto answers = static_cast<std::size_t>(options.answers);
  infer::TextEngine engine(model, context,
                           engine_options(prompts, options, model.stage->config().max_position));
  std::map<infer::RequestId, std::size_t> numbers;
  for (std::size_t number = 0; number < prompts.size() * answers; ++number) {
    infer::TextRequest request;
    request.prompt = prompts[number / answers];
    request.max_tokens = options.max_tokens;
    request.sampling = options.sampling;
    request.sampling.stream = number;
    numbers.emplace(engine.submit(request), number);
  }
  Collector collector(prompts.size(), answers);
  while (!engine.idle()) {
    for (const infer::TextEvent& event : engine.step()) {
      collector.add(numbers.at(event.request), event);
    }
    while (collector.next_is_complete()) {
      const std::size_t prompt = collector.next();
      take(prompt, collector.take_next());
    }
  }
}

}  // namespace fathom
