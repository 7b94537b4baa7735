#include "serve/http_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/beast/http/status.hpp>
#include <iterator>
#include <utility>

namespace fathom::serve {
namespace {

std::string begin_head(int status, std::string_view content_type, std::string_view cache_control,
                       const ResponseForm& form) {
  const auto reason = boost::beast::http::obsolete_reason(
      boost::beast::http::int_to_status(static_cast<unsigned>(status)));
  std::string head = fmt::format(
      "HTTP/1.1 {} {}\r\nServer: fathom\r\nContent-Type: {}\r\nCache-Control: {}\r\n"
      "X-Content-Type-Options: nosniff\r\nConnection: {}\r\n",
      status, std::string_view(reason.data(), reason.size()), content_type, cache_control,
      form.keep_alive ? "keep-alive" : "close");
  if (!form.allowed_origin.empty()) {
    head += fmt::format("Access-Control-Allow-Origin: {}\r\nVary: Origin\r\n", form.allowed_origin);
  }
  return head;
}

}  // namespace

std::string response_head(const Reply& reply, const ResponseForm& form) {
  std::string text = begin_head(reply.status, reply.content_type, reply.cache_control, form);
  for (const auto& [name, value] : reply.headers) text += fmt::format("{}: {}\r\n", name, value);
  const bool has_body = reply.status != 204 && reply.status != 304;
  if (has_body) text += fmt::format("Content-Length: {}\r\n", reply.body.size());
  return text + "\r\n";
}

std::string response_text(const Reply& reply, const ResponseForm& form) {
  std::string text = response_head(reply, form);
  if (!form.head_only) text += reply.body;
  return text;
}

std::string stream_head(const ResponseForm& form) {
  std::string text = begin_head(200, "text/event-stream; charset=utf-8", "no-store", form);
  if (form.http_version >= 11) text += "Transfer-Encoding: chunked\r\n";
  return text + "\r\n";
}

std::string chunk_text(std::string_view data, const ResponseForm& form) {
  if (form.http_version < 11 || data.empty()) return std::string(data);
  return fmt::format("{:x}\r\n{}\r\n", data.size(), data);
}

std::string last_chunk(const ResponseForm& form) {
  return form.http_version < 11 ? "" : "0\r\n\r\n";
}

Reply preflight_reply(std::string headers) {
  // Clients send headers of their own, such as the language and version they are written in.
  if (headers.empty()) headers = "Authorization, Content-Type";
  Reply reply{204, "", "text/plain", {}};
  reply.headers = {{"Access-Control-Allow-Methods", "GET, POST"},
                   {"Access-Control-Allow-Headers", std::move(headers)},
                   {"Access-Control-Max-Age", "600"}};
  return reply;
}

std::optional<std::string> allowed_origin(std::string_view origin, std::string_view host,
                                          const std::vector<std::string>& allowed) {
  if (origin.empty()) return "";
  for (const std::string& one : allowed) {
    if (one == "*" || one == origin) return one == "*" ? "*" : std::string(origin);
  }
  // A page of the server's own.
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!host.empty() && origin.starts_with(scheme) && origin.substr(scheme.size()) == host) {
      return "";
    }
  }
  return std::nullopt;
}

bool is_local_host(std::string_view host) {
  const std::size_t bracket = host.find(']');
  const std::size_t colon = host.find(':', bracket == std::string_view::npos ? 0 : bracket);
  std::string name(host.substr(0, colon));
  std::ranges::transform(name, name.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  if (name.ends_with('.')) name.pop_back();
  const bool loopback =
      name.starts_with("127.") && name.find_first_not_of("0123456789.") == std::string::npos;
  return name.empty() || name == "localhost" || name.ends_with(".localhost") || name == "[::1]" ||
         loopback;
}

}  // namespace fathom::serve
