// Requests of the API: JSON in, checked requests or errors that name the field out.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "align/small_tokenizer.h"
#include "serve/chat_request.h"
#include "serve/completion_request.h"
#include "serve/tokenizer_api.h"

namespace fathom::serve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

CompletionRequest completion(const std::string& body) {
  return parse_completion_request(body, {});
}
ChatRequest chat(const std::string& fields) {
  return parse_chat_request(R"({"messages":[{"role":"user","content":"hi"}])" + fields + "}", {});
}

// The error of f(), as "param: message".
template <class F>
std::string refusal(F&& f) {
  try {
    f();
  } catch (const ApiError& error) {
    EXPECT_EQ(error.status(), 400);
    return error.param() + ": " + error.what();
  }
  return "accepted";
}
std::string refused_completion(const std::string& fields) {
  return refusal([&] { completion(R"({"prompt":"x")" + fields + "}"); });
}
std::string refused_chat(const std::string& fields) {
  return refusal([&] { chat(fields); });
}

TEST(CompletionRequest, HasTheApisDefaults) {
  const CompletionRequest r = completion(R"({"prompt":"x"})");
  EXPECT_EQ(r.max_tokens, 16);
  EXPECT_EQ(r.sampling.temperature, 1);
  EXPECT_EQ(r.sampling.top_p, 1);
  EXPECT_EQ(r.sampling.top_k, 0);
  EXPECT_EQ(r.n, 1);
  EXPECT_EQ(r.best_of, 1);
  EXPECT_FALSE(r.logprobs || r.echo || r.stream || r.seeded || r.ignore_end);
  EXPECT_TRUE(r.add_special_tokens);
}

TEST(CompletionRequest, ReadsEveryField) {
  const CompletionRequest r = completion(R"({"model":"m","prompt":"x","max_tokens":7,
    "temperature":0.5,"top_p":0.9,"top_k":-1,"min_p":0.1,"repetition_penalty":1.2,
    "presence_penalty":-1,"frequency_penalty":0.5,"logit_bias":{"17":-100,"3":2.5},"seed":-5,
    "n":2,"best_of":3,"min_tokens":2,"stop":["a","bc"],"ignore_eos":true,"echo":true,"logprobs":4,
    "skip_special_tokens":false,"add_special_tokens":false,"stream":false,"user":"me",
    "suffix":null})");
  EXPECT_EQ(r.model, "m");
  EXPECT_EQ(r.max_tokens, 7);
  EXPECT_EQ(r.sampling.temperature, 0.5);
  EXPECT_EQ(r.sampling.top_p, 0.9);
  EXPECT_EQ(r.sampling.top_k, 0);
  EXPECT_EQ(r.sampling.min_p, 0.1);
  EXPECT_EQ(r.sampling.repetition_penalty, 1.2);
  EXPECT_EQ(r.sampling.presence_penalty, -1);
  EXPECT_EQ(r.sampling.frequency_penalty, 0.5);
  ASSERT_EQ(r.sampling.logit_bias.size(), 2u);
  EXPECT_EQ(r.sampling.logit_bias[0].token, 17);
  EXPECT_EQ(r.sampling.logit_bias[0].bias, -100);
  EXPECT_TRUE(r.seeded);
  EXPECT_EQ(r.sampling.seed, static_cast<std::uint64_t>(-5));
  EXPECT_EQ(r.n, 2);
  EXPECT_EQ(r.best_of, 3);
  EXPECT_EQ(r.min_tokens, 2);
  EXPECT_THAT(r.stop, ElementsAre("a", "bc"));
  EXPECT_TRUE(r.ignore_end && r.echo);
  EXPECT_EQ(r.logprobs, 4);
  EXPECT_EQ(r.special_tokens, SpecialTokens::keep);
  EXPECT_FALSE(r.add_special_tokens);
  EXPECT_TRUE(completion(R"({"prompt":"x","stream":true,"stream_options":{"include_usage":true}})")
                  .include_usage);
}

// best_of is n or more; a stream cannot choose among whole texts, so its best_of is n.
TEST(CompletionRequest, DrawsAtLeastAsManyTextsAsItReturns) {
  const auto best_of = [](const std::string& fields) {
    return completion(R"({"prompt":"x",)" + fields + "}").best_of;
  };
  EXPECT_EQ(best_of(R"("n":2)"), 2);
  EXPECT_EQ(best_of(R"("n":2,"best_of":2)"), 2);
  EXPECT_EQ(best_of(R"("n":2,"best_of":20)"), 20);
  EXPECT_EQ(best_of(R"("n":2,"best_of":2,"stream":true)"), 2);
  EXPECT_EQ(best_of(R"("best_of":1)"), 1);
  EXPECT_THAT(refused_completion(R"(,"n":2,"best_of":3,"stream":true)"), HasSubstr("'stream'"));
  EXPECT_THAT(refused_completion(R"(,"best_of":0)"), HasSubstr("best_of: "));
}

