// Filters that look at each element: map, select and their kin.
#include <algorithm>
#include <unordered_map>

#include "align/jinja/arguments.h"
#include "align/jinja/attribute_path.h"
#include "align/jinja/filters.h"
#include "align/jinja/interpreter.h"
#include "align/jinja/operators.h"
#include "align/jinja/tests.h"
#include "align/jinja/text_functions.h"

namespace fathom::jinja {

AttributePath::AttributePath(Rendering& rendering, const Value& attribute) {
  if (attribute.is_none()) return;
  if (!attribute.is_text()) {
    parts_.push_back(attribute);
    return;
  }
  const Text dot(".");
  const Value parts = split(rendering, attribute.text(), &dot, -1, Side::left);
  for (const Value& part : parts.sequence().items) {
    const std::string& bytes = part.text().bytes();
    const bool index =
        !bytes.empty() && bytes.size() < 10 &&
        std::all_of(bytes.begin(), bytes.end(), [](char c) { return c >= '0' && c <= '9'; });
    parts_.push_back(index ? Value(std::int64_t{std::stoll(bytes)}) : part);
  }
}

Value AttributePath::of(Interpreter& interpreter, Value value, const Value* absent) const {
  for (const Value& part : parts_) {
    value = interpreter.item(value, part);
    if (absent && value.is_undefined()) value = *absent;
  }
  return value;
}

Value without_case(Rendering& rendering, const Value& value) {
  if (!value.is_text()) return value;
  return make_text(rendering, lower(rendering, value.text()));
}

namespace {

// The arguments after the first, which names a filter or a test.
Arguments rest_of(const Arguments& arguments, std::size_t first) {
  Arguments rest;
  rest.positional.assign(arguments.positional.begin() + static_cast<std::ptrdiff_t>(first),
                         arguments.positional.end());
  rest.named = arguments.named;
  return rest;
}

const std::string& name_argument(const Rendering& rendering, const Arguments& arguments,
                                 std::size_t index, std::string_view filter) {
  if (!arguments.positional[index].is_text()) {
    rendering.fail("{}: the name must be a text", filter);
  }
  return arguments.positional[index].text().bytes();
}

Value map_attribute(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments bound(rendering, "map", arguments, {"attribute", "default"}, 1);
  const AttributePath path(rendering, bound.at(0));
  const Value* absent = bound.find(1) && !bound.at(1).is_none() ? bound.find(1) : nullptr;
  std::vector<Value> elements = iterate(rendering, value);
  for (Value& element : elements) element = path.of(interpreter, element, absent);
  return make_iterator(rendering, std::move(elements));
}

Value map(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  if (!value.truth()) return make_iterator(rendering, {});
  if (arguments.positional.empty()) return map_attribute(interpreter, value, arguments);
  const std::string& name = name_argument(rendering, arguments, 0, "map");
  const Filter filter = find_filter(name);
  if (!filter) rendering.fail("map: the filter '{}' is not known", name);
  const Arguments rest = rest_of(arguments, 1);
  std::vector<Value> elements = iterate(rendering, value);
  for (Value& element : elements) {
    rendering.spend(1);
    element = filter(interpreter, element, rest);
  }
  return make_iterator(rendering, std::move(elements));
}

// The elements that pass a test, or that fail it. `by_attribute`: the first argument says
// which attribute is tested.
template <bool by_attribute, bool wanted>
Value select(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  if (!value.truth()) return make_iterator(rendering, {});
  const std::size_t test_at = by_attribute ? 1 : 0;
  if (arguments.positional.size() < test_at) rendering.fail("the name of the attribute is missing");
  const AttributePath path(rendering, by_attribute ? arguments.positional[0] : Value());
  Test test = nullptr;
  Arguments rest;
  if (arguments.positional.size() > test_at) {
    const std::string& name = name_argument(rendering, arguments, test_at, "select");
    test = find_test(name);
    if (!test) rendering.fail("select: the test '{}' is not known", name);
    rest = rest_of(arguments, test_at + 1);
  }
  std::vector<Value> chosen;
  for (const Value& element : iterate(rendering, value)) {
    rendering.spend(1);
    const Value tested = path.of(interpreter, element);
    const bool passes = test ? test(interpreter, tested, rest) : tested.truth();
    if (passes == wanted) chosen.push_back(element);
  }
  return make_iterator(rendering, std::move(chosen));
}

// Pairs of an attribute's value and the elements that have it, in the order of the values.
Value grouped(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments bound(rendering, "groupby", arguments,
                             {"attribute", "default", "case_sensitive"}, 1);
  const AttributePath path(rendering, bound.at(0));
  const Value* absent = bound.find(1) && !bound.at(1).is_none() ? bound.find(1) : nullptr;
  std::vector<std::pair<Value, Value>> keyed;
  for (const Value& element : iterate(rendering, value)) {
    const Value key = path.of(interpreter, element, absent);
    keyed.emplace_back(bound.truth(2, false) ? key : without_case(rendering, key), element);
  }
  std::stable_sort(keyed.begin(), keyed.end(),
                   [&](const auto& a, const auto& b) { return less(rendering, a.first, b.first); });
  std::vector<Value> groups;
  for (std::size_t i = 0; i < keyed.size();) {
    std::vector<Value> members;
    const std::size_t begin = i;
    for (; i < keyed.size() && equal(rendering, keyed[i].first, keyed[begin].first); ++i) {
      members.push_back(keyed[i].second);
    }
    const Value key = path.of(interpreter, keyed[begin].second, absent);
    groups.push_back(make_tuple(rendering, {key, make_list(rendering, std::move(members))}));
    // NaN is not equal to itself.
    if (i == begin) rendering.fail("groupby: a value is not equal to itself");
  }
  return make_list(rendering, std::move(groups));
}

}  // namespace

Filter find_selection_filter(std::string_view name) {
  static const std::unordered_map<std::string_view, Filter> filters = {
      {"groupby", grouped},
      {"map", map},
      {"reject", select<false, false>},
      {"rejectattr", select<true, false>},
      {"select", select<false, true>},
      {"selectattr", select<true, true>},
  };
  const auto found = filters.find(name);
  return found == filters.end() ? nullptr : found->second;
}

}  // namespace fathom::jinja
