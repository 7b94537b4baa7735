// The lenient JSON scanner takes all that a strict parser takes, and agrees with it on the
// field.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "text/json_field.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using Found = fathom::JsonField::Found;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::vector<std::string> names = {"a"};
  const fathom::JsonField field = fathom::find_json_text(text, names);
  const std::size_t end = fathom::json_value_end(text);
  if (end != std::string::npos && end > text.size()) std::abort();
  const auto json = nlohmann::json::parse(text, nullptr, false);
  // The strict one skips a byte order mark, which is the file's matter and not the line's,
  // and takes a zero byte for the end.
  if (json.is_discarded() || text.starts_with("\xef\xbb\xbf") || text.find('\0') != text.npos)
    return 0;
  if (field.found == Found::bad_syntax) std::abort();
  const bool has_text = json.is_object() && json.contains("a") && json["a"].is_string();
  if (has_text != (field.found == Found::text)) std::abort();
  if (has_text && json["a"].get<std::string>() != field.text) std::abort();
  return 0;
}
