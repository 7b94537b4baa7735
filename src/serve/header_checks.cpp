#include "serve/header_checks.h"

#include <string>

namespace fathom::serve {

namespace http = boost::beast::http;

std::optional<Reply> answer_by_header(const RequestReader& reader, const SessionHost& host,
                                      ResponseForm& form) {
  const HttpHeader& header = reader.header();
  const std::string name(header[http::field::host]), origin(header[http::field::origin]);
  if (host.options.check_host && !is_local_host(name)) {
    return error_reply(ApiError(403,
                                "the header Host does not name this machine: without an API "
                                "key the server answers to localhost alone"));
  }
  const auto allowed = allowed_origin(origin, name, host.options.origins);
  if (!allowed) {
    return error_reply(ApiError(403,
                                "requests from web pages of other origins are refused: start "
                                "the server with --cors ORIGIN"));
  }
  form.allowed_origin = *allowed;
  if (header.method() == http::verb::options && !allowed->empty()) {
    return preflight_reply(std::string(header[http::field::access_control_request_headers]));
  }
  if (auto refusal = host.service.refuse_early(reader.request())) return refusal;
  if (host.draining) return error_reply(ApiError(503, "the server is stopping"));
  if (!header[http::field::content_encoding].empty()) {
    return error_reply(ApiError(415, "compressed bodies are not supported"));
  }
  return std::nullopt;
}

}  // namespace fathom::serve
