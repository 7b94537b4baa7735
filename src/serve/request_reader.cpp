#include "serve/request_reader.h"

#include <boost/asio/error.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>
#include <utility>

namespace fathom::serve {

namespace http = boost::beast::http;

asio::awaitable<bool> RequestReader::wait() {
  parser_.reset();
  if (connection_.received().size() > 0) co_return true;
  connection_.received().shrink_to_fit();  // an idle connection needs none
  connection_.set_deadline(host_.options.limits.idle);
  const error_code error = co_await connection_.receive();
  connection_.clear_deadline();
  co_return !error;
}

asio::awaitable<std::optional<ReadFailure>> RequestReader::read_header() {
  const HttpLimits& limits = host_.options.limits;
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(limits.header_bytes));
  parser_->body_limit(limits.body_bytes);
  connection_.set_deadline(limits.header);
  const error_code error = co_await parse(true);
  connection_.clear_deadline();
  if (error) co_return failure(error);
  const std::string_view target(header().target().data(), header().target().size());
  request_.method = std::string(header().method_string());
  request_.path = target.substr(0, target.find('?'));
  request_.authorization = std::string(header()[http::field::authorization]);
  request_.if_none_match = std::string(header()[http::field::if_none_match]);
  co_return std::nullopt;
}

ResponseForm RequestReader::response_form() const {
  ResponseForm form;
  form.http_version = header().version() >= 11 ? 11 : 10;
  form.keep_alive = header().keep_alive() && !host_.draining;
  form.head_only = header().method() == http::verb::head;
  return form;
}

asio::awaitable<std::optional<ReadFailure>> RequestReader::read_body() {
  if (!is_done()) {
    if (boost::beast::iequals(header()[http::field::expect], "100-continue")) {
      std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n";
      if (!co_await connection_.write(std::move(go_on))) co_return ReadFailure{};
    }
    connection_.set_deadline(host_.options.limits.body);
    const error_code error = co_await parse(false);
    connection_.clear_deadline();
    if (error) co_return failure(error);
  }
  request_.body = std::move(parser_->get().body());
  co_return std::nullopt;
}

void RequestReader::release_body() {
  host_.body_bytes -= std::exchange(counted_, 0);
  request_.body = {};
}

bool RequestReader::count_body() {
  const std::size_t bytes = parser_->get().body().size();
  host_.body_bytes += bytes - counted_;
  counted_ = bytes;
  return host_.body_bytes <= host_.options.limits.all_bodies_bytes;
}

asio::awaitable<error_code> RequestReader::parse(bool header_only) {
  boost::beast::flat_buffer& received = connection_.received();
  while (header_only ? !parser_->is_header_done() : !parser_->is_done()) {
    error_code error = http::error::need_more;
    if (received.size() > 0) {
      received.consume(parser_->put(received.data(), error));
      if (!count_body()) co_return asio::error::no_buffer_space;
    }
    if (!error) continue;
    if (error != http::error::need_more) co_return error;
    if (!connection_.has_room()) co_return http::error::buffer_overflow;
    error = co_await connection_.receive();
    if (error) co_return error;
  }
  co_return error_code{};
}

ReadFailure RequestReader::failure(error_code error) const {
  const HttpLimits& limits = host_.options.limits;
  if (connection_.timed_out()) return {ApiError(408, "the request came too slowly")};
  if (error == asio::error::no_buffer_space) {
    return {ApiError(429, "the server reads too many requests at once: try again")};
  }
  if (error == http::error::header_limit) {
    return {ApiError(
        431, fmt::format("the request's header is larger than {} bytes", limits.header_bytes))};
  }
  if (error == http::error::body_limit) {
    return {ApiError(413,
                     fmt::format("the request's body is larger than {} bytes", limits.body_bytes))};
  }
  if (error.category() != make_error_code(http::error::bad_method).category()) return {};
  return {ApiError(400, "the request is not HTTP: " + error.message())};
}

}  // namespace fathom::serve
