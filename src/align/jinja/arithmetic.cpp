// Arithmetic with Python's rules: integers of 64 bits, division that rounds down, texts and
// lists that + joins and * repeats.
#include <algorithm>
#include <cmath>
#include <limits>

#include "align/jinja/html.h"
#include "align/jinja/number_format.h"
#include "align/jinja/operator_checks.h"

namespace fathom::jinja {

namespace {

std::string_view symbol(Operator op) {
  constexpr std::string_view symbols[] = {"+", "-", "*", "/", "//", "%", "**"};
  return symbols[static_cast<std::size_t>(op)];
}

[[noreturn]] void fail_overflow(const Rendering& rendering) {
  rendering.fail("an integer does not fit into 64 bits");
}

std::int64_t floor_quotient(const Rendering& rendering, std::int64_t a, std::int64_t b) {
  if (b == 0) rendering.fail("division by zero");
  if (b == -1) {
    if (a == std::numeric_limits<std::int64_t>::min()) fail_overflow(rendering);
    return -a;
  }
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

std::int64_t floor_remainder(const Rendering& rendering, std::int64_t a, std::int64_t b) {
  if (b == 0) rendering.fail("division by zero");
  if (b == -1) return 0;
  const std::int64_t remainder = a % b;
  return remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder;
}

Value integer_power(Rendering& rendering, std::int64_t base, std::int64_t exponent) {
  if (exponent < 0) {
    if (base == 0) rendering.fail("0 can't be raised to a negative power");
    return std::pow(static_cast<double>(base), static_cast<double>(exponent));
  }
  std::int64_t result = 1;
  while (exponent > 0) {
    rendering.spend(1);
    if (exponent % 2 == 1 && __builtin_mul_overflow(result, base, &result)) {
      fail_overflow(rendering);
    }
    exponent /= 2;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) fail_overflow(rendering);
  }
  return result;
}

Value integer_arithmetic(Rendering& rendering, Operator op, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  bool overflow = false;
  switch (op) {
    case Operator::add:
      overflow = __builtin_add_overflow(a, b, &result);
      break;
    case Operator::subtract:
      overflow = __builtin_sub_overflow(a, b, &result);
      break;
    case Operator::multiply:
      overflow = __builtin_mul_overflow(a, b, &result);
      break;
    case Operator::floor_divide:
      return floor_quotient(rendering, a, b);
    case Operator::modulo:
      return floor_remainder(rendering, a, b);
    case Operator::power:
      return integer_power(rendering, a, b);
    default:
      if (b == 0) rendering.fail("division by zero");
      return static_cast<double>(a) / static_cast<double>(b);
  }
  if (overflow) fail_overflow(rendering);
  return result;
}

Value real_arithmetic(Rendering& rendering, Operator op, double a, double b) {
  switch (op) {
    case Operator::add:
      return a + b;
    case Operator::subtract:
      return a - b;
    case Operator::multiply:
      return a * b;
    case Operator::power: {
      if (a == 0 && b < 0) rendering.fail("0 can't be raised to a negative power");
      if (a < 0 && b != std::floor(b)) {
        rendering.fail("a root of a negative number: complex numbers are not supported");
      }
      const double power = std::pow(a, b);
      if (std::isinf(power) && std::isfinite(a) && std::isfinite(b)) {
        rendering.fail("the result of ** is too large");
      }
      return power;
    }
    default:
      break;
  }
  if (b == 0) rendering.fail("division by zero");
  if (op == Operator::divide) return a / b;
  double remainder = std::fmod(a, b);
  if (remainder != 0 && (remainder < 0) != (b < 0)) remainder += b;
  if (op == Operator::modulo) return remainder == 0 ? std::copysign(0.0, b) : remainder;
  const double quotient = (a - remainder) / b;
  const double floored = std::floor(quotient);
  return quotient - floored > 0.5 ? floored + 1 : floored;
}

// The text `times` times. The unit doubles, so that many short ones take few steps.
Text repeated_text(Rendering& rendering, const Text& text, std::size_t times) {
  if (text.empty() || times == 0) return {};
  constexpr std::size_t far_too_many = std::size_t{1} << 40;
  rendering.check_memory(times > far_too_many ? times : text.bytes().size() * times);
  TextBuilder repeated(rendering);
  Text unit = text;
  for (;; times /= 2) {
    if (times % 2 == 1) repeated.add(unit);
    if (times == 1) return repeated.take();
    TextBuilder doubled(rendering);
    doubled.add(unit);
    doubled.add(unit);
    unit = doubled.take();
  }
}

// The text or the sequence `count` times.
Value repeat(Rendering& rendering, const Value& value, std::int64_t count) {
  const auto times = static_cast<std::size_t>(std::max<std::int64_t>(count, 0));
  if (value.is_text()) {
    return make_text(rendering, repeated_text(rendering, value.text(), times), value.is_markup());
  }
  const auto& items = value.sequence().items;
  std::vector<Value> repeated;
  if (!items.empty()) {
    for (std::size_t i = 0; i < times; ++i) {
      rendering.spend(1 + items.size() / 8);
      rendering.check_memory(2 * (repeated.size() + items.size()) * sizeof(Value));
      repeated.insert(repeated.end(), items.begin(), items.end());
    }
  }
  return make_sequence(rendering, value.sequence().kind, std::move(repeated));
}

Value join_texts(Rendering& rendering, const Value& left, const Value& right) {
  TextBuilder joined(rendering);
  const bool markup = left.is_markup() || right.is_markup();
  for (const Value* side : {&left, &right}) {
    if (markup && !side->is_markup()) {
      joined.add(escape_html(rendering, side->text()));
    } else {
      joined.add(side->text());
    }
  }
  return make_text(rendering, joined.take(), markup);
}

}  // namespace

Value arithmetic(Rendering& rendering, Operator op, const Value& left, const Value& right) {
  require_defined(rendering, left);
  if (op == Operator::modulo && left.is_text()) return format_percent(rendering, left, right);
  require_defined(rendering, right);
  if (left.is_integral() && right.is_integral()) {
    return integer_arithmetic(rendering, op, left.integral(), right.integral());
  }
  if (left.is_number() && right.is_number()) {
    return real_arithmetic(rendering, op, left.number(), right.number());
  }
  if (op == Operator::add) {
    if (left.is_text() && right.is_text()) return join_texts(rendering, left, right);
    if (is_list_or_tuple(left) && is_list_or_tuple(right) &&
        left.sequence().kind == right.sequence().kind) {
      std::vector<Value> items = left.sequence().items;
      const auto& more = right.sequence().items;
      rendering.check_memory(2 * (items.size() + more.size()) * sizeof(Value));
      rendering.spend((items.size() + more.size()) / 8);
      items.insert(items.end(), more.begin(), more.end());
      return make_sequence(rendering, left.sequence().kind, std::move(items));
    }
  }
  if (op == Operator::multiply) {
    const auto repeatable = [](const Value& value) {
      return value.is_text() || is_list_or_tuple(value);
    };
    if (repeatable(left) && right.is_integral()) {
      return repeat(rendering, left, right.integral());
    }
    if (repeatable(right) && left.is_integral()) return repeat(rendering, right, left.integral());
  }
  fail_types(rendering, symbol(op), left, right);
}

Value negate(Rendering& rendering, const Value& value) {
  require_defined(rendering, value);
  if (value.is_real()) return -value.real();
  if (!value.is_integral()) rendering.fail("operator - is not defined for {}", value.type_name());
  return integer_arithmetic(rendering, Operator::subtract, 0, value.integral());
}

}  // namespace fathom::jinja
