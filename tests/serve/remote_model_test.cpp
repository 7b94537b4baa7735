// A model behind a server, as it is evaluated.
#include "serve/remote_model.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "eval/engine_model.h"
#include "io/temp_dir.h"
#include "serve/scripted_server.h"
#include "serve/test_server.h"

namespace fathom::serve {
namespace {

using test::input_error_of;
using test::runtime_error_of;
using testing::HasSubstr;

TEST(RemoteModel, TakesTheContinuationsTokensFromAnEcho) {
  Json answer = Json::parse(R"({"usage": {"prompt_tokens": 5}, "choices": [{"logprobs": {
      "tokens": ["<s>", "ab", " c", "bytes:\\xe4", "bytes:\\xb8\\xad", "x"],
      "token_logprobs": [null, -0.25, -1.0, -0.5, -2.0, -9.0],
      "top_logprobs": [null, {"a": -0.25}, {"a": -1.0}, {"b": -0.5}, {"c": -2.0, "d": -1.5}, {"e": -0.1}]}}]})");
  const std::string prompt = std::string(200, 'a') + "ab c\xe4\xb8\xad";
  const auto score = [&](std::size_t bytes) {
    return score_of_echo(answer, std::string_view(prompt).substr(prompt.size() - bytes), "s");
  };
  EXPECT_EQ(score(5).tokens, 3);  // " c中": what was generated does not count
  EXPECT_EQ(score(5).log_probability, -3.5);
  EXPECT_FALSE(score(5).greedy);
  EXPECT_EQ(score(4).tokens, 2);  // a token that begins before is the context's
  EXPECT_EQ(score(0).tokens, 0);
  EXPECT_TRUE(score(0).greedy);
  EXPECT_THAT(runtime_error_of([] { score_of_echo(Json::parse(R"({"choices": [{"text": "x"}]})"), "x", "s"); }),
              HasSubstr("s: the answer has no log-probabilities of the prompt"));
  const auto error = [&] { return runtime_error_of([&] { score(5); }); };
  EXPECT_THAT(runtime_error_of([&] { score(100); }), HasSubstr("s: the server gives no probability of the text's first token"));
  // Nothing was generated.
  answer["usage"]["prompt_tokens"] = 6;
  EXPECT_EQ(score(6).tokens, 4);
  EXPECT_EQ(score(6).log_probability, -12.5);
  answer["usage"]["prompt_tokens"] = 3;
  EXPECT_THAT(error(), HasSubstr("s: the answer has 6 tokens for a prompt of 3"));
  answer["usage"]["prompt_tokens"] = "5";
  EXPECT_THAT(error(), HasSubstr("s: the answer does not tell the prompt's length"));
  answer.erase("usage");
  EXPECT_THAT(error(), HasSubstr("s: the answer does not tell the prompt's length"));
}

// A greedy answer takes the likeliest token at each place. Servers list the token itself among the
// likeliest ones, or only others that are as likely.
TEST(RemoteModel, TellsWhetherAnEchoIsTheGreedyAnswer) {
  const auto greedy = [](const char* tops) {
    const Json answer = Json::parse(fmt::format(
        R"({{"usage": {{"prompt_tokens": 3}}, "choices": [{{"logprobs": {{"tokens": ["a", "b", "c"], "token_logprobs": [null, -1.0, -2.0], "top_logprobs": {}}}}}]}})",
        tops));
    return score_of_echo(answer, "bc", "s").greedy;
  };
  EXPECT_TRUE(greedy(R"([null, {"b": -1.0}, {"c": -2.0}])"));
  EXPECT_TRUE(greedy(R"([null, {"b": -1.0, "x": -1.5}, {"x": -2.5, "c": -2.0}])"));
  EXPECT_TRUE(greedy(R"([null, {"x": -1.0}, {"x": -2.0}])"));
  EXPECT_TRUE(greedy("[null, {}, {}]"));
  EXPECT_FALSE(greedy(R"([null, {"x": -0.5}, {"c": -2.0}])"));
  EXPECT_FALSE(greedy(R"([null, {"b": -1.0}, {"c": -2.0, "x": -1.5}])"));
  EXPECT_TRUE(greedy(R"([{"x": 0.0}, {"b": -1.0}, {"c": -2.0}])")) << "of the context";
}