TEST(CompletionRequest, TakesPromptsOfFourKinds) {
  const Tokenizer tokenizer = small_tokenizer();
  const auto tokens = [&](const std::string& prompt) {
    std::vector<Tokens> all;
    for (const EncodedPrompt& p :
         encode_prompts(completion("{\"prompt\":" + prompt + "}"), tokenizer)) {
      all.push_back(p.tokens);
    }
    return all;
  };
  EXPECT_THAT(tokens(R"("hi")"), ElementsAre(Tokens{'h', 'i'}));
  EXPECT_THAT(tokens(R"(["h","i a"])"), ElementsAre(Tokens{'h'}, Tokens{'i', 256}));
  EXPECT_THAT(tokens("[104,105]"), ElementsAre(Tokens{104, 105}));
  EXPECT_THAT(tokens("[[104],[105,261]]"), ElementsAre(Tokens{104}, Tokens{105, 261}));
  // What a user writes does not become a special token.
  EXPECT_EQ(tokens(R"("</s>")").front().size(), 4u);
  EXPECT_THAT(refusal([&] { tokens("[9999]"); }), HasSubstr("prompt: "));
  EXPECT_THAT(refusal([&] { tokens(R"("")"); }), HasSubstr("prompt: a prompt is empty"));
}

TEST(CompletionRequest, TooLongPromptsAreRefused) {
  const Tokenizer tokenizer = small_tokenizer();  // its longest token has 12 bytes
  const PromptLimits limits(tokenizer, 4);
  const auto refused = [&](const std::string& prompt) {
    return refusal([&] {
      encode_prompts(completion("{\"prompt\":" + prompt + "}"), tokenizer, limits);
    });
  };
  EXPECT_EQ(refused(R"("abc")"), "accepted");
  EXPECT_THAT(refused(R"("abcd")"), HasSubstr("prompt: the prompt has 4 tokens"));
  EXPECT_THAT(refused("[1,2,3,9999]"), HasSubstr("the prompt has 4 tokens"));
  EXPECT_EQ(refused("[1,2,3]"), "accepted");
  EXPECT_THAT(refused("\"" + std::string(48, 'a') + "\""), HasSubstr("has 48 tokens"));
  EXPECT_THAT(refused("\"" + std::string(49, 'a') + "\""), HasSubstr("has 49 bytes"));
}

TEST(CompletionRequest, WrongPromptsAreRefused) {
  for (const auto& [prompt, message] : std::vector<std::pair<std::string, std::string>>{
           {"[]", "'prompt' is an empty list"},
           {"7", "'prompt' is 7, not a list"},
           {"null", "'prompt' is missing"},
           {R"(["a",1])", "'prompt[1]' is 1, not a text"},
           {R"([1,"a"])", "'prompt[1]' is \"a\", not a whole number"},
           {"[1,-2]", "'prompt[1]' is -2, not a whole number from 0"},
           {"[1.5]", "'prompt[0]' is 1.5, not a whole number"},
           {"[[1],[[2]]]", "'prompt[1][0]' is [2], not a whole number"},
           {R"({"a":1})", "not a list"}}) {
    EXPECT_THAT(refusal([&] { completion("{\"prompt\":" + prompt + "}"); }),
                testing::AllOf(testing::StartsWith("prompt: "), HasSubstr(message)))
        << prompt;
  }
}

