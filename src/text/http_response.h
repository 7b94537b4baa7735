// Takes HTTP responses apart, as crawlers store them in WARC records (RFC 9112).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "text/page_problem.h"

namespace fathom {

// Of a page, as it is and unpacked: longer ones are no text to train on, and a few bytes can unpack
// to gigabytes.
inline constexpr std::size_t max_page_bytes = 32 << 20;

struct HttpResponse {
  PageProblem problem = PageProblem::none;  // when it is set, the rest is not whole
  std::string media_type;                   // small letters, as in "text/html"; empty when absent
  std::string charset;                      // as the server names it; empty when absent
  std::string body;                         // without chunks, unpacked
};

// Reads a response with status 200. Crawlers often store bodies unpacked under headers that speak
// of chunks and gzip, so a body that does not begin as these say is taken as it is. Pure.
HttpResponse parse_http_response(std::string_view bytes);

}  // namespace fathom
