// Helpers that the operators' files share.
#pragma once

#include "align/jinja/operators.h"

namespace fathom::jinja {

inline void require_defined(const Rendering& rendering, const Value& value) {
  if (value.is_undefined()) rendering.fail("{}", value.undefined_message());
}

inline bool is_list_or_tuple(const Value& value) {
  return value.is_sequence() && (value.sequence().kind == SequenceKind::list ||
                                 value.sequence().kind == SequenceKind::tuple);
}

// `symbol` is the operator as a template writes it.
[[noreturn]] inline void fail_types(const Rendering& rendering, std::string_view symbol,
                                    const Value& left, const Value& right) {
  rendering.fail("operator {} is not defined for {} and {}", symbol, left.type_name(),
                 right.type_name());
}

}  // namespace fathom::jinja
