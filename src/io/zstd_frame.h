// Packs text with zstd.
#pragma once

#include <string>
#include <string_view>

namespace fathom {

// One zstd frame. Frames one after another are a zstd file, so that many threads can pack one;
// io/compression.h reads it. The same text gives the same bytes with the same library.
std::string zstd_frame(std::string_view text, int level = 3);

}  // namespace fathom
