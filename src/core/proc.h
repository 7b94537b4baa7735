// Values in the text files of /proc, one "key: value" a line.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fathom {

// The value of the first line "key: value" of `path`, without spaces around it; empty
// when there is none.
std::string proc_text(const std::string& path, std::string_view key);

// The value of "key: 123 kB" in bytes; 0 when there is none.
std::size_t proc_bytes(const std::string& path, std::string_view key);

}  // namespace fathom
