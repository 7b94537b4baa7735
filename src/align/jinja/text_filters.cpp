// Filters that make texts and numbers of one value.
#include <charconv>
#include <cmath>
#include <unordered_map>

#include "align/jinja/arguments.h"
#include "align/jinja/filters.h"
#include "align/jinja/html.h"
#include "align/jinja/interpreter.h"
#include "align/jinja/number_format.h"
#include "align/jinja/operator_checks.h"
#include "align/jinja/text_functions.h"
#include "text/utf8.h"

namespace fathom::jinja {

namespace {

template <Text (*function)(Rendering&, const Text&)>
Value mapped_filter(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments none(rendering, "a filter without arguments", arguments, {});
  return make_text(interpreter, function(rendering, to_text(rendering, value)));
}

// Words begin after white space, '-' and opening brackets, unlike str.title() of Python.
Text title_words(Rendering& rendering, const Text& text) {
  TextBuilder out(rendering);
  const std::string& bytes = text.bytes();
  bool begins = true;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t end = at + utf8::length(bytes[at]);
    const char* position = bytes.data() + at;
    const char32_t c = utf8::next(position);
    const bool boundary =
        is_space(c) || (c < 0x80 && std::string_view("-({[<").find(static_cast<char>(c)) !=
                                        std::string_view::npos);
    rendering.spend(1);
    const Text one = subtext(rendering, text, at, end);
    out.add(boundary ? one : begins ? upper(rendering, one) : lower(rendering, one));
    begins = boundary;
    at = end;
  }
  return out.take();
}

Value trim(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments bound(rendering, "trim", arguments, {"chars"});
  return make_text(interpreter,
                   strip(rendering, to_text(rendering, value), Side::both, bound.text(0)));
}

Value replace_filter(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments bound(rendering, "replace", arguments, {"old", "new", "count"}, 2);
  return make_text(interpreter,
                   replace(rendering, to_text(rendering, value), to_text(rendering, bound.at(0)),
                           to_text(rendering, bound.at(1)), bound.integer(2, -1)));
}

Value text_of(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const BoundArguments none(interpreter.rendering(), "string", arguments, {});
  return value.is_text() ? value : make_text(interpreter, to_text(interpreter.rendering(), value));
}

Value safe(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments none(rendering, "safe", arguments, {});
  return make_text(rendering, to_text(rendering, value), true);
}

Value escape(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments none(rendering, "escape", arguments, {});
  if (value.is_markup()) return value;
  return make_text(rendering, escape_html(rendering, to_text(rendering, value)), true);
}

Value indented(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments bound(rendering, "indent", arguments, {"width", "first", "blank"});
  if (!value.is_text()) {
    require_defined(rendering, value);
    rendering.fail("indent wants a text, not {}", value.type_name());
  }
  Text indentation;
  if (bound.find(0) && bound.at(0).is_text()) {
    indentation = bound.at(0).text();
  } else {
    TextBuilder spaces(rendering);
    spaces.add_repeated(' ',
                        static_cast<std::size_t>(std::max<std::int64_t>(bound.integer(0, 4), 0)));
    indentation = spaces.take();
  }
  TextBuilder with_newline(rendering);
  with_newline.add(value.text());
  with_newline.add("\n");
  const std::vector<Text> lines = split_lines(rendering, with_newline.take(), false);
  const bool blank = bound.truth(2, false);
  TextBuilder out(rendering);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) out.add("\n");
    if (i == 0 ? bound.truth(1, false) : blank || !lines[i].empty()) out.add(indentation);
    out.add(lines[i]);
  }
  return make_text(interpreter, out.take());
}

Value format_filter(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  if (!arguments.named.empty()) rendering.fail("format: arguments with names are not supported");
  const Value format = make_text(interpreter, to_text(rendering, value));
  return format_percent(rendering, format, make_tuple(rendering, arguments.positional));
}

std::string separator(const Rendering& rendering, const Value& pair, std::size_t index) {
  if (!pair.is_sequence() || pair.sequence().items.size() != 2 ||
      !pair.sequence().items[index].is_text()) {
    rendering.fail("tojson: separators must be two texts");
  }
  return pair.sequence().items[index].text().bytes();
}

