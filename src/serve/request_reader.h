// Reads requests from a connection, one after another. Internal to src/serve.
#pragma once

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <optional>

#include "serve/connection.h"
#include "serve/http_text.h"
#include "serve/session_host.h"

namespace fathom::serve {

using HttpHeader = boost::beast::http::request<boost::beast::http::string_body>;

// Why a request could not be read: an error to tell the client, or none when it left.
struct ReadFailure {
  std::optional<ApiError> error;
};

class RequestReader {
 public:
  // Both outlive the reader.
  RequestReader(SessionHost& host, Connection& connection) : host_(host), connection_(connection) {}
  ~RequestReader() { release_body(); }
  RequestReader(const RequestReader&) = delete;
  RequestReader& operator=(const RequestReader&) = delete;

  // Waits for the first byte of a request; false when none comes in time.
  asio::awaitable<bool> wait();
  // None: it is read.
  asio::awaitable<std::optional<ReadFailure>> read_header();
  // The rest. Until release_body() its bytes count among those of all connections.
  asio::awaitable<std::optional<ReadFailure>> read_body();
  void release_body();

  // After read_header().
  const HttpHeader& header() const { return parser_->get(); }
  bool is_done() const { return parser_->is_done(); }
  ResponseForm response_form() const;
  // Its body is empty until read_body().
  const HttpRequest& request() const { return request_; }

 private:
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

  // Parses what came, and reads on until there is a header, or all of the request.
  asio::awaitable<error_code> parse(bool header_only);
  ReadFailure failure(error_code error) const;
  // Counts what the body has now; false when all bodies together are too large.
  bool count_body();

  SessionHost& host_;
  Connection& connection_;
  std::optional<Parser> parser_;
  HttpRequest request_;
  std::size_t counted_ = 0;  // bytes of the body among host_.body_bytes
};

}  // namespace fathom::serve
