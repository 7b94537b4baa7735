// Clients that vanish, wait, or send what is no request; a queue that is full; an engine that
// stalls or fails; a stop under load. Each ends in a clear error or a whole answer, and the rest go
// on.
#include <gmock/gmock.h>

#include <algorithm>
#include <deque>

#include "serve/test_server.h"

namespace fathom::serve {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

const std::string endless = R"({"prompt":"x","max_tokens":4000,"ignore_eos":true)";

const std::string aborts =
    R"(vllm:request_success_total{model_name="tiny",finished_reason="abort"})";

ServerOptions long_options() {
  ServerOptions options = TestServer::small_options();
  options.engine.engine.limits = {2, 32};
  return options;
}

TEST(ServerFaults, ClientsThatVanishAreCancelled) {
  TestServer server(long_options(), 4096);
  for (const bool stream : {false, true}) {
    for (const bool reset : {false, true}) {
      Client client(server.port());
      client.post("/v1/completions", endless + (stream ? R"(,"stream":true})" : "}"));
      EXPECT_TRUE(eventually([&] { return server.engine().outstanding() == 1; }));
      if (stream) {
        EXPECT_TRUE(client.read_until("data: "));
      }
      reset ? client.reset() : client.close();
      EXPECT_TRUE(eventually([&] { return server.engine().outstanding() == 0; }))
          << stream << reset;
    }
  }
  EXPECT_EQ(server.metric(aborts), 4);
  EXPECT_EQ(server.post("/v1/completions", R"({"prompt":"x"})").status, 200);
}

// Also one that waits in the queue.
TEST(ServerFaults, WaitingClientsThatVanishLeaveTheQueue) {
  ServerOptions options = long_options();
  options.engine.engine.limits.max_sequences = 1;
  TestServer server(options, 4096);
  Client running(server.port());
  running.post("/v1/completions", endless + "}");
  EXPECT_TRUE(eventually([&] { return server.engine().outstanding() == 1; }));
  {
    Client waiting(server.port());
    waiting.post("/v1/completions", endless + "}");
    EXPECT_TRUE(eventually([&] { return server.engine().outstanding() == 2; }));
  }
  EXPECT_TRUE(eventually([&] { return server.engine().outstanding() == 1; }));
}

// So that proxies between do not take the connection for dead; a whole answer has no place for it.
TEST(ServerFaults, StreamsThatWaitSayThatTheyLive) {
  ServerOptions options = long_options();
  options.engine.engine.limits.max_sequences = 1;
  options.http.limits.comment = 5ms;
  TestServer server(options, 4096);
  Client running(server.port()), stream(server.port()), whole(server.port());
  running.post("/v1/completions", endless + "}");
  EXPECT_TRUE(eventually([&] { return server.engine().outstanding() == 1; }));
  const std::string body = R"({"prompt":"x","max_tokens":2)";
  whole.post("/v1/completions", body + "}");
  stream.post("/v1/completions", body + R"(,"stream":true})");
  EXPECT_TRUE(stream.read_until(": waiting\n\n\r\nb\r\n: waiting\n\n"));
  running.reset();
  EXPECT_TRUE(stream.read_until("data: [DONE]\n\n"));
  EXPECT_EQ(whole.receive().json()["usage"]["completion_tokens"], 2);
}

TEST(ServerFaults, AFullQueueTellsToComeLater) {
  ServerOptions options = long_options();
  options.engine.engine.limits.max_sequences = 1;
  options.engine.max_waiting = 1;
  TestServer server(options, 4096);
  Client first(server.port()), second(server.port());
  first.post("/v1/completions", endless + "}");
  second.post("/v1/completions", endless + "}");
  EXPECT_TRUE(eventually([&] { return server.engine().outstanding() == 2; }));
  const Received full = server.post("/v1/completions", R"({"prompt":"x"})");
  EXPECT_EQ(full.status, 429);
  EXPECT_EQ(full.headers.at("retry-after"), "1");
  EXPECT_THAT(full.body, HasSubstr("the queue is full"));
  EXPECT_EQ(server.get("/health").status, 200);
  first.close();
  EXPECT_TRUE(eventually([&] {
    return server.post("/v1/completions", R"({"prompt":"x"})").status == 200 ||
           server.engine().outstanding() < 2;
  }));
}

TEST(ServerFaults, GarbageIsRefusedAndOthersGoOn) {
  TestServer server;
  const std::string begin = "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n";
  for (const auto& [bytes, status] : std::vector<std::pair<std::string, int>>{
           {"\x16\x03\x01\x02garbage\r\n\r\n", 400},
           {"GET\r\n\r\n", 400},
           {"GET / HTTP/9.9\r\n\r\n", 400},
           {std::string("GET /\0 HTTP/1.1\r\n\r\n", 20), 400},
           {begin + "Content-Length: -1\r\n\r\n", 400},
           {begin + "Content-Length: 99999999999999999999\r\n\r\n", 400},
           {begin + "Content-Length: 99999999999\r\n\r\n", 413},
           {begin + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
           {begin + "Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\n12345", 415},
           {"GET / HTTP/1.1\r\nX: " + std::string(20000, 'x') + "\r\n\r\n", 431},
           {"GET /" + std::string(20000, 'x') + " HTTP/1.1\r\n\r\n", 431}}) {
    Client client(server.port());
    client.send(bytes);
    EXPECT_EQ(client.receive().status, status) << bytes.substr(0, 100);
  }
  EXPECT_EQ(server.get("/health").status, 200);
}

TEST(ServerFaults, HugeHeadersAreRefusedEarly) {
  TestServer server;
  Client client(server.port());
  client.send("GET /health HTTP/1.1\r\nX: ");
  const std::string part(std::size_t{1} << 20, 'x');
  for (int i = 0; i < 10 && client.send(part); ++i) {
  }
  EXPECT_EQ(client.receive().status, 431);
  EXPECT_EQ(server.get("/health").status, 200);
}

TEST(ServerFaults, BodiesAreLimitedAndChecked) {
  ServerOptions options = TestServer::small_options();
  options.http.limits.body_bytes = 20000;
  TestServer server(options);
  EXPECT_EQ(server.post("/v1/completions", std::string(20001, ' ')).status, 413);
  std::string stops = "\"a\"";
  for (int i = 0; i < 2000; ++i) stops += ",\"b\"";
  const Received many = server.post("/v1/completions", R"({"prompt":"x","stop":[)" + stops + "]}");
  EXPECT_EQ(many.status, 400);
  EXPECT_THAT(many.body, HasSubstr("'stop' has 2001 strings"));
  EXPECT_EQ(server.post("/v1/completions", "{\"prompt\":\"\xff\xfe\"}").status, 400);
  Client chunked(server.port());
  chunked.send(
      "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n"
      "Transfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 30; ++i) chunked.send("400\r\n" + std::string(1024, ' ') + "\r\n");
  EXPECT_EQ(chunked.receive().status, 413);
  Client expecting(server.port());
  const std::string body = R"({"prompt":"x","max_tokens":1})";
  expecting.send(
      fmt::format("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n"
                  "Expect: 100-continue\r\nContent-Length: {}\r\n\r\n",
                  body.size()));
  EXPECT_TRUE(expecting.read_until("100 Continue\r\n\r\n"));
  expecting.send(body);
  EXPECT_EQ(expecting.receive().status, 200);
}

// Bodies to the byte, also those in chunks.
TEST(ServerFaults, BodiesAndHeadersThatJustFitAreRead) {
  ServerOptions options = TestServer::small_options();
  options.http.limits.body_bytes = 2000;
  options.http.limits.header_bytes = 1000;
  options.service.limits.max_stops = 1;
  TestServer server(options);
  std::string body = R"({"prompt":"x","max_tokens":1})";
  body.resize(2000, ' ');
  EXPECT_EQ(server.post("/v1/completions", body).status, 200);
  const Received larger = server.post("/v1/completions", body + " ");
  EXPECT_EQ(larger.status, 413);
  EXPECT_THAT(larger.body, HasSubstr("the request's body is larger than 2000 bytes"));
  for (const std::size_t bytes : {2000u, 2001u}) {
    Client chunked(server.port());
    chunked.send(
        fmt::format("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{}\r\n0\r\n\r\n",
                    bytes, body.substr(0, 2000) + std::string(bytes - 2000, ' ')));
    EXPECT_EQ(chunked.receive().status, bytes == 2000 ? 200 : 413);
  }
  const std::string get = "GET /health HTTP/1.1\r\nHost: localhost\r\nX: ";
  for (const std::size_t bytes : {1000u, 1100u}) {
    Client client(server.port());
    client.send(get + std::string(bytes - get.size() - 4, 'x') + "\r\n\r\n");
    const Received received = client.receive();
    EXPECT_EQ(received.status, bytes == 1000 ? 200 : 431);
    if (bytes > 1000) {
      EXPECT_THAT(received.body, HasSubstr("header is larger than 1000 bytes"));
    }
  }
}

TEST(ServerFaults, SlowClientsAreLeftAndOthersGoOn) {
  ServerOptions options = TestServer::small_options();
  options.http.limits.idle = 300ms;
  options.http.limits.header = 300ms;
  options.http.limits.body = 300ms;
  TestServer server(options);
  Client idle(server.port()), header(server.port()), body(server.port());
  header.send("GET /hea");
  body.send("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{");
  EXPECT_EQ(server.get("/health").status, 200);
  EXPECT_TRUE(idle.at_end());
  EXPECT_EQ(header.receive().status, 408);
  EXPECT_EQ(body.receive().status, 408);
}

ServerOptions flood_options() {
  ServerOptions options = TestServer::small_options();
  options.engine.engine.limits = {4, 512};
  options.http.limits.progress = 1h;
  return options;
}
constexpr std::int64_t flood_length = 32768;

// A client that reads nothing of an endless answer. It begins with the prompts' log-probabilities,
// about 1 KB a token and 8 MB together: more than the sockets hold.
void begin_flood(const Client& client) {
  client.shrink_receive_buffer();
  client.post("/v1/completions",
              fmt::format(R"({{"prompt":"{}","max_tokens":20000,"ignore_eos":true,"n":4,)"
                          R"("echo":true,"stream":true,"logprobs":20}})",
                          std::string(2000, 'x')));
}

// The engine goes on for others.
TEST(ServerFaults, ClientsThatReadNothingAreCancelled) {
  ServerOptions options = flood_options();
  options.http.limits.progress = 200ms;
  TestServer server(options, flood_length);
  Client client(server.port());
  begin_flood(client);
  EXPECT_TRUE(eventually([&] { return server.engine().outstanding() == 4; }));
  EXPECT_EQ(server.post("/v1/completions", R"({"prompt":"x"})").status, 200);
  EXPECT_TRUE(eventually([&] { return server.engine().outstanding() == 0; }));
  EXPECT_GT(server.metric(aborts), 0);
}

// Its client is in time, but more waits for it than the server keeps for all.
TEST(ServerFaults, AnswersThatPileUpAreDropped) {
  ServerOptions options = flood_options();
  options.http.limits.unsent_bytes = std::size_t{6} << 20;
  TestServer server(options, flood_length);
  Client client(server.port());
  begin_flood(client);
  EXPECT_TRUE(eventually([&] { return server.engine().outstanding() == 4; }));
  EXPECT_TRUE(eventually([&] { return server.engine().outstanding() == 0; }));
  EXPECT_EQ(server.metric(aborts), 4);
  EXPECT_NE(server.get("/metrics").body.find("\nfathom:answers_dropped_total 1\n"),
            std::string::npos);
  EXPECT_EQ(server.post("/v1/completions", R"({"prompt":"x"})").status, 200);
}

// A whole answer has not begun: its client is told.
TEST(ServerFaults, WholeAnswersThatAreTooLargeEndByAnError) {
  ServerOptions options = flood_options();
  options.http.limits.unsent_bytes = std::size_t{100} << 10;
  TestServer server(options, 4096);
  const Received large = server.post(
      "/v1/completions", fmt::format(R"({{"prompt":"{}","max_tokens":1,"echo":true,"logprobs":20}})",
                                     std::string(2000, 'x')));
  EXPECT_EQ(large.status, 503);
  EXPECT_THAT(large.body, HasSubstr("text that clients have not taken"));
  EXPECT_EQ(server.post("/v1/completions", R"({"prompt":"x"})").status, 200);
}

// Bodies count by what has come of them, not by what their headers announce.
TEST(ServerFaults, BodiesOfAllClientsAreLimited) {
  ServerOptions options = TestServer::small_options();
  options.http.limits.all_bodies_bytes = 100'000;
  TestServer server(options);
  const std::string head =
      "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 90000\r\n\r\n";
  Client first(server.port()), second(server.port()), third(server.port());
  for (const Client* client : {&first, &second}) client->send(head);
  EXPECT_EQ(server.post("/v1/completions", R"({"prompt":"x"})").status, 200);
  first.send(std::string(80'000, ' '));
  third.send(head + std::string(60'000, ' '));
  // One of the two had to go, whichever came second.
  first.send(" ");
  EXPECT_TRUE(eventually([&] {
    return server.get("/metrics").body.find("http_responses_total{status=\"429\"} 1\n") !=
           std::string::npos;
  }));
  EXPECT_EQ(server.post("/v1/completions", R"({"prompt":"x"})").status, 200);
}

TEST(ServerFaults, AStopDoesNotWaitForAClientThatReadsNothing) {
  ServerOptions options = flood_options();
  options.http.drain = 0ms;
  TestServer server(options, flood_length);
  Client client(server.port());
  begin_flood(client);
  EXPECT_TRUE(client.read_until("data: "));
  std::atomic<bool> ended{false};
  std::thread stop([&] {
    server.stop();
    ended = true;
  });
  EXPECT_TRUE(eventually([&] { return ended.load(); }, 60s));
  client.reset();
  stop.join();
}

// A client that is refused while it sends reads the refusal: the connection is not reset.
TEST(ServerFaults, RefusedClientsMaySendOn) {
  ServerOptions options = TestServer::small_options();
  options.http.limits.linger = 60s;
  TestServer server(options);
  Client client(server.port());
  client.send("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n"
              "Content-Length: 99999999\r\n\r\n");
  EXPECT_EQ(client.receive().status, 413);
  EXPECT_TRUE(client.at_end());
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(client.send(std::string(std::size_t{64} << 10, ' ')));
    std::this_thread::sleep_for(5ms);  // a connection that is closed answers by a reset
  }
}

TEST(ServerFaults, TooManyConnectionsAreToldSo) {
  ServerOptions options = TestServer::small_options();
  options.http.limits.max_connections = 2;
  TestServer server(options);
  Client first(server.port()), second(server.port());
  first.get("/health");
  second.get("/health");
  EXPECT_EQ(first.receive().status, 200);
  EXPECT_EQ(second.receive().status, 200);
  EXPECT_EQ(Client(server.port()).receive().status, 503);
  first.close();
  EXPECT_TRUE(eventually([&] { return server.get("/health").status == 200; }));
}

TEST(ServerFaults, AStopLetsAnswersEnd) {
  TestServer server(long_options(), 1024);
  std::deque<Client> clients;
  for (int i = 0; i < 6; ++i) {
    clients.emplace_back(server.port());
    clients.back().post("/v1/completions",
                        R"({"prompt":"x","max_tokens":900,"ignore_eos":true)" +
                            std::string(i % 2 ? R"(,"stream":true})" : "}"));
  }
  Client idle(server.port());
  // Two run at a time; should the first have ended by now, the server has still read all six.
  const std::string whole =
      R"(vllm:request_success_total{model_name="tiny",finished_reason="length"})";
  EXPECT_TRUE(eventually(
      [&] { return static_cast<double>(server.engine().outstanding()) + server.metric(whole) == 6; }));
  server.stop();
  for (std::size_t i = 0; i < clients.size(); ++i) {
    const Received received = clients[i].receive();
    EXPECT_EQ(received.status, 200);
    if (i % 2 == 0) {
      EXPECT_EQ(received.json()["usage"]["completion_tokens"], 900);
    } else {
      EXPECT_EQ(stream_data(received.body).back(), "[DONE]");
    }
  }
  EXPECT_TRUE(idle.at_end());
}

TEST(ServerFaults, AStopClosesIdleConnectionsAtOnce) {
  TestServer server(long_options(), 4096);
  Client idle(server.port()), stream(server.port());
  idle.get("/health");
  EXPECT_EQ(idle.receive().status, 200);
  stream.post("/v1/completions", endless + R"(,"stream":true})");
  EXPECT_TRUE(stream.read_until("data: "));
  std::thread stop([&] { server.stop(); });
  EXPECT_TRUE(idle.at_end());
  EXPECT_EQ(server.engine().outstanding(), 1u);
  stream.reset();
  stop.join();
}

TEST(ServerFaults, AStopEndsLongAnswersByAnError) {
  ServerOptions options = long_options();
  options.http.drain = 200ms;
  TestServer server(options, 4096);
  Client whole(server.port()), stream(server.port());
  whole.post("/v1/completions", endless + "}");
  stream.post("/v1/completions", endless + R"(,"stream":true})");
  EXPECT_TRUE(stream.read_until("data: "));
  EXPECT_TRUE(eventually([&] { return server.engine().outstanding() == 2; }));
  server.stop();
  EXPECT_EQ(whole.receive().status, 503);
  const auto events = stream_data(stream.receive().body);
  ASSERT_GE(events.size(), 2u);
  EXPECT_THAT(events[events.size() - 2], HasSubstr("the server is stopping"));
  EXPECT_EQ(events.back(), "[DONE]");
}

// Many clients of all kinds at once; each gets what it should.
TEST(ServerFaults, ManyClientsOfAllKinds) {
  TestServer server(long_options(), 512);
  std::vector<std::thread> clients;
  std::atomic<int> right{0};
  constexpr int count = 40;
  for (int i = 0; i < count; ++i) {
    clients.emplace_back([&server, &right, i] {
      if (i % 4 == 0) {
        Client client(server.port());
        client.post("/v1/completions", endless + R"(,"stream":true})");
        if (i % 8 == 0) client.read_until("data: ");
        client.reset();
        ++right;
      } else if (i % 4 == 1) {
        right += server.post("/v1/completions", "{\"prompt\":").status == 400;
      } else {
        const Received received = server.post(
            "/v1/completions", fmt::format(R"({{"prompt":"{}","max_tokens":20,"ignore_eos":true}})",
                                           std::string(static_cast<std::size_t>(i), 'a')));
        right += received.json()["usage"]["completion_tokens"] == 20;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(right, count);
  EXPECT_TRUE(eventually([&] { return server.engine().outstanding() == 0; }));
  EXPECT_EQ(server.metric("vllm:kv_cache_usage_perc"), 0);
}

TEST(ServerFaults, AnAddressInUseIsRefused) {
  const TestServer server;
  ServerOptions options = TestServer::small_options();
  options.http.port = server.port();
  EXPECT_THAT([&] { TestServer second(options); },
              testing::ThrowsMessage<Error>(HasSubstr("Address already in use")));
}

}  // namespace
}  // namespace fathom::serve
