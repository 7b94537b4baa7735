#include "eval/learner_model.h"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "infer/text_engine.h"
#include "infer/text_stream.h"
#include "text/utf8.h"
#include "train/prompt_continuer.h"

namespace fathom::eval {
namespace {

bool any_of(Communicator& group, bool own) {
  return std::ranges::any_of(gather_values(group, int{own}), [](int value) { return value != 0; });
}

std::int64_t tokens_read(std::span<const std::int32_t> tokens) {
  return std::ssize(tokens) - 1;
}

}  // namespace

LearnerModel::LearnerModel(Learner& learner, DeviceBatch& memory, const Tokenizer& tokenizer,
                           const LearnerModelOptions& options)
    : TokenModel(tokenizer, options.tokens),
      learner_(learner),
      memory_(memory),
      options_(options),
      masked_tokens_(infer::rows_without_token(tokenizer, learner.options().model.vocab_size)),
      masked_(static_cast<std::size_t>(learner.options().model.vocab_size), 0) {
  for (const std::int32_t token : masked_tokens_) masked_[static_cast<std::size_t>(token)] = 1;
}

std::int64_t LearnerModel::longest(const LearnerOptions& options) {
  return PromptContinuer::max_length(options);
}

void LearnerModel::stop_if_one_asks() const {
  const RankGroups& ranks = learner_.options().ranks;
  const bool asked = options_.tokens.stopped && options_.tokens.stopped();
  if (any_of(ranks.pipeline(), any_of(ranks.tensor(), asked))) throw EvaluationStopped();
}

void LearnerModel::score_tokens(std::vector<ScoredTokens> requests, const TakeScore& take) {
  // Texts of about the same length share a micro-batch, the longest first.
  std::ranges::sort(requests, [](const ScoredTokens& a, const ScoredTokens& b) {
    return std::tuple(b.tokens.size(), a.index) < std::tuple(a.tokens.size(), b.index);
  });
  for (std::span<const ScoredTokens> left = requests; !left.empty();) {
    stop_if_one_asks();
    const std::int64_t length =
        PromptContinuer::length_of_few(learner_.options(), tokens_read(left.front().tokens));
    const std::size_t rows = std::min(left.size(), static_cast<std::size_t>(rows_of(length)));
    const std::vector<PairScore> scores = score_rows(left.first(rows), length);
    for (std::size_t row = 0; row < rows; ++row) take(left[row].index, scores[row]);
    left = left.subspan(rows);
  }
}

namespace {

// Rows without a text.
Batch empty_batch(std::int64_t rows, std::int64_t length) {
  Batch batch;
  batch.sequences = rows;
  batch.sequence_length = length;
  batch.inputs.assign(static_cast<std::size_t>(rows * length), 0);
  batch.targets.assign(batch.inputs.size(), -1);
  batch.cu_seqlens.push_back(0);
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int32_t i = 0; i < length; ++i) batch.positions.push_back(i);
    batch.cu_seqlens.push_back(static_cast<std::int32_t>((row + 1) * length));
  }
  return batch;
}

}  // namespace

void LearnerModel::warm_up() {
  const LearnerOptions& options = learner_.options();
  const std::vector<std::int32_t> places(static_cast<std::size_t>(options.logit_rows), 0);
  for (std::int64_t length = 0; length < longest(options);) {
    length = PromptContinuer::length_of_few(options, length + 1);
    const MicroBatch batch = memory_.upload(learner_.context(), empty_batch(rows_of(length), length));
    learner_.warm_up_logits(batch, places);
  }
}

std::vector<PairScore> LearnerModel::score_rows(std::span<const ScoredTokens> texts,
                                                std::int64_t length) {
  Batch batch = empty_batch(rows_of(length), length);
  for (std::size_t row = 0; row < texts.size(); ++row) {
    const std::vector<std::int32_t>& tokens = texts[row].tokens;
    const std::int64_t first = texts[row].first;
    const auto begin = static_cast<std::int64_t>(row) * length;
    std::copy(tokens.begin(), tokens.end() - 1, batch.inputs.begin() + begin);
    std::copy(tokens.begin() + first, tokens.end(), batch.targets.begin() + begin + first - 1);
    work_.named += tokens_read(tokens);
  }
  batch.num_targets = std::ranges::count_if(batch.targets, [](auto target) { return target >= 0; });
  work_.computed += std::ssize(batch.inputs);
  const MicroBatch uploaded = memory_.upload(learner_.context(), batch);
  const std::span<const float> losses = learner_.evaluate(uploaded);
  std::vector<PairScore> scores(texts.size());
  for (std::size_t row = 0; row < texts.size(); ++row) {
    const auto own = losses.subspan(row * static_cast<std::size_t>(length));
    const std::int64_t first = texts[row].first, last = tokens_read(texts[row].tokens);
    scores[row].tokens = last - first + 1;
    for (std::int64_t i = first - 1; i < last; ++i) {
      scores[row].log_probability -= double{own[static_cast<std::size_t>(i)]};
    }
  }
  if (options_.greedy == Greedy::known) find_greedy(uploaded, texts, length, scores);
  return scores;
}

