// A client's connection: what it has sent, what is written to it, and the deadlines of both.
// Internal to src/serve.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "serve/byte_stream.h"
#include "serve/http_options.h"

namespace fathom::serve {

// Of the network's thread alone.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::unique_ptr<ByteStream> stream, const HttpLimits& limits);

  // Before all else; false when the client does not speak as the server does, or too slowly.
  asio::awaitable<bool> begin();
  // What came and is not parsed yet: at most the largest header and a few KiB.
  boost::beast::flat_buffer& received() { return received_; }
  bool has_room() const { return received_.size() < received_.max_size(); }
  // Waits for more of it; there must be room.
  asio::awaitable<error_code> receive();
  // False when the client left, or took nothing of it for limits.progress.
  asio::awaitable<bool> write(std::string text);
  // Tells the client that nothing more comes, and reads on for a while: closing with unread input
  // would reset the connection, and the client might not see the answer.
  asio::awaitable<void> linger();
  // Tells the client that nothing more comes, and closes.
  asio::awaitable<void> end();

  // Cancels what is under way after a while.
  void set_deadline(std::chrono::milliseconds after);
  void clear_deadline();
  bool timed_out() const { return timed_out_; }
  // Ends reads and writes by an error.
  void cancel();
  void close();

 private:
  // Whether a write goes on past its deadline when the client has taken some.
  enum class Deadline { fixed, progress };
  void set_deadline(std::chrono::milliseconds after, Deadline kind);
  void deadline_passed();

  std::unique_ptr<ByteStream> stream_;
  const HttpLimits& limits_;
  asio::steady_timer deadline_;
  boost::beast::flat_buffer received_;
  Deadline kind_ = Deadline::fixed;
  bool timed_out_ = false;
  int unsent_ = 0;  // bytes that the kernel had not sent when the deadline was set
};

}  // namespace fathom::serve
