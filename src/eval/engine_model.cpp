#include "eval/engine_model.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "core/error.h"
#include "eval/text_metrics.h"
#include "infer/text_engine.h"
#include "text/utf8.h"

namespace fathom::eval {

EngineModel::EngineModel(const infer::LoadedModel& model, Context& context,
                         const EngineModelOptions& options)
    : model_(model), context_(context), options_(options) {
  const std::int64_t longest = model.stage->config().max_position;
  if (options.max_length < 0 || options.max_length > longest || options.max_length == 1) {
    fail_input("a length of {} tokens: use 2 to the model's context of {}", options.max_length, longest);
  }
  max_length_ = options.max_length == 0 ? longest : options.max_length;
}

EngineModel::Work EngineModel::work() const {
  return work_;
}

// Texts without a context begin behind the token of a document's beginning.
std::int32_t EngineModel::prefix() const {
  if (const auto id = model_.tokenizer.bos_id()) return *id;
  if (const auto id = model_.tokenizer.eos_id()) return *id;
  fail_input("the tokenizer has no token for the beginning or the end of a document, which a text "
             "without a context needs before it");
}

std::vector<std::int32_t> EngineModel::encode(const std::string& text) const {
  return model_.tokenizer.encode(text);
}

std::vector<std::int32_t> EngineModel::encode(const Conversation& chat) const {
  require(options_.chat != nullptr, "a chat without a template");
  return options_.chat->encode_prompt(chat, model_.tokenizer, options_.chat_options);
}

// The context's tokens and the continuation's are cut from the tokens of both together, with the
// blanks between them on the continuation's side.
EngineModel::Tokens EngineModel::tokens_of(const TextPair& pair, std::size_t index) const {
  Tokens result;
  result.index = index;
  if (pair.chat) {
    result.tokens = encode(*pair.chat);
    result.first = std::ssize(result.tokens);
    const std::vector<std::int32_t> answer = model_.tokenizer.encode(pair.continuation, encode_plain);
    result.tokens.insert(result.tokens.end(), answer.begin(), answer.end());
  } else if (pair.context.empty()) {
    result.tokens = model_.tokenizer.encode(pair.continuation, encode_plain);
    result.tokens.insert(result.tokens.begin(), prefix());
  } else {
    const std::string context = std::string(without_last_blanks(pair.context));
    result.tokens = encode(pair.context + pair.continuation);
    result.first = std::ssize(encode(context));
    if (result.first == 0) {
      result.tokens.insert(result.tokens.begin(), prefix());
      result.first = 1;
    }
  }
  const std::int64_t excess = std::ssize(result.tokens) - (max_length_ + 1);
  if (excess > 0) {
    result.tokens.erase(result.tokens.begin(), result.tokens.begin() + excess);
    result.first = std::max<std::int64_t>(result.first - excess, 1);
  }
  return result;
}

void EngineModel::score(std::span<const TextPair> pairs, const TakeScore& take) {
  std::vector<Tokens> requests;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    Tokens tokens = tokens_of(pairs[i], i);
    // A continuation that adds no token is certain.
    if (tokens.first >= std::ssize(tokens.tokens)) {
      take(i, PairScore{});
    } else {
      requests.push_back(std::move(tokens));
    }
  }
  run(std::move(requests), take);
}

void EngineModel::add_windows(const std::string& document, std::size_t index,
                              std::vector<Tokens>& windows) const {
  const std::vector<std::int32_t> tokens = model_.tokenizer.encode(document, encode_plain);
  const std::int64_t count = std::ssize(tokens);
  for (std::int64_t done = 0; done < count;) {
    const std::int64_t end = std::min(done + max_length_, count);
    const std::int64_t begin = std::max<std::int64_t>(end - max_length_ - 1, -1);  // −1: the prefix
    Tokens& window = windows.emplace_back();
    window.index = index;
    if (begin < 0) window.tokens.push_back(prefix());
    window.tokens.insert(window.tokens.end(), tokens.begin() + std::max<std::int64_t>(begin, 0),
                         tokens.begin() + end);
    window.first = done - begin;
    done = end;
  }
}

