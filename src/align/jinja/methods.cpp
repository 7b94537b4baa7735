#include "align/jinja/methods.h"

#include <algorithm>
#include <span>

#include "align/jinja/arguments.h"
#include "align/jinja/interpreter.h"
#include "align/jinja/operators.h"

namespace fathom::jinja {

namespace {

Value dict_items(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments none(rendering, "items", arguments, {});
  std::vector<Value> items;
  for (const auto& [key, item] : value.dict().entries) {
    rendering.spend(1);
    items.push_back(make_tuple(rendering, {key, item}));
  }
  return make_view(rendering, "dict_items", std::move(items));
}

Value dict_keys(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments none(rendering, "keys", arguments, {});
  return make_view(rendering, "dict_keys", iterate(rendering, value));
}

Value dict_values(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments none(rendering, "values", arguments, {});
  std::vector<Value> values;
  for (const auto& entry : value.dict().entries) values.push_back(entry.second);
  return make_view(rendering, "dict_values", std::move(values));
}

Value dict_get(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments bound(rendering, "get", arguments, {"key", "default"}, 1);
  if (!hashable(bound.at(0))) rendering.fail("a {} can't be a key", bound.at(0).type_name());
  if (const Value* found = value.dict().find(rendering, bound.at(0))) return *found;
  return bound.find(1) ? bound.at(1) : Value();
}

Value same_value(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const BoundArguments none(interpreter.rendering(), "copy", arguments, {});
  return value;
}

Value sequence_index(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments bound(rendering, "index", arguments, {"value"}, 1);
  const auto& items = value.sequence().items;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (equal(rendering, items[i], bound.at(0))) return static_cast<std::int64_t>(i);
  }
  rendering.fail("index(): the value is not in the {}", value.type_name());
}

Value sequence_count(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments bound(rendering, "count", arguments, {"value"}, 1);
  const auto& items = value.sequence().items;
  return static_cast<std::int64_t>(
      std::count_if(items.begin(), items.end(),
                    [&](const Value& item) { return equal(rendering, item, bound.at(0)); }));
}

Method find_dict_method(std::string_view name) {
  if (name == "items") return dict_items;
  if (name == "keys") return dict_keys;
  if (name == "values") return dict_values;
  if (name == "get") return dict_get;
  if (name == "copy") return same_value;
  return nullptr;
}

Method find_sequence_method(const Sequence& sequence, std::string_view name) {
  if (!sequence.indexable()) return nullptr;
  if (name == "index") return sequence_index;
  if (name == "count") return sequence_count;
  if (name == "copy" && sequence.kind == SequenceKind::list) return same_value;
  return nullptr;
}

bool in(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool changes_value(const Value& value, std::string_view name) {
  constexpr std::string_view of_dict[] = {"clear", "pop", "popitem", "setdefault", "update"};
  constexpr std::string_view of_list[] = {"append", "clear",  "extend",  "insert",
                                          "pop",    "remove", "reverse", "sort"};
  if (value.is_dict()) return in(of_dict, name);
  return value.is_sequence() && value.sequence().kind == SequenceKind::list && in(of_list, name);
}

// Methods of Python's types that Fathom lacks: a template that calls one is refused rather
// than rendered otherwise.
bool only_in_python(const Value& value, std::string_view name) {
  constexpr std::string_view of_text[] = {"casefold",    "center",    "encode",       "expandtabs",
                                          "format_map",  "isascii",   "isidentifier", "istitle",
                                          "isprintable", "ljust",     "maketrans",    "rjust",
                                          "swapcase",    "translate", "zfill"};
  constexpr std::string_view of_number[] = {
      "as_integer_ratio", "bit_count", "bit_length", "conjugate", "denominator",
      "from_bytes",       "fromhex",   "hex",        "imag",      "is_integer",
      "numerator",        "real",      "to_bytes"};
  if (value.is_text()) return in(of_text, name);
  if (value.is_number()) return in(of_number, name);
  return value.is_dict() && name == "fromkeys";
}

std::optional<Value> loop_member(Interpreter& interpreter, const Value& value,
                                 std::string_view name) {
  const Loop& loop = *value.loop();
  const auto index = static_cast<std::int64_t>(loop.index);
  const auto length = static_cast<std::int64_t>(loop.items.size());
  if (name == "index") return index + 1;
  if (name == "index0") return index;
  if (name == "revindex") return length - index;
  if (name == "revindex0") return length - index - 1;
  if (name == "first") return index == 0;
  if (name == "last") return index + 1 == length;
  if (name == "length") return length;
  if (name == "depth") return std::int64_t{1};
  if (name == "depth0") return std::int64_t{0};
  if (name == "previtem") {
    return index > 0 ? loop.items[loop.index - 1] : Value::undefined("there is no previous item");
  }
  if (name == "nextitem") {
    return index + 1 < length ? loop.items[loop.index + 1]
                              : Value::undefined("there is no next item");
  }
  if (name == "cycle") {
    return make_callable(interpreter.rendering(), "cycle",
                         [index](Interpreter& caller, const Arguments& arguments) {
                           const auto& values = arguments.positional;
                           if (values.empty()) caller.rendering().fail("cycle() wants values");
                           return values[static_cast<std::size_t>(index) % values.size()];
                         });
  }
  if (name == "changed") interpreter.rendering().fail("loop.changed is not supported");
  return std::nullopt;
}

Method find_method(const Value& value, std::string_view name) {
  if (value.is_text()) return find_text_method(name);
  if (value.is_dict()) return find_dict_method(name);
  if (value.is_sequence()) return find_sequence_method(value.sequence(), name);
  return nullptr;
}

}  // namespace

std::optional<Value> find_member(Interpreter& interpreter, const Value& value,
                                 const std::string& name) {
  if (value.loop()) return loop_member(interpreter, value, name);
  if (const Namespace* space = value.name_space()) {
    const Value* found = space->find(name);
    return found ? std::optional<Value>(*found) : std::nullopt;
  }
  if (const Method method = find_method(value, name)) {
    return make_callable(interpreter.rendering(), name,
                         [method, value](Interpreter& caller, const Arguments& arguments) {
                           return method(caller, value, arguments);
                         });
  }
  if (changes_value(value, name)) {
    return Value::undefined(fmt::format(
        "the method '{}' would change a {}, which templates may not", name, value.type_name()));
  }
  if (only_in_python(value, name)) {
    interpreter.rendering().fail("the method '{}' of {} is not supported", name, value.type_name());
  }
  return std::nullopt;
}

}  // namespace fathom::jinja
