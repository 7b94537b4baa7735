// Methods of texts.
#include <algorithm>
#include <unordered_map>

#include "align/jinja/arguments.h"
#include "align/jinja/interpreter.h"
#include "align/jinja/methods.h"
#include "align/jinja/number_format.h"
#include "align/jinja/operators.h"
#include "align/jinja/text_functions.h"
#include "text/utf8.h"

namespace fathom::jinja {

namespace {

template <Text (*function)(Rendering&, const Text&)>
Value mapped_method(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const BoundArguments none(interpreter.rendering(), "a method without arguments", arguments, {});
  return make_text(interpreter, function(interpreter.rendering(), value.text()));
}

template <Side side>
Value stripped(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments bound(rendering, "strip", arguments, {"chars"});
  return make_text(interpreter, strip(rendering, value.text(), side, bound.text(0)));
}

template <Side side>
Value split_text(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments bound(rendering, "split", arguments, {"sep", "maxsplit"});
  return split(rendering, value.text(), bound.text(0), bound.integer(1, -1), side);
}

Value split_into_lines(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments bound(rendering, "splitlines", arguments, {"keepends"});
  std::vector<Value> lines;
  for (Text& line : split_lines(rendering, value.text(), bound.truth(0, false))) {
    lines.push_back(make_text(rendering, std::move(line)));
  }
  return make_list(rendering, std::move(lines));
}

// The texts of an argument that is a text or a tuple of texts.
std::vector<const Text*> affixes(const Rendering& rendering, const Value& value) {
  std::vector<const Text*> texts;
  if (value.is_text()) return {&value.text()};
  if (value.is_sequence() && value.sequence().kind == SequenceKind::tuple) {
    for (const Value& item : value.sequence().items) {
      if (!item.is_text()) rendering.fail("the affixes must be texts, not {}", item.type_name());
      texts.push_back(&item.text());
    }
    return texts;
  }
  rendering.fail("startswith() and endswith() want a text or a tuple of texts, not {}",
                 value.type_name());
}

template <Side side>
Value has_affix(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments bound(rendering, "startswith", arguments, {"prefix"}, 1);
  const std::string_view bytes = value.text().bytes();
  const auto texts = affixes(rendering, bound.at(0));
  return std::any_of(texts.begin(), texts.end(), [&](const Text* affix) {
    return side == Side::left ? bytes.starts_with(affix->bytes()) : bytes.ends_with(affix->bytes());
  });
}

const Text& required_text(const BoundArguments& bound, std::size_t index,
                          const Rendering& rendering) {
  const Text* text = bound.text(index);
  if (!text) rendering.fail("the argument must be a text, not None");
  return *text;
}

template <Side side>
Value without_affix(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments bound(rendering, "removeprefix", arguments, {"affix"}, 1);
  const std::string& affix = required_text(bound, 0, rendering).bytes();
  const std::string& bytes = value.text().bytes();
  if (side == Side::left && bytes.starts_with(affix)) {
    return make_text(interpreter, subtext(rendering, value.text(), affix.size(), bytes.size()));
  }
  if (side == Side::right && bytes.ends_with(affix)) {
    return make_text(interpreter, subtext(rendering, value.text(), 0, bytes.size() - affix.size()));
  }
  return value;
}

Value replace_method(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments bound(rendering, "replace", arguments, {"old", "new", "count"}, 2);
  return make_text(interpreter, replace(rendering, value.text(), required_text(bound, 0, rendering),
                                        required_text(bound, 1, rendering), bound.integer(2, -1)));
}

// The character at which the argument is found first or last; -1 when it is nowhere.
std::int64_t position(Interpreter& interpreter, const Value& value, const Arguments& arguments,
                      Side side) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments bound(rendering, "find", arguments, {"sub"}, 1);
  const std::string& bytes = value.text().bytes();
  const std::string& wanted = required_text(bound, 0, rendering).bytes();
  rendering.spend_bytes(bytes.size());
  const std::size_t found = side == Side::left ? bytes.find(wanted) : bytes.rfind(wanted);
  if (found == std::string::npos) return -1;
  return static_cast<std::int64_t>(subtext(rendering, value.text(), 0, found).characters());
}

template <Side side>
Value find_position(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  return position(interpreter, value, arguments, side);
}

template <Side side>
Value index_position(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const std::int64_t found = position(interpreter, value, arguments, side);
  if (found < 0) interpreter.rendering().fail("index(): the text is not found");
  return found;
}

Value count(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments bound(rendering, "count", arguments, {"sub"}, 1);
  const Text& wanted = required_text(bound, 0, rendering);
  if (wanted.empty()) return static_cast<std::int64_t>(value.text().characters() + 1);
  const Value parts = split(rendering, value.text(), &wanted, -1, Side::left);
  return static_cast<std::int64_t>(parts.sequence().items.size()) - 1;
}

Value join_method(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments bound(rendering, "join", arguments, {"iterable"}, 1);
  if (bound.at(0).is_undefined()) return make_text(interpreter, {});
  const std::vector<Value> items = iterate(rendering, bound.at(0));
  for (const Value& item : items) {
    if (!item.is_text()) rendering.fail("join() wants texts, not {}", item.type_name());
  }
  return make_text(interpreter, join(rendering, value.text(), items));
}

Value format_method(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  return format_braces(interpreter.rendering(), value.text(), arguments);
}

template <Side side>
Value partitioned(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments bound(rendering, "partition", arguments, {"sep"}, 1);
  const Text& separator = required_text(bound, 0, rendering);
  if (separator.empty()) rendering.fail("partition(): the separator is empty");
  const Text& text = value.text();
  const std::size_t size = text.bytes().size();
  const std::size_t found = side == Side::left ? text.bytes().find(separator.bytes())
                                               : text.bytes().rfind(separator.bytes());
  const auto part = [&](std::size_t begin, std::size_t end) {
    return make_text(interpreter, subtext(rendering, text, begin, end));
  };
  if (found == std::string::npos) {
    return side == Side::left ? make_tuple(rendering, {part(0, size), part(0, 0), part(0, 0)})
                              : make_tuple(rendering, {part(0, 0), part(0, 0), part(0, size)});
  }
  const std::size_t after = found + separator.bytes().size();
  return make_tuple(rendering, {part(0, found), part(found, after), part(after, size)});
}

// Whether the text has characters and all of them are of a class.
template <bool (*in_class)(char32_t)>
Value all_of_class(Interpreter& interpreter, const Value& value, const Arguments&) {
  const std::string& bytes = value.text().bytes();
  interpreter.rendering().spend(bytes.size() / 8);
  const char* position = bytes.data();
  const char* end = position + bytes.size();
  bool all = !bytes.empty();
  while (all && position < end) all = in_class(utf8::next(position));
  return all;
}

// str.isupper() and str.islower(): some letter has a case, and all that have one have this.
template <bool (*wanted)(char32_t)>
Value all_of_case(Interpreter& interpreter, const Value& value, const Arguments&) {
  const std::string& bytes = value.text().bytes();
  interpreter.rendering().spend(bytes.size() / 8);
  const char* position = bytes.data();
  const char* end = position + bytes.size();
  bool some = false;
  while (position < end) {
    const char32_t c = utf8::next(position);
    if (is_cased(c) && !wanted(c)) return false;
    some = some || is_cased(c);
  }
  return some;
}

bool is_decimal(char32_t c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char32_t c) {
  return utf8::is_word(c) && !utf8::is_number(c) && c != '_';
}
bool is_letter_or_number(char32_t c) {
  return is_letter(c) || utf8::is_number(c);
}

}  // namespace

