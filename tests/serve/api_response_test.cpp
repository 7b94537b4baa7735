// Answers of the API, made of events written by hand.
#include <gmock/gmock.h>

#include "align/small_tokenizer.h"
#include "serve/response.h"
#include "serve/token_text.h"

namespace fathom::serve {
namespace {

using infer::DrawnToken;
using infer::FinishReason;
using infer::TextEvent;
using testing::HasSubstr;

const Tokenizer& tokenizer() {
  static const Tokenizer shared = small_tokenizer();
  return shared;
}

DrawnToken drawn(std::int32_t token, float value, std::vector<infer::TokenLogProbability> likely) {
  return {token, value, std::move(likely)};
}

DrawnToken plain(std::int32_t token) {
  return {token, std::nullopt, {}};
}

TextEvent event(std::string text, std::vector<DrawnToken> tokens,
                FinishReason finish = FinishReason::none) {
  return {0, std::move(text), std::move(tokens), finish};
}

std::unique_ptr<Response> completion_response(const std::string& body) {
  const CompletionRequest request = parse_completion_request(body, {});
  return completion_response(request, encode_prompts(request, tokenizer()), tokenizer(),
                             {"cmpl-1", 12, "m"});
}

// The JSON values of a stream's events; "[DONE]" as a text.
std::vector<Json> events_of(const std::string& stream) {
  std::vector<Json> all;
  for (std::size_t at = 0; at < stream.size();) {
    const std::size_t end = stream.find("\n\n", at);
    EXPECT_EQ(stream.substr(at, 6), "data: ");
    const std::string data = stream.substr(at + 6, end - at - 6);
    all.push_back(data == "[DONE]" ? Json(data) : Json::parse(data));
    at = end + 2;
  }
  return all;
}

TEST(CompletionResponse, IsOneJsonObject) {
  const auto response = completion_response(R"({"prompt":["ab","c"],"n":1})");
  EXPECT_EQ(response->begin(), "");
  EXPECT_EQ(response->take(0, event("x", {plain('x')})), "");
  EXPECT_EQ(response->take(1, event("z", {plain('z')}, FinishReason::length)), "");
  EXPECT_EQ(response->take(0, event("y", {plain('y')}, FinishReason::stop)), "");
  const Json json = Json::parse(response->finish());
  EXPECT_EQ(json.at("id"), "cmpl-1");
  EXPECT_EQ(json.at("object"), "text_completion");
  EXPECT_EQ(json.at("created"), 12);
  ASSERT_EQ(json.at("choices").size(), 2u);
  EXPECT_EQ(json["choices"][0],
            Json::parse(R"({"index":0,"text":"xy","logprobs":null,"finish_reason":"stop"})"));
  EXPECT_EQ(json["choices"][1]["finish_reason"], "length");
  EXPECT_EQ(json["usage"], Json::parse(R"({"prompt_tokens":3,"completion_tokens":3,
                                            "total_tokens":6})"));
}

// lm-eval's local-completions: prompt + 1 entries, the first null; the value of a token equals the
// largest of its top_logprobs exactly when it is the likeliest.
TEST(CompletionResponse, EchoesThePromptsLogprobs) {
  const auto response = completion_response(
      R"({"prompt":"abc","echo":true,"logprobs":1,"max_tokens":1,"temperature":0})");
  TextEvent only = event("d", {drawn('d', -0.1f, {{'d', -0.1f}})}, FinishReason::length);
  only.prompt_scores = {drawn('b', -2.5f, {{'q', -0.3f}}), drawn('c', -0.7f, {{'c', -0.7f}})};
  response->take(0, only);
  const Json choice = Json::parse(response->finish())["choices"][0];
  EXPECT_EQ(choice["text"], "abcd");
  const Json& logprobs = choice["logprobs"];
  EXPECT_EQ(logprobs["tokens"], Json::parse(R"(["a","b","c","d"])"));
  EXPECT_EQ(logprobs["text_offset"], Json::parse("[0,1,2,3]"));
  ASSERT_EQ(logprobs["token_logprobs"].size(), 4u);
  EXPECT_TRUE(logprobs["token_logprobs"][0].is_null());
  EXPECT_TRUE(logprobs["top_logprobs"][0].is_null());
  EXPECT_EQ(logprobs["top_logprobs"][1].size(), 2u);  // the likeliest, and the token itself
  const auto is_greedy = [&](std::size_t i) {
    double largest = -1e9;
    for (const auto& [token, value] : logprobs["top_logprobs"][i].items()) {
      largest = std::max(largest, value.get<double>());
    }
    return logprobs["token_logprobs"][i].get<double>() == largest;
  };
  EXPECT_FALSE(is_greedy(1));
  EXPECT_TRUE(is_greedy(2));
  EXPECT_TRUE(is_greedy(3));
}

// Offsets are places in the text, which shows special tokens only when that is asked for.
TEST(CompletionResponse, OffsetsSkipWhatTheTextHides) {
  for (const bool skip : {true, false}) {
    const std::string fields = R"({"prompt":[258,97],"echo":true,"logprobs":0)";
    const auto response =
        completion_response(fields + (skip ? "}" : R"(,"skip_special_tokens":false})"));
    TextEvent only = event(skip ? "b" : "</s>b", {drawn(259, -1, {}), drawn('b', -1, {})});
    only.prompt_scores = {drawn('a', -2, {})};
    response->take(0, only);
    const Json choice = Json::parse(response->finish())["choices"][0];
    EXPECT_EQ(choice["text"], skip ? "ab" : "<s>a</s>b");
    EXPECT_EQ(choice["logprobs"]["text_offset"],
              Json::parse(skip ? "[0,0,1,1]" : "[0,3,4,8]"));
  }
}

// Of characters, not bytes: a token of a character's later bytes stands where it ends.
TEST(CompletionResponse, OffsetsCountCharacters) {
  const auto response =
      completion_response(R"({"prompt":[228,184,173,97],"echo":true,"logprobs":0})");
  TextEvent only = event("\xe5\x8c\x97z", {drawn(0xe5, -1, {}), drawn(0x8c, -1, {}),
                                           drawn(0x97, -1, {}), drawn('z', -1, {})});
  only.prompt_scores = {drawn(184, -2, {}), drawn(173, -2, {}), drawn('a', -2, {})};
  response->take(0, only);
  const Json choice = Json::parse(response->finish())["choices"][0];
  EXPECT_EQ(choice["text"], "中a北z");
  EXPECT_EQ(choice["logprobs"]["text_offset"], Json::parse("[0,1,1,1,2,3,3,3]"));
}

// The token itself is among the likeliest once, in its place, or behind them.
TEST(CompletionResponse, ListsTheLikeliestAndTheTokenItself) {
  const auto response = completion_response(R"({"prompt":"a","logprobs":2})");
  response->take(0, event("xy", {drawn('x', -1, {{'q', -0.5f}, {'x', -1}}),
                                 drawn('y', -7, {{'q', -0.25f}, {'p', -3}})}));
  const Json top = Json::parse(response->finish())["choices"][0]["logprobs"]["top_logprobs"];
  EXPECT_EQ(top.dump(), R"([{"q":-0.5,"x":-1},{"q":-0.25,"p":-3,"y":-7}])");
}

// Each of two streamed answers has offsets of its own.
TEST(CompletionResponse, CountsOffsetsOfEachAnswerByItself) {
  const auto response = completion_response(R"({"prompt":"a","n":2,"stream":true,"logprobs":0})");
  response->take(0, event("bcd", {drawn('b', -1, {}), drawn('c', -1, {}), drawn('d', -1, {})}));
  const auto second = events_of(response->take(1, event("e", {drawn('e', -1, {})})));
  EXPECT_EQ(second[0]["choices"][0]["logprobs"]["text_offset"], Json::parse("[0]"));
  const auto third = events_of(response->take(0, event("f", {drawn('f', -1, {})})));
  EXPECT_EQ(third[0]["choices"][0]["logprobs"]["text_offset"], Json::parse("[3]"));
}

TEST(CompletionResponse, NamesWhyEachTextEnded) {
  for (const auto& [finish, name] : {std::pair(FinishReason::end_of_text, "stop"),
                                     {FinishReason::stop, "stop"},
                                     {FinishReason::length, "length"}}) {
    const auto whole = completion_response(R"({"prompt":"a"})");
    whole->take(0, event("x", {plain('x')}, finish));
    EXPECT_EQ(Json::parse(whole->finish())["choices"][0]["finish_reason"], name);
  }
}

// Of equally likely texts those drawn first; of two prompts each has its own.
TEST(CompletionResponse, ChoosesAmongTheTextsOfEachPromptTheFirstOfEquals) {
  const auto response = completion_response(R"({"prompt":["a","b"],"n":1,"best_of":2})");
  const std::vector<std::pair<const char*, float>> texts{
      {"p", -1}, {"q", -1}, {"r", -2}, {"s", -1.5f}};
  for (std::size_t i = 0; i < texts.size(); ++i) {
    response->take(i,
                   event(texts[i].first, {drawn('x', texts[i].second, {})}, FinishReason::length));
  }
  const Json json = Json::parse(response->finish());
  ASSERT_EQ(json["choices"].size(), 2u);
  EXPECT_EQ(json["choices"][0]["text"], "p");
  EXPECT_EQ(json["choices"][1]["text"], "s");
  EXPECT_EQ(json["choices"][1]["index"], 1);
  EXPECT_EQ(json["usage"]["prompt_tokens"], 2);
}

// Its mean has one more token to be of.
TEST(CompletionResponse, ComparesTextsByTheMeanOfTheirTokens) {
  const auto response = completion_response(R"({"prompt":"a","best_of":2})");
  response->take(0, event("x", {drawn('x', -1.5f, {})}, FinishReason::length));
  response->take(1, event("y", {drawn('y', -1, {})}));
  response->take(1, event("z", {drawn('z', -1.25f, {})}, FinishReason::length));
  EXPECT_EQ(Json::parse(response->finish())["choices"][0]["text"], "yz");
}

// With echo and no new tokens the answer is the prompt alone.
TEST(CompletionResponse, ShowsNoTokensWhenNoneWereAskedFor) {
  const auto response =
      completion_response(R"({"prompt":"ab","echo":true,"logprobs":0,"max_tokens":0})");
  TextEvent only = event("z", {drawn('z', -1, {})}, FinishReason::length);
  only.prompt_scores = {drawn('b', -2, {})};
  response->take(0, only);
  const Json json = Json::parse(response->finish());
  EXPECT_EQ(json["choices"][0]["text"], "ab");
  EXPECT_EQ(json["choices"][0]["logprobs"]["tokens"].size(), 2u);
  EXPECT_EQ(json["usage"]["completion_tokens"], 0);
}

TEST(CompletionResponse, ChoosesTheLikeliestOfBestOf) {
  const auto response = completion_response(R"({"prompt":"a","n":2,"best_of":3})");
  response->take(0, event("x", {drawn('x', -3, {})}, FinishReason::length));
  response->take(1, event("yy", {drawn('y', -1, {}), drawn('y', -2, {})}, FinishReason::length));
  response->take(2, event("z", {drawn('z', -1, {})}, FinishReason::length));
  const Json json = Json::parse(response->finish());
  ASSERT_EQ(json["choices"].size(), 2u);
  EXPECT_EQ(json["choices"][0]["text"], "z");
  EXPECT_EQ(json["choices"][1]["text"], "yy");
  EXPECT_EQ(json["choices"][1]["index"], 1);
  EXPECT_TRUE(json["choices"][0]["logprobs"].is_null());
  EXPECT_EQ(json["usage"]["completion_tokens"], 4);
}

TEST(CompletionResponse, StreamsWhatHasText) {
  const auto response = completion_response(
      R"({"prompt":"a","n":2,"stream":true,"stream_options":{"include_usage":true}})");
  EXPECT_EQ(response->take(0, event("", {plain('x')})), "");
  const auto first = events_of(response->take(1, event("y", {plain('y')})));
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0]["choices"][0]["index"], 1);
  EXPECT_EQ(first[0]["choices"][0]["text"], "y");
  EXPECT_TRUE(first[0]["choices"][0]["finish_reason"].is_null());
  EXPECT_TRUE(first[0].at("usage").is_null());
  const auto last =
      events_of(response->take(0, event("", {plain('z')}, FinishReason::end_of_text)));
  ASSERT_EQ(last.size(), 1u);
  EXPECT_EQ(last[0]["choices"][0]["finish_reason"], "stop");
  const auto end = events_of(response->finish());
  ASSERT_EQ(end.size(), 2u);
  EXPECT_TRUE(end[0]["choices"].empty());
  EXPECT_EQ(end[0]["usage"]["completion_tokens"], 3);
  EXPECT_EQ(end[1], "[DONE]");
}

