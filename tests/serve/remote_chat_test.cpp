// Chats with a server over HTTP: the same answers as from the model itself, and clear errors.
#include "serve/remote_chat.h"

#include <gmock/gmock.h>

#include "align/chat_session.h"
#include "io/temp_dir.h"
#include "serve/scripted_server.h"
#include "serve/test_server.h"

namespace fathom::serve {
namespace {

using test::input_error_of;
using test::runtime_error_of;
using testing::HasSubstr;

bool go_on(std::string_view) {
  return true;
}

ChatSettings greedy() {
  ChatSettings settings;
  settings.system = "Be brief.";
  settings.max_tokens = 12;
  settings.sampling.temperature = 0;
  return settings;
}

ChatSession remote_session(const std::string& url, const std::string& key = "") {
  return {std::make_unique<RemoteChat>(url, key), greedy()};
}

// Without max_model_len, so that tokens are not counted.
const std::string models = json_answer(R"({"data":[{"id":"m"}]})");
const std::string stream_of_events = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
const std::string piece = R"(data: {"choices":[{"delta":{"content":"Well"}}]})"
                          "\n\n";

TEST(RemoteChat, AnswersAsTheModelItself) {
  TestServer server;
  infer::EngineOptions options;
  options.limits = {1, 32};
  infer::TextEngine engine(server.model(), server.context(), options);
  ChatSession local(server.model(), engine, server.chat(), greedy());
  ChatSession remote = remote_session(url_of(server.port()) + "/v1/");
  EXPECT_EQ(remote.context(), local.context());
  for (const char* question : {"Hi </s>", "从前", "And then?"}) {
    std::string streamed;
    const ChatAnswer answer = remote.ask(question, [&](std::string_view text) {
      streamed += text;
      return true;
    });
    const ChatAnswer expected = local.ask(question, go_on);
    EXPECT_EQ(answer.text, expected.text);
    EXPECT_EQ(streamed, answer.text);
    EXPECT_EQ(answer.finish, expected.finish);
  }
  EXPECT_EQ(remote.messages().size(), 6u);
}

TEST(RemoteChat, LeavesOutOldTurnsWhenTheContextIsFull) {
  TestServer server(TestServer::small_options(), 96);
  ChatSession remote = remote_session(url_of(server.port()));
  EXPECT_EQ(remote.ask("first words", go_on).dropped_turns, 0);
  EXPECT_EQ(remote.ask("second words", go_on).dropped_turns, 1);
  EXPECT_THAT(input_error_of([&] { remote.ask(std::string(200, 'x'), go_on); }), HasSubstr("96"));
  EXPECT_EQ(remote.messages().size(), 4u);
}

// It hangs up on an answer that would never end. What a server does then is for
// ServerFaults.ClientsThatVanishAreCancelled; here its answer could end before the client is told.
TEST(RemoteChat, StopsWhenToldTo) {
  ScriptedServer server({models, stream_of_events + piece + piece + piece},
                        ScriptedServer::Last::goes_on);
  ChatSession session = remote_session(server.url());
  std::size_t seen = 0;
  const ChatAnswer answer = session.ask("Hi", [&](std::string_view text) {
    seen += text.size();
    return seen < 8;
  });
  EXPECT_TRUE(answer.stopped);
  EXPECT_EQ(answer.text, "WellWell");
  EXPECT_EQ(session.messages().size(), 2u);
  EXPECT_EQ(server.requests().size(), 2u) << "and the client has left";
}

// Also while nothing comes.
TEST(RemoteChat, StopsAServerThatIsSilent) {
  ScriptedServer server({models, stream_of_events}, ScriptedServer::Last::goes_on);
  ChatSession session = remote_session(server.url());
  int asked = 0;
  const ChatAnswer answer = session.ask("Hi", [&](std::string_view text) {
    EXPECT_EQ(text, "");
    return ++asked < 2;
  });
  EXPECT_TRUE(answer.stopped);
  EXPECT_EQ(answer.text, "");
  EXPECT_EQ(server.requests().size(), 2u);
}

// Options that other servers may not know are left out where they change nothing.
TEST(RemoteChat, AsksForWhatItIsTold) {
  const std::string answer = stream_of_events + piece + "data: [DONE]\n\n";
  ScriptedServer server({models, answer, answer});
  ChatSettings settings;
  settings.max_tokens = 33;
  settings.sampling.temperature = 0.25;
  settings.sampling.seed = 7;
  ChatSession session(std::make_unique<RemoteChat>(server.url(), "secret"), settings);
  session.ask("One", go_on);
  settings.system = "Be brief.";
  settings.sampling.top_k = 5;
  settings.sampling.top_p = 0.5;
  settings.sampling.min_p = 0.125;
  settings.sampling.repetition_penalty = 1.5;
  session.change(settings);
  session.ask("Two", go_on);
  EXPECT_THAT(server.requests().at(0), testing::StartsWith("GET /v1/models HTTP/1.1\r\n"));
  for (const std::size_t i : {1u, 2u}) {
    EXPECT_THAT(server.requests()[i],
                testing::StartsWith("POST /v1/chat/completions HTTP/1.1\r\n"));
    EXPECT_THAT(server.requests()[i], HasSubstr("Authorization: Bearer secret\r\n"));
  }
  EXPECT_EQ(server.body(1),
            nlohmann::json::parse(R"({"messages": [{"role": "user", "content": "One"}],
      "stream": true, "max_tokens": 33, "temperature": 0.25, "top_p": 1.0, "seed": 8,
      "model": "m"})"));
  EXPECT_EQ(server.body(2),
            nlohmann::json::parse(R"({"messages": [{"role": "system", "content": "Be brief."},
      {"role": "user", "content": "One"}, {"role": "assistant", "content": "Well"},
      {"role": "user", "content": "Two"}], "stream": true, "max_tokens": 33, "temperature": 0.25,
      "top_p": 0.5, "top_k": 5, "min_p": 0.125, "repetition_penalty": 1.5, "seed": 10,
      "model": "m"})"));
}

// Lines may end in \r\n, other fields than data are left out, and a piece may come in parts.
TEST(RemoteChat, ReadsEventsOfAnyForm) {
  const std::string reason = R"(data:{"choices":[{"delta":{},"finish_reason":"length"}]})";
  const ScriptedServer server({models, stream_of_events + ": a comment\r\nevent: x\r\n" +
                                           piece.substr(0, piece.size() - 2) + "\r\n\r\n" + reason +
                                           "\n\ndata: [DONE]\n\n" + piece});
  ChatSession session = remote_session(server.url());
  const ChatAnswer answer = session.ask("Hi", go_on);
  EXPECT_EQ(answer.text, "Well") << "nothing is read behind the end";
  EXPECT_EQ(answer.finish, infer::FinishReason::length);
  EXPECT_FALSE(answer.stopped);
}

// The end too.
TEST(RemoteChat, ReadsEventsWhoseLinesEndInReturns) {
  std::string events;
  for (const char c : piece + "data: [DONE]\n\n") {
    events += c == '\n' ? std::string("\r\n") : std::string(1, c);
  }
  const ScriptedServer server({models, stream_of_events + events});
  ChatSession session = remote_session(server.url());
  EXPECT_EQ(session.ask("Hi", go_on).text, "Well");
}

TEST(RemoteChat, NamesWhyAnAnswerEnded) {
  using infer::FinishReason;
  std::vector<std::string> answers{models};
  const std::vector<std::pair<const char*, FinishReason>> reasons{
      {"\"stop\"", FinishReason::stop},
      {"\"length\"", FinishReason::length},
      {"\"content_filter\"", FinishReason::stop},
      {"null", FinishReason::none}};
  for (const auto& [reason, finish] : reasons) {
    answers.push_back(stream_of_events + piece +
                      fmt::format("data: {{\"choices\":[{{\"delta\":{{}},\"finish_reason\":{}}}]}}"
                                  "\n\ndata: [DONE]\n\n",
                                  reason));
  }
  const ScriptedServer server(answers);
  ChatSession session = remote_session(server.url());
  for (const auto& [reason, finish] : reasons) {
    EXPECT_EQ(session.ask("Hi", go_on).finish, finish) << reason;
  }
}

// Whose fault it is decides the kind of the error: of the request 4xx, of the server all others.
TEST(RemoteChat, TellsAStatusWithoutAWord) {
  const ScriptedServer server({models, json_answer("{}", "400 Bad Request"),
                               json_answer("", "499 X"), json_answer("{}", "429 X"),
                               json_answer("{}", "500 X"), json_answer("[]", "399 X")});
  ChatSession session = remote_session(server.url());
  for (const int status : {400, 499}) {
    EXPECT_THAT(
        input_error_of([&] { session.ask("Hi", go_on); }),
        HasSubstr(fmt::format("{}: the server answers with status {}", server.url(), status)));
  }
  for (const int status : {429, 500, 399}) {
    EXPECT_THAT(runtime_error_of([&] { session.ask("Hi", go_on); }),
                HasSubstr(fmt::format("the server answers with status {}", status)));
  }
}

// The host as it was asked for, and no key where none is given.
TEST(RemoteChat, NamesTheHostAndItself) {
  ScriptedServer server({models, stream_of_events + piece + "data: [DONE]\n\n"});
  ChatSession session = remote_session(server.url() + "/deep/v1/");
  session.ask("Hi", go_on);
  const std::string get = server.requests().at(0), post = server.requests().at(1);
  EXPECT_THAT(get, testing::StartsWith("GET /deep/v1/models HTTP/1.1\r\n"));
  EXPECT_THAT(post, testing::StartsWith("POST /deep/v1/chat/completions HTTP/1.1\r\n"));
  for (const std::string& request : {get, post}) {
    EXPECT_THAT(request, HasSubstr("\r\nHost: " + server.url().substr(7) + "\r\n"));
    EXPECT_THAT(request, HasSubstr("\r\nUser-Agent: fathom\r\n"));
    EXPECT_THAT(request, HasSubstr("\r\nConnection: close\r\n"));
    EXPECT_THAT(request, testing::Not(HasSubstr("Authorization")));
  }
  EXPECT_THAT(post, HasSubstr("\r\nContent-Type: application/json\r\n"));
  EXPECT_THAT(get, testing::Not(HasSubstr("Content-Type")));
}

TEST(RemoteChat, SendsTheKey) {
  ServerOptions options = TestServer::small_options();
  options.service.api_keys = {"secret"};
  TestServer server(options);
  const std::string url = url_of(server.port());
  EXPECT_THAT(input_error_of([&] { remote_session(url); }),
              HasSubstr("the API key is missing: give it in --api-key-file or FATHOM_API_KEY"));
  EXPECT_THAT(input_error_of([&] { remote_session(url, "guess"); }), HasSubstr("is wrong"));
  ChatSession session = remote_session(url, "secret");
  EXPECT_FALSE(session.ask("Hi", go_on).text.empty());
}

TEST(RemoteChat, TellsWhatTheServerRefuses) {
  TestServer base(TestServer::small_options(), 256, false);
  ChatSession session = remote_session(url_of(base.port()));
  EXPECT_THAT(input_error_of([&] { session.ask("Hi", go_on); }),
              HasSubstr("the model has no chat template"));
  EXPECT_TRUE(session.messages().empty());
}

TEST(RemoteChat, TellsThatNoServerAnswers) {
  std::string url;
  {
    const ScriptedServer gone({});
    url = gone.url();
  }
  EXPECT_THAT(runtime_error_of([&] { remote_session(url); }),
              HasSubstr("no server answers at " + url + ": Connection refused"));
  const ScriptedServer page({json_answer("<html>"), json_answer("{}")});
  EXPECT_THAT(runtime_error_of([&] { remote_session(page.url()); }), HasSubstr("answers no JSON"));
  EXPECT_THAT(runtime_error_of([&] { remote_session(page.url()); }), HasSubstr("names no model"));
}

// The turn is taken back, so that it can be asked again.
TEST(RemoteChat, TellsThatAnAnswerBroke) {
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
                              fmt::format("{:x}\r\n{}\r\n", piece.size(), piece);
  const std::string failure = R"(data: {"error":{"message":"the engine failed"}})"
                              "\n\n";
  const ScriptedServer server(
      {models, chunked, stream_of_events + piece, stream_of_events + piece + failure,
       json_answer(R"({"error":{"message":"the queue is full"}})", "429 Too Many Requests"),
       stream_of_events + piece + "data: [DONE]\n\n"});
  ChatSession session = remote_session(server.url());
  for (const char* expected :
       {"the connection broke before the answer was complete",
        "the answer ended before it was complete", "the engine failed", "the queue is full"}) {
    EXPECT_THAT(runtime_error_of([&] { session.ask("Hi", go_on); }), HasSubstr(expected));
    EXPECT_TRUE(session.messages().empty());
  }
  EXPECT_EQ(session.ask("Hi", go_on).text, "Well");
}

TEST(ServerUrl, IsHostPortAndPrefix) {
  const auto parts = [](const char* url) {
    const ServerUrl found = parse_server_url(url);
    return std::vector<std::string>{found.host, found.port, found.prefix};
  };
  using Parts = std::vector<std::string>;
  EXPECT_EQ(parts("http://localhost:8000"), (Parts{"localhost", "8000", ""}));
  EXPECT_EQ(parts("http://a.example/v1/"), (Parts{"a.example", "80", ""}));
  EXPECT_EQ(parts("http://[::1]:8000/models/a"), (Parts{"::1", "8000", "/models/a"}));
  EXPECT_EQ(parts("http://[::1]"), (Parts{"::1", "80", ""}));
  EXPECT_EQ(parts("http://a:65535/v1x"), (Parts{"a", "65535", "/v1x"}));
  EXPECT_EQ(parts("http://a/x/v1//"), (Parts{"a", "80", "/x"}));
  EXPECT_EQ(parse_server_url("http://a/v1/").text, "http://a/v1/");
  for (const auto& [url, why] : std::vector<std::pair<const char*, const char*>>{
           {"http://a:123456", "the port is no number"},
           {"http://[::1]:", "the port is no number"},
           {"http://:80", "the host is missing"},
           {"http://a#b", "it has more than host and path"},
           {"http://a b", "it has more than host and path"},
           {"https://a", "TLS is not supported"},
           {"localhost:8000", "this is no address of HTTP"},
           {"http://", "the host is missing"},
           {"http://a:b", "the port is no number"},
           {"http://a:", "the port is no number"},
           {"http://[::1", "a bracket is missing"},
           {"http://me@a", "it has more than host and path"},
           {"http://a/?b", "it has more than host and path"}}) {
    EXPECT_THAT(input_error_of([&, address = url] { parse_server_url(address); }), HasSubstr(why));
  }
}

}  // namespace
}  // namespace fathom::serve