TEST(CompletionRequest, WrongFieldsAreRefusedByName) {
  for (const auto& [fields, message] : std::vector<std::pair<std::string, std::string>>{
           {R"("temperature":-0.1)",
            "temperature: 'temperature' is -0.1, not a number from 0 to 2"},
           {R"("temperature":"hot")", "temperature: "},
           {R"("temperature":[1])", "temperature: "},
           {R"("top_p":0)", "top_p: 'top_p' is 0"},
           {R"("top_k":-2)", "top_k: "},
           {R"("min_p":2)", "min_p: "},
           {R"("repetition_penalty":0.0009)", "repetition_penalty: "},
           {R"("repetition_penalty":1001)", "repetition_penalty: "},
           {R"("presence_penalty":2.1)", "presence_penalty: "},
           {R"("frequency_penalty":-2.1)", "frequency_penalty: "},
           {R"("n":0)", "n: "},
           {R"("n":1000000)", "n: "},
           {R"("n":1.5)", "n: "},
           {R"("best_of":21)", "best_of: "},
           {R"("n":3,"best_of":2)", "best_of: 'best_of' is 2 and 'n' is 3"},
           {R"("best_of":2,"stream":true)", "best_of: 'best_of' chooses among whole texts"},
           {R"("max_tokens":0)", "max_tokens: "},
           {R"("max_tokens":99999999999)", "max_tokens: "},
           {R"("logprobs":21)", "logprobs: "},
           {R"("logprobs":true)", "logprobs: "},
           {R"("stop":"")", "stop: a string of 'stop' is empty"},
           {R"("stop":[""])", "stop: a string of 'stop' is empty"},
           {R"("stop":7)", "stop: "},
           {R"("logit_bias":{"x":1})", "logit_bias: a key of 'logit_bias' is not a token id"},
           {R"("logit_bias":{"1":101})", "logit_bias: 'logit_bias' of token 1"},
           {R"("logit_bias":[1])", "logit_bias: "},
           {R"("seed":1.5)", "seed: "},
           {R"("stream_options":{"include_usage":true})", "stream_options: "},
           {R"("stream":true,"stream_options":{"x":1})", "stream_options: 'stream_options.x'"},
           {R"("stream":1)", "stream: "},
           {R"("suffix":"x")", "suffix: 'suffix' is not supported"},
           {R"("echo":"yes")", "echo: "},
           {R"("temprature":1)", "temprature: 'temprature' is not a field that this server knows: "
                                 "did you mean 'temperature'?"},
           {"\"" + std::string(1000, 'x') + "\":1",
            std::string(64, 'x') + "...: '" + std::string(64, 'x') + "...' is not a field"},
           {R"("max_completion_tokens":1)", "max_completion_tokens: "},
           {R"("tools":[])", "tools: "}}) {
    EXPECT_THAT(refused_completion("," + fields), testing::StartsWith(message)) << fields;
  }
}

// The least and the largest that a field takes, and what is next to them.
TEST(CompletionRequest, FieldsHaveBoundsThatAreTheirs) {
  struct Row {
    const char *field, *least, *most, *below, *above;
  };
  for (const auto& [field, least, most, below, above] :
       {Row{"temperature", "0", "2", "-0.001", "2.001"},
        {"top_p", "0.001", "1", "0", "1.001"},
        {"top_k", "-1", "2147483647", "-2", "2147483648"},
        {"min_p", "0", "1", "-0.001", "1.001"},
        {"repetition_penalty", "0.001", "1000", "0.0009", "1000.1"},
        {"presence_penalty", "-2", "2", "-2.001", "2.001"},
        {"frequency_penalty", "-2", "2", "-2.001", "2.001"},
        {"n", "1", "128", "0", "129"},
        {"best_of", "1", "20", "0", "21"},
        {"min_tokens", "0", "2147483647", "-1", "2147483648"},
        {"max_tokens", "1", "2147483647", "0", "2147483648"},
        {"logprobs", "0", "20", "-1", "21"},
        {"seed", "-9223372036854775808", "9223372036854775807", "-9223372036854775809",
         "9223372036854775808"}}) {
    const auto refused = [&](const char* value) {
      return refused_completion(fmt::format(",\"{}\":{}", field, value));
    };
    EXPECT_EQ(refused(least), "accepted") << field;
    EXPECT_EQ(refused(most), "accepted") << field;
    EXPECT_THAT(refused(below), testing::StartsWith(std::string(field) + ": "));
    EXPECT_THAT(refused(above), testing::StartsWith(std::string(field) + ": "));
  }
  EXPECT_EQ(refused_completion(R"(,"echo":true,"max_tokens":0)"), "accepted");
  EXPECT_THAT(refused_completion(R"(,"echo":true,"max_tokens":-1)"), HasSubstr("max_tokens: "));
}

TEST(CompletionRequest, ListsHaveBounds) {
  const auto list = [](int count, const std::string& item) {
    std::string all;
    for (int i = 0; i < count; ++i) all += (i > 0 ? "," : "") + item;
    return "[" + all + "]";
  };
  const auto stop = [](const std::string& value) { return refused_completion(",\"stop\":" + value); };
  EXPECT_EQ(stop(list(16, R"("a")")), "accepted");
  EXPECT_EQ(stop(list(17, R"("a")")), "stop: 'stop' has 17 strings: use at most 16");
  EXPECT_EQ(stop("\"" + std::string(512, 'a') + "\""), "accepted");
  EXPECT_EQ(stop("\"" + std::string(513, 'a') + "\""),
            "stop: a string of 'stop' has 513 bytes: use at most 512");
  const auto biased = [](int tokens, const char* bias) {
    std::string all;
    for (int i = 0; i < tokens; ++i) all += fmt::format("{}\"{}\":{}", i > 0 ? "," : "", i, bias);
    return refused_completion(",\"logit_bias\":{" + all + "}");
  };
  EXPECT_EQ(biased(1024, "100"), "accepted");
  EXPECT_EQ(biased(1, "-100"), "accepted");
  EXPECT_EQ(biased(1025, "1"), "logit_bias: 'logit_bias' has 1025 tokens: use at most 1024");
  EXPECT_THAT(biased(1, "-100.1"), HasSubstr("is not a number from -100 to 100"));
  EXPECT_THAT(biased(1, "100.1"), HasSubstr("is not a number from -100 to 100"));
  const auto prompts = [&](int count, const std::string& fields) {
    return refusal([&] { completion("{\"prompt\":" + list(count, R"("x")") + fields + "}"); });
  };
  EXPECT_EQ(prompts(256, ""), "accepted");
  EXPECT_EQ(prompts(257, ""), "prompt: 'prompt' has 257 prompts: use at most 256");
  EXPECT_EQ(prompts(2, ",\"n\":128"), "accepted");
  EXPECT_EQ(prompts(3, ",\"n\":86"),
            "n: 3 prompts with 86 texts each are 258 sequences: ask for at most 256 at once");
  EXPECT_EQ(prompts(13, ",\"best_of\":20"),
            "best_of: 13 prompts with 20 texts each are 260 sequences: ask for at most 256 at once");
}

