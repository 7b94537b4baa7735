// Why a request is refused, as OpenAI's API tells it.
#pragma once

#include <fmt/core.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace fathom::serve {

// Becomes {"error": {"message", "type", "param", "code"}} with this HTTP status.
class ApiError : public std::runtime_error {
 public:
  ApiError(int status, const std::string& message, std::string param = "", std::string code = "")
      : std::runtime_error(message),
        status_(status),
        param_(std::move(param)),
        code_(std::move(code)) {}
  int status() const { return status_; }
  const std::string& param() const { return param_; }  // the field at fault; empty: none
  const std::string& code() const { return code_; }    // empty: none

 private:
  int status_;
  std::string param_, code_;
};

// Throws an ApiError 400 about a field.
template <class... Args>
[[noreturn]] void refuse(std::string_view param, fmt::format_string<Args...> format,
                         Args&&... args) {
  throw ApiError(400, fmt::format(format, std::forward<Args>(args)...), std::string(param));
}

// A client's name for something, with at most 64 of its bytes and "..." after them, for a message.
std::string shortened(std::string_view name);

// The body of the error's response. Valid JSON whatever bytes the message holds.
std::string error_body(const ApiError& error);

}  // namespace fathom::serve
