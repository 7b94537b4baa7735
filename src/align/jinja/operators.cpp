#include "align/jinja/operators.h"

#include <algorithm>

#include "align/jinja/operator_checks.h"

namespace fathom::jinja {

namespace {

bool same_sequence(Rendering& rendering, const Sequence& left, const Sequence& right) {
  if (&left == &right) return true;
  if (left.kind != right.kind || !left.indexable() || left.items.size() != right.items.size()) {
    return false;
  }
  for (std::size_t i = 0; i < left.items.size(); ++i) {
    if (!equal(rendering, left.items[i], right.items[i])) return false;
  }
  return true;
}

bool same_dict(Rendering& rendering, const Dict& left, const Dict& right) {
  if (left.entries.size() != right.entries.size()) return false;
  return std::all_of(left.entries.begin(), left.entries.end(), [&](const auto& entry) {
    const Value* other = right.find(rendering, entry.first);
    return other && equal(rendering, entry.second, *other);
  });
}

bool less_sequence(Rendering& rendering, const Sequence& left, const Sequence& right) {
  const std::size_t common = std::min(left.items.size(), right.items.size());
  for (std::size_t i = 0; i < common; ++i) {
    if (!equal(rendering, left.items[i], right.items[i])) {
      return less(rendering, left.items[i], right.items[i]);
    }
  }
  return left.items.size() < right.items.size();
}

}  // namespace

bool equal(Rendering& rendering, const Value& left, const Value& right) {
  rendering.spend(1);
  if (left.is_number() && right.is_number()) {
    return left.is_real() || right.is_real() ? left.number() == right.number()
                                             : left.integral() == right.integral();
  }
  if (left.is_text() && right.is_text()) {
    const std::string& bytes = left.text().bytes();
    if (bytes.size() != right.text().bytes().size()) return false;
    rendering.spend_bytes(bytes.size());
    return bytes == right.text().bytes();
  }
  if (left.is_sequence() && right.is_sequence()) {
    return same_sequence(rendering, left.sequence(), right.sequence());
  }
  if (left.is_dict() && right.is_dict()) return same_dict(rendering, left.dict(), right.dict());
  if (left.name_space() || right.name_space()) return left.name_space() == right.name_space();
  if (left.callable() || right.callable()) return left.callable() == right.callable();
  if (left.loop() || right.loop()) return left.loop() == right.loop();
  return (left.is_none() && right.is_none()) || (left.is_undefined() && right.is_undefined());
}

bool less(Rendering& rendering, const Value& left, const Value& right) {
  rendering.spend(1);
  require_defined(rendering, left);
  require_defined(rendering, right);
  if (left.is_integral() && right.is_integral()) return left.integral() < right.integral();
  if (left.is_number() && right.is_number()) return left.number() < right.number();
  if (left.is_text() && right.is_text()) {
    // UTF-8 keeps the order of code points.
    rendering.spend_bytes(std::min(left.text().bytes().size(), right.text().bytes().size()));
    return left.text().bytes() < right.text().bytes();
  }
  if (is_list_or_tuple(left) && is_list_or_tuple(right) &&
      left.sequence().kind == right.sequence().kind) {
    return less_sequence(rendering, left.sequence(), right.sequence());
  }
  fail_types(rendering, "<", left, right);
}

bool contains(Rendering& rendering, const Value& container, const Value& item) {
  if (container.is_text()) {
    if (!item.is_text()) {
      rendering.fail("'in <str>' wants a str on its left, not {}", item.type_name());
    }
    rendering.spend_bytes(container.text().bytes().size() + item.text().bytes().size());
    return container.text().bytes().find(item.text().bytes()) != std::string::npos;
  }
  if (container.is_dict()) {
    if (!hashable(item)) rendering.fail("a {} can't be a key", item.type_name());
    return container.dict().find(rendering, item) != nullptr;
  }
  if (container.is_sequence() && container.sequence().sized()) {
    const auto& items = container.sequence().items;
    return std::any_of(items.begin(), items.end(),
                       [&](const Value& one) { return equal(rendering, one, item); });
  }
  if (container.is_sequence()) {
    // An iterator is left behind the element that was found.
    const Sequence& iterator = container.sequence();
    while (iterator.position < iterator.items.size()) {
      if (equal(rendering, iterator.items[iterator.position++], item)) return true;
    }
    return false;
  }
  for (const Value& one : iterate(rendering, container)) {
    if (equal(rendering, one, item)) return true;
  }
  return false;
}

bool compare(Rendering& rendering, Operator op, const Value& left, const Value& right) {
  switch (op) {
    case Operator::equal:
      return equal(rendering, left, right);
    case Operator::not_equal:
      return !equal(rendering, left, right);
    case Operator::less:
      return less(rendering, left, right);
    case Operator::greater:
      return less(rendering, right, left);
    case Operator::in:
      return contains(rendering, right, left);
    case Operator::not_in:
      return !contains(rendering, right, left);
    default:
      break;
  }
  const bool reversed = op == Operator::greater_equal;
  const Value& small = reversed ? right : left;
  const Value& large = reversed ? left : right;
  return less(rendering, small, large) || equal(rendering, small, large);
}

bool hashable(const Value& value) {
  if (value.is_dict()) return false;
  if (!value.is_sequence()) return true;
  const Sequence& sequence = value.sequence();
  if (sequence.kind != SequenceKind::tuple) return sequence.kind == SequenceKind::range;
  return std::all_of(sequence.items.begin(), sequence.items.end(), hashable);
}

}  // namespace fathom::jinja
