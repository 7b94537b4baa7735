#include "serve/http_fetch.h"

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>
#include <optional>
#include <utility>

#include "core/error.h"

namespace fathom::serve {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using Tcp = asio::ip::tcp;

constexpr auto period = std::chrono::milliseconds(50);
constexpr std::uint32_t most_header_bytes = 64 << 10;

class Exchange {
 public:
  Exchange(const ServerUrl& server, const TakeBytes& take) : server_(server), take_(take) {}

  Fetched run(const FetchRequest& request) {
    connect();
    if (!stopped_) send(request);
    if (!stopped_) read();
    result_.stopped = stopped_;
    return std::move(result_);
  }

 private:
  // Runs an operation to its end, and asks the caller meanwhile whether to go on.
  template <class Begin>
  error_code finish(Begin begin) {
    std::optional<error_code> result;
    begin([&result](error_code error, const auto&) { result = error; });
    while (!result) {
      network_.restart();
      network_.run_for(period);
      if (!result && !stopped_) stop_unless(take_(""));
    }
    return *result;
  }

  void stop_unless(bool go_on) {
    if (go_on) return;
    stopped_ = true;
    error_code ignored;
    resolver_.cancel();
    socket_.close(ignored);
  }

  void connect() {
    Tcp::resolver::results_type found;
    error_code error = finish([&](auto done) {
      resolver_.async_resolve(server_.host, server_.port,
                              [&found, done](error_code failure, Tcp::resolver::results_type all) {
                                found = std::move(all);
                                done(failure, 0);
                              });
    });
    if (!stopped_ && !error) {
      error = finish([&](auto done) { asio::async_connect(socket_, found, done); });
    }
    if (error && !stopped_) {
      fail_runtime("no server answers at {}: {}", server_.text, error.message());
    }
  }

  void send(const FetchRequest& request) {
    http::request<http::string_body> message(
        request.body.empty() ? http::verb::get : http::verb::post, server_.prefix + request.path,
        11);
    const bool literal = server_.host.find(':') != std::string::npos;  // an IPv6 address
    message.set(http::field::host, fmt::format("{}{}{}:{}", literal ? "[" : "", server_.host,
                                               literal ? "]" : "", server_.port));
    message.set(http::field::user_agent, "fathom");
    message.set(http::field::connection, "close");
    if (!request.api_key.empty()) {
      message.set(http::field::authorization, "Bearer " + request.api_key);
    }
    if (!request.body.empty()) message.set(http::field::content_type, "application/json");
    message.body() = request.body;
    message.prepare_payload();
    check(finish([&](auto done) { http::async_write(socket_, message, done); }));
  }

  void read() {
    http::response_parser<http::string_body> parser;
    parser.body_limit(boost::none);
    parser.header_limit(most_header_bytes);
    parser.eager(true);
    boost::beast::flat_buffer buffer;
    while (!parser.is_done() && !stopped_) {
      const error_code error =
          finish([&](auto done) { http::async_read_some(socket_, buffer, parser, done); });
      if (error == http::error::end_of_stream && parser.is_done()) break;
      check(error);
      if (!stopped_ && parser.is_header_done()) pass_on(parser);
    }
  }

  void pass_on(http::response_parser<http::string_body>& parser) {
    result_.status = static_cast<int>(parser.get().result_int());
    const std::string bytes = std::exchange(parser.get().body(), {});
    if (result_.status != 200) {
      result_.body += bytes;
    } else if (!bytes.empty()) {
      stop_unless(take_(bytes));
    }
  }

  void check(error_code error) const {
    if (!error || stopped_) return;
    const bool ended = error == http::error::end_of_stream || error == asio::error::eof ||
                       error == http::error::partial_message;
    fail_runtime("{}: the connection broke before the answer was complete: {}", server_.text,
                 ended ? "the server closed it" : error.message());
  }

  const ServerUrl& server_;
  const TakeBytes& take_;
  asio::io_context network_{1};
  Tcp::resolver resolver_{network_};
  Tcp::socket socket_{network_};
  bool stopped_ = false;
  Fetched result_;
};

}  // namespace

ServerUrl parse_server_url(std::string_view url) {
  const auto wrong = [url](std::string_view why) {
    fail_input("--server {}: {}: use http://HOST:PORT", url, why);
  };
  constexpr std::string_view scheme = "http://";
  if (url.starts_with("https://")) wrong("TLS is not supported");
  if (!url.starts_with(scheme)) wrong("this is no address of HTTP");
  std::string_view rest = url.substr(scheme.size());
  const std::string_view authority = rest.substr(0, rest.find('/'));
  std::string_view prefix = rest.substr(authority.size());
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  if (prefix.ends_with("/v1")) prefix.remove_suffix(3);
  if (rest.find_first_of("?#@ ") != std::string_view::npos) wrong("it has more than host and path");
  // An IPv6 address is in brackets.
  const std::size_t host_end = authority.starts_with('[') ? authority.find(']') : 0;
  if (host_end == std::string_view::npos) wrong("a bracket is missing");
  const std::size_t colon = authority.find(':', host_end);
  std::string_view host = authority.substr(0, colon);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  const std::string_view port =
      colon == std::string_view::npos ? std::string_view("80") : authority.substr(colon + 1);
  if (host.empty()) wrong("the host is missing");
  const bool digits = port.find_first_not_of("0123456789") == std::string_view::npos;
  if (port.empty() || port.size() > 5 || !digits) wrong("the port is no number");
  return {std::string(url), std::string(host), std::string(port), std::string(prefix)};
}

Fetched fetch(const ServerUrl& server, const FetchRequest& request, const TakeBytes& take) {
  return Exchange(server, take).run(request);
}

}  // namespace fathom::serve
