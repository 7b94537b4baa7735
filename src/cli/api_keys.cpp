#include "cli/api_keys.h"

#include <algorithm>
#include <cstdlib>

#include "core/error.h"
#include "io/line_reader.h"

namespace fathom::cli {

std::vector<std::string> api_keys(const std::string& file) {
  const char* const variable = std::getenv("FATHOM_API_KEY");
  std::string text = file.empty() ? std::string(variable ? variable : "") : read_text(file);
  std::vector<std::string> keys;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string key = text.substr(at, end - at);
    // Blanks at the end cannot be sent: servers and proxies take them off a header.
    key.erase(key.find_last_not_of(" \t\r") + 1);
    if (!key.empty()) keys.push_back(std::move(key));
    at = end + 1;
  }
  if (!file.empty() && keys.empty()) fail_input("{}: it holds no API key", file);
  if (variable && keys.empty()) {
    fail_input("FATHOM_API_KEY is set and holds no API key: unset it, or give it one");
  }
  return keys;
}

}  // namespace fathom::cli