// As clients send fields of their own that they do not set.
TEST(CompletionRequest, FieldsThatAreNullAreAbsent) {
  const CompletionRequest r =
      completion(R"({"prompt":"a","tools_x":null,"suffix":null,"tools":null,"max_tokens":null})");
  EXPECT_EQ(r.max_tokens, completion(R"({"prompt":"a"})").max_tokens);
  EXPECT_THAT(refused_completion(R"(,"tools_x":0)"), testing::StartsWith("tools_x: "));
  EXPECT_THAT(refused_completion(R"(,"tools_x":false)"), testing::StartsWith("tools_x: "));
  EXPECT_THAT(refused_completion(R"(,"tools_x":"")"), testing::StartsWith("tools_x: "));
}

TEST(CompletionRequest, LimitsWhatOneRequestMayAskFor) {
  std::string stops = "\"a\"", prompts = "\"a\"";
  for (int i = 0; i < 16; ++i) stops += ",\"a\"";
  for (int i = 0; i < 100; ++i) prompts += ",\"a\"";
  EXPECT_THAT(refused_completion(",\"stop\":[" + stops + "]"),
              HasSubstr("'stop' has 17 strings: use at most 16"));
  EXPECT_THAT(refused_completion(",\"stop\":\"" + std::string(513, 'x') + "\""),
              HasSubstr("has 513 bytes"));
  EXPECT_THAT(refusal([&] { completion("{\"n\":3,\"prompt\":[" + prompts + "]}"); }),
              HasSubstr("n: 101 prompts with 3 texts each are 303 sequences"));
}

TEST(Requests, BodiesThatAreNoJsonObjectAreRefused) {
  const std::string deep(2000, '[');
  for (const std::string& body :
       {std::string(), std::string("{"), std::string("[1]"), std::string("\"x\""), deep,
        std::string("{\"prompt\":\"\xff\"}"), std::string(R"({"prompt":"\ud800"})"),
        std::string("{\"prompt\":NaN}"), std::string("{\"temperature\":1e999}"),
        std::string("\0\0", 2)}) {
    EXPECT_THAT(refusal([&] { completion(body); }), testing::StartsWith(": ")) << body;
    EXPECT_THAT(refusal([&] { parse_chat_request(body, {}); }), testing::StartsWith(": ")) << body;
    EXPECT_THAT(refusal([&] { parse_tokenize_request(body); }), testing::StartsWith(": ")) << body;
  }
}

TEST(ChatRequest, ReadsMessagesAndOptions) {
  const ChatRequest r = parse_chat_request(R"({"messages":[
    {"role":"system","content":"S"},
    {"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"name":"u"},
    {"role":"assistant","content":"c","refusal":null,"tool_calls":[]},
    {"role":"user","content":"d"}],
    "max_completion_tokens":5,"logprobs":true,"top_logprobs":3,"tool_choice":"none",
    "response_format":{"type":"text"}})",
                                           {});
  ASSERT_EQ(r.conversation.messages.size(), 4u);
  EXPECT_EQ(r.conversation.messages[1].content(), "ab");
  EXPECT_EQ(r.conversation.messages[1].fields.at("name"), "u");
  EXPECT_EQ(r.max_tokens, 5);
  EXPECT_TRUE(r.logprobs);
  EXPECT_EQ(r.top_logprobs, 3);
}

