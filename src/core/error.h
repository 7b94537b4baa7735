// The one exception type of Fathom. A message says what was wrong, where (file,
// key, line, tensor name) and what to do about it, in one line.
#pragma once

#include <fmt/core.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace fathom {

enum class ErrorKind {
  input,    // bad usage, configuration or file: exit code 2, nothing was done yet
  runtime,  // failed while working: exit code 1
};

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

// Throws an Error for input the user can correct.
template <class... Args>
[[noreturn]] void fail_input(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(ErrorKind::input, fmt::format(format, std::forward<Args>(args)...));
}

// Throws an Error for a failure at run time (disk, device, broken invariant).
template <class... Args>
[[noreturn]] void fail_runtime(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(ErrorKind::runtime, fmt::format(format, std::forward<Args>(args)...));
}

// f(), with `where` (a file and line, say) before the message of an input Error that it throws.
template <class F>
decltype(auto) with_location(const std::string& where, F&& f) {
  try {
    return std::forward<F>(f)();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::input) throw;
    fail_input("{}: {}", where, error.what());
  }
}

// Throws a run-time Error unless `condition` holds. For contracts between our
// own parts (shapes an operation is called with); user input gets fail_input.
template <class... Args>
void require(bool condition, fmt::format_string<Args...> format, Args&&... args) {
  if (!condition) [[unlikely]]
    fail_runtime(format, std::forward<Args>(args)...);
}

}  // namespace fathom
