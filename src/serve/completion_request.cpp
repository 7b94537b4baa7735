#include "serve/completion_request.h"

#include <algorithm>
#include <utility>

namespace fathom::serve {
namespace {

Tokens ids_of(const JsonValue& value) {
  Tokens ids;
  for (const JsonValue& item : value.items()) {
    ids.push_back(static_cast<std::int32_t>(item.integer(0, max_int32)));
  }
  return ids;
}

// A string, strings, ids or lists of ids.
std::vector<std::variant<std::string, Tokens>> read_prompts(RequestFields& fields,
                                                            const ApiLimits& limits) {
  const auto value = fields.find("prompt");
  if (!value) refuse("prompt", "'prompt' is missing: give a string, token ids, or a list of them");
  std::vector<std::variant<std::string, Tokens>> prompts;
  about_field("prompt", [&] {
    if (value->is_text()) {
      prompts.emplace_back(value->text());
      return;
    }
    const std::vector<JsonValue> items = value->items();
    if (!items.empty() && items.front().is_number()) {
      prompts.emplace_back(ids_of(*value));
      return;
    }
    if (std::ssize(items) > limits.max_sequences) {
      refuse("prompt", "'prompt' has {} prompts: use at most {}", items.size(),
             limits.max_sequences);
    }
    for (const JsonValue& item : items) {
      if (item.is_array()) {
        prompts.emplace_back(ids_of(item));
      } else {
        prompts.emplace_back(item.text());
      }
    }
  });
  if (prompts.empty()) refuse("prompt", "'prompt' is an empty list");
  return prompts;
}

void check_ids(const Tokens& ids, const Tokenizer& tokenizer) {
  for (const std::int32_t id : ids) {
    if (id >= 0 && id < tokenizer.vocab_size()) continue;
    refuse("prompt", "token {} is outside the tokenizer's vocabulary of {}", id,
           tokenizer.vocab_size());
  }
}

std::int64_t read_best_of(RequestFields& fields, const CompletionRequest& request,
                          const ApiLimits& limits) {
  const auto best_of = fields.integer("best_of", 1, limits.max_best_of);
  if (!best_of) return request.n;
  if (*best_of < request.n) {
    refuse("best_of", "'best_of' is {} and 'n' is {}: 'best_of' must be at least 'n'", *best_of,
           request.n);
  }
  if (*best_of > request.n && request.stream) {
    refuse("best_of", "'best_of' chooses among whole texts: it cannot be used with 'stream'");
  }
  return *best_of;
}

}  // namespace

CompletionRequest parse_completion_request(std::string_view body, const ApiLimits& limits) {
  RequestFields fields = RequestFields::parse(body);
  CompletionRequest request;
  static_cast<GenerationOptions&>(request) = read_generation_options(fields, limits);
  request.prompts = read_prompts(fields, limits);
  request.echo = fields.boolean("echo").value_or(false);
  request.max_tokens = fields.integer("max_tokens", request.echo ? 0 : 1, max_int32).value_or(16);
  request.best_of = read_best_of(fields, request, limits);
  request.logprobs = fields.integer("logprobs", 0, limits.max_logprobs);
  request.add_special_tokens = fields.boolean("add_special_tokens").value_or(true);
  fields.refuse_present("suffix", "the model only continues a text");
  fields.refuse_unknown();
  const std::int64_t sequences = std::ssize(request.prompts) * request.best_of;
  if (sequences > limits.max_sequences) {
    refuse(request.best_of > request.n ? "best_of" : "n",
           "{} prompts with {} texts each are {} sequences: ask for at most {} at once",
           request.prompts.size(), request.best_of, sequences, limits.max_sequences);
  }
  return request;
}

std::vector<EncodedPrompt> encode_prompts(const CompletionRequest& request,
                                          const Tokenizer& tokenizer, const PromptLimits& limits) {
  const EncodeOptions options{request.add_special_tokens ? Template::apply : Template::skip,
                              SpecialText::as_text};
  std::vector<EncodedPrompt> prompts;
  for (const auto& prompt : request.prompts) {
    EncodedPrompt encoded;
    if (const auto* text = std::get_if<std::string>(&prompt)) {
      limits.check_bytes("prompt", std::ssize(*text));
      encoded.tokens = tokenizer.encode(*text, options);
      limits.check_tokens("prompt", std::ssize(encoded.tokens));
      if (request.echo) encoded.text = *text;
    } else {
      const Tokens& ids = std::get<Tokens>(prompt);
      limits.check_tokens("prompt", std::ssize(ids));
      check_ids(ids, tokenizer);
      encoded.tokens = ids;
      if (request.echo) encoded.text = tokenizer.decode(ids, request.special_tokens);
    }
    if (encoded.tokens.empty()) {
      refuse("prompt", "a prompt is empty: the model needs at least one token");
    }
    prompts.push_back(std::move(encoded));
  }
  return prompts;
}

std::vector<infer::TextRequest> engine_requests(const CompletionRequest& request,
                                                const std::vector<EncodedPrompt>& prompts) {
  infer::TextRequest each = text_request(request);
  each.continues_prompt = true;
  // Without new tokens one is drawn all the same, and not shown.
  each.max_tokens = std::max<std::int64_t>(1, request.max_tokens.value_or(16));
  each.log_probabilities = request.logprobs;
  if (request.best_of > request.n && !each.log_probabilities) each.log_probabilities = 0;
  if (request.echo) each.prompt_log_probabilities = request.logprobs;
  std::vector<infer::TextRequest> requests;
  for (const EncodedPrompt& prompt : prompts) {
    for (std::int64_t i = 0; i < request.best_of; ++i) {
      each.prompt = prompt.tokens;
      each.sampling.stream = static_cast<std::uint64_t>(i);
      requests.push_back(each);
    }
  }
  return requests;
}

}  // namespace fathom::serve
