#include "eval/token_model.h"

#include <algorithm>

#include "core/error.h"
#include "eval/text_metrics.h"

namespace fathom::eval {

// Texts without a context begin behind the token of a document's beginning.
std::int32_t TokenModel::prefix() const {
  if (const auto id = tokenizer_.bos_id()) return *id;
  if (const auto id = tokenizer_.eos_id()) return *id;
  fail_input("the tokenizer has no token for the beginning or the end of a document, which a text "
             "without a context needs before it");
}

std::vector<std::int32_t> TokenModel::encode(const Conversation& chat) const {
  require(options_.chat != nullptr, "a chat without a template");
  return options_.chat->encode_prompt(chat, tokenizer_, options_.chat_options);
}

// The context's tokens and the continuation's are cut from the tokens of both together, with the
// blanks between them on the continuation's side.
TokenModel::ScoredTokens TokenModel::tokens_of(const TextPair& pair, std::size_t index) const {
  ScoredTokens result;
  result.index = index;
  if (pair.chat) {
    result.tokens = encode(*pair.chat);
    result.first = std::ssize(result.tokens);
    const std::vector<std::int32_t> answer = tokenizer_.encode(pair.continuation, encode_plain);
    result.tokens.insert(result.tokens.end(), answer.begin(), answer.end());
  } else if (pair.context.empty()) {
    result.tokens = tokenizer_.encode(pair.continuation, encode_plain);
    result.tokens.insert(result.tokens.begin(), prefix());
  } else {
    const std::string context = std::string(without_last_blanks(pair.context));
    result.tokens = encode(context);
    result.first = std::ssize(result.tokens);
    // The context's own tokens stand before what the whole has more, as lm-evaluation-harness has it: also
    // where the whole joins the context's end and the continuation's beginning in one token.
    const std::vector<std::int32_t> whole = encode(pair.context + pair.continuation);
    if (std::ssize(whole) > result.first) {
      result.tokens.insert(result.tokens.end(), whole.begin() + result.first, whole.end());
    }
    if (result.first == 0) {
      result.tokens.insert(result.tokens.begin(), prefix());
      result.first = 1;
    }
  }
  const std::int64_t excess = std::ssize(result.tokens) - (options_.max_length + 1);
  if (excess > 0) {
    result.cut = true;
    result.tokens.erase(result.tokens.begin(), result.tokens.begin() + excess);
    result.first = std::max<std::int64_t>(result.first - excess, 1);
  }
  return result;
}

void TokenModel::score(std::span<const TextPair> pairs, const TakeScore& take) {
  std::vector<ScoredTokens> requests;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    ScoredTokens tokens = tokens_of(pairs[i], i);
    // A continuation that adds no token is certain.
    if (tokens.first >= std::ssize(tokens.tokens)) {
      take(i, PairScore{});
    } else {
      requests.push_back(std::move(tokens));
    }
  }
  score_tokens(std::move(requests), take);
}

void TokenModel::add_windows(const std::string& document, std::size_t index,
                              std::vector<ScoredTokens>& windows) const {
  const std::vector<std::int32_t> tokens = tokenizer_.encode(document, encode_plain);
  const std::int64_t count = std::ssize(tokens);
  for (std::int64_t done = 0; done < count;) {
    const std::int64_t end = std::min(done + options_.max_length, count);
    const std::int64_t begin = std::max<std::int64_t>(end - options_.max_length - 1, -1);  // −1: the prefix
    ScoredTokens& window = windows.emplace_back();
    window.index = index;
    if (begin < 0) window.tokens.push_back(prefix());
    window.tokens.insert(window.tokens.end(), tokens.begin() + std::max<std::int64_t>(begin, 0),
                         tokens.begin() + end);
    window.first = done - begin;
    done = end;
  }
}

void TokenModel::score_documents(std::span<const std::string> documents, const TakeScore& take) {
  std::vector<ScoredTokens> windows;
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
  for (ScoredTokens& window : windows) {
    owners.push_back(window.index);
    window.index = owners.size() - 1;
  }
  std::vector<PairScore> scores(windows.size());
  score_tokens(std::move(windows), [&](std::size_t window, const PairScore& score) {
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

std::int64_t TokenModel::answer_tokens(const GenerateRequest& request) const {
  return std::min(request.max_tokens, options_.max_length - 1);
}

TokenModel::Prompt TokenModel::prompt_of(const GenerateRequest& request) const {
  Prompt prompt{request.chat ? encode(*request.chat) : encode(request.prompt)};
  std::vector<std::int32_t>& tokens = prompt.tokens;
  if (tokens.empty()) tokens.push_back(prefix());
  const std::int64_t excess = std::ssize(tokens) - (options_.max_length - answer_tokens(request));
  prompt.cut = excess > 0;
  if (prompt.cut) tokens.erase(tokens.begin(), tokens.begin() + excess);
  return prompt;
}

}  // namespace fathom::eval
