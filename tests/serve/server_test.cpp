// The whole server in this process: what clients that behave see.
#include <gmock/gmock.h>

#include "infer/scorer.h"
#include "serve/test_server.h"

namespace fathom::serve {
namespace {

using testing::HasSubstr;
using Tokens = std::vector<std::int32_t>;

TEST(Server, TellsItsHealthAndModels) {
  const TestServer server;
  EXPECT_EQ(server.get("/health").status, 200);
  const Json models = server.get("/v1/models").json();
  EXPECT_EQ(models["data"][0]["id"], "tiny");
  EXPECT_EQ(models["data"][0]["max_model_len"], 256);
  EXPECT_EQ(models["data"][0]["batch_invariant"], false);
  EXPECT_EQ(server.metric("vllm:num_requests_running{model_name=\"tiny\"}"), 0);
  EXPECT_EQ(server.get("/tokenizer_info").json()["eos_token"], "</s>");
}

// The engine's own greedy text, whole and streamed, with any client's connection kept.
TEST(Server, CompletesAsTheEngineDoes) {
  TestServer server;
  infer::TextRequest request;
  request.prompt = std::string("hello");
  request.max_tokens = 12;
  request.sampling.temperature = 0;
  infer::EngineOptions options;
  options.limits = {1, 32};
  infer::TextEngine engine(server.model(), server.context(), options);
  engine.submit(request);
  std::string expected;
  while (!engine.idle()) {
    for (const infer::TextEvent& event : engine.step()) expected += event.text;
  }
  utf8::replace_invalid(expected);
  const std::string body = R"({"model":"tiny","prompt":"hello","max_tokens":12,"temperature":0)";
  Client client(server.port());
  for (int i = 0; i < 2; ++i) {
    client.post("/v1/completions", body + "}");
    const Json json = client.receive().json();
    EXPECT_EQ(json["choices"][0]["text"], expected);
    EXPECT_EQ(json["usage"]["prompt_tokens"], 5);
  }
  client.post("/v1/completions", body + R"(,"stream":true})");
  const Received stream = client.receive();
  EXPECT_EQ(stream.headers.at("content-type"), "text/event-stream; charset=utf-8");
  std::string text;
  const auto events = stream_data(stream.body);
  for (const std::string& data : events) {
    if (data != "[DONE]") text += Json::parse(data)["choices"][0]["text"].get<std::string>();
  }
  EXPECT_EQ(events.back(), "[DONE]");
  EXPECT_EQ(text, expected);
  client.get("/health");
  EXPECT_EQ(client.receive().status, 200);
}

TEST(Server, SameSeedGivesTheSameTextsInAnyCompany) {
  const TestServer server;
  const std::string body = R"({"prompt":"abc","max_tokens":20,"n":3,"seed":7})";
  const Json alone = server.post("/v1/completions", body).json()["choices"];
  EXPECT_NE(alone[0]["text"], alone[1]["text"]);
  std::vector<std::thread> others;
  for (int i = 0; i < 6; ++i) {
    others.emplace_back([&server] {
      server.post("/v1/completions", R"({"prompt":"something longer","max_tokens":40})");
    });
  }
  EXPECT_EQ(server.post("/v1/completions", body).json()["choices"], alone);
  for (std::thread& other : others) other.join();
}

// What lm-eval reads: ids in, the Scorer's values out.
TEST(Server, ScoresPromptsAsTheScorer) {
  TestServer server;
  const Tokens ids{'t', 'h', 'e', 256, 'b', 'c', 'd'};
  const Json logprobs =
      server
          .post("/v1/completions", R"({"prompt":[[116,104,101,256,98,99,100]],"max_tokens":1,
                     "temperature":0,"echo":true,"logprobs":1,"seed":1234})")
          .json()["choices"][0]["logprobs"];
  infer::Scorer scorer(*server.model().stage, server.context());
  const infer::ScoreRequest request{ids};
  const std::vector<float> expected = scorer.score(std::span(&request, 1)).front();
  ASSERT_EQ(logprobs["token_logprobs"].size(), ids.size() + 1);
  EXPECT_TRUE(logprobs["token_logprobs"][0].is_null());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(logprobs["token_logprobs"][i + 1].get<double>(), expected[i], 1e-4);
  }
}