Method find_text_method(std::string_view name) {
  static const std::unordered_map<std::string_view, Method> methods = {
      {"capitalize", mapped_method<capitalize>},
      {"count", count},
      {"endswith", has_affix<Side::right>},
      {"find", find_position<Side::left>},
      {"format", format_method},
      {"index", index_position<Side::left>},
      {"isalnum", all_of_class<is_letter_or_number>},
      {"isalpha", all_of_class<is_letter>},
      {"isdecimal", all_of_class<is_decimal>},
      {"isdigit", all_of_class<is_decimal>},
      {"islower", all_of_case<is_lower>},
      {"isnumeric", all_of_class<utf8::is_number>},
      {"isspace", all_of_class<is_space>},
      {"isupper", all_of_case<is_upper>},
      {"join", join_method},
      {"lower", mapped_method<lower>},
      {"lstrip", stripped<Side::left>},
      {"partition", partitioned<Side::left>},
      {"removeprefix", without_affix<Side::left>},
      {"removesuffix", without_affix<Side::right>},
      {"replace", replace_method},
      {"rfind", find_position<Side::right>},
      {"rindex", index_position<Side::right>},
      {"rpartition", partitioned<Side::right>},
      {"rsplit", split_text<Side::right>},
      {"rstrip", stripped<Side::right>},
      {"split", split_text<Side::left>},
      {"splitlines", split_into_lines},
      {"startswith", has_affix<Side::left>},
      {"strip", stripped<Side::both>},
      {"title", mapped_method<title>},
      {"upper", mapped_method<upper>},
  };
  const auto found = methods.find(name);
  return found == methods.end() ? nullptr : found->second;
}

}  // namespace fathom::jinja
