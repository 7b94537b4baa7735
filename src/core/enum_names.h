// Names of enum values. `enum_names(E)` returns them for an enum E as a span of
// std::string_view, ordered by value from 0.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace fathom {

template <class E>
std::string_view enum_name(E value) {
  return enum_names(E{})[static_cast<std::size_t>(value)];
}

// None when no value of E has this name.
template <class E>
std::optional<E> enum_of(std::string_view name) {
  const std::span<const std::string_view> names = enum_names(E{});
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) return std::nullopt;
  return static_cast<E>(found - names.begin());
}

}  // namespace fathom