TEST(Server, AnswersChatsByTheTemplate) {
  TestServer server;
  Conversation conversation;
  conversation.messages = {make_message("user", "hi")};
  const Tokens prompt = server.chat().encode_prompt(conversation, server.model().tokenizer);
  const Json tokens =
      server.post("/tokenize", R"({"messages":[{"role":"user","content":"hi"}]})").json();
  EXPECT_EQ(tokens["tokens"].get<Tokens>(), prompt);
  const std::string body =
      R"({"messages":[{"role":"user","content":"hi"}],"max_tokens":9,"temperature":0)";
  const Json json = server.post("/v1/chat/completions", body + "}").json();
  EXPECT_EQ(json["usage"]["prompt_tokens"], prompt.size());
  const std::string text = json["choices"][0]["message"]["content"];
  const Received stream = server.post("/v1/chat/completions", body + R"(,"stream":true})");
  std::string streamed;
  for (const std::string& data : stream_data(stream.body)) {
    if (data == "[DONE]") continue;
    const Json delta = Json::parse(data)["choices"][0]["delta"];
    if (delta.contains("content")) streamed += delta["content"].get<std::string>();
  }
  EXPECT_EQ(streamed, text);
}

TEST(Server, RefusesChatsWithoutATemplate) {
  const TestServer server(TestServer::small_options(), 256, false);
  const Received received =
      server.post("/v1/chat/completions", R"({"messages":[{"role":"user","content":"hi"}]})");
  EXPECT_EQ(received.status, 400);
  EXPECT_THAT(received.body, HasSubstr("no chat template"));
}

TEST(Server, RefusesInOpenAisShape) {
  ServerOptions options = TestServer::small_options();
  options.service.limits.max_log_probabilities = 1000;
  options.engine.max_waiting = 60;
  const TestServer server(options);
  const auto error = [&](const Received& received, int status, const std::string& param) {
    EXPECT_EQ(received.status, status) << received.body;
    const Json json = received.json()["error"];
    EXPECT_EQ(json["param"], param.empty() ? Json(nullptr) : Json(param)) << received.body;
    return json["message"].get<std::string>();
  };
  EXPECT_THAT(error(server.post("/v1/completions", R"({"prompt":"x","model":"y"})"), 404, "model"),
              HasSubstr("there is no model 'y'"));
  EXPECT_THAT(error(server.post("/v1/completions", R"({"prompt":"x","best":1})"), 400, "best"),
              HasSubstr("'best' is not a field"));
  const std::string longer(300, 'x');
  EXPECT_THAT(error(server.post("/v1/completions", "{\"prompt\":\"" + longer + "\"}"), 400,
                    "prompt"),
              HasSubstr("the prompt has 300 tokens"));
  for (const auto& [path, field] : {std::pair("/v1/completions", "prompt"),
                                    std::pair("/v1/chat/completions", "messages"),
                                    std::pair("/detokenize", "tokens")}) {
    std::string ids = "104";
    for (int i = 0; i < 300; ++i) ids += ",104";
    const std::string text = "\"" + std::string(10000, 'x') + "\"";
    const std::string value = std::string(field) == "tokens" ? "[" + ids + "]"
                              : std::string(field) == "prompt"
                                  ? text
                                  : R"([{"role":"user","content":)" + text + "}]";
    EXPECT_THAT(error(server.post(path, fmt::format(R"({{"{}":{}}})", field, value)), 400, field),
                testing::AnyOf(HasSubstr("the prompt has 10000 bytes"),
                               HasSubstr("'tokens' has 301 ids: use at most 256")));
  }
  EXPECT_THAT(error(server.post("/v1/completions", R"({"prompt":"x","n":128,"best_of":null})"), 400,
                    "n"),
              HasSubstr("asks for 128 sequences, and the server's queue holds 64"));
  EXPECT_THAT(error(server.post("/v1/completions",
                                R"({"prompt":"x","model":")" + longer + "\"}"),
                    404, "model"),
              HasSubstr("'" + std::string(64, 'x') + "...'"));
  const std::string fits = R"({"prompt":"x","max_tokens":9999,"logprobs":0})";
  EXPECT_EQ(server.post("/v1/completions", fits).status, 200);
  EXPECT_THAT(error(server.post("/v1/completions",
                                R"({"prompt":"x","max_tokens":200,"logprobs":4,"n":2})"),
                    400, "logprobs"),
              HasSubstr("up to 2000 log-probabilities, and 1000 are allowed"));
  EXPECT_THAT(error(server.post("/v1/chat/completions", R"({"messages":[]})"), 400, "messages"),
              HasSubstr("no messages"));
  EXPECT_THAT(error(server.get("/v1/nothing"), 404, ""), HasSubstr("there is no /v1/nothing"));
  const Received wrong = server.get("/v1/completions");
  EXPECT_THAT(error(wrong, 405, ""), HasSubstr("takes POST, not GET"));
  EXPECT_EQ(wrong.headers.at("allow"), "POST");
}

