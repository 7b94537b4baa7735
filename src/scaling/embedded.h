// The cards' profiles of configs/cards/, which CMake compiles into the library
// (cmake/FathomEmbed.cmake).
#pragma once

#include <string_view>

namespace fathom::embedded {

extern const std::string_view card_a100, card_h100, card_h200, card_h800;

}  // namespace fathom::embedded
