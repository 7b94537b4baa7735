// value[start:stop:step] of Python.
#include <algorithm>
#include <limits>

#include "align/jinja/operator_checks.h"

namespace fathom::jinja {

namespace {

std::int64_t slice_bound(const Rendering& rendering, const Value& bound, std::int64_t size,
                         std::int64_t lowest, std::int64_t highest, std::int64_t absent) {
  if (bound.is_none()) return absent;
  if (!bound.is_integral()) {
    require_defined(rendering, bound);
    rendering.fail("a slice wants integers or none, not {}", bound.type_name());
  }
  const std::int64_t at = bound.integral();
  return std::clamp(at < 0 ? at + size : at, lowest, highest);
}

}  // namespace

Value slice(Rendering& rendering, const Value& value, const Value& start, const Value& stop,
            const Value& step) {
  require_defined(rendering, value);
  const bool sequence = value.is_sequence() && value.sequence().indexable();
  // As Python's dict[a:b], which is an unhashable key, and none[a:b]: no such element.
  if (!value.is_text() && !sequence) {
    return Value::undefined(fmt::format("{} can't be sliced", value.type_name()));
  }
  const auto size = static_cast<std::int64_t>(value.is_text() ? value.text().characters()
                                                              : value.sequence().items.size());
  constexpr auto limit = std::numeric_limits<std::int64_t>::max();
  const std::int64_t by = slice_bound(rendering, step, 0, -limit, limit, 1);
  if (by == 0) rendering.fail("the step of a slice is 0");
  const std::int64_t lowest = by < 0 ? -1 : 0;
  const std::int64_t highest = by < 0 ? size - 1 : size;
  const auto from = slice_bound(rendering, start, size, lowest, highest, by < 0 ? highest : 0);
  const auto to = slice_bound(rendering, stop, size, lowest, highest, by < 0 ? lowest : size);
  if (value.is_text() && by == 1) {
    const Text& text = value.text();
    rendering.spend_bytes(text.ascii() ? 0 : text.bytes().size());
    return make_text(rendering,
                     subtext(rendering, text, text.offset(static_cast<std::size_t>(from)),
                             text.offset(static_cast<std::size_t>(std::max(from, to)))));
  }
  const std::vector<Value> items =
      value.is_text() ? iterate(rendering, value) : value.sequence().items;
  std::vector<Value> chosen;
  for (std::int64_t i = from; by > 0 ? i < to : i > to;) {
    rendering.spend(1);
    chosen.push_back(items[static_cast<std::size_t>(i)]);
    if (__builtin_add_overflow(i, by, &i)) break;
  }
  if (!value.is_text()) return make_sequence(rendering, value.sequence().kind, std::move(chosen));
  TextBuilder text(rendering);
  for (const Value& character : chosen) text.add(character.text());
  return make_text(rendering, text.take());
}

}  // namespace fathom::jinja