TEST(ChatRequest, WrongFieldsAreRefusedByName) {
  for (const auto& [fields, message] : std::vector<std::pair<std::string, std::string>>{
           {R"("max_tokens":1,"max_completion_tokens":2)", "max_tokens: "},
           {R"("top_logprobs":1)", "top_logprobs: 'top_logprobs' needs 'logprobs'"},
           {R"("logprobs":1)", "logprobs: "},
           {R"("tools":[{"type":"function"}])", "tools: 'tools' is not supported"},
           {R"("tool_choice":"auto")", "tool_choice: "},
           {R"("response_format":{"type":"json_object"})", "response_format: "},
           {R"("chat_template":"{{x}}")", "chat_template: 'chat_template' is not supported"},
           {R"("prompt":"x")", "prompt: "},
           {R"("best_of":2)", "best_of: "}}) {
    EXPECT_THAT(refused_chat("," + fields), testing::StartsWith(message)) << fields;
  }
  for (const auto& [messages, message] : std::vector<std::pair<std::string, std::string>>{
           {"7", "not a list"},
           {"[7]", "not an object"},
           {R"([{"content":"x"}])", "'messages[0].role' is missing"},
           {R"([{"role":"tool","content":"x"}])", "calls no tools"},
           {R"([{"role":"user","content":[{"type":"image_url"}]}])", "is not text"},
           {R"([{"role":"user","content":"x","audio":{"id":1}}])", "'messages[0].audio'"}}) {
    EXPECT_THAT(refusal([&] { parse_chat_request("{\"messages\":" + messages + "}", {}); }),
                testing::AllOf(testing::StartsWith("messages: "), HasSubstr(message)))
        << messages;
  }
  EXPECT_THAT(refusal([] { parse_chat_request("{}", {}); }), HasSubstr("'messages' is missing"));
}

TEST(EngineRequests, AreBestOfPerPromptWithStreamsOfTheirOwn) {
  const CompletionRequest r =
      completion(R"({"prompt":["a","b"],"n":1,"best_of":2,"echo":true,"logprobs":1,"seed":3})");
  const auto requests = engine_requests(r, encode_prompts(r, small_tokenizer()));
  ASSERT_EQ(requests.size(), 4u);
  EXPECT_EQ(std::get<Tokens>(requests[1].prompt), Tokens{'a'});
  EXPECT_EQ(std::get<Tokens>(requests[2].prompt), Tokens{'b'});
  EXPECT_EQ(requests[0].sampling.stream, 0u);
  EXPECT_EQ(requests[1].sampling.stream, 1u);
  EXPECT_EQ(requests[2].sampling.stream, 0u);
  EXPECT_EQ(requests[0].prompt_log_probabilities, 1);
}

// best_of chooses by log-probabilities, which the answer shows only when it is asked to.
TEST(EngineRequests, AskForTheLogProbabilitiesThatTheyNeed) {
  using Count = std::optional<std::int64_t>;
  const auto asked = [](const std::string& fields) {
    const CompletionRequest r = completion(R"({"prompt":"a")" + fields + "}");
    const infer::TextRequest first = engine_requests(r, encode_prompts(r, small_tokenizer()))[0];
    return std::pair<Count, Count>(first.log_probabilities, first.prompt_log_probabilities);
  };
  const Count none;
  EXPECT_EQ(asked(""), std::pair(none, none));
  EXPECT_EQ(asked(R"(,"n":3)"), std::pair(none, none));
  EXPECT_EQ(asked(R"(,"n":3,"best_of":3)"), std::pair(none, none));
  EXPECT_EQ(asked(R"(,"best_of":3)"), std::pair(Count(0), none));
  EXPECT_EQ(asked(R"(,"n":2,"best_of":3)"), std::pair(Count(0), none));
  EXPECT_EQ(asked(R"(,"best_of":3,"logprobs":2)"), std::pair(Count(2), none));
  EXPECT_EQ(asked(R"(,"logprobs":0)"), std::pair(Count(0), none));
  EXPECT_EQ(asked(R"(,"logprobs":2,"echo":true)"), std::pair(Count(2), Count(2)));
  EXPECT_EQ(asked(R"(,"best_of":3,"echo":true)"), std::pair(Count(0), none));
}

// A completion goes on from its prompt's text; an answer of a chat does not. Without new tokens one
// is drawn nevertheless.
TEST(EngineRequests, OfACompletionContinueItsPrompt) {
  const auto of = [](const std::string& fields) {
    const CompletionRequest r = completion(R"({"prompt":"a")" + fields + "}");
    return engine_requests(r, encode_prompts(r, small_tokenizer()))[0];
  };
  EXPECT_TRUE(of("").continues_prompt);
  EXPECT_EQ(of("").max_tokens, 16);
  EXPECT_EQ(of(R"(,"echo":true,"max_tokens":0)").max_tokens, 1);
  EXPECT_EQ(of(R"(,"echo":true,"max_tokens":2)").max_tokens, 2);
  EXPECT_FALSE(engine_requests(chat(""), Tokens(10), 64, 261)[0].continues_prompt);
}

