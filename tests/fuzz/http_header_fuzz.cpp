// Any bytes as a request's header: what the server answers to a preflight and to a page of its own
// is one HTTP response with the headers that it meant, whatever the client's say.
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "serve/http_text.h"

namespace {

using namespace fathom::serve;
namespace http = boost::beast::http;

void demand(bool holds) {
  if (!holds) std::abort();
}

// The response has `fields` headers, and ends where its body does.
void demand_one_response(const std::string& text, std::ptrdiff_t fields) {
  http::response_parser<http::string_body> parser;
  parser.eager(true);
  boost::beast::error_code error;
  const std::size_t used = parser.put(boost::asio::buffer(text), error);
  demand(!error && parser.is_done() && used == text.size());
  const auto& response = parser.get();
  demand(std::distance(response.begin(), response.end()) == fields);
}

void answer(const http::request<http::string_body>& header) {
  const std::string host(header[http::field::host]), origin(header[http::field::origin]);
  is_local_host(host);
  ResponseForm form;
  form.http_version = header.version() >= 11 ? 11 : 10;
  for (const std::vector<std::string>& allowed :
       {std::vector<std::string>{}, {"*"}, {"https://a.example"}}) {
    const auto found = allowed_origin(origin, host, allowed);
    if (!found) continue;
    form.allowed_origin = *found;
    // Server, Content-Type, Cache-Control, X-Content-Type-Options and Connection.
    const std::ptrdiff_t usual = 5 + (form.allowed_origin.empty() ? 0 : 2);
    const Reply preflight =
        preflight_reply(std::string(header[http::field::access_control_request_headers]));
    demand_one_response(response_text(preflight, form), usual + 3);
    const std::string_view target(header.target().data(), header.target().size());
    const Reply reply = {404, shortened(target.substr(0, target.find('?'))), "text/plain", {}};
    demand_one_response(response_text(reply, form), usual + 1);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  http::request_parser<http::string_body> parser;
  parser.header_limit(16 << 10);
  parser.body_limit(1 << 20);
  boost::beast::error_code error;
  parser.put(boost::asio::const_buffer(data, size), error);
  if (!error && parser.is_header_done()) answer(parser.get());
  return 0;
}
