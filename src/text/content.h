// What a file holds, told from its first bytes (after unpacking).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace fathom {

// First bytes to look at for the functions below.
inline constexpr std::size_t content_sample_bytes = 64 << 10;

// Content that isn't text, for a message "PATH: holds NAME; REMEDY".
struct ForeignContent {
  std::string name;    // "Parquet", "a PDF document"
  std::string remedy;  // what to do about it
};

// Known file formats, UTF-16 and UTF-32, and other binary data (many zero bytes);
// nothing for text.
std::optional<ForeignContent> foreign_content(std::string_view sample);

// Text that is clearly no UTF-8: most of its bytes beyond ASCII are invalid, and there
// are more than a few. The remedy names the likely encoding.
std::optional<ForeignContent> foreign_encoding(std::string_view sample);

enum class JsonLayout {
  none,    // not JSON
  lines,   // a JSON object a line
  spread,  // JSON over several lines, or an array of objects
};
// Only the first value is looked at. `whole`: the sample is the whole file.
JsonLayout json_layout(std::string_view sample, bool whole);

}  // namespace fathom
