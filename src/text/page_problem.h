// Why a web page has no text.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace fathom {

enum class PageProblem {
  none,
  not_http,         // the record holds no HTTP response
  http_status,      // the server's answer is not 200
  not_html,         // of another type, by what the server says and by its first bytes
  broken_body,      // cut short, or its chunks or packed bytes are damaged
  unknown_packing,  // a Content-Encoding other than gzip and deflate
  too_large,        // more than 32 MiB, as it is or unpacked
  undecodable,      // in no character encoding that it names or that can be told
  no_main_text,     // nothing that reads like text
};
// Names, which are also the reasons in the report of `data clean`.
inline std::span<const std::string_view> enum_names(PageProblem) {
  static constexpr std::string_view names[] = {"none",      "not_http",    "http_status",
                                               "not_html",  "broken_body", "unknown_packing",
                                               "too_large", "undecodable", "no_main_text"};
  return names;
}
inline constexpr std::size_t page_problems = 9;

}  // namespace fathom