TEST(CompletionResponse, StreamsLogprobsWithOffsetsThatGoOn) {
  const auto response =
      completion_response(R"({"prompt":"ab","stream":true,"echo":true,"logprobs":0})");
  TextEvent one = event("c", {drawn('c', -1, {})});
  one.prompt_scores = {drawn('b', -2, {})};
  const auto first = events_of(response->take(0, one));
  EXPECT_EQ(first[0]["choices"][0]["text"], "abc");
  EXPECT_EQ(first[0]["choices"][0]["logprobs"]["text_offset"], Json::parse("[0,1,2]"));
  const auto second = events_of(response->take(0, event("", {drawn('d', -1, {})})));
  EXPECT_EQ(second[0]["choices"][0]["logprobs"]["text_offset"], Json::parse("[3]"));
}

TEST(TokenText, SpellsBytesThatAreNoCharacters) {
  EXPECT_EQ(token_text(tokenizer(), 'a'), "a");
  EXPECT_EQ(token_text(tokenizer(), 256), " a");
  EXPECT_EQ(token_text(tokenizer(), 0xe2), "bytes:\\xe2");
  EXPECT_EQ(token_text(tokenizer(), 259), "</s>");
}

TEST(CompletionResponse, SurvivesBytesThatAreNoUtf8AndInfiniteValues) {
  const auto response = completion_response(R"({"prompt":"a","logprobs":1})");
  response->take(
      0, event("\xe2", {drawn(0xe2, -INFINITY, {{0xe2, -INFINITY}})}, FinishReason::length));
  const Json choice = Json::parse(response->finish())["choices"][0];
  EXPECT_EQ(choice["text"], "\xef\xbf\xbd");
  EXPECT_EQ(choice["logprobs"]["token_logprobs"][0], -9999.0);
}

