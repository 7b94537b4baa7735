// Unicode's normal form C.
#pragma once

#include <string>
#include <string_view>

namespace fathom {

// `text` with characters composed where Unicode has a composed one (NFC); valid UTF-8 in and out.
std::string normal_form_c(std::string_view text);

}  // namespace fathom
