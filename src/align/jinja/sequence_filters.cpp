// Filters on sequences as a whole.
#include <algorithm>
#include <unordered_map>

#include "align/jinja/arguments.h"
#include "align/jinja/attribute_path.h"
#include "align/jinja/filters.h"
#include "align/jinja/interpreter.h"
#include "align/jinja/operators.h"
#include "align/jinja/text_functions.h"

namespace fathom::jinja {

namespace {

Value length(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments none(rendering, "length", arguments, {});
  const auto size = [](std::size_t count) { return Value(static_cast<std::int64_t>(count)); };
  if (value.is_undefined()) return size(0);
  if (value.is_text()) return size(value.text().characters());
  if (value.is_dict()) return size(value.dict().entries.size());
  if (value.is_sequence() && value.sequence().sized()) return size(value.sequence().items.size());
  if (value.loop()) return size(value.loop()->items.size());
  rendering.fail("a {} has no length", value.type_name());
}

Value list(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments none(rendering, "list", arguments, {});
  return make_list(rendering, iterate(rendering, value));
}

Value first(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments none(rendering, "first", arguments, {});
  if (value.is_sequence() && !value.sequence().sized()) {
    const Sequence& iterator = value.sequence();
    if (iterator.position < iterator.items.size()) return iterator.items[iterator.position++];
  } else if (value.is_text()) {
    if (!value.text().empty()) return interpreter.item(value, std::int64_t{0});
  } else {
    const std::vector<Value> items = iterate(rendering, value);
    if (!items.empty()) return items[0];
  }
  return Value::undefined("first: the sequence is empty");
}

Value last(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments none(rendering, "last", arguments, {});
  if (value.is_sequence() && !value.sequence().sized()) {
    rendering.fail("last wants a list: put |list before it");
  }
  if (value.is_text() && !value.text().empty()) return interpreter.item(value, std::int64_t{-1});
  const std::vector<Value> items = iterate(rendering, value);
  if (!items.empty()) return items.back();
  return Value::undefined("last: the sequence is empty");
}

Value joined(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments bound(rendering, "join", arguments, {"d", "attribute"});
  std::vector<Value> items = iterate(rendering, value);
  if (bound.find(1) && !bound.at(1).is_none()) {
    const AttributePath path(rendering, bound.at(1));
    for (Value& item : items) item = path.of(interpreter, item);
  }
  const Text separator = bound.find(0) ? to_text(rendering, bound.at(0)) : Text();
  return make_text(rendering, join(rendering, separator, items));
}

Value items(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments none(rendering, "items", arguments, {});
  std::vector<Value> pairs;
  if (!value.is_undefined()) {
    if (!value.is_dict()) rendering.fail("items wants a dict, not {}", value.type_name());
    for (const auto& [key, item] : value.dict().entries) {
      pairs.push_back(make_tuple(rendering, {key, item}));
    }
  }
  return make_iterator(rendering, std::move(pairs));
}

Value reversed(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments none(rendering, "reverse", arguments, {});
  if (value.is_text()) return slice(rendering, value, Value(), Value(), std::int64_t{-1});
  std::vector<Value> elements = iterate(rendering, value);
  std::reverse(elements.begin(), elements.end());
  return make_iterator(rendering, std::move(elements));
}

// Sorted by the keys; equal ones keep their order, also when reversed.
std::vector<Value> sorted(Rendering& rendering, std::vector<std::pair<Value, Value>> keyed,
                          bool reverse) {
  rendering.check_memory(keyed.size() * sizeof(keyed[0]) * 2);
  std::stable_sort(keyed.begin(), keyed.end(), [&](const auto& a, const auto& b) {
    return reverse ? less(rendering, b.first, a.first) : less(rendering, a.first, b.first);
  });
  std::vector<Value> elements;
  elements.reserve(keyed.size());
  for (auto& entry : keyed) elements.push_back(std::move(entry.second));
  return elements;
}

Value dict_sorted(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments bound(rendering, "dictsort", arguments, {"case_sensitive", "by", "reverse"});
  if (value.is_undefined()) rendering.fail("{}", value.undefined_message());
  if (!value.is_dict()) rendering.fail("dictsort wants a dict, not {}", value.type_name());
  const std::string by = bound.text(1) ? bound.text(1)->bytes() : "key";
  if (by != "key" && by != "value") rendering.fail("dictsort: sorted by 'key' or by 'value'");
  std::vector<std::pair<Value, Value>> keyed;
  for (const auto& [key, item] : value.dict().entries) {
    const Value& chosen = by == "key" ? key : item;
    keyed.emplace_back(bound.truth(0, false) ? chosen : without_case(rendering, chosen),
                       make_tuple(rendering, {key, item}));
  }
  return make_list(rendering, sorted(rendering, std::move(keyed), bound.truth(2, false)));
}

// The keys of a comma-separated list of attributes.
Value sort_key(Interpreter& interpreter, const std::vector<AttributePath>& paths,
               const Value& value, bool case_sensitive) {
  std::vector<Value> keys;
  for (const AttributePath& path : paths) {
    const Value key = path.of(interpreter, value);
    keys.push_back(case_sensitive ? key : without_case(interpreter.rendering(), key));
  }
  return make_list(interpreter.rendering(), std::move(keys));
}

Value sorted_by(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments bound(rendering, "sort", arguments,
                             {"reverse", "case_sensitive", "attribute"});
  std::vector<AttributePath> paths;
  const Value attribute = bound.find(2) ? bound.at(2) : Value();
  if (attribute.is_text()) {
    const Text comma(",");
    const Value names = split(rendering, attribute.text(), &comma, -1, Side::left);
    for (const Value& name : names.sequence().items) paths.emplace_back(rendering, name);
  } else {
    paths.emplace_back(rendering, attribute);
  }
  std::vector<std::pair<Value, Value>> keyed;
  for (const Value& item : iterate(rendering, value)) {
    keyed.emplace_back(sort_key(interpreter, paths, item, bound.truth(1, false)), item);
  }
  return make_list(rendering, sorted(rendering, std::move(keyed), bound.truth(0, false)));
}

Value unique(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments bound(rendering, "unique", arguments, {"case_sensitive", "attribute"});
  const AttributePath path(rendering, bound.find(1) ? bound.at(1) : Value());
  std::vector<Value> keys;
  std::vector<Value> chosen;
  for (const Value& item : iterate(rendering, value)) {
    Value key = path.of(interpreter, item);
    if (!bound.truth(0, false)) key = without_case(rendering, key);
    if (!hashable(key)) rendering.fail("unique: a {} can't be compared", key.type_name());
    const bool seen = std::any_of(keys.begin(), keys.end(),
                                  [&](const Value& other) { return equal(rendering, key, other); });
    if (seen) continue;
    keys.push_back(std::move(key));
    chosen.push_back(item);
  }
  return make_iterator(rendering, std::move(chosen));
}

template <bool largest>
Value extreme(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments bound(rendering, largest ? "max" : "min", arguments,
                             {"case_sensitive", "attribute"});
  const AttributePath path(rendering, bound.find(1) ? bound.at(1) : Value());
  Value best = Value::undefined("min or max: the sequence is empty");
  Value best_key;
  bool any = false;
  for (const Value& item : iterate(rendering, value)) {
    Value key = path.of(interpreter, item);
    if (!bound.truth(0, false)) key = without_case(rendering, key);
    if (any && !(largest ? less(rendering, best_key, key) : less(rendering, key, best_key))) {
      continue;
    }
    any = true;
    best = item;
    best_key = std::move(key);
  }
  return best;
}

Value sum(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments bound(rendering, "sum", arguments, {"attribute", "start"});
  const AttributePath path(rendering, bound.find(0) ? bound.at(0) : Value());
  Value total = bound.find(1) ? bound.at(1) : Value(std::int64_t{0});
  if (total.is_text()) rendering.fail("sum: texts are joined by the filter join");
  for (const Value& item : iterate(rendering, value)) {
    total = arithmetic(rendering, Operator::add, total, path.of(interpreter, item));
  }
  return total;
}

Value batched(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments bound(rendering, "batch", arguments, {"linecount", "fill_with"}, 1);
  const std::int64_t size = bound.integer(0, 0);
  if (size < 1) rendering.fail("batch: the size must be at least 1");
  std::vector<Value> batches;
  std::vector<Value> batch;
  const auto flush = [&] { batches.push_back(make_list(rendering, std::exchange(batch, {}))); };
  for (const Value& item : iterate(rendering, value)) {
    batch.push_back(item);
    if (batch.size() == static_cast<std::size_t>(size)) flush();
  }
  if (!batch.empty()) {
    if (bound.find(1) && !bound.at(1).is_none()) {
      rendering.check_memory(static_cast<std::size_t>(size) > (std::size_t{1} << 40)
                                 ? static_cast<std::size_t>(size)
                                 : static_cast<std::size_t>(size) * sizeof(Value));
      batch.resize(static_cast<std::size_t>(size), bound.at(1));
    }
    flush();
  }
  return make_iterator(rendering, std::move(batches));
}

}  // namespace

Filter find_sequence_filter(std::string_view name) {
  static const std::unordered_map<std::string_view, Filter> filters = {
      {"batch", batched},
      {"count", length},
      {"dictsort", dict_sorted},
      {"first", first},
      {"items", items},
      {"join", joined},
      {"last", last},
      {"length", length},
      {"list", list},
      {"max", extreme<true>},
      {"min", extreme<false>},
      {"reverse", reversed},
      {"sort", sorted_by},
      {"sum", sum},
      {"unique", unique},
  };
  const auto found = filters.find(name);
  return found == filters.end() ? nullptr : found->second;
}

}  // namespace fathom::jinja