std::unique_ptr<Response> chat_response(const std::string& fields) {
  return chat_response(
      parse_chat_request(R"({"messages":[{"role":"user","content":"hi"}])" + fields + "}", {}), 5,
      tokenizer(), {"chatcmpl-1", 12, "m"});
}

TEST(ChatResponse, IsOneJsonObject) {
  const auto response = chat_response(R"(,"logprobs":true,"top_logprobs":1)");
  EXPECT_EQ(response->begin(), "");
  response->take(0, event("x", {drawn('x', -0.5f, {{0xe2, -0.25f}})}, FinishReason::end_of_text));
  const Json json = Json::parse(response->finish());
  EXPECT_EQ(json["object"], "chat.completion");
  EXPECT_EQ(json["choices"][0]["message"], Json::parse(R"({"role":"assistant","content":"x"})"));
  EXPECT_EQ(json["choices"][0]["finish_reason"], "stop");
  const Json& token = json["choices"][0]["logprobs"]["content"][0];
  EXPECT_EQ(token["token"], "x");
  EXPECT_EQ(token["logprob"], -0.5);
  EXPECT_EQ(token["bytes"], Json::parse("[120]"));
  EXPECT_EQ(token["top_logprobs"][0]["bytes"], Json::parse("[226]"));
  EXPECT_EQ(json["usage"]["prompt_tokens"], 5);
}