TEST(Server, AsksForTheKey) {
  ServerOptions options = TestServer::small_options();
  options.service.api_keys = {"secret", "other"};
  const TestServer server(options);
  EXPECT_EQ(server.get("/v1/models").status, 401);
  EXPECT_EQ(server.get("/metrics").status, 401);
  EXPECT_EQ(server.get("/health").status, 200);
  for (const char* wrong : {"Bearer secre", "Bearer secretsecret", "Bearer ", "secret",
                            "Basic secret", "Bearer Secret"}) {
    EXPECT_EQ(server.get("/v1/models", fmt::format("Authorization: {}\r\n", wrong)).status, 401)
        << wrong;
  }
  EXPECT_EQ(server.get("/v1/models", "Authorization: Bearer secret\r\n").status, 200);
  EXPECT_EQ(server.get("/v1/models", "Authorization: bEARER other\r\n").status, 200);
  // A body is not read before the key is known.
  Client client(server.port());
  client.send(
      "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n");
  EXPECT_EQ(client.receive().status, 401);
}

TEST(Server, LetsOnlyKnownPagesAsk) {
  ServerOptions options = TestServer::small_options();
  options.http.origins = {"https://good.example"};
  options.http.check_host = true;
  const TestServer server(options);
  EXPECT_EQ(server.get("/v1/models", "Origin: https://evil.example\r\n").status, 403);
  const Received good = server.get("/v1/models", "Origin: https://good.example\r\n");
  EXPECT_EQ(good.status, 200);
  EXPECT_EQ(good.headers.at("access-control-allow-origin"), "https://good.example");
  EXPECT_EQ(server.get("/v1/models", "Origin: http://localhost\r\n").status, 200);
  Client preflight(server.port());
  preflight.send("OPTIONS /v1/completions HTTP/1.1\r\nHost: localhost\r\n"
                 "Origin: https://good.example\r\n"
                 "Access-Control-Request-Headers: authorization, x-stainless-os\r\n\r\n");
  const Received allowed = preflight.receive();
  EXPECT_EQ(allowed.status, 204);
  EXPECT_EQ(allowed.headers.at("access-control-allow-headers"), "authorization, x-stainless-os");
  Client rebound(server.port());
  rebound.send("GET /v1/models HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  EXPECT_EQ(rebound.receive().status, 403);
}

TEST(Server, SpeaksHttp10AndHead) {
  const TestServer server;
  Client old(server.port());
  const std::string body = R"({"prompt":"x","max_tokens":3,"temperature":0,"stream":true})";
  old.send(fmt::format("POST /v1/completions HTTP/1.0\r\nContent-Length: {}\r\n\r\n{}", body.size(),
                       body));
  const Received received = old.receive();
  EXPECT_FALSE(received.headers.contains("transfer-encoding"));
  EXPECT_EQ(stream_data(received.body).back(), "[DONE]");
  Client head(server.port());
  head.send("HEAD /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  while (head.read_more()) {
  }
  const std::string text = head.rest();
  EXPECT_THAT(text, testing::StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(text, HasSubstr(fmt::format("\r\nContent-Length: {}\r\n",
                                          server.get("/v1/models").body.size())));
  EXPECT_THAT(text, testing::EndsWith("\r\n\r\n")) << "without a body";
}

// The end of the connection is the end of a stream without chunks, whatever the client would like;
// an answer whose length is told leaves it open for one that asks.
TEST(Server, KeepsAConnectionOfHttp10OnlyWhereTheLengthIsTold) {
  const TestServer server;
  Client client(server.port());
  const std::string keep = " HTTP/1.0\r\nConnection: keep-alive\r\n";
  client.send("GET /v1/models" + keep + "\r\n");
  EXPECT_EQ(client.receive().headers.at("connection"), "keep-alive");
  const std::string body = R"({"prompt":"x","max_tokens":3,"stream":true})";
  client.send(
      fmt::format("POST /v1/completions{}Content-Length: {}\r\n\r\n{}", keep, body.size(), body));
  ASSERT_TRUE(client.read_until("\r\n\r\n"));
  std::string stream = client.rest();
  ASSERT_THAT(stream, HasSubstr("\r\nConnection: close\r\n"));
  while (client.read_more()) {
  }
  stream += client.rest();
  EXPECT_THAT(stream, testing::EndsWith("\n\ndata: [DONE]\n\n"));
  Client once(server.port());
  once.send("GET /v1/models HTTP/1.0\r\n\r\n");
  const Received received = once.receive();
  ASSERT_EQ(received.headers.at("connection"), "close");
  EXPECT_TRUE(once.at_end());
}

TEST(Server, TakesNoPartOfAQueryForThePath) {
  const TestServer server;
  for (const char* target :
       {"/health?probe=1", "/health?", "/v1/models?a=b?c=/d", "/?chat=1", "/engine?x"}) {
    EXPECT_EQ(server.get(target).status, 200) << target;
  }
  EXPECT_EQ(server.post("/tokenize?x=1", R"({"prompt":"ab"})").status, 200);
  EXPECT_EQ(server.get("/none?/health").status, 404);
}

// A body that was not read would be taken for the next request.
TEST(Server, EndsTheConnectionOfARefusedBody) {
  ServerOptions options = TestServer::small_options();
  options.service.api_keys = {"secret"};
  const TestServer server(options);
  const std::string key = "Authorization: Bearer secret\r\n";
  const std::string body = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
  for (const auto& [path, headers, status] :
       {std::tuple("/v1/completions", std::string(), 401),
        {"/v1/none", key, 404},
        {"/v1/models", key, 405},
        {"/tokenize", key + "Content-Encoding: gzip\r\n", 415}}) {
    Client client(server.port());
    client.post(path, body, headers);
    const Received refused = client.receive();
    EXPECT_EQ(refused.status, status) << path;
    ASSERT_EQ(refused.headers.at("connection"), "close") << path;
    EXPECT_TRUE(client.at_end()) << path;
  }
  // Without a body there is nothing to lose.
  Client client(server.port());
  client.post("/v1/completions", "");
  EXPECT_EQ(client.receive().headers.at("connection"), "keep-alive");
  client.get("/v1/none", key);
  EXPECT_EQ(client.receive().status, 404);
  client.get("/health");
  EXPECT_EQ(client.receive().status, 200);
}

TEST(Server, EndsAConnectionWhenTheClientAsks) {
  const TestServer server;
  Client client(server.port());
  client.get("/health", "Connection: close\r\n");
  const Received received = client.receive();
  EXPECT_EQ(received.status, 200);
  ASSERT_EQ(received.headers.at("connection"), "close");
  EXPECT_TRUE(client.at_end());
}

TEST(Server, TellsTheKindsOfRefusalsInItsHeaders) {
  ServerOptions options = TestServer::small_options();
  options.service.api_keys = {"secret"};
  const TestServer server(options);
  const Received keyless = server.get("/v1/models");
  EXPECT_EQ(keyless.headers.at("www-authenticate"), "Bearer");
  EXPECT_EQ(keyless.headers.at("content-type"), "application/json");
  EXPECT_EQ(keyless.headers.at("cache-control"), "no-store");
  EXPECT_EQ(keyless.json()["error"]["type"], "authentication_error");
  EXPECT_EQ(keyless.json()["error"]["code"], "invalid_api_key");
  const Received model =
      server.post("/tokenize", R"({"prompt":"x","model":"y"})", "Authorization: Bearer secret\r\n");
  EXPECT_EQ(model.status, 404);
  EXPECT_EQ(model.json()["error"]["type"], "not_found_error");
  EXPECT_EQ(model.json()["error"]["code"], "model_not_found");
  EXPECT_EQ(model.json()["error"]["param"], "model");
  EXPECT_FALSE(model.headers.contains("www-authenticate"));
}

TEST(Server, TokenizesAndBack) {
  const TestServer server;
  EXPECT_EQ(server.post("/tokenize", R"({"model":"tiny","prompt":"h a"})").body,
            R"({"count":2,"max_model_len":256,"tokens":[104,256]})");
  EXPECT_EQ(server.post("/detokenize", R"({"tokens":[104,256]})").body, R"({"prompt":"h a"})");
  std::string ids = "104";
  for (int i = 1; i < 256; ++i) ids += ",104";
  EXPECT_EQ(server.post("/detokenize", "{\"tokens\":[" + ids + "]}").status, 200);
  const Received more = server.post("/detokenize", "{\"tokens\":[" + ids + ",104]}");
  EXPECT_EQ(more.status, 400);
  EXPECT_THAT(more.body, HasSubstr("'tokens' has 257 ids: use at most 256"));
  EXPECT_EQ(server.post("/detokenize", R"({"tokens":[104],"model":"y"})").status, 404);
}

// As many as asked for exactly, of each kind.
TEST(Server, AnswersRequestsThatJustKeepItsLimits) {
  ServerOptions options = TestServer::small_options();
  options.service.limits.max_log_probabilities = 100;
  options.engine.max_waiting = 2;  // beside the four that run
  const TestServer server(options);
  const auto message = [&](const std::string& fields) {
    const Received received = server.post("/v1/completions", "{" + fields + "}");
    return received.status == 200 ? "answered"
                                  : received.json()["error"]["message"].get<std::string>();
  };
  const std::string scored = R"("max_tokens":1,"logprobs":4,"echo":true,"prompt":)";
  EXPECT_EQ(message(scored + "\"" + std::string(19, 'x') + "\""), "answered");
  EXPECT_THAT(message(scored + "\"" + std::string(20, 'x') + "\""),
              HasSubstr("up to 105 log-probabilities, and 100 are allowed"));
  EXPECT_EQ(message(R"("prompt":"x","max_tokens":50,"logprobs":1)"), "answered");
  EXPECT_THAT(message(R"("prompt":"x","max_tokens":51,"logprobs":1)"), HasSubstr("up to 102 "));
  EXPECT_THAT(message(R"("prompt":"x","max_tokens":9999,"logprobs":0)"),
              HasSubstr("up to 255 "));  // what the context holds behind the prompt
  EXPECT_EQ(message(R"("prompt":["x","y","z"],"n":2,"max_tokens":1)"), "answered");
  EXPECT_THAT(message(R"("prompt":"x","n":7,"max_tokens":1)"),
              HasSubstr("asks for 7 sequences, and the server's queue holds 6"));
  EXPECT_EQ(message("\"max_tokens\":9,\"prompt\":\"" + std::string(255, 'x') + "\""), "answered");
  EXPECT_THAT(message("\"prompt\":\"" + std::string(256, 'x') + "\""),
              HasSubstr("the prompt has 256 tokens, and the context of 256"));
  const Received talk =
      server.post("/v1/chat/completions", R"({"messages":[{"role":"user","content":"x"}],"n":7})");
  EXPECT_EQ(talk.status, 400);
  EXPECT_THAT(talk.body, HasSubstr("asks for 7 sequences"));
}

TEST(Server, NumbersItsAnswersByKindAndTime) {
  const TestServer server;
  const std::string one = R"("max_tokens":1)";
  const auto before = std::time(nullptr);
  const Json text = server.post("/v1/completions", R"({"prompt":"x",)" + one + "}").json();
  const Json talk = server
                        .post("/v1/chat/completions",
                              R"({"messages":[{"role":"user","content":"x"}],)" + one + "}")
                        .json();
  EXPECT_THAT(text["id"].get<std::string>(), testing::MatchesRegex("cmpl-[0-9a-f]{32}"));
  EXPECT_THAT(talk["id"].get<std::string>(), testing::MatchesRegex("chatcmpl-[0-9a-f]{32}"));
  for (const Json& answer : {text, talk}) {
    EXPECT_EQ(answer["model"], "tiny");
    EXPECT_GE(answer["created"].get<std::int64_t>(), before);
    EXPECT_LE(answer["created"].get<std::int64_t>(), std::time(nullptr));
  }
  const Json again = server.post("/v1/completions", R"({"prompt":"x",)" + one + "}").json();
  EXPECT_NE(again["id"], text["id"]);
}

TEST(Server, PreflightsAreAnsweredForPagesThatMayAsk) {
  ServerOptions options = TestServer::small_options();
  options.http.origins = {"https://good.example"};
  options.service.api_keys = {"secret"};
  const TestServer server(options);
  const auto preflight = [&](const std::string& headers) {
    Client client(server.port());
    client.send("OPTIONS /v1/completions HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n");
    return client.receive();
  };
  const Received good = preflight("Origin: https://good.example\r\n");
  EXPECT_EQ(good.status, 204);
  EXPECT_EQ(good.headers.at("access-control-allow-methods"), "GET, POST");
  EXPECT_EQ(good.headers.at("access-control-allow-headers"), "Authorization, Content-Type");
  EXPECT_EQ(good.headers.at("access-control-max-age"), "600");
  EXPECT_EQ(good.headers.at("vary"), "Origin");
  EXPECT_EQ(preflight("Origin: https://evil.example\r\n").status, 403);
  EXPECT_EQ(preflight("").status, 401) << "of no page";
}

TEST(Server, AnswersPipelinedRequestsInOrder) {
  const TestServer server;
  Client client(server.port());
  client.post("/v1/completions", R"({"prompt":"x","max_tokens":30})");
  client.get("/v1/models");
  client.get("/nothing");
  EXPECT_EQ(client.receive().json()["object"], "text_completion");
  EXPECT_EQ(client.receive().json()["object"], "list");
  EXPECT_EQ(client.receive().status, 404);
}

TEST(Server, CountsWhatItDoes) {
  const TestServer server;
  server.post("/v1/completions", R"({"prompt":"abcde","max_tokens":3,"ignore_eos":true,"n":2})");
  EXPECT_EQ(server.metric("vllm:prompt_tokens_total"), 10);
  EXPECT_EQ(server.metric("vllm:generation_tokens_total"), 6);
  EXPECT_EQ(server.metric("vllm:num_requests_running"), 0);
  EXPECT_EQ(server.metric("vllm:time_to_first_token_seconds_count"), 2);
  EXPECT_EQ(server.metric("vllm:inter_token_latency_seconds_count"), 4);
  EXPECT_EQ(
      server.metric(R"(vllm:request_success_total{model_name="tiny",finished_reason="length"})"),
      2);
  EXPECT_EQ(server.metric("vllm:request_prompt_tokens_sum"), 10);
  EXPECT_EQ(server.metric("vllm:request_generation_tokens_sum"), 6);
  for (const char* name : {"queue", "prefill", "decode"}) {
    EXPECT_EQ(server.metric(fmt::format("vllm:request_{}_time_seconds_count", name)), 2) << name;
  }
  // All of a sequence's time is one of the three.
  const auto sum = [&](const std::string& name) { return server.metric("vllm:" + name + "_sum"); };
  EXPECT_NEAR(sum("request_queue_time_seconds") + sum("request_prefill_time_seconds") +
                  sum("request_decode_time_seconds"),
              sum("e2e_request_latency_seconds"), 1e-6);
  EXPECT_EQ(server.get("/metrics").headers.at("content-type"),
            "text/plain; version=0.0.4; charset=utf-8");
}

}  // namespace
}  // namespace fathom::serve
