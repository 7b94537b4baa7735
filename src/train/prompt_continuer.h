// Lets the model in training continue prompts: token ids in, token ids out, on the ranks and
// in the memory of the run itself. Samples at validation points and checks of generated text
// use it.
//
// There is no key-value cache: each token costs one forward over all that was written so far,
// which is cheap where texts are short.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "infer/repetition.h"
#include "infer/sampler.h"
#include "learn/device_batch.h"
#include "learn/learner.h"

namespace fathom {

// Whether a device meets the shapes that the prompts need, or a few for all prompts there are.
enum class TextShapes { exact, few };

struct ContinueOptions {
  std::int64_t max_tokens = 64;  // of a continuation
  // Without `stream` the stream is each prompt's number: the same prompts, weights and seed give the same tokens.
  infer::SamplingOptions sampling = {};
  std::optional<std::uint64_t> stream = {};  // of all prompts
  std::vector<std::int32_t> end_tokens = {};  // end a continuation, and are left out of it
  TextShapes shapes = TextShapes::exact;
  // Called with each token of a continuation, of the prompt with this number: true ends it there. All
  // ranks must find the same.
  std::function<bool(std::size_t prompt, std::int32_t token)> ends_with = {};
  // Called before each token of all prompts that are read at once. What it throws ends run(), so it
  // must throw on all ranks or on none.
  std::function<void()> before_tokens = {};
};

class PromptContinuer {
 public:
  using Tokens = std::vector<std::int32_t>;

  // `learner`, with options.logit_rows of at least 1, and `memory`, for micro-batches of its size,
  // outlive this. `masked_tokens` are never drawn; see infer::TokenSampler.
  PromptContinuer(Learner& learner, DeviceBatch& memory, Tokens masked_tokens);

  // Most tokens of a prompt with what it is continued by. One more may follow, which is not read.
  static std::int64_t max_length(const LearnerOptions& options);
  // The shortest of a few lengths that holds `length`, at most max_length(): each is half of the
  // next. A GPU searches for algorithms once for each.
  static std::int64_t length_of_few(const LearnerOptions& options, std::int64_t length);

  // One continuation a prompt, which has `ended` when an end token was drawn. A text of
  // max_length() tokens and one more ends there, and so does one whose logits are not all finite.
  // As many prompts as fit are read at once. All ranks call it with the same prompts and get the
  // same tokens; replicas do the same work beside each other, or have prompts of their own. Throws
  // an input Error for a prompt that is empty or longer than max_length().
  std::vector<infer::Answer> run(std::span<const Tokens> prompts, const ContinueOptions& options);
  // Lets a device get ready for run() with these arguments; see Learner::warm_up().
  void warm_up(std::span<const Tokens> prompts, const ContinueOptions& options);

 private:
  // Prompts that are read at once: `rows` texts of `length` tokens each, at every step alike,
  // so that a device meets few shapes.
  struct Shape {
    std::int64_t rows = 0, length = 0;
  };
  Shape shape_of(std::span<const Tokens> prompts, const ContinueOptions& how) const;
  // The micro-batch of these texts, whose ends are filled up with tokens that nobody reads.
  MicroBatch upload(const Shape& shape, std::span<const Tokens> texts);
  // Positions in the micro-batch of each text's last token.
  static std::vector<std::int32_t> last_tokens(const Shape& shape, std::span<const Tokens> texts);
  // The token that follows; none where the logits are not all finite.
  std::optional<std::int32_t> draw(std::span<const float> logits, const Tokens& text,
                                   const infer::SamplingOptions& sampling);
  // Draws until all texts have ended. `first`: the number of the first of these prompts.
  std::vector<infer::Answer> continue_texts(const Shape& shape, std::vector<Tokens> texts,
                                            std::size_t first, const ContinueOptions& options);

  Learner& learner_;
  DeviceBatch& memory_;
  infer::TokenSampler sampler_;
};

}  // namespace fathom
