// Passes a generation's answer on from the engine to the client. Internal to src/serve.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "serve/answer_queue.h"
#include "serve/http_text.h"
#include "serve/session_host.h"

namespace fathom::serve {

// Writes a whole reply and counts it; false when the client did not take all of it.
asio::awaitable<bool> send_reply(SessionHost& host, Connection& connection, ResponseForm& form,
                                 Reply reply);

// One answer of a session.
class AnswerRelay {
 public:
  // Host and form outlive the relay.
  AnswerRelay(SessionHost& host, std::shared_ptr<Connection> connection, ResponseForm& form,
              Generation generation);

  // Whether the client took all of the answer, or of the error in its place.
  asio::awaitable<bool> run();
  // The server ends: the answer ends by an error.
  void give_up();

 private:
  // What updates brought: text of a stream, the end, or the engine's error.
  struct Progress {
    std::string text, error;
    bool done = false;
  };

  asio::awaitable<bool> refuse_job();
  asio::awaitable<bool> begin_stream();
  // Passes on what the engine generates; false when the client or the engine is gone.
  asio::awaitable<bool> relay();
  // Waits for updates, or for the answer's early end.
  asio::awaitable<void> wait();
  // Makes text of all updates that came.
  asio::awaitable<Progress> next_progress();
  Progress progress_of(std::vector<JobUpdate> updates);
  asio::awaitable<bool> end();
  asio::awaitable<bool> fail(std::string message, int status);
  // Of a stream; the text counts among those of all clients until it is sent.
  asio::awaitable<bool> write(std::string text);
  // Reads on during the answer, to see a client that leaves.
  void watch();
  asio::awaitable<void> stop_watching();
  // What the engine's thread is to call.
  EngineThread::Notify notify() const;

  SessionHost& host_;
  std::shared_ptr<Connection> connection_;
  ResponseForm& form_;
  Generation generation_;
  std::shared_ptr<AnswerQueue> queue_;
};

}  // namespace fathom::serve
