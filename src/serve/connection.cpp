#include "serve/connection.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace fathom::serve {
namespace {

constexpr std::size_t read_bytes = std::size_t{16} << 10;

}  // namespace

Connection::Connection(std::unique_ptr<ByteStream> stream, const HttpLimits& limits)
    : stream_(std::move(stream)),
      limits_(limits),
      deadline_(stream_->socket().get_executor()),
      received_(limits.header_bytes + (std::size_t{4} << 10)) {}

asio::awaitable<bool> Connection::begin() {
  set_deadline(limits_.header);
  const error_code error = co_await stream_->begin();
  clear_deadline();
  co_return !error;
}

asio::awaitable<error_code> Connection::receive() {
  const std::size_t room = received_.max_size() - received_.size();
  const auto into = received_.prepare(std::min(room, read_bytes));
  const Transfer transfer = co_await stream_->read_some(into);
  if (!transfer.error) received_.commit(transfer.bytes);
  co_return transfer.error;
}

asio::awaitable<bool> Connection::write(std::string text) {
  asio::const_buffer rest = asio::buffer(text);
  while (rest.size() > 0) {
    set_deadline(limits_.progress, Deadline::progress);
    const Transfer transfer = co_await stream_->write_some(rest);
    if (transfer.error) {
      clear_deadline();
      co_return false;
    }
    rest += transfer.bytes;
  }
  clear_deadline();
  co_return true;
}

asio::awaitable<void> Connection::linger() {
  set_deadline(limits_.linger);
  co_await stream_->end_output();
  set_deadline(limits_.linger);
  std::vector<char> scratch(std::size_t{64} << 10);
  for (int reads = 0; reads < 1024; ++reads) {
    const auto [error, bytes] =
        co_await stream_->socket().async_read_some(asio::buffer(scratch), no_throw);
    if (error) break;
  }
  clear_deadline();
}

asio::awaitable<void> Connection::end() {
  set_deadline(limits_.linger);
  co_await stream_->end_output();
  clear_deadline();
  close();
}

void Connection::set_deadline(std::chrono::milliseconds after) {
  set_deadline(after, Deadline::fixed);
}

void Connection::set_deadline(std::chrono::milliseconds after, Deadline kind) {
  kind_ = kind;
  timed_out_ = false;
  if (kind == Deadline::progress) ioctl(stream_->socket().native_handle(), SIOCOUTQ, &unsent_);
  deadline_.expires_after(after);
  deadline_.async_wait([weak = weak_from_this()](error_code error) {
    const auto self = weak.lock();
    // A deadline that passed just before it was set anew is none.
    if (!error && self && self->deadline_.expiry() <= asio::steady_timer::clock_type::now()) {
      self->deadline_passed();
    }
  });
}

// A wait that has ended already, and whose handler is queued, then finds no deadline either.
void Connection::clear_deadline() {
  deadline_.expires_at(asio::steady_timer::time_point::max());
}

// A client may read slowly but steadily: the kernel then sends from a buffer that is full, and no
// write ends for long.
void Connection::deadline_passed() {
  const int before = unsent_;
  if (kind_ == Deadline::progress &&
      ioctl(stream_->socket().native_handle(), SIOCOUTQ, &unsent_) == 0 && unsent_ < before) {
    set_deadline(limits_.progress, Deadline::progress);
    return;
  }
  timed_out_ = true;
  cancel();
}

void Connection::cancel() {
  error_code ignored;
  stream_->socket().cancel(ignored);
}

void Connection::close() {
  error_code ignored;
  stream_->socket().shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
  stream_->socket().close(ignored);
}

}  // namespace fathom::serve
