#include "serve/byte_stream.h"

#include <utility>

namespace fathom::serve {
namespace {

class PlainStream : public ByteStream {
 public:
  explicit PlainStream(asio::ip::tcp::socket socket) : socket_(std::move(socket)) {}

  asio::awaitable<error_code> begin() override { co_return error_code{}; }
  asio::awaitable<Transfer> read_some(asio::mutable_buffer into) override {
    const auto [error, bytes] = co_await socket_.async_read_some(into, no_throw);
    co_return Transfer{error, bytes};
  }
  asio::awaitable<Transfer> write_some(asio::const_buffer from) override {
    const auto [error, bytes] = co_await socket_.async_write_some(from, no_throw);
    co_return Transfer{error, bytes};
  }
  asio::awaitable<void> end_output() override {
    error_code ignored;
    socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    co_return;
  }
  asio::ip::tcp::socket& socket() override { return socket_; }

 private:
  asio::ip::tcp::socket socket_;
};

}  // namespace

std::unique_ptr<ByteStream> plain_stream(asio::ip::tcp::socket socket) {
  return std::make_unique<PlainStream>(std::move(socket));
}

}  // namespace fathom::serve
