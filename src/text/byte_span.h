// A range of bytes in a text.
#pragma once

#include <cstddef>

namespace fathom {

struct ByteSpan {
  std::size_t begin;
  std::size_t end;
  bool operator==(const ByteSpan&) const = default;
};

}  // namespace fathom
