// Recognises the content of a file by its first bytes (after unpacking).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace fathom {

// Length of the samples below.
inline constexpr std::size_t content_sample_bytes = 64 << 10;

// Content that isn't text, for a message "PATH: holds NAME; REMEDY".
struct ForeignContent {
  std::string name;    // "a PDF document"
  std::string remedy;  // what to do about it
};

// The first and the last bytes of a Parquet file.
inline constexpr std::string_view parquet_magic = "PAR1";
bool is_parquet(std::string_view sample);

// Recognises known file formats that hold no text, UTF-16 and UTF-32, and other binary data by its
// zero bytes; none for text.
std::optional<ForeignContent> foreign_content(std::string_view sample);

// Recognises text that is clearly not UTF-8: most of its non-ASCII bytes are invalid, and
// there are more than a few. The remedy names the likely encoding.
std::optional<ForeignContent> foreign_encoding(std::string_view sample);

enum class JsonLayout {
  none,    // not JSON
  lines,   // one JSON object per line
  spread,  // an object over several lines, objects without line breaks between them, or an array
};
// Decides by the first value. `whole`: the sample is the whole file.
JsonLayout json_layout(std::string_view sample, bool whole);

}  // namespace fathom