void LearnerModel::find_greedy(const MicroBatch& batch, std::span<const ScoredTokens> texts,
                               std::int64_t length, std::vector<PairScore>& scores) {
  struct Token {
    std::size_t row;
    std::int32_t id;
  };
  std::vector<Token> tokens;
  std::vector<std::int32_t> places;
  for (std::size_t row = 0; row < texts.size(); ++row) {
    for (std::int64_t i = texts[row].first; i < std::ssize(texts[row].tokens); ++i) {
      tokens.push_back({row, texts[row].tokens[static_cast<std::size_t>(i)]});
      places.push_back(static_cast<std::int32_t>(static_cast<std::int64_t>(row) * length + i - 1));
    }
  }
  const auto at_once = static_cast<std::size_t>(learner_.options().logit_rows);
  while (places.size() % at_once != 0) places.push_back(0);
  for (std::size_t first = 0; first < tokens.size(); first += at_once) {
    stop_if_one_asks();
    const std::size_t count = std::min(at_once, tokens.size() - first);
    const std::span<const float> logits =
        learner_.next_logits(batch, std::span(places).subspan(first, at_once));
    for (std::size_t i = 0; i < count; ++i) {
      const auto row = logits.subspan(i * masked_.size(), masked_.size());
      std::size_t best = 0;
      for (std::size_t id = 1; id < row.size(); ++id) {
        if (!masked_[id] && (masked_[best] || row[id] > row[best])) best = id;
      }
      const Token& token = tokens[first + i];
      scores[token.row].greedy &= static_cast<std::int32_t>(best) == token.id;
    }
  }
}

namespace {

// The text of an answer as its tokens come.
class AnswerText {
 public:
  AnswerText(const Tokenizer& tokenizer, const std::vector<std::string>& stop)
      : stream_(tokenizer, stop) {}
  // Whether the text has come to a stop string.
  bool stops_with(std::int32_t token) {
    text_ += stream_.push(token);
    return stream_.stopped();
  }
  std::string finish() {
    if (!stream_.stopped()) text_ += stream_.finish();
    utf8::replace_invalid(text_);
    return std::move(text_);
  }

 private:
  infer::TextStream stream_;
  std::string text_;
};

}  // namespace

// Requests of one call differ in their prompts and in the sample that is wanted.
void LearnerModel::generate(std::span<const GenerateRequest> requests, const TakeText& take) {
  struct Indexed {
    std::vector<std::int32_t> tokens;
    std::size_t index;
  };
  std::vector<Indexed> prompts;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    prompts.push_back({prompt_of(requests[i]).tokens, i});
  }
  const auto key = [&](const Indexed& prompt) {
    const GenerateRequest& request = requests[prompt.index];
    return std::tuple(request.sample, answer_tokens(request), prompt.tokens.size());
  };
  std::ranges::stable_sort(prompts, {}, key);
  PromptContinuer continuer(learner_, memory_, masked_tokens_);
  const auto at_once = static_cast<std::size_t>(learner_.options().logit_rows);
  for (std::size_t first = 0, end = 0; first < prompts.size(); first = end) {
    const GenerateRequest& request = requests[prompts[first].index];
    std::vector<std::vector<std::int32_t>> some;
    std::vector<AnswerText> texts;
    while (end < prompts.size() && some.size() < at_once &&
           std::get<0>(key(prompts[end])) == request.sample &&
           std::get<1>(key(prompts[end])) == answer_tokens(request)) {
      texts.emplace_back(tokenizer(), requests[prompts[end].index].stop);
      some.push_back(prompts[end++].tokens);
    }
    ContinueOptions options;
    options.max_tokens = answer_tokens(request);
    options.sampling.temperature = request.temperature;
    options.sampling.top_p = request.top_p;
    options.sampling.seed = sampling_seed;
    options.stream = request.sample;
    options.end_tokens = options_.end_tokens;
    options.shapes = TextShapes::few;
    options.ends_with = [&](std::size_t i, std::int32_t token) { return texts[i].stops_with(token); };
    options.before_tokens = [this] { stop_if_one_asks(); };
    const std::vector<infer::Answer> answers = continuer.run(some, options);
    for (std::size_t i = 0; i < answers.size(); ++i) {
      work_.named += std::ssize(some[i]) + std::ssize(answers[i].tokens);
      take(prompts[first + i].index, texts[i].finish());
    }
  }
}

}  // namespace fathom::eval
