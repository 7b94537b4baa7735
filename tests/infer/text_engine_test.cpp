#include "infer/text_engine.h"

#include <gmock/gmock.h>

#include <map>

#include "core/error.h"
#include "infer/tiny_model.h"

namespace fathom::infer {
namespace {

using test::byte_tokenizer;
using test::tiny_config;
using test::Tokens;
using testing::HasSubstr;

constexpr std::int32_t end_of_text = 256, user = 257, num_tokens = 258;

// A model of bytes and two special tokens, with `padding` rows that no token has. Those
// are always the likeliest: the output embedding's rows of the first two are opposite and
// long.
struct TextModel {
  Context context{cpu_device};
  LoadedModel model;

  explicit TextModel(std::int64_t padding = 0, std::vector<std::int32_t> end_tokens = {})
      : model{"", Tokenizer::from_json(byte_tokenizer({"</s>", "<user>"})), std::move(end_tokens),
              nullptr, nullptr} {
    const ModelConfig config = tiny_config(num_tokens + padding);
    model.parameters = std::make_unique<ParameterStore>(
        stage_parameters(config, whole_model(config)), DType::f32, Gradients::none, cpu_device);
    for (Parameter& p : model.parameters->all()) {
      initialize(context, p.spec, config.init_std, 5, p.weight);
    }
    const Tensor head = model.parameters->at("head.weight").weight;
    for (std::int64_t i = 0; i < padding * config.hidden_size; ++i) {
      const std::int64_t row = num_tokens + i / config.hidden_size;
      head.as<float>()[num_tokens * config.hidden_size + i] = row % 2 ? 30.0f : -30.0f;
    }
    model.stage = std::make_unique<Stage>(config, whole_model(config), *model.parameters,
                                          StageOptions{}, cpu_device);
  }
};

EngineOptions options_for(std::int64_t sequences) {
  EngineOptions options;
  options.limits.max_sequences = sequences;
  options.limits.max_tokens_per_step = std::max<std::int64_t>(16, sequences);
  options.page_size = 4;
  return options;
}

TextRequest greedy_request(std::string prompt, std::int64_t max_tokens) {
  TextRequest request;
  request.prompt = std::move(prompt);
  request.max_tokens = max_tokens;
  request.sampling.temperature = 0;
  return request;
}

struct TextResult {
  std::string text;
  Tokens tokens;
  std::vector<DrawnToken> drawn;
  FinishReason finish = FinishReason::none;
};

std::map<RequestId, TextResult> run(TextEngine& engine) {
  std::map<RequestId, TextResult> results;
  while (!engine.idle()) {
    for (const TextEvent& event : engine.step()) {
      TextResult& result = results[event.request];
      EXPECT_EQ(result.finish, FinishReason::none) << "an event after the last";
      result.text += event.text;
      for (const DrawnToken& drawn : event.tokens) {
        result.tokens.push_back(drawn.token);
        result.drawn.push_back(drawn);
      }
      result.finish = event.finish;
    }
  }
  EXPECT_TRUE(engine.engine().idle());
  return results;
}

// The text and tokens of one request alone.
TextResult alone(TextModel& model, const TextRequest& request) {
  TextEngine engine(model.model, model.context, options_for(1));
  const RequestId id = engine.submit(request);
  return run(engine).at(id);
}

TEST(TextEngine, GivesMaxTokensOfTextForTextOrIds) {
  TextModel model;
  const TextResult text = alone(model, greedy_request("hello", 9));
  EXPECT_EQ(text.tokens.size(), 9u);
  EXPECT_EQ(text.finish, FinishReason::length);
  EXPECT_EQ(text.text, model.model.tokenizer.decode(text.tokens));
  TextRequest ids = greedy_request("", 9);
  ids.prompt = Tokens{'h', 'e', 'l', 'l', 'o'};
  EXPECT_EQ(alone(model, ids).tokens, text.tokens);
  ids.prompt = Tokens{'h', 'e', 'l', 'p'};
  EXPECT_NE(alone(model, ids).tokens, text.tokens);
}

// Requests of all kinds, submitted between steps, with a cache too small for all.
TEST(TextEngine, GivesTheSameTextAloneOrInAnyCompany) {
  TextModel model;
  std::vector<TextRequest> requests;
  for (int i = 0; i < 7; ++i) {
    TextRequest request =
        greedy_request(std::string(static_cast<std::size_t>(3 * i + 1), 'a' + i), 6 + i);
    request.sampling.temperature = i % 3 ? 1.0 : 0.0;
    request.sampling.seed = 4;
    request.sampling.stream = static_cast<std::uint64_t>(i);
    if (i % 2) request.log_probabilities = 2;
    requests.push_back(request);
  }
  EngineOptions options = options_for(4);
  options.cache_bytes =
      11 * KvCache::page_bytes(model.model.stage->config(), DType::f32, options.page_size);
  TextEngine engine(model.model, model.context, options);
  std::vector<RequestId> ids;
  std::map<RequestId, TextResult> results;
  for (const TextRequest& request : requests) {
    ids.push_back(engine.submit(request));
    for (const TextEvent& event : engine.step()) {
      results[event.request].text += event.text;
      results[event.request].finish = event.finish;
    }
  }
  for (const auto& [id, rest] : run(engine)) {
    results[id].text += rest.text;
    results[id].finish = rest.finish;
  }
  EXPECT_GT(engine.engine().scheduler().preemptions(), 0);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const TextResult expected = alone(model, requests[i]);
    EXPECT_EQ(results[ids[i]].text, expected.text) << i;
    EXPECT_EQ(results[ids[i]].finish, expected.finish) << i;
  }
}

TEST(TextEngine, NeverDrawsRowsWithoutAToken) {
  TextModel padded(6);
  const TextResult greedy = alone(padded, greedy_request("hello", 20));
  TextRequest request = greedy_request("hello", 20);
  request.sampling.temperature = 1.5;
  request.log_probabilities = 5;
  const TextResult sampled = alone(padded, request);
  for (const TextResult* result : {&greedy, &sampled}) {
    EXPECT_EQ(result->tokens.size(), 20u);
    for (const std::int32_t token : result->tokens) EXPECT_LT(token, num_tokens);
  }
  for (const DrawnToken& drawn : sampled.drawn) {
    ASSERT_EQ(drawn.likeliest.size(), 5u);
    for (const TokenLogProbability& t : drawn.likeliest) EXPECT_LT(t.token, num_tokens);
    // The padding's rows are the model's choice all the same.
    EXPECT_LT(drawn.likeliest[0].log_probability, -1);
  }
}

TEST(TextEngine, TakesSpecialTokensFromTextOnlyWhenAsked) {
  TextModel model;
  TextRequest request = greedy_request("a<user>b", 1);
  EXPECT_EQ(prompt_tokens(model.model.tokenizer, request),
            (Tokens{'a', '<', 'u', 's', 'e', 'r', '>', 'b'}));
  request.special_text = SpecialText::parse;
  EXPECT_EQ(prompt_tokens(model.model.tokenizer, request), (Tokens{'a', user, 'b'}));
  request.special_text = SpecialText::as_text;
  request.prompt = Tokens{'a', user, 'b'};
  EXPECT_EQ(prompt_tokens(model.model.tokenizer, request), (Tokens{'a', user, 'b'}));
}

// The token that ends a text is reported, and is no part of the text, whether or not the
// tokenizer calls it special.
TEST(TextEngine, LeavesTheEndTokenOutOfTheText) {
  TextModel model;
  const TextResult whole = alone(model, greedy_request("hello", 12));
  const std::int32_t end = whole.tokens[4];
  const auto place = std::ranges::find(whole.tokens, end) - whole.tokens.begin();
  TextModel ending(0, {end_of_text, end});
  const TextResult ended = alone(ending, greedy_request("hello", 12));
  EXPECT_EQ(ended.finish, FinishReason::end_of_text);
  EXPECT_EQ(ended.tokens, Tokens(whole.tokens.begin(), whole.tokens.begin() + place + 1));
  EXPECT_EQ(ended.text, model.model.tokenizer.decode(
                            std::span(ended.tokens).first(static_cast<std::size_t>(place))));
}

// All by a request's own word: tokens that end it beside the model's, and whether the model's do.
TEST(TextEngine, EndsAtTheTokensThatARequestNames) {
  TextModel model(0, {end_of_text});
  TextRequest request = greedy_request("hello", 3);
  const auto tokens = [&](std::int32_t likeliest) {
    request.sampling.logit_bias = {{likeliest, 100.0f}};
    return alone(model, request).tokens;
  };
  EXPECT_EQ(tokens(end_of_text), Tokens{end_of_text});
  EXPECT_EQ(tokens(user), Tokens(3, user));
  request.more_end_tokens = {user};
  EXPECT_EQ(tokens(end_of_text), Tokens{end_of_text});
  EXPECT_EQ(tokens(user), Tokens{user});
  request.ignore_end = true;
  EXPECT_EQ(tokens(end_of_text), Tokens(3, end_of_text));
  EXPECT_EQ(tokens(user), Tokens{user});
}

TEST(TextEngine, ShowsSpecialTokensOnlyWhenAsked) {
  TextModel model;
  TextRequest request = greedy_request("hello", 2);
  request.sampling.logit_bias = {{user, 100.0f}};
  EXPECT_EQ(alone(model, request).text, "");
  request.special_tokens = SpecialTokens::keep;
  EXPECT_EQ(alone(model, request).text, "<user><user>");
}

// A prompt may end within a character, which the first tokens complete.
TEST(TextEngine, GoesOnFromThePromptsTextWhenAsked) {
  TextModel model;
  TextRequest request = greedy_request("", 2);
  request.prompt = Tokens{'a', 0xe5};
  request.sampling.logit_bias = {{0x8c, 100.0f}};
  for (const bool continues : {false, true}) {
    request.continues_prompt = continues;
    TextEngine engine(model.model, model.context, options_for(1));
    engine.submit(request);
    EXPECT_EQ(engine.step()[0].text, continues ? "" : "\x8c");
    EXPECT_EQ(engine.step()[0].text, continues ? "\x8c\x8c" : "\x8c");
  }
}

TEST(TextEngine, EndsNoSoonerThanItsMinTokens) {
  TextModel model(0, {end_of_text});
  TextRequest request = greedy_request("hello", 9);
  request.sampling.logit_bias = {{end_of_text, 100.0f}};
  request.min_tokens = 3;
  EXPECT_EQ(alone(model, request).tokens.size(), 4u);
}

TEST(RowsWithoutToken, AreIdsThatATokenizerLeavesOutAndThoseBehindItsLast) {
  std::string json = byte_tokenizer({"<a>", "<b>"});
  const std::size_t at = json.find("\"id\":257");
  ASSERT_NE(at, std::string::npos);
  json.replace(at, 8, "\"id\":258");
  const Tokenizer tokenizer = Tokenizer::from_json(json);
  ASSERT_EQ(tokenizer.vocab_size(), 259);
  EXPECT_EQ(rows_without_token(tokenizer, 261), (Tokens{257, 259, 260}));
  EXPECT_EQ(rows_without_token(tokenizer, 259), (Tokens{257}));
  EXPECT_TRUE(rows_without_token(tokenizer, 257).empty());
}

TEST(TextEngine, EndsBeforeTheEarliestStopString) {
  TextModel model;
  const TextResult whole = alone(model, greedy_request("hello", 16));
  TextRequest request = greedy_request("hello", 16);
  request.stop = {whole.text.substr(9, 3), whole.text.substr(4, 2), "never in it"};
  TextEngine engine(model.model, model.context, options_for(2));
  const RequestId id = engine.submit(request);
  const TextResult stopped = run(engine).at(id);
  EXPECT_EQ(stopped.finish, FinishReason::stop);
  EXPECT_EQ(stopped.text, whole.text.substr(0, whole.text.find(request.stop[1])));
  EXPECT_LT(stopped.tokens.size(), 16u);
  EXPECT_EQ(engine.engine().scheduler().blocks().free_pages(),
            engine.engine().scheduler().blocks().total_pages());
}

// Text that may begin a stop string is held back and comes with the last token.
TEST(TextEngine, GivesHeldBackTextAtTheEnd) {
  TextModel model;
  const TextResult whole = alone(model, greedy_request("hello", 8));
  TextRequest request = greedy_request("hello", 8);
  request.stop = {whole.text.substr(whole.text.size() - 2) + "never"};
  EXPECT_EQ(alone(model, request).text, whole.text);
  EXPECT_EQ(alone(model, request).finish, FinishReason::length);
}

TEST(TextEngine, CancelledRequestsGetNoFurtherEvent) {
  TextModel model;
  TextEngine engine(model.model, model.context, options_for(2));
  const RequestId first = engine.submit(greedy_request("hello", 10));
  const RequestId second = engine.submit(greedy_request("world", 10));
  const RequestId waiting = engine.submit(greedy_request("later", 10));
  engine.step();
  EXPECT_TRUE(engine.cancel(first));
  EXPECT_TRUE(engine.cancel(waiting));
  EXPECT_FALSE(engine.cancel(first));
  const auto results = run(engine);
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results.at(second).tokens.size(), 9u);  // one came before
  EXPECT_FALSE(engine.cancel(second));
}

