// One connection of a client. Internal to src/serve: its includes take long to compile.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "serve/http_options.h"
#include "serve/http_text.h"
#include "serve/service.h"

namespace fathom::serve {

namespace asio = boost::asio;

class Session;

// What the sessions of a server share. Of the network's thread alone, but for `workers`.
struct SessionHost {
  const Service& service;
  EngineThread& engine;
  Metrics& metrics;
  const HttpOptions& options;
  std::shared_ptr<asio::io_context> network;  // the engine's updates keep it alive
  asio::thread_pool& workers;
  std::set<Session*> sessions;
  std::size_t body_bytes = 0;  // of requests that are being read and parsed
  bool draining = false;       // no further requests
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(SessionHost& host, asio::ip::tcp::socket socket);
  ~Session();

  // Serves the connection until it is closed. Keeps the session alive.
  void start();
  // The server ends: closes the connection when it waits for a request.
  void drain();
  // The server ends now: ends the answer under way by an error, and closes the connection when it
  // is called a second later. To be called until the session has ended.
  void give_up();

 private:
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;
  // What the engine's thread and this connection exchange.
  struct Exchange;
  struct BodyBudget;
  enum class Phase { waiting, reading, answering };

  asio::awaitable<void> serve();
  // Reads and answers a request; false when the connection should be closed.
  asio::awaitable<bool> serve_request();
  asio::awaitable<bool> read_header();
  asio::awaitable<bool> read_body();
  asio::awaitable<bool> refuse(ApiError error);
  // Whether the client took all of it.
  asio::awaitable<bool> send(Reply reply);
  asio::awaitable<bool> generate(Generation generation);
  // Passes on what the engine generates; false when the client or the engine is gone.
  asio::awaitable<bool> relay(Generation& generation, std::shared_ptr<Exchange> exchange);
  asio::awaitable<bool> end_generation(Generation& generation);
  asio::awaitable<bool> fail_generation(const Generation& generation, std::string message,
                                        int status);
  asio::awaitable<bool> write(std::string text);
  asio::awaitable<void> linger();

  // Refuses what the header alone decides: origin, key, path, size.
  std::optional<Reply> check_header();
  // Reads on during an answer, to see a client that leaves.
  void watch(std::shared_ptr<Exchange> exchange);
  asio::awaitable<void> stop_watching(std::shared_ptr<Exchange> exchange);
  // Cancels the connection's operations after a while; a write goes on if the client takes some.
  void set_deadline(std::chrono::milliseconds after, bool writing = false);
  void clear_deadline();
  void deadline_passed();
  void close();

  SessionHost& host_;
  const HttpLimits& limits_;
  asio::ip::tcp::socket socket_;
  asio::steady_timer deadline_;
  boost::beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  HttpRequest request_;
  ResponseForm form_;
  std::shared_ptr<Exchange> exchange_;  // of the answer under way
  Phase phase_ = Phase::waiting;
  std::optional<asio::steady_timer::time_point> close_at_;  // the server ends
  bool timed_out_ = false, writing_ = false;
  int unsent_ = 0;  // bytes that the kernel had not sent when the deadline was set
};

}  // namespace fathom::serve
