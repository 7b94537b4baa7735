#include "align/jinja/number_format.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "align/jinja/operators.h"

namespace fathom::jinja {

namespace {

struct Specification {
  bool left = false;      // aligned to the left
  bool zeros = false;     // padded with zeros after the sign
  bool plus = false;      // a sign always
  bool space = false;     // a space in place of +
  std::size_t width = 0;  // in characters
  std::optional<int> precision;
  char type = 's';
};

constexpr std::size_t max_width = 10'000;

// Reads characters of a format, which must not end within a field.
class Reader {
 public:
  Reader(const Rendering& rendering, const std::string& bytes, std::size_t at)
      : rendering_(rendering), bytes_(bytes), at_(at) {}

  char peek() const {
    if (at_ >= bytes_.size()) rendering_.fail("the format '{}' ends within a field", bytes_);
    return bytes_[at_];
  }
  char next() {
    const char c = peek();
    ++at_;
    return c;
  }
  bool skip_if(char c) { return peek() == c && ++at_; }
  std::size_t number() {
    std::size_t number = 0;
    while (peek() >= '0' && peek() <= '9') {
      number = number * 10 + static_cast<std::size_t>(next() - '0');
      if (number > max_width) {
        rendering_.fail("the format '{}' asks for more than {} characters", bytes_, max_width);
      }
    }
    return number;
  }
  std::size_t position() const { return at_; }

