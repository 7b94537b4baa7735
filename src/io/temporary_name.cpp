#include "io/temporary_name.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>

namespace fathom {

namespace {

bool is_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::string name_beside(const std::string& path, std::string_view mark) {
  static std::atomic<unsigned> counter{0};
  return fmt::format("{}{}{}-{}", path, mark, getpid(), counter++);
}

bool has_mark(std::string_view name, std::string_view mark) {
  const auto at = name.rfind(mark);
  if (at == std::string_view::npos || at == 0) return false;
  const std::string_view numbers = name.substr(at + mark.size());
  const auto dash = numbers.find('-');
  return dash != std::string_view::npos && is_number(numbers.substr(0, dash)) &&
         is_number(numbers.substr(dash + 1));
}

std::string parent_of(const std::string& path) {
  const auto parent = std::filesystem::path(path).parent_path();
  return parent.empty() ? "." : parent.string();
}

}  // namespace fathom