// Every option that the API shares with the engine, of both kinds of requests.
TEST(EngineRequests, HaveTheOptionsOfTheirRequest) {
  const std::string fields = R"(,"max_tokens":7,"min_tokens":5,"stop":["a","bc"],"ignore_eos":true,
    "skip_special_tokens":false,"temperature":0.5,"top_p":0.9,"top_k":3,"min_p":0.1,
    "repetition_penalty":1.2,"presence_penalty":-1,"frequency_penalty":0.25,"seed":9,
    "logit_bias":{"17":-100}})";
  const CompletionRequest text = completion(R"({"prompt":"x")" + fields);
  const ChatRequest talk =
      parse_chat_request(R"({"messages":[{"role":"user","content":"x"}])" + fields, {});
  for (const infer::TextRequest& r :
       {engine_requests(text, encode_prompts(text, small_tokenizer()))[0],
        engine_requests(talk, Tokens(10), 64, 261)[0]}) {
    EXPECT_EQ(r.max_tokens, 7);
    EXPECT_EQ(r.min_tokens, 5);
    EXPECT_THAT(r.stop, ElementsAre("a", "bc"));
    EXPECT_TRUE(r.ignore_end);
    EXPECT_EQ(r.special_tokens, SpecialTokens::keep);
    EXPECT_EQ(r.sampling.temperature, 0.5);
    EXPECT_EQ(r.sampling.top_p, 0.9);
    EXPECT_EQ(r.sampling.top_k, 3);
    EXPECT_EQ(r.sampling.min_p, 0.1);
    EXPECT_EQ(r.sampling.repetition_penalty, 1.2);
    EXPECT_EQ(r.sampling.presence_penalty, -1);
    EXPECT_EQ(r.sampling.frequency_penalty, 0.25);
    EXPECT_EQ(r.sampling.seed, 9u);
    ASSERT_EQ(r.sampling.logit_bias.size(), 1u);
    EXPECT_EQ(r.sampling.logit_bias[0].token, 17);
  }
}

// Without max_tokens a chat's answer may fill the context.
TEST(EngineRequests, FillTheContextForAChat) {
  const auto requests = engine_requests(chat(R"(,"n":2)"), Tokens(10), 64, 261);
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].max_tokens, 54);
  EXPECT_THAT(requests[0].more_end_tokens, ElementsAre(261));
  EXPECT_TRUE(engine_requests(chat(R"(,"ignore_eos":true)"), Tokens(10), 64, 261)[0]
                  .more_end_tokens.empty());
}

// A prompt that leaves no room asks for a token nevertheless, for the engine to refuse it by its
// length; so does one whose min_tokens are more than there is room for.
TEST(EngineRequests, OfAChatAskForATokenAtLeast) {
  const auto asked = [](const std::string& fields, std::int64_t prompt) {
    return engine_requests(chat(fields), Tokens(static_cast<std::size_t>(prompt)), 64, {})[0]
        .max_tokens;
  };
  EXPECT_EQ(asked("", 63), 1);
  EXPECT_EQ(asked("", 64), 1);
  EXPECT_EQ(asked("", 70), 1);
  EXPECT_EQ(asked(R"(,"min_tokens":9)", 60), 9);
  EXPECT_EQ(asked(R"(,"min_tokens":3)", 60), 4);
  EXPECT_EQ(asked(R"(,"max_tokens":2,"min_tokens":1)", 60), 2);
}

TEST(EngineRequests, OfAChatHaveStreamsAndLogprobsOfTheirOwn) {
  const auto requests =
      engine_requests(chat(R"(,"n":3,"logprobs":true,"top_logprobs":2)"), Tokens(10), 64, {});
  ASSERT_EQ(requests.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(requests[i].sampling.stream, i);
    EXPECT_EQ(requests[i].log_probabilities, 2);
    EXPECT_FALSE(requests[i].prompt_log_probabilities);
    EXPECT_TRUE(requests[i].more_end_tokens.empty());
  }
  EXPECT_EQ(engine_requests(chat(R"(,"logprobs":true)"), Tokens(1), 64, {})[0].log_probabilities,
            0);
  EXPECT_FALSE(engine_requests(chat(""), Tokens(1), 64, {})[0].log_probabilities);
  EXPECT_FALSE(
      engine_requests(chat(R"(,"logprobs":false)"), Tokens(1), 64, {})[0].log_probabilities);
}

TEST(ChatRequest, TakesTheEndsOfEachRangeAndNoMore) {
  EXPECT_EQ(refused_chat(R"(,"logprobs":true,"top_logprobs":0)"), "accepted");
  EXPECT_EQ(refused_chat(R"(,"logprobs":true,"top_logprobs":20)"), "accepted");
  EXPECT_THAT(refused_chat(R"(,"logprobs":true,"top_logprobs":21)"), HasSubstr("top_logprobs: "));
  EXPECT_THAT(refused_chat(R"(,"logprobs":false,"top_logprobs":0)"), HasSubstr("top_logprobs: "));
  for (const char* name : {"max_tokens", "max_completion_tokens"}) {
    const auto refused = [&](const char* value) {
      return refused_chat(fmt::format(",\"{}\":{}", name, value));
    };
    EXPECT_EQ(refused("1"), "accepted");
    EXPECT_EQ(refused("2147483647"), "accepted");
    EXPECT_THAT(refused("0"), HasSubstr(std::string(name) + ": "));
    EXPECT_THAT(refused("2147483648"), HasSubstr(std::string(name) + ": "));
  }
  EXPECT_EQ(chat(R"(,"max_tokens":3,"max_completion_tokens":3)").max_tokens, 3);
  EXPECT_EQ(chat(R"(,"max_tokens":4)").max_tokens, 4);
  EXPECT_FALSE(chat("").max_tokens);
  EXPECT_EQ(refused_chat(R"(,"n":128)"), "accepted");
  EXPECT_THAT(refused_chat(R"(,"n":129)"), HasSubstr("n: "));
}

