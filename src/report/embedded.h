// The page's style sheets and scripts, which CMake compiles into the library
// (cmake/FathomEmbed.cmake).
#pragma once

#include <string_view>

namespace fathom::embedded {

extern const std::string_view page_style, chart_script;                           // ours
extern const std::string_view dygraphs_script, dygraphs_style, dygraphs_licence;  // Debian's

}  // namespace fathom::embedded