// A text may hold U+FFFD itself, which servers also write for a part of a character.
TEST(RemoteModel, TakesAReplacementCharacterThatIsTheTexts) {
  const Json answer = Json::parse(R"({"usage": {"prompt_tokens": 3}, "choices": [{"logprobs": {
      "tokens": ["<s>", "a", "\ufffd"], "token_logprobs": [null, -1.0, -2.0],
      "top_logprobs": [null, {}, {}]}}]})");
  EXPECT_EQ(score_of_echo(answer, "a\uFFFD", "s").log_probability, -3.0);
  EXPECT_THAT(runtime_error_of([&] { score_of_echo(answer, "a\u4E2D", "s"); }),
              HasSubstr("does not tell the bytes of token 2"));
}

// What other servers may send.
TEST(RemoteModel, NamesWhatIsWrongInAnEcho) {
  const auto error = [](const char* tokens, const char* values, const char* tops) {
    const Json answer = Json::parse(fmt::format(
        R"({{"usage": {{"prompt_tokens": 2}}, "choices": [{{"logprobs": {{"tokens": {}, "token_logprobs": {}, "top_logprobs": {}}}}}]}})",
        tokens, values, tops));
    return runtime_error_of([&] { score_of_echo(answer, "b", "s"); });
  };
  const char *tokens = R"(["a", "b"])", *values = "[null, -1.0]", *tops = "[null, {}]";
  EXPECT_EQ(error(tokens, values, tops), "no error");
  EXPECT_THAT(error(R"(["a", 1])", values, tops), HasSubstr("s: the answer's token 1 is no text"));
  EXPECT_THAT(error(tokens, R"([null, "x"])", tops), HasSubstr("s: the answer's log-probability of token 1 is no number"));
  EXPECT_THAT(error(tokens, values, R"([null, {"c": "x"}])"), HasSubstr("s: the answer's log-probability of token 1 is no number"));
  // Tokens that are parts of a character have lost their bytes.
  EXPECT_THAT(error("[\"a\", \"\xEF\xBF\xBD\"]", values, tops), HasSubstr("s: the server does not tell the bytes of token 1"));
}

// By way of the API and in this process, together and one by one: the same sums to the bit.
TEST(RemoteModel, HasTheModelsBitsWhereThatIsAsked) {
  TestServer server;
  server.context().batch_invariance = BatchInvariance::on;
  RemoteModel remote(fmt::format("http://localhost:{}", server.port()), "", {});
  std::vector<eval::TextPair> pairs;
  for (int i = 0; i < 12; ++i) {
    pairs.push_back({std::string("A question of some length, number ") + std::to_string(i / 3),
                     i % 3 == 0 ? " yes" : i % 3 == 1 ? " no, not at all" : " perhaps"});
  }
  std::vector<double> sums(pairs.size());
  remote.score(pairs, [&](std::size_t i, const eval::PairScore& score) { sums[i] = score.log_probability; });
  eval::EngineModel local(server.model(), server.context(), {.max_sequences = 1});
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    local.score(std::span(pairs).subspan(i, 1), [&](std::size_t, const eval::PairScore& score) {
      EXPECT_EQ(score.log_probability, sums[i]) << i;
    });
  }
}