Value json(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments bound(rendering, "tojson", arguments,
                             {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.ensure_ascii = bound.truth(0, false);
  style.sort_keys = bound.truth(3, false);
  if (bound.find(1) && !bound.at(1).is_none()) {
    style.pretty = true;
    style.item_separator = ",";
    if (bound.at(1).is_text()) {
      style.indent = bound.at(1).text().bytes();
    } else {
      const std::int64_t spaces = std::max<std::int64_t>(bound.integer(1, 0), 0);
      if (spaces > 1000) rendering.fail("tojson: an indent of {} is too wide", spaces);
      style.indent.assign(static_cast<std::size_t>(spaces), ' ');
    }
  }
  if (bound.find(2) && !bound.at(2).is_none()) {
    style.item_separator = separator(rendering, bound.at(2), 0);
    style.key_separator = separator(rendering, bound.at(2), 1);
  }
  return make_text(interpreter, to_json(rendering, value, style));
}

// Leaves out each '_' between two digits; false when there is another one.
bool join_digits(std::string_view text, std::string& joined) {
  const auto digit_at = [&](std::size_t i) {
    return i < text.size() && text[i] >= '0' && text[i] <= '9';
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      joined += text[i];
    } else if (i == 0 || !digit_at(i - 1) || !digit_at(i + 1)) {
      return false;
    }
  }
  return true;
}

// The number that a text begins to end is, between white space; false when it is none.
template <class Number>
bool parse_number(Rendering& rendering, const Text& text, Number& number) {
  const Text stripped = strip(rendering, text, Side::both, nullptr);
  std::string digits;
  if (!join_digits(stripped.bytes(), digits)) return false;
  const char* begin = digits.data();
  const char* end = begin + digits.size();
  if (begin != end && *begin == '+' && digits.find('-') == std::string::npos) ++begin;
  const auto result = std::from_chars(begin, end, number);
  if (result.ec == std::errc::result_out_of_range) {
    rendering.fail("the number {} is too large", digits.substr(0, 40));
  }
  return result.ec == std::errc() && result.ptr == end;
}

Value integer(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments bound(rendering, "int", arguments, {"default", "base"});
  if (bound.integer(1, 10) != 10) rendering.fail("int: bases other than 10 are not supported");
  require_defined(rendering, value);
  const Value fallback = bound.find(0) ? bound.at(0) : Value(std::int64_t{0});
  double real = 0;
  if (value.is_integral()) return value.integral();
  if (value.is_text()) {
    std::int64_t number = 0;
    if (parse_number(rendering, value.text(), number)) return number;
    if (!parse_number(rendering, value.text(), real)) return fallback;
  } else if (value.is_real()) {
    real = value.real();
  } else {
    return fallback;
  }
  if (!std::isfinite(real)) return fallback;
  if (!(std::abs(real) < 9.2e18)) rendering.fail("int: {} does not fit into 64 bits", real);
  return static_cast<std::int64_t>(real);
}

Value real(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments bound(rendering, "float", arguments, {"default"});
  require_defined(rendering, value);
  if (value.is_number()) return value.number();
  double number = 0;
  if (value.is_text() && parse_number(rendering, value.text(), number)) return number;
  return bound.find(0) ? bound.at(0) : Value(0.0);
}

Value absolute(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments none(rendering, "abs", arguments, {});
  if (!value.is_number()) rendering.fail("abs wants a number, not {}", value.type_name());
  if (value.is_real()) return std::abs(value.real());
  return value.integral() < 0 ? negate(rendering, value) : Value(value.integral());
}

Value rounded(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments bound(rendering, "round", arguments, {"precision", "method"});
  const Text* method = bound.text(1);
  const std::string name = method ? method->bytes() : "common";
  if (name != "common" && name != "ceil" && name != "floor") {
    rendering.fail("round: the method must be common, ceil or floor");
  }
  require_defined(rendering, value);
  if (!value.is_number()) rendering.fail("round wants a number, not {}", value.type_name());
  const std::int64_t precision = bound.integer(0, 0);
  if (precision < -300 || precision > 300) rendering.fail("round: the precision is too large");
  const double power = std::pow(10.0, static_cast<double>(precision));
  if (name == "ceil") return std::ceil(value.number() * power) / power;
  if (name == "floor") return std::floor(value.number() * power) / power;
  if (value.is_integral()) {
    if (precision < 0) rendering.fail("round: integers keep their digits before the point");
    return value.integral();
  }
  if (!std::isfinite(value.real())) return value;
  // Half to even on the exact binary value, as printf does.
  if (precision >= 0) {
    const std::string digits = fmt::format("{:.{}f}", value.real(), static_cast<int>(precision));
    double number = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return number;
  }
  return std::nearbyint(value.real() * power) / power;
}

Value default_value(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Rendering& rendering = interpreter.rendering();
  const BoundArguments bound(rendering, "default", arguments, {"default_value", "boolean"});
  const bool absent = value.is_undefined() || (bound.truth(1, false) && !value.truth());
  if (!absent) return value;
  return bound.find(0) ? bound.at(0) : make_text(rendering, "");
}

}  // namespace

Filter find_text_filter(std::string_view name) {
  static const std::unordered_map<std::string_view, Filter> filters = {
      {"abs", absolute},
      {"capitalize", mapped_filter<capitalize>},
      {"d", default_value},
      {"default", default_value},
      {"e", escape},
      {"escape", escape},
      {"float", real},
      {"format", format_filter},
      {"indent", indented},
      {"int", integer},
      {"lower", mapped_filter<lower>},
      {"replace", replace_filter},
      {"round", rounded},
      {"safe", safe},
      {"string", text_of},
      {"title", mapped_filter<title_words>},
      {"tojson", json},
      {"trim", trim},
      {"upper", mapped_filter<upper>},
  };
  const auto found = filters.find(name);
  return found == filters.end() ? nullptr : found->second;
}

Filter find_filter(std::string_view name) {
  if (const Filter filter = find_text_filter(name)) return filter;
  if (const Filter filter = find_sequence_filter(name)) return filter;
  return find_selection_filter(name);
}

}  // namespace fathom::jinja