 private:
  const Rendering& rendering_;
  const std::string& bytes_;
  std::size_t at_;
};

void read_width(Reader& reader, Specification& specification) {
  specification.width = reader.number();
  if (reader.skip_if('.')) specification.precision = static_cast<int>(reader.number());
}

std::string plain_digits(std::uint64_t magnitude, char type) {
  switch (type) {
    case 'x':
      return fmt::format("{:x}", magnitude);
    case 'X':
      return fmt::format("{:X}", magnitude);
    case 'o':
      return fmt::format("{:o}", magnitude);
    case 'b':
      return fmt::format("{:b}", magnitude);
    default:
      return fmt::format("{}", magnitude);
  }
}

// At least as many digits as the precision.
std::string integer_digits(std::uint64_t magnitude, const Specification& specification) {
  std::string digits = plain_digits(magnitude, specification.type);
  const auto least = static_cast<std::size_t>(specification.precision.value_or(0));
  if (digits.size() < least) digits.insert(0, least - digits.size(), '0');
  return digits;
}

std::string real_digits(double magnitude, const Specification& specification) {
  const int precision = specification.precision.value_or(6);
  switch (specification.type) {
    case 'e':
      return fmt::format("{:.{}e}", magnitude, precision);
    case 'E':
      return fmt::format("{:.{}E}", magnitude, precision);
    case 'g':
      return fmt::format("{:.{}g}", magnitude, precision);
    case 'G':
      return fmt::format("{:.{}G}", magnitude, precision);
    default:
      return fmt::format("{:.{}f}", magnitude, precision);
  }
}

void add_number(TextBuilder& out, const Specification& specification, bool negative,
                std::string digits) {
  std::string sign = negative ? "-" : specification.plus ? "+" : specification.space ? " " : "";
  const std::size_t size = sign.size() + digits.size();
  const std::size_t padding = specification.width > size ? specification.width - size : 0;
  if (!specification.left && !specification.zeros) out.add_repeated(' ', padding);
  out.add(sign);
  if (!specification.left && specification.zeros) out.add_repeated('0', padding);
  out.add(digits);
  if (specification.left) out.add_repeated(' ', padding);
}

void add_text(TextBuilder& out, const Specification& specification, const Text& text) {
  const std::size_t characters =
      specification.precision
          ? std::min(text.characters(), static_cast<std::size_t>(*specification.precision))
          : text.characters();
  const std::size_t padding =
      specification.width > characters ? specification.width - characters : 0;
  if (!specification.left) out.add_repeated(' ', padding);
  out.add(text, 0, text.offset(characters));
  if (specification.left) out.add_repeated(' ', padding);
}

void add_field(TextBuilder& out, Rendering& rendering, const Specification& specification,
               const Value& value) {
  const char type = specification.type;
  if (std::string_view("eEfFgG").find(type) != std::string_view::npos) {
    if (!value.is_number()) {
      rendering.fail("the format %{} wants a number, not {}", type, value.type_name());
    }
    const double number = value.number();
    return add_number(out, specification, std::signbit(number),
                      real_digits(std::abs(number), specification));
  }
  const bool truncates = value.is_real() && (type == 'd' || type == 'i');
  if (!value.is_integral() && !truncates) {
    rendering.fail("the format %{} wants an integer, not {}", type, value.type_name());
  }
  if (truncates && !(std::abs(value.real()) < 9e18)) {
    rendering.fail("{} does not fit into a 64-bit integer", real_text(value.real()));
  }
  const auto number = truncates ? static_cast<std::int64_t>(value.real()) : value.integral();
  const auto magnitude =
      number < 0 ? ~static_cast<std::uint64_t>(number) + 1 : static_cast<std::uint64_t>(number);
  add_number(out, specification, number < 0, integer_digits(magnitude, specification));
}

Specification read_percent(Reader& reader, const Rendering& rendering) {
  Specification specification;
  for (bool more = true; more;) {
    switch (reader.peek()) {
      case '-':
        specification.left = true;
        break;
      case '0':
        specification.zeros = true;
        break;
      case '+':
        specification.plus = true;
        break;
      case ' ':
        specification.space = true;
        break;
      default:
        more = false;
        continue;
    }
    reader.next();
  }
  read_width(reader, specification);
  specification.type = reader.next();
  if (std::string_view("%srdixXoeEfFgG").find(specification.type) == std::string_view::npos) {
    rendering.fail("the format %{} is not supported: %s, %r, %d, %x, %o, %e, %f and %g are",
                   specification.type);
  }
  return specification;
}

Text repr(Rendering& rendering, const Value& value) {
  // The repr of a text is how a list shows it.
  const Text list = to_text(rendering, make_list(rendering, {value}));
  return subtext(rendering, list, 1, list.bytes().size() - 1);
}

// [[fill]align][sign][0][width][.precision][type] with the fill of a space.
Specification read_braces(Reader& reader, const Rendering& rendering, const Value& value) {
  Specification specification;
  specification.left = value.is_text();
  specification.type = value.is_real() ? 'f' : value.is_integral() ? 'd' : 's';
  if (reader.skip_if('<')) specification.left = true;
  if (reader.skip_if('>')) specification.left = false;
  if (reader.skip_if('+')) specification.plus = true;
  if (reader.skip_if('0')) specification.zeros = true;
  read_width(reader, specification);
  const char type = reader.peek();
  if (type != '}') {
    const bool of_integers = std::string_view("dxXob").find(type) != std::string_view::npos;
    if (std::string_view("sdxXobeEfFgG").find(type) == std::string_view::npos ||
        (type == 's') != value.is_text() || (of_integers && value.is_real())) {
      rendering.fail("the format ':{}' is not supported for {}", type, value.type_name());
    }
    specification.type = reader.next();
  } else if (value.is_real()) {
    rendering.fail("the format of a float wants a type, such as ':.2f'");
  }
  const bool integer = std::string_view("dxXob").find(specification.type) != std::string_view::npos;
  if (specification.precision && integer) {
    rendering.fail("the format of an integer has no precision");
  }
  return specification;
}

}  // namespace

Value format_percent(Rendering& rendering, const Value& format, const Value& arguments) {
  const Text& text = format.text();
  const bool tuple = arguments.is_sequence() && arguments.sequence().kind == SequenceKind::tuple;
  const std::vector<Value> values =
      tuple ? arguments.sequence().items : std::vector<Value>{arguments};
  std::size_t used = 0;
  TextBuilder out(rendering);
  std::size_t at = 0;
  while (at < text.bytes().size()) {
    const std::size_t percent = std::min(text.bytes().find('%', at), text.bytes().size());
    out.add(text, at, percent);
    if (percent == text.bytes().size()) break;
    rendering.spend(1);
    Reader reader(rendering, text.bytes(), percent + 1);
    const Specification specification = read_percent(reader, rendering);
    at = reader.position();
    if (specification.type == '%') {
      out.add(text, percent, percent + 1);
      continue;
    }
    if (used == values.size()) rendering.fail("the format has more fields than values");
    const Value& value = values[used++];
    if (specification.type == 's') {
      add_text(out, specification, to_text(rendering, value));
    } else if (specification.type == 'r') {
      add_text(out, specification, repr(rendering, value));
    } else {
      add_field(out, rendering, specification, value);
    }
  }
  const bool may_be_left =
      !tuple && (arguments.is_dict() || arguments.is_undefined() ||
                 (arguments.is_sequence() && arguments.sequence().indexable()));
  if (used < values.size() && !may_be_left)
    rendering.fail("the format has fewer fields than values");
  return make_text(rendering, out.take());
}

namespace {

// The value that a field's name, up to ':' or '}', asks for.
Value field_value(Rendering& rendering, Reader& reader, const Arguments& arguments,
                  std::size_t& next) {
  std::string name;
  while (reader.peek() != '}' && reader.peek() != ':') name += reader.next();
  if (name.empty()) name = std::to_string(next++);
  const bool position =
      std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (position) {
    const std::size_t index = name.size() < 6 ? std::stoul(name) : max_width;
    if (index < arguments.positional.size()) return arguments.positional[index];
  }
  for (const auto& [key, value] : arguments.named) {
    if (key == name) return value;
  }
  rendering.fail("format(): there is no argument for the field '{}'", name);
}

}  // namespace

Value format_braces(Rendering& rendering, const Text& text, const Arguments& arguments) {
  const std::string& bytes = text.bytes();
  TextBuilder out(rendering);
  std::size_t next = 0;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t brace = std::min(bytes.find_first_of("{}", at), bytes.size());
    out.add(text, at, brace);
    if (brace == bytes.size()) break;
    rendering.spend(1);
    if (brace + 1 < bytes.size() && bytes[brace + 1] == bytes[brace]) {
      out.add(text, brace, brace + 1);
      at = brace + 2;
      continue;
    }
    if (bytes[brace] == '}') rendering.fail("format(): a single '}}' in '{}'", bytes);
    Reader reader(rendering, bytes, brace + 1);
    const Value value = field_value(rendering, reader, arguments, next);
    if (reader.skip_if('}')) {
      out.add(to_text(rendering, value));
    } else {
      reader.next();
      if (reader.skip_if('}')) {
        out.add(to_text(rendering, value));
        at = reader.position();
        continue;
      }
      const Specification specification = read_braces(reader, rendering, value);
      if (!reader.skip_if('}')) rendering.fail("format(): '{}' is not understood", bytes);
      if (value.is_number()) {
        add_field(out, rendering, specification, value);
      } else {
        add_text(out, specification, to_text(rendering, value));
      }
    }
    at = reader.position();
  }
  return make_text(rendering, out.take());
}

}  // namespace fathom::jinja