// What other servers' clients send though it says nothing.
TEST(ChatRequest, TakesFieldsThatAskForNothing) {
  for (const char* fields :
       {R"("tools":null)", R"("tool_choice":"none")", R"("tool_choice":null)",
        R"("functions":null)", R"("response_format":null)", R"("response_format":{"type":"text"})",
        R"("user":"me")", R"("stream":false,"stream_options":null)", R"("chat_template":null)"}) {
    EXPECT_EQ(refused_chat(std::string(",") + fields), "accepted") << fields;
  }
  for (const char* fields :
       {R"("functions":[])", R"("function_call":"auto")", R"("tool_choice":{"type":"function"})",
        R"("response_format":"text")", R"("response_format":{})"}) {
    EXPECT_THAT(refused_chat(std::string(",") + fields), testing::Not("accepted")) << fields;
  }
}

TEST(ChatRequest, ReadsPartsAndLeavesOutEmptyFieldsOfAMessage) {
  const auto refused = [](const std::string& message) {
    return refusal([&] { parse_chat_request("{\"messages\":[" + message + "]}", {}); });
  };
  EXPECT_EQ(refused(R"({"role":"user","content":"x","tool_calls":[],"audio":null})"), "accepted");
  EXPECT_EQ(refused(R"({"role":"user","content":[]})"), "accepted");
  for (const auto& [message, problem] : std::vector<std::pair<std::string, std::string>>{
           {R"({"role":"function","content":"x"})", "calls no tools"},
           {R"({"role":"user","content":"x","tool_calls":[{}]})", "'messages[0].tool_calls'"},
           {R"({"role":1,"content":"x"})", "'messages[0].role'"},
           {R"({"role":"user","content":"x","name":1})", "'messages[0].name'"},
           {R"({"role":"user","content":1})", "'messages[0].content'"},
           {R"({"role":"user","content":[{"text":"x"}]})", "'messages[0].content[0].type'"},
           {R"({"role":"user","content":[{"type":"text"}]})", "'messages[0].content[0].text'"}}) {
    EXPECT_THAT(refused(message), HasSubstr(problem)) << message;
  }
}

TEST(CompletionRequest, StreamsTellTheirUsageWhereThatIsAskedFor) {
  const auto asked = [](const std::string& options) {
    return completion(R"({"prompt":"x","stream":true,"stream_options":)" + options + "}")
        .include_usage;
  };
  EXPECT_TRUE(asked(R"({"include_usage":true})"));
  EXPECT_FALSE(asked(R"({"include_usage":false})"));
  EXPECT_FALSE(asked(R"({"include_usage":null,"other":null})"));
  EXPECT_FALSE(asked("{}"));
  EXPECT_FALSE(asked("null"));
  EXPECT_THAT(refused_completion(R"(,"stream":true,"stream_options":{"include_usage":1})"),
              testing::StartsWith("stream_options: "));
  EXPECT_THAT(refused_completion(R"(,"stream_options":{})"),
              testing::StartsWith("stream_options: "));
}

TEST(CompletionRequest, OptionsThatAreNotGivenChangeNothing) {
  const infer::SamplingOptions o = completion(R"({"prompt":"x"})").sampling;
  EXPECT_EQ(o.min_p, 0);
  EXPECT_EQ(o.repetition_penalty, 1);
  EXPECT_EQ(o.presence_penalty, 0);
  EXPECT_EQ(o.frequency_penalty, 0);
  EXPECT_TRUE(o.logit_bias.empty());
  const CompletionRequest r = completion(R"({"prompt":"x"})");
  EXPECT_EQ(r.model, "");
  EXPECT_EQ(r.min_tokens, 0);
  EXPECT_TRUE(r.stop.empty());
  EXPECT_FALSE(r.include_usage);
  EXPECT_EQ(r.special_tokens, SpecialTokens::skip);
  EXPECT_EQ(completion(R"({"prompt":"x","echo":true})").max_tokens, 16);
}

