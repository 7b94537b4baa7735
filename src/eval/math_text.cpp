#include "eval/math_text.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string_view>
#include <vector>

namespace fathom::eval {
namespace {

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
}

std::vector<std::string> split(const std::string& text, std::string_view at) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (std::size_t end; (end = text.find(at, begin)) != std::string::npos; begin = end + at.size()) {
    parts.push_back(text.substr(begin, end - begin));
  }
  parts.push_back(text.substr(begin));
  return parts;
}

// The number of bytes of a text's first character.
std::size_t first_character(const std::string& text) {
  std::size_t end = 1;
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) ++end;
  return end;
}

// \sqrt3 becomes \sqrt{3}.
std::optional<std::string> with_braced_roots(const std::string& text) {
  const std::vector<std::string> parts = split(text, "\\sqrt");
  std::string out = parts[0];
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::string& part = parts[i];
    if (part.empty()) return std::nullopt;
    const std::size_t end = first_character(part);
    out += part[0] == '{' ? "\\sqrt" + part : "\\sqrt{" + part.substr(0, end) + "}" + part.substr(end);
  }
  return out;
}

// \frac12 and \frac1{2} become \frac{1}{2}.
std::optional<std::string> with_braced_fractions(const std::string& text) {
  const std::vector<std::string> parts = split(text, "\\frac");
  std::string out = parts[0];
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::string& part = parts[i];
    if (part.empty()) return std::nullopt;
    out += "\\frac";
    if (part[0] == '{') {
      out += part;
      continue;
    }
    const std::size_t end = first_character(part);
    if (end == part.size()) return text;  // one character cannot be both
    const std::string above = part.substr(0, end), rest = part.substr(end);
    const std::size_t next = first_character(rest);
    out += "{" + above + "}";
    out += rest[0] == '{' ? rest : "{" + rest.substr(0, next) + "}" + rest.substr(next);
  }
  return out;
}

bool is_whole_number(const std::string& text) {
  std::size_t at = text.starts_with('-') || text.starts_with('+');
  return at < text.size() && std::ranges::all_of(text.substr(at), [](char c) { return c >= '0' && c <= '9'; });
}

// 1/2 becomes \frac{1}{2}; another thing over another has no plain form.
std::optional<std::string> with_fraction(const std::string& text) {
  const std::vector<std::string> parts = split(text, "/");
  if (parts.size() != 2) return text;
  if (!is_whole_number(parts[0]) || !is_whole_number(parts[1])) return std::nullopt;
  const auto is_canonical = [](const std::string& number) {
    const std::string digits = number.starts_with('-') ? number.substr(1) : number;
    return !digits.starts_with('+') && (digits == "0" ? number == "0" : !digits.starts_with('0'));
  };
  if (!is_canonical(parts[0]) || !is_canonical(parts[1])) return text;
  return "\\frac{" + parts[0] + "}{" + parts[1] + "}";
}

}  // namespace

std::optional<std::string> plain_mathematics(std::string text) {
  constexpr std::string_view replaced[][2] = {
      {"\n", ""}, {"\\!", ""}, {"\\\\", "\\"}, {"tfrac", "frac"}, {"dfrac", "frac"}, {"\\left", ""},
      {"\\right", ""}, {"^{\\circ}", ""}, {"^\\circ", ""}, {"\\$", ""}};
  for (const auto& [what, with] : replaced) replace_all(text, what, with);
  // "\text{ " begins a unit.
  const std::vector<std::string> unit = split(text, "\\text{ ");
  if (unit.size() > 2) return std::nullopt;
  text = unit[0];
  replace_all(text, "\\%", "");
  replace_all(text, " .", " 0.");
  replace_all(text, "{.", "{0.");
  if (text.empty()) return text;
  if (text[0] == '.') text = "0" + text;
  // "x = 3" becomes 3.
  const std::vector<std::string> sides = split(text, "=");
  if (sides.size() == 2) {
    const auto characters = std::ranges::count_if(sides[0], [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
    if (characters <= 2) text = sides[1];
  }
  const std::optional<std::string> roots = with_braced_roots(text);
  if (!roots) return std::nullopt;
  text = *roots;
  replace_all(text, " ", "");
  const std::optional<std::string> fractions = with_braced_fractions(text);
  if (!fractions) return std::nullopt;
  if (*fractions == "0.5") return "\\frac{1}{2}";
  return with_fraction(*fractions);
}

bool same_mathematics(const std::string& one, const std::string& other) {
  const std::optional<std::string> a = plain_mathematics(one), b = plain_mathematics(other);
  return a && b ? *a == *b : one == other;
}

}  // namespace fathom::eval
