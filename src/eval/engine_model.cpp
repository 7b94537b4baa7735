#include "eval/engine_model.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "core/error.h"
#include "infer/text_engine.h"
#include "text/utf8.h"

namespace fathom::eval {
namespace {

TokenModelOptions token_options(const infer::LoadedModel& model, const EngineModelOptions& options) {
  const std::int64_t longest = model.stage->config().max_position;
  if (options.max_length < 0 || options.max_length > longest || options.max_length == 1) {
    fail_input("a length of {} tokens: use 2 to the model's context of {}", options.max_length, longest);
  }
  return {options.max_length == 0 ? longest : options.max_length, options.chat, options.chat_options,
          options.stopped};
}

}  // namespace

EngineModel::EngineModel(const infer::LoadedModel& model, Context& context,
                         const EngineModelOptions& options)
    : TokenModel(model.tokenizer, token_options(model, options)),
      model_(model),
      context_(context),
      options_(options) {}

EngineModel::Work EngineModel::work() const {
  return work_;
}

infer::EngineOptions EngineModel::engine_options(std::int64_t longest) const {
  infer::EngineOptions options;
  options.limits.max_sequences = options_.max_sequences;
  options.max_length = std::max<std::int64_t>(longest, 2);
  options.cache_bytes = options_.cache_bytes;
  options.masked_tokens = infer::rows_without_token(model_.tokenizer, model_.stage->config().vocab_size);
  return options;
}

void EngineModel::hold() {
  held_.emplace(model_, context_, engine_options(max_length()));
}

infer::TextEngine& EngineModel::engine_for(std::int64_t longest, std::optional<infer::TextEngine>& own) {
  if (!held_) return own.emplace(model_, context_, engine_options(longest));
  held_->engine().forget_prefixes();
  return *held_;
}

namespace {

// Tokens that an engine has computed so far.
std::int64_t computed_by(const infer::Engine& engine) {
  return engine.scheduler().admitted_tokens() - engine.scheduler().shared_tokens();
}

// A request of the engine that stands for several of ours: those whose tokens are the same but for
// the last.
struct Group {
  infer::Request request;
  struct Member {
    std::size_t index;       // of our request
    std::size_t last_score;  // where the score of its last token is
  };
  std::vector<Member> members;

  std::int64_t scored() const { return std::ssize(request.prompt) - request.scores_from; }
  std::int32_t last_token() const {
    return request.alternatives.empty() ? request.prompt.back() : request.alternatives.back();
  }
  bool takes(const std::vector<std::int32_t>& tokens, std::int64_t first) const {
    return first == request.scores_from && tokens.size() == request.prompt.size() &&
           std::equal(tokens.begin(), tokens.end() - 1, request.prompt.begin());
  }
  // The last tokens come in ascending order, so that an equal one was the last.
  void add(std::size_t index, std::int32_t last) {
    if (!members.empty() && last != last_token()) request.alternatives.push_back(last);
    members.push_back({index, static_cast<std::size_t>(scored() - 1) + request.alternatives.size()});
  }
};

PairScore score_of(const Group& group, std::size_t last_score,
                   const std::vector<infer::DrawnToken>& scores) {
  PairScore result;
  result.tokens = group.scored();
  const auto add = [&](const infer::DrawnToken& drawn) {
    result.log_probability += static_cast<double>(*drawn.log_probability);
    result.greedy = result.greedy && drawn.likeliest[0].token == drawn.token;
  };
  for (std::int64_t i = 0; i + 1 < result.tokens; ++i) add(scores[static_cast<std::size_t>(i)]);
  add(scores[last_score]);
  return result;
}

}  // namespace

void EngineModel::score_tokens(std::vector<ScoredTokens> requests, const TakeScore& take) {
  if (requests.empty()) return;
  std::ranges::sort(requests, [](const ScoredTokens& a, const ScoredTokens& b) {
    return std::tie(a.tokens, a.first, a.index) < std::tie(b.tokens, b.first, b.index);
  });
  std::vector<Group> groups;
  std::int64_t longest = 0;
  for (ScoredTokens& next : requests) {
    const std::int64_t read = std::ssize(next.tokens) - 1;
    work_.named += read;
    longest = std::max(longest, read);
    const std::int32_t last = next.tokens.back();
    if (groups.empty() || !groups.back().takes(next.tokens, next.first)) {
      infer::Request& request = groups.emplace_back().request;
      request.prompt = std::move(next.tokens);
      request.scores_from = next.first;
      request.max_tokens = 0;
      request.prompt_log_probabilities = 1;
    }
    groups.back().add(next.index, last);
  }
  std::optional<infer::TextEngine> own;
  infer::Engine& engine = engine_for(longest, own).engine();
  const std::int64_t computed = computed_by(engine);
  std::map<infer::SequenceId, const Group*> by_id;
  for (const Group& group : groups) by_id[engine.submit(group.request)] = &group;
  while (!engine.idle()) {
    stop_if_asked();
    for (const infer::GeneratedToken& done : engine.step()) {
      const Group& group = *by_id.at(done.sequence);
      for (const Group::Member& member : group.members) {
        take(member.index, score_of(group, member.last_score, done.prompt_scores));
      }
    }
  }
  work_.computed += computed_by(engine) - computed;
}

void EngineModel::generate(std::span<const GenerateRequest> requests, const TakeText& take) {
  if (requests.empty()) return;
  std::vector<infer::TextRequest> texts;
  std::int64_t longest = 0;
  for (const GenerateRequest& request : requests) {
    infer::TextRequest& text = texts.emplace_back();
    std::vector<std::int32_t> tokens = prompt_of(request).tokens;
    text.max_tokens = answer_tokens(request);
    longest = std::max(longest, std::ssize(tokens) + text.max_tokens);
    text.prompt = std::move(tokens);
    text.stop = request.stop;
    text.sampling.temperature = request.temperature;
    text.sampling.top_p = request.top_p;
    text.sampling.seed = sampling_seed;
    text.sampling.stream = request.sample;
  }
  std::vector<std::size_t> order(texts.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) -> const std::vector<std::int32_t>& {
    return std::get<std::vector<std::int32_t>>(texts[i].prompt);
  });
  std::optional<infer::TextEngine> own;
  infer::TextEngine& engine = engine_for(longest, own);
  const infer::Scheduler& scheduler = engine.engine().scheduler();
  const std::int64_t admitted = scheduler.admitted_tokens(), computed = computed_by(engine.engine());
  std::map<infer::RequestId, std::size_t> index;
  for (const std::size_t i : order) index[engine.submit(texts[i])] = i;
  std::vector<std::string> answers(texts.size());
  while (!engine.idle()) {
    stop_if_asked();
    for (const infer::TextEvent& event : engine.step()) {
      const std::size_t i = index.at(event.request);
      answers[i] += event.text;
      if (event.finish == infer::FinishReason::none) continue;
      utf8::replace_invalid(answers[i]);  // a model may generate any bytes
      take(i, answers[i]);
    }
  }
  work_.named += scheduler.admitted_tokens() - admitted;
  work_.computed += computed_by(engine.engine()) - computed;
}

}  // namespace fathom::eval