void EngineModel::score_documents(std::span<const std::string> documents, const TakeScore& take) {
  std::vector<Tokens> windows;
  std::vector<std::size_t> first_window, left(documents.size());
  for (std::size_t i = 0; i < documents.size(); ++i) {
    first_window.push_back(windows.size());
    add_windows(documents[i], i, windows);
    left[i] = windows.size() - first_window[i];
    if (left[i] == 0) take(i, {});
  }
  first_window.push_back(windows.size());
  // Each window is a request of its own.
  std::vector<std::size_t> owners;
  for (Tokens& window : windows) {
    owners.push_back(window.index);
    window.index = owners.size() - 1;
  }
  std::vector<PairScore> scores(windows.size());
  run(std::move(windows), [&](std::size_t window, const PairScore& score) {
    const std::size_t i = owners[window];
    scores[window] = score;
    if (--left[i] > 0) return;
    // In the order of the text, whichever window ended first: the same sum every time.
    PairScore sum;
    for (std::size_t w = first_window[i]; w < first_window[i + 1]; ++w) {
      sum.log_probability += scores[w].log_probability;
      sum.tokens += scores[w].tokens;
      sum.greedy = sum.greedy && scores[w].greedy;
    }
    take(i, sum);
  });
}

infer::EngineOptions EngineModel::engine_options(std::int64_t longest) const {
  infer::EngineOptions options;
  options.limits.max_sequences = options_.max_sequences;
  options.max_length = std::max<std::int64_t>(longest, 2);
  options.cache_bytes = options_.cache_bytes;
  options.masked_tokens = infer::rows_without_token(model_.tokenizer, model_.stage->config().vocab_size);
  return options;
}

namespace {

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

void EngineModel::run(std::vector<Tokens> requests, const TakeScore& take) {
  if (requests.empty()) return;
  std::ranges::sort(requests, [](const Tokens& a, const Tokens& b) {
    return std::tie(a.tokens, a.first, a.index) < std::tie(b.tokens, b.first, b.index);
  });
  std::vector<Group> groups;
  std::int64_t longest = 0;
  for (Tokens& next : requests) {
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
  infer::Engine engine(*model_.stage, context_, engine_options(longest));
  std::map<infer::SequenceId, const Group*> by_id;
  for (const Group& group : groups) by_id[engine.submit(group.request)] = &group;
  while (!engine.idle()) {
    for (const infer::GeneratedToken& done : engine.step()) {
      const Group& group = *by_id.at(done.sequence);
      for (const Group::Member& member : group.members) {
        take(member.index, score_of(group, member.last_score, done.prompt_scores));
      }
    }
  }
  work_.computed += engine.scheduler().admitted_tokens() - engine.scheduler().shared_tokens();
}

void EngineModel::generate(std::span<const GenerateRequest> requests, const TakeText& take) {
  if (requests.empty()) return;
  std::vector<infer::TextRequest> texts;
  std::int64_t longest = 0;
  for (const GenerateRequest& request : requests) {
    infer::TextRequest& text = texts.emplace_back();
    std::vector<std::int32_t> tokens = request.chat ? encode(*request.chat) : encode(request.prompt);
    if (tokens.empty()) tokens.push_back(prefix());
    text.max_tokens = std::min(request.max_tokens, max_length_ - 1);
    const std::int64_t excess = std::ssize(tokens) - (max_length_ - text.max_tokens);
    if (excess > 0) tokens.erase(tokens.begin(), tokens.begin() + excess);
    longest = std::max(longest, std::ssize(tokens) + text.max_tokens);
    text.prompt = std::move(tokens);
    text.stop = request.stop;
    text.sampling.temperature = request.temperature;
    text.sampling.top_p = request.top_p;
    text.sampling.seed = 1234;
    text.sampling.stream = request.sample;
  }
  std::vector<std::size_t> order(texts.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) -> const std::vector<std::int32_t>& {
    return std::get<std::vector<std::int32_t>>(texts[i].prompt);
  });
  infer::TextEngine engine(model_, context_, engine_options(longest));
  std::map<infer::RequestId, std::size_t> index;
  for (const std::size_t i : order) index[engine.submit(texts[i])] = i;
  std::vector<std::string> answers(texts.size());
  while (!engine.idle()) {
    for (const infer::TextEvent& event : engine.step()) {
      const std::size_t i = index.at(event.request);
      answers[i] += event.text;
      if (event.finish == infer::FinishReason::none) continue;
      utf8::replace_invalid(answers[i]);  // a model may generate any bytes
      take(i, answers[i]);
    }
  }
  const infer::Scheduler& scheduler = engine.engine().scheduler();
  work_.named += scheduler.admitted_tokens();
  work_.computed += scheduler.admitted_tokens() - scheduler.shared_tokens();
}

}  // namespace fathom::eval
