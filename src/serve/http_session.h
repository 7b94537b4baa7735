// One client's session: requests in, answers out, until the connection ends. Internal to src/serve:
// its includes take long to compile.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>

#include "serve/answer_relay.h"
#include "serve/request_reader.h"

namespace fathom::serve {

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(SessionHost& host, std::unique_ptr<ByteStream> stream);
  ~Session();

  // Serves the connection until it is closed. Keeps the session alive.
  void start();
  // The server ends: closes the connection when it waits for a request.
  void drain();
  // The server ends now: ends the answer under way by an error, and closes the connection when it
  // is called a second later. To be called until the session has ended.
  void give_up();

 private:
  asio::awaitable<void> serve();
  // Reads and answers a request; false when the connection should be closed.
  asio::awaitable<bool> serve_request();
  // Reads the rest of a request and finds its answer; none when it could not be read.
  asio::awaitable<std::optional<std::variant<Reply, Generation>>> find_answer();
  asio::awaitable<void> tell(ReadFailure failure);
  // Whether the client took all of it, and the connection goes on.
  asio::awaitable<bool> send(Reply reply);
  asio::awaitable<bool> generate(Generation generation);

  SessionHost& host_;
  std::shared_ptr<Connection> connection_;
  RequestReader reader_;
  ResponseForm form_;
  AnswerRelay* relay_ = nullptr;  // of the answer under way
  bool waiting_ = false;          // for a request
  std::optional<asio::steady_timer::time_point> close_at_;  // the server ends
};

}  // namespace fathom::serve
