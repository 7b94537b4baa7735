// The parts of HTTP that are functions of text: heads of responses, chunks, and who may ask.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serve/http_options.h"
#include "serve/service.h"

namespace fathom::serve {

// What a response depends on besides the reply.
struct ResponseForm {
  int http_version = 11;  // 10 or 11
  bool keep_alive = true;
  bool head_only = false;      // of a HEAD request
  std::string allowed_origin;  // for Access-Control-Allow-Origin; empty: none
};

// A response up to its body, which follows unless the form is of a HEAD request.
std::string response_head(const Reply& reply, const ResponseForm& form);
// A whole response.
std::string response_text(const Reply& reply, const ResponseForm& form);
// The head of a stream of server-sent events, which follow as chunks, or plainly for HTTP/1.0.
std::string stream_head(const ResponseForm& form);
std::string chunk_text(std::string_view data, const ResponseForm& form);
std::string last_chunk(const ResponseForm& form);

// The reply to a page of another origin that asks whether it may send a request with these headers.
Reply preflight_reply(std::string headers);

// The request's origin where its pages may ask: one of `allowed`, or the server's own, by its
// `host` header. None: the request is to be refused. An empty origin is allowed.
std::optional<std::string> allowed_origin(std::string_view origin, std::string_view host,
                                          const std::vector<std::string>& allowed);
// Whether a Host header names this machine itself. Guards a server on localhost from pages whose
// name was made to resolve to it.
bool is_local_host(std::string_view host);

}  // namespace fathom::serve
