// What waits between the engine and a client. Internal to src/serve.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <vector>

#include "serve/connection.h"
#include "serve/engine_thread.h"
#include "serve/reply_budget.h"

namespace fathom::serve {

// Updates of an answer that the client has not got yet, and why the answer ends early. Of the
// network's thread alone.
class AnswerQueue {
 public:
  // The budget outlives the queue.
  AnswerQueue(asio::io_context& network, ReplyBudget& budget, std::weak_ptr<Connection> client);

  // `bytes`: as bytes_of(). Does nothing for an answer that was dropped.
  void push(JobUpdate update, std::size_t bytes);
  bool empty() const { return updates_.empty(); }
  std::size_t queued_bytes() const { return queued_; }
  // All of them. They count among the answers of all clients until keep().
  std::vector<JobUpdate> take();
  // What was taken has become an answer of so many bytes, which the client has not taken yet.
  void keep(std::size_t bytes);

  // Waits for notify(); the second for a while at most, and returns whether nothing came.
  asio::awaitable<void> wait();
  asio::awaitable<bool> wait(std::chrono::milliseconds longest);
  void notify() { wake_.cancel(); }

  // The answers of all clients together were too large, and this was the largest.
  bool dropped() const { return share_.dropped(); }
  bool gone = false;      // the client left
  bool given_up = false;  // the server ends
  bool begun = false;     // the client has got some of the answer
  bool watching = false, stop_watching = false;

 private:
  void drop();

  asio::steady_timer wake_;
  std::weak_ptr<Connection> client_;
  ReplyBudget::Share share_;
  std::vector<JobUpdate> updates_;
  std::size_t queued_ = 0, kept_ = 0;  // bytes
};

}  // namespace fathom::serve
