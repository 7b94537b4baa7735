#include "align/jinja/tests.h"

#include <unordered_map>

#include "align/jinja/arguments.h"
#include "align/jinja/filters.h"
#include "align/jinja/interpreter.h"
#include "align/jinja/operators.h"
#include "align/jinja/text_functions.h"
#include "text/utf8.h"

namespace fathom::jinja {

namespace {

// A test without arguments.
template <bool (*predicate)(const Value&)>
bool plain(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const BoundArguments none(interpreter.rendering(), "a test without arguments", arguments, {});
  return predicate(value);
}

bool is_defined(const Value& value) {
  return !value.is_undefined();
}
bool is_undefined(const Value& value) {
  return value.is_undefined();
}
bool is_none(const Value& value) {
  return value.is_none();
}
bool is_boolean(const Value& value) {
  return value.is_boolean();
}
bool is_true(const Value& value) {
  return value.is_boolean() && value.boolean();
}
bool is_false(const Value& value) {
  return value.is_boolean() && !value.boolean();
}
bool is_integer(const Value& value) {
  return value.is_integer();
}
bool is_real(const Value& value) {
  return value.is_real();
}
bool is_number(const Value& value) {
  return value.is_number();
}
bool is_text(const Value& value) {
  return value.is_text();
}
bool is_mapping(const Value& value) {
  return value.is_dict();
}
bool is_callable(const Value& value) {
  return value.callable() != nullptr;
}
bool is_escaped(const Value& value) {
  return value.is_markup();
}
bool is_iterable(const Value& value) {
  return value.is_undefined() || value.is_text() || value.is_sequence() || value.is_dict() ||
         value.loop();
}
bool is_sequence(const Value& value) {
  return value.is_text() || value.is_dict() || value.is_undefined() ||
         (value.is_sequence() && value.sequence().indexable());
}

template <Operator op>
bool compared(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const BoundArguments bound(interpreter.rendering(), "a comparison", arguments, {"other"}, 1);
  return compare(interpreter.rendering(), op, value, bound.at(0));
}

bool divisible(Interpreter& interpreter, const Value& value, const Value& by) {
  Rendering& rendering = interpreter.rendering();
  const Value remainder = arithmetic(rendering, Operator::modulo, value, by);
  return equal(rendering, remainder, std::int64_t{0});
}

bool is_divisible(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const BoundArguments bound(interpreter.rendering(), "divisibleby", arguments, {"num"}, 1);
  return divisible(interpreter, value, bound.at(0));
}

bool is_even(Interpreter& interpreter, const Value& value, const Arguments&) {
  return divisible(interpreter, value, std::int64_t{2});
}

bool is_odd(Interpreter& interpreter, const Value& value, const Arguments&) {
  Rendering& rendering = interpreter.rendering();
  const Value remainder = arithmetic(rendering, Operator::modulo, value, std::int64_t{2});
  return equal(rendering, remainder, std::int64_t{1});
}

// Identity, of values that have one: constants, and values of a type that compares them.
bool is_same(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments bound(rendering, "sameas", arguments, {"other"}, 1);
  const Value& other = bound.at(0);
  const auto constant = [](const Value& one) { return one.is_none() || one.is_boolean(); };
  if (constant(value) || constant(other)) {
    return value.type_name() == other.type_name() && equal(rendering, value, other);
  }
  rendering.fail("sameas is supported for none, true and false alone");
}

// Whether letters of the text have this case, and none has another.
template <bool (*wanted)(char32_t)>
bool has_case(Interpreter& interpreter, const Value& value, const Arguments&) {
  const Text text = to_text(interpreter.rendering(), value);
  bool some = false;
  const char* end = text.bytes().data() + text.bytes().size();
  for (const char* position = text.bytes().data(); position < end;) {
    const char32_t c = utf8::next(position);
    if (is_cased(c) && !wanted(c)) return false;
    some = some || is_cased(c);
  }
  return some;
}

bool is_filter(Interpreter&, const Value& value, const Arguments&) {
  return value.is_text() && find_filter(value.text().bytes());
}

bool is_test(Interpreter&, const Value& value, const Arguments&) {
  return value.is_text() && find_test(value.text().bytes());
}

}  // namespace

Test find_test(std::string_view name) {
  static const std::unordered_map<std::string_view, Test> tests = {
      {"!=", compared<Operator::not_equal>},
      {"<", compared<Operator::less>},
      {"<=", compared<Operator::less_equal>},
      {"==", compared<Operator::equal>},
      {">", compared<Operator::greater>},
      {">=", compared<Operator::greater_equal>},
      {"boolean", plain<is_boolean>},
      {"callable", plain<is_callable>},
      {"defined", plain<is_defined>},
      {"divisibleby", is_divisible},
      {"eq", compared<Operator::equal>},
      {"equalto", compared<Operator::equal>},
      {"escaped", plain<is_escaped>},
      {"even", is_even},
      {"false", plain<is_false>},
      {"filter", is_filter},
      {"float", plain<is_real>},
      {"ge", compared<Operator::greater_equal>},
      {"greaterthan", compared<Operator::greater>},
      {"gt", compared<Operator::greater>},
      {"in", compared<Operator::in>},
      {"integer", plain<is_integer>},
      {"iterable", plain<is_iterable>},
      {"le", compared<Operator::less_equal>},
      {"lessthan", compared<Operator::less>},
      {"lower", has_case<is_lower>},
      {"lt", compared<Operator::less>},
      {"mapping", plain<is_mapping>},
      {"ne", compared<Operator::not_equal>},
      {"none", plain<is_none>},
      {"number", plain<is_number>},
      {"odd", is_odd},
      {"sameas", is_same},
      {"sequence", plain<is_sequence>},
      {"string", plain<is_text>},
      {"test", is_test},
      {"true", plain<is_true>},
      {"undefined", plain<is_undefined>},
      {"upper", has_case<is_upper>},
  };
  const auto found = tests.find(name);
  return found == tests.end() ? nullptr : found->second;
}

}  // namespace fathom::jinja
