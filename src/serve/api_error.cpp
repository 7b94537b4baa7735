#include "serve/api_error.h"

#include "serve/json_text.h"
#include "text/utf8.h"

namespace fathom::serve {
namespace {

std::string_view type_of(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 429:
      return "rate_limit_error";
    default:
      return status < 500 ? "invalid_request_error" : "server_error";
  }
}

Json text_or_null(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

}  // namespace

std::string shortened(std::string_view name) {
  constexpr std::size_t most = 64;
  if (name.size() <= most) return std::string(name);
  const std::string_view begin = name.substr(0, most);
  return std::string(begin.substr(0, utf8::valid_prefix(begin))) + "...";
}

std::string error_body(const ApiError& error) {
  return json_text({{"error",
                     {{"message", error.what()},
                      {"type", type_of(error.status())},
                      {"param", text_or_null(error.param())},
                      {"code", text_or_null(error.code())}}}});
}

}  // namespace fathom::serve
