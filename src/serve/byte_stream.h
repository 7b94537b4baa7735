// The bytes of a connection, whatever carries them. Internal to src/serve.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstddef>
#include <memory>

namespace fathom::serve {

namespace asio = boost::asio;
using boost::system::error_code;

// A coroutine's operations then return their error as the first of a tuple.
inline constexpr auto no_throw = asio::as_tuple(asio::use_awaitable);

struct Transfer {
  error_code error;
  std::size_t bytes = 0;
};

// One read and one write may be under way at once. Cancelling or closing the socket ends both.
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  // Agrees with the client on how bytes go; before all else.
  virtual asio::awaitable<error_code> begin() = 0;
  virtual asio::awaitable<Transfer> read_some(asio::mutable_buffer into) = 0;
  virtual asio::awaitable<Transfer> write_some(asio::const_buffer from) = 0;
  // Tells the client that nothing more will come.
  virtual asio::awaitable<void> end_output() = 0;
  virtual asio::ip::tcp::socket& socket() = 0;
};

std::unique_ptr<ByteStream> plain_stream(asio::ip::tcp::socket socket);

}  // namespace fathom::serve