// Answers that were kept of one mode are not the other's.
TEST(RemoteModel, TellsTheServersModeApart) {
  TestServer server;
  const std::string url = fmt::format("http://localhost:{}", server.port());
  const RemoteModel usual(url, "", {});
  server.context().batch_invariance = BatchInvariance::on;
  const RemoteModel invariant(url, "", {});
  EXPECT_FALSE(usual.batch_invariant());
  EXPECT_TRUE(invariant.batch_invariant());
  EXPECT_EQ(usual.identity(), url + " tiny");
  EXPECT_NE(invariant.identity(), usual.identity());
}

// The same server's model, asked by way of the API and in this process.
TEST(RemoteModel, AnswersAsTheModelItself) {
  TestServer server;
  RemoteModel remote(fmt::format("http://localhost:{}", server.port()), "", {});
  eval::EngineModel local(server.model(), server.context(), {.max_sequences = 4, .chat = &server.chat()});
  EXPECT_EQ(remote.model(), "tiny");
  const std::vector<eval::TextPair> pairs{{"Hi there", " yes"}, {"从前有", "一个人"}, {"a b ", "c d e"}, {"Hi there", " no"}};
  std::vector<eval::PairScore> expected(pairs.size()), got(pairs.size());
  local.score(pairs, [&](std::size_t i, const eval::PairScore& score) { expected[i] = score; });
  remote.score(pairs, [&](std::size_t i, const eval::PairScore& score) { got[i] = score; });
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    EXPECT_EQ(got[i].tokens, expected[i].tokens) << i;
    EXPECT_NEAR(got[i].log_probability, expected[i].log_probability, 1e-4) << i;
    EXPECT_EQ(got[i].greedy, expected[i].greedy) << i;
  }
  std::vector<eval::GenerateRequest> requests(2);
  requests[0].prompt = requests[1].prompt = "Hi";
  requests[0].max_tokens = requests[1].max_tokens = 8;
  auto chat = std::make_shared<Conversation>();
  chat->messages = {make_message("system", "Be brief."), make_message("user", "Hi")};
  requests[1].chat = chat;
  std::vector<std::string> texts(2), answers(2);
  local.generate(requests, [&](std::size_t i, const std::string& text) { texts[i] = text; });
  remote.generate(requests, [&](std::size_t i, const std::string& text) { answers[i] = text; });
  EXPECT_EQ(answers, texts);
  EXPECT_NE(texts[0], texts[1]);
  const std::vector<eval::TextPair> in_chat{{"Hi", "x", chat}};
  EXPECT_THAT(input_error_of([&] { remote.score(in_chat, [](std::size_t, const eval::PairScore&) {}); }), HasSubstr("leave out --chat"));
}

TEST(RemoteModel, KeepsWhatCameBeforeTheServerEnded) {
  TestServer server;
  RemoteModel remote(fmt::format("http://localhost:{}", server.port()), "", {.connections = 1});
  const std::vector<eval::TextPair> pairs(50, {"Hi", " there"});
  int taken = 0;
  const std::string error = runtime_error_of([&] {
    remote.score(pairs, [&](std::size_t, const eval::PairScore&) {
      if (++taken == 3) server.stop();
    });
  });
  EXPECT_GE(taken, 3);
  EXPECT_LT(taken, 50);
  EXPECT_THAT(error, HasSubstr("localhost"));
}

// A server that gives the same answer to every request.
class FixedServer {
 public:
  explicit FixedServer(std::string body) : body_(std::move(body)) {
    socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    auto* general = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(socket_, general, length), 0);
    EXPECT_EQ(listen(socket_, 16), 0);
    EXPECT_EQ(getsockname(socket_, general, &length), 0);
    port_ = ntohs(address.sin_port);
    // Without a body it takes connections and never answers.
    if (!body_.empty()) thread_ = std::thread([this] { serve(); });
  }
  ~FixedServer() {
    shutdown(socket_, SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
    close(socket_);
  }
  std::string url() const { return fmt::format("http://127.0.0.1:{}", port_); }

 private:
  void serve() {
    const std::string answer = fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}", body_.size(), body_);
    for (int one; (one = accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0; close(one)) {
      char request[4096];
      EXPECT_GT(recv(one, request, sizeof(request), 0), 0);
      EXPECT_EQ(send(one, answer.data(), answer.size(), MSG_NOSIGNAL), std::ssize(answer));
    }
  }
  std::string body_;
  int socket_ = -1;
  int port_ = 0;
  std::thread thread_;
};