TEST(ChatResponse, StreamsTheRoleFirst) {
  const auto response = chat_response(R"(,"stream":true)");
  const auto begin = events_of(response->begin());
  ASSERT_EQ(begin.size(), 1u);
  EXPECT_EQ(begin[0]["object"], "chat.completion.chunk");
  EXPECT_EQ(begin[0]["choices"][0]["delta"], Json::parse(R"({"role":"assistant","content":""})"));
  EXPECT_EQ(response->take(0, event("", {plain('x')})), "");
  EXPECT_EQ(events_of(response->take(0, event("ab", {plain('b')})))[0]["choices"][0]["delta"],
            Json::parse(R"({"content":"ab"})"));
  const auto last = events_of(response->take(0, event("", {plain('x')}, FinishReason::length)));
  EXPECT_EQ(last[0]["choices"][0]["delta"], Json::object());
  EXPECT_EQ(last[0]["choices"][0]["finish_reason"], "length");
  EXPECT_FALSE(last[0].contains("usage"));
  EXPECT_EQ(events_of(response->finish()).size(), 1u);
}

// A chunk for each answer, in their order.
TEST(ChatResponse, StreamsTheRoleOfEachAnswer) {
  const auto response =
      chat_response(R"(,"n":3,"stream":true,"stream_options":{"include_usage":true})");
  const auto begin = events_of(response->begin());
  ASSERT_EQ(begin.size(), 3u);
  for (int i = 0; i < 3; ++i) {
    const Json& choice = begin[static_cast<std::size_t>(i)]["choices"][0];
    EXPECT_EQ(choice["index"], i);
    EXPECT_EQ(choice["delta"]["role"], "assistant");
    EXPECT_TRUE(choice["finish_reason"].is_null());
    EXPECT_TRUE(begin[0].at("usage").is_null());
  }
  EXPECT_EQ(events_of(response->take(2, event("x", {plain('x')})))[0]["choices"][0]["index"], 2);
  const auto end = events_of(response->finish());
  ASSERT_EQ(end.size(), 2u);
  EXPECT_TRUE(end[0]["choices"].empty());
  EXPECT_EQ(end[0]["usage"],
            Json::parse(R"({"prompt_tokens":5,"completion_tokens":1,"total_tokens":6})"));
  EXPECT_EQ(end[1], "[DONE]");
}