TEST(TextEngine, ReportsLogProbabilitiesOfTheModelItself) {
  TextModel model;
  TextRequest request = greedy_request("hello", 3);
  request.sampling.repetition_penalty = 1.2;
  request.log_probabilities = 0;
  const TextResult none = alone(model, request);
  request.log_probabilities = 4;
  const TextResult four = alone(model, request);
  ASSERT_EQ(four.drawn.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(none.drawn[i].log_probability, four.drawn[i].log_probability);
    EXPECT_TRUE(none.drawn[i].likeliest.empty());
    ASSERT_EQ(four.drawn[i].likeliest.size(), 4u);
    for (const TokenLogProbability& t : four.drawn[i].likeliest) {
      if (t.token == four.tokens[i]) {
        EXPECT_EQ(t.log_probability, *four.drawn[i].log_probability);
      }
    }
  }
  EXPECT_FALSE(alone(model, greedy_request("hello", 1)).drawn[0].log_probability.has_value());
}

TEST(TextEngine, RefusesAtSubmitAndGoesOn) {
  TextModel model;
  EngineOptions options = options_for(2);
  options.cache_bytes =
      5 * KvCache::page_bytes(model.model.stage->config(), DType::f32, options.page_size);
  TextEngine engine(model.model, model.context, options);
  const RequestId good = engine.submit(greedy_request("hello", 4));
  const auto message = [&](const TextRequest& request) -> std::string {
    try {
      engine.submit(request);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::input);
      return error.what();
    }
    return "accepted";
  };
  EXPECT_THAT(message(greedy_request("", 4)), HasSubstr("the prompt is empty"));
  TextRequest request = greedy_request("x", 4);
  request.stop = {"a", ""};
  EXPECT_THAT(message(request), HasSubstr("a stop string is empty"));
  request = greedy_request("x", 4);
  request.log_probabilities = 21;
  EXPECT_THAT(message(request), HasSubstr("log_probabilities is 21: use 0 to 20"));
  request.log_probabilities = -1;
  EXPECT_THAT(message(request), HasSubstr("log_probabilities is -1"));
  // 20 tokens fit the cache; the last one drawn needs no place.
  EXPECT_THAT(
      message(greedy_request(std::string(11, 'x'), 11)),
      HasSubstr("the prompt's 11 tokens and up to 11 new ones need a KV cache of 21 tokens, "
                "and it has room for 20"));
  const RequestId exact = engine.submit(greedy_request(std::string(11, 'x'), 10));
  const auto results = run(engine);
  EXPECT_EQ(results.size(), 2u);
  EXPECT_EQ(results.at(good).tokens.size(), 4u);
  EXPECT_EQ(results.at(exact).tokens.size(), 10u);
}

TEST(TextEngine, TakesAnyMaxTokensToTheEndOfTheContext) {
  TextModel model;
  for (const std::int64_t max_tokens : {std::int64_t{59}, std::int64_t{1} << 62, INT64_MAX}) {
    const TextResult result = alone(model, greedy_request("hello", max_tokens));
    EXPECT_EQ(result.tokens.size(), 59u);
    EXPECT_EQ(result.finish, FinishReason::length);
  }
}

}  // namespace
}  // namespace fathom::infer