TEST(RemoteModel, WaitsNoLongerThanItsTime) {
  const FixedServer server("");
  EXPECT_THAT(runtime_error_of([&] { RemoteModel(server.url(), "", {.seconds = 0.2}); }), HasSubstr("no answer within 0.2 s"));
}

const std::string one_model = json_answer(R"({"data": [{"id": "m"}]})");

// Each sample draws its own, by a seed that is the same each time.
TEST(RemoteModel, AsksForWhatARequestSays) {
  const std::string answer =
      json_answer(R"({"choices": [{"text": "one two three", "message": {"content": "x"}}]})");
  ScriptedServer server({one_model, answer, answer});
  RemoteModel remote(server.url(), "secret", {.connections = 1});
  std::vector<eval::GenerateRequest> requests(2);
  requests[0].prompt = "Hi";
  requests[0].max_tokens = 7;
  requests[0].temperature = 0.5;
  requests[0].top_p = 0.25;
  requests[0].sample = 3;
  requests[0].stop = {"a", "b", "c", "d", " three"};
  auto chat = std::make_shared<Conversation>();
  chat->messages = {make_message("system", "Be brief."), make_message("user", "Hi")};
  requests[1].chat = chat;
  requests[1].max_tokens = 9;
  std::vector<std::string> texts(2);
  remote.generate(requests, [&](std::size_t i, const std::string& text) { texts[i] = text; });
  EXPECT_EQ(texts[0], "one two") << "also by a stop string that was not sent";
  EXPECT_EQ(texts[1], "x");
  EXPECT_THAT(server.requests().at(0), testing::StartsWith("GET /v1/models "));
  EXPECT_THAT(server.requests().at(1),
              testing::AllOf(testing::StartsWith("POST /v1/completions "),
                             HasSubstr("\r\nAuthorization: Bearer secret\r\n")));
  EXPECT_EQ(
      server.body(1),
      nlohmann::json::parse(
          R"({"model": "m", "prompt": "Hi", "max_tokens": 7, "temperature": 0.5, "top_p": 0.25, "seed": 1237, "stop": ["a", "b", "c", "d"]})"));
  EXPECT_THAT(server.requests().at(2), testing::StartsWith("POST /v1/chat/completions "));
  const eval::GenerateRequest usual;
  nlohmann::json expected = nlohmann::json::parse(
      R"({"model": "m", "max_tokens": 9, "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]})");
  expected["temperature"] = usual.temperature;
  expected["top_p"] = usual.top_p;
  expected["seed"] = 1234 + usual.sample;
  EXPECT_EQ(server.body(2), expected);
}

// A context's last blanks are the continuation's, as of a model in this process; a document is all
// scored.
TEST(RemoteModel, AsksForAnEchoOfTheTextToScore) {
  const auto echo = [](const char* tokens) {
    return json_answer(fmt::format(
        R"({{"usage": {{"prompt_tokens": 3}}, "choices": [{{"logprobs": {{"tokens": {}, "token_logprobs": [null, -1.0, -2.0], "top_logprobs": [null, {{}}, {{}}]}}}}]}})",
        tokens));
  };
  ScriptedServer server({one_model, echo(R"(["a", " ", "b"])"), echo(R"(["<s>", "c", "d"])")});
  RemoteModel remote(server.url(), "", {.connections = 1});
  const std::vector<eval::TextPair> pairs{{"a ", "b"}};
  eval::PairScore score;
  remote.score(pairs, [&](std::size_t, const eval::PairScore& one) { score = one; });
  EXPECT_EQ(score.tokens, 2);
  EXPECT_EQ(score.log_probability, -3);
  const std::vector<std::string> documents{"cd"};
  remote.score_documents(documents, [&](std::size_t, const eval::PairScore& one) { score = one; });
  EXPECT_EQ(score.tokens, 2);
  EXPECT_EQ(
      server.body(1),
      nlohmann::json::parse(
          R"({"model": "m", "prompt": "a b", "max_tokens": 1, "temperature": 0, "logprobs": 1, "echo": true})"));
  EXPECT_EQ(server.body(2)["prompt"], "cd");
}