TEST(CompletionRequest, BiasedTokensAreWholeNumbers) {
  for (const char* key : {"-1", "1x", " 1", "+1", "", "1.0", "2147483648"}) {
    EXPECT_EQ(refused_completion(fmt::format(R"(,"logit_bias":{{"{}":1}})", key)),
              "logit_bias: a key of 'logit_bias' is not a token id: use \"17\" for token 17")
        << key;
  }
  const CompletionRequest r =
      completion(R"({"prompt":"x","logit_bias":{"0":-0.5,"2147483647":1.5}})");
  ASSERT_EQ(r.sampling.logit_bias.size(), 2u);
  EXPECT_EQ(r.sampling.logit_bias[0].token, 0);
  EXPECT_EQ(r.sampling.logit_bias[0].bias, -0.5f);
  EXPECT_EQ(r.sampling.logit_bias[1].token, 2147483647);
}

TEST(TokenizerApi, NamesTheSpecialTokensOfATokenizer) {
  const auto named = [](const std::string& from, const std::string& to) {
    std::string json = small_tokenizer_json();
    json.replace(json.find(from), from.size(), to);
    return tokenizer_info_json(Tokenizer::from_json(json), nullptr, 77);
  };
  const Json without = named("<|im_start|>", "<|im_start|>");
  EXPECT_TRUE(without.at("pad_token").is_null());
  EXPECT_EQ(without.at("vocab_size"), 262);
  EXPECT_EQ(without.at("max_model_len"), 77);
  const Json padded = named("<|im_start|>", "<pad>");
  EXPECT_EQ(padded.at("pad_token"), "<pad>");
  EXPECT_EQ(padded.at("eos_token"), "</s>");
  EXPECT_EQ(padded.at("bos_token"), "<s>");
  EXPECT_TRUE(named("<s>", "<other>").at("bos_token").is_null());
  const Tokenizer tokenizer = small_tokenizer();
  const ChatTemplate chat = ChatTemplate::open("chatml", "", tokenizer);
  EXPECT_EQ(tokenizer_info_json(tokenizer, &chat, 64).at("chat_template"), chat.source());
}

TEST(TokenizerApi, CountsAndTakesTheTemplateUnlessToldNotTo) {
  EXPECT_EQ(tokenize_json({5, 6}, 64).dump(), R"({"count":2,"max_model_len":64,"tokens":[5,6]})");
  EXPECT_TRUE(parse_tokenize_request(R"({"prompt":"x"})").add_special_tokens);
  EXPECT_FALSE(
      parse_tokenize_request(R"({"prompt":"x","add_special_tokens":false})").add_special_tokens);
  EXPECT_EQ(parse_tokenize_request(R"({"prompt":"x","model":"m"})").model, "m");
  EXPECT_EQ(parse_detokenize_request(R"({"tokens":[],"model":"m"})").model, "m");
  const auto refused = [](const char* body) {
    return refusal([&] { parse_tokenize_request(body); });
  };
  EXPECT_THAT(refused(R"({"prompt":"x","messages":[]})"), HasSubstr("either 'prompt'"));
  EXPECT_THAT(refused(R"({"prompt":"x","promt":1})"), HasSubstr("promt: "));
  EXPECT_EQ(refused(R"({"messages":[]})"), "accepted");
  for (const char* tokens : {"[-1]", "[1.5]", "[2147483648]", "\"x\"", "[\"1\"]"}) {
    EXPECT_THAT(
        refusal([&] { parse_detokenize_request(fmt::format(R"({{"tokens":{}}})", tokens)); }),
        testing::StartsWith("tokens: "))
        << tokens;
  }
  EXPECT_THAT(refusal([] { parse_detokenize_request(R"({"tokens":[1],"x":1})"); }),
              testing::StartsWith("x: "));
}

TEST(TokenizerApi, TokenizesAndBack) {
  const Tokenizer tokenizer = small_tokenizer();
  EXPECT_THAT(tokenize_text(parse_tokenize_request(R"({"prompt":"h a"})"), tokenizer),
              ElementsAre('h', 256));
  EXPECT_EQ(detokenize_text(parse_detokenize_request(R"({"tokens":[104,259]})"), tokenizer),
            "h</s>");
  EXPECT_THAT(
      refusal([&] { detokenize_text(parse_detokenize_request(R"({"tokens":[999]})"), tokenizer); }),
      HasSubstr("tokens: "));
  EXPECT_THAT(refusal([] { parse_tokenize_request("{}"); }), HasSubstr("either 'prompt'"));
  EXPECT_THAT(refusal([] { parse_detokenize_request("{}"); }), HasSubstr("'tokens' is missing"));
  const Json info = tokenizer_info_json(tokenizer, nullptr, 64);
  EXPECT_EQ(info.at("eos_token"), "</s>");
  EXPECT_EQ(info.at("bos_token"), "<s>");
  EXPECT_TRUE(info.at("chat_template").is_null());
}

}  // namespace
}  // namespace fathom::serve