TEST(ChatResponse, NumbersItsAnswersAndCountsAllOfTheirTokens) {
  const auto response = chat_response(R"(,"n":2)");
  response->take(1, event("b", {plain('b')}, FinishReason::length));
  response->take(0, event("a", {plain('a')}));
  response->take(0, event("c", {plain('c')}, FinishReason::stop));
  const Json json = Json::parse(response->finish());
  EXPECT_EQ(json["id"], "chatcmpl-1");
  EXPECT_EQ(json["created"], 12);
  EXPECT_EQ(json["model"], "m");
  ASSERT_EQ(json["choices"].size(), 2u);
  EXPECT_EQ(json["choices"][0], Json::parse(R"({"index":0,"message":{"role":"assistant",
      "content":"ac"},"logprobs":null,"finish_reason":"stop"})"));
  EXPECT_EQ(json["choices"][1], Json::parse(R"({"index":1,"message":{"role":"assistant",
      "content":"b"},"logprobs":null,"finish_reason":"length"})"));
  EXPECT_EQ(json["usage"],
            Json::parse(R"({"prompt_tokens":5,"completion_tokens":3,"total_tokens":8})"));
}

// Each chunk has those of its own tokens; a chunk comes also for tokens that show nothing.
TEST(ChatResponse, StreamsLogprobsOfEachChunk) {
  const auto response = chat_response(R"(,"stream":true,"logprobs":true)");
  const auto first =
      events_of(response->take(0, event("ab", {drawn('a', -1, {}), drawn('b', -2, {})})));
  const Json& content = first[0]["choices"][0]["logprobs"]["content"];
  ASSERT_EQ(content.size(), 2u);
  EXPECT_EQ(content[1]["token"], "b");
  EXPECT_TRUE(content[1]["top_logprobs"].empty());
  const auto second = events_of(response->take(0, event("", {drawn('c', -3, {})})));
  ASSERT_EQ(second.size(), 1u);
  ASSERT_EQ(second[0]["choices"][0]["logprobs"]["content"].size(), 1u);
  EXPECT_EQ(second[0]["choices"][0]["logprobs"]["content"][0]["logprob"], -3.0);
}

TEST(ApiError, NamesTheKindOfEachStatus) {
  for (const auto& [status, type] : {std::pair(400, "invalid_request_error"),
                                     {401, "authentication_error"},
                                     {403, "permission_error"},
                                     {404, "not_found_error"},
                                     {405, "invalid_request_error"},
                                     {413, "invalid_request_error"},
                                     {429, "rate_limit_error"},
                                     {499, "invalid_request_error"},
                                     {500, "server_error"},
                                     {503, "server_error"}}) {
    EXPECT_EQ(Json::parse(error_body(ApiError(status, "x")))["error"]["type"], type) << status;
  }
  const Json json = Json::parse(error_body(ApiError(404, "x", "model", "model_not_found")));
  EXPECT_EQ(json["error"]["code"], "model_not_found");
  EXPECT_TRUE(Json::parse(error_body(ApiError(404, "x")))["error"]["param"].is_null());
}

// Cut behind a whole character.
TEST(ApiError, ShowsTheBeginningOfLongNames) {
  EXPECT_EQ(shortened(std::string(64, 'x')), std::string(64, 'x'));
  EXPECT_EQ(shortened(std::string(65, 'x')), std::string(64, 'x') + "...");
  EXPECT_EQ(shortened(std::string(63, 'x') + "中"), std::string(63, 'x') + "...");
  EXPECT_EQ(shortened(std::string(61, 'x') + "中y"), std::string(61, 'x') + "中...");
}

TEST(ApiError, HasOpenAisShape) {
  const Json json = Json::parse(error_body(ApiError(400, "bad \xff", "n")));
  EXPECT_EQ(json["error"]["type"], "invalid_request_error");
  EXPECT_EQ(json["error"]["param"], "n");
  EXPECT_TRUE(json["error"]["code"].is_null());
  EXPECT_EQ(json["error"]["message"], "bad \xef\xbf\xbd");
}

}  // namespace
}  // namespace fathom::serve