// Before anything is asked, and each refusal by the server's own words where it has some.
TEST(RemoteModel, TellsWhatAServerRefuses) {
  const auto refused = [](const std::string& answer, const char* key = "") {
    const ScriptedServer server({answer});
    return input_error_of([&] { RemoteModel(server.url(), key, {}); });
  };
  const auto failed = [](const std::string& answer) {
    const ScriptedServer server({answer});
    return runtime_error_of([&] { RemoteModel(server.url(), "", {}); });
  };
  EXPECT_THAT(refused(json_answer("{}", "401 X")),
              HasSubstr("the API key is missing: give it in FATHOM_API_KEY"));
  EXPECT_THAT(refused(json_answer("{}", "401 X"), "k"), HasSubstr("the API key is wrong"));
  EXPECT_THAT(failed(json_answer(R"({"error": {"message": "too busy"}})", "503 X")),
              testing::EndsWith("/v1/models: too busy"));
  EXPECT_THAT(failed(json_answer(R"({"error": "x"})", "503 X")),
              testing::EndsWith("/v1/models: the server answers with status 503"));
  EXPECT_THAT(failed(json_answer("<html>", "404 X")),
              testing::EndsWith("the server answers with status 404"));
  EXPECT_THAT(failed(json_answer("<html>")),
              HasSubstr("/v1/models: the answer is no JSON: is it a server of OpenAI's API?"));
  EXPECT_THAT(failed(json_answer("[]")), HasSubstr("the answer is no JSON"));
  EXPECT_THAT(failed(json_answer(R"({"data": []})")),
              HasSubstr("the answer has no text at /data/0/id"));
  EXPECT_THAT(failed(json_answer(R"({"data": [{"id": ""}]})")),
              HasSubstr("the server names no model"));
}

std::string chat_answer_of(const char* message) {
  const FixedServer server(fmt::format(R"({{"data": [{{"id": "m"}}], "choices": [{{"message": {}}}]}})", message));
  RemoteModel remote(server.url(), "", {.connections = 1});
  std::vector<eval::GenerateRequest> requests(1);
  auto chat = std::make_shared<Conversation>();
  chat->messages = {make_message("user", "Hi")};
  requests[0].chat = chat;
  std::string answer = "nothing was taken";
  remote.generate(requests, [&](std::size_t, const std::string& text) { answer = text; });
  return answer;
}

// Servers answer null when a model only thought, or called a tool.
TEST(RemoteModel, TakesNullForAnEmptyAnswer) {
  EXPECT_EQ(chat_answer_of(R"({"content": "x"})"), "x");
  EXPECT_EQ(chat_answer_of(R"({"content": null})"), "");
  EXPECT_THAT(runtime_error_of([] { chat_answer_of("{}"); }), HasSubstr("the answer has no text at /choices/0/message/content"));
  EXPECT_THAT(runtime_error_of([] { chat_answer_of(R"({"content": 1})"); }), HasSubstr("the answer has no text at"));
}

TEST(RemoteModel, NamesWhatIsNoServer) {
  EXPECT_THAT(input_error_of([] { RemoteModel("nowhere", "", {}); }), HasSubstr("nowhere"));
  EXPECT_NE(runtime_error_of([] { RemoteModel("http://localhost:1", "", {}); }), "no error");
}

}  // namespace
}  // namespace fathom::serve
