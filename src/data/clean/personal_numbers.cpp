#include "data/clean/personal_numbers.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <string>

#include "text/ascii.h"

namespace fathom::clean {
namespace {

// Whether a number may begin at `at`: not within a word, a path, a decimal or a longer number.
bool may_begin(std::string_view text, std::size_t at) {
  if (at == 0) return true;
  const char before = text[at - 1];
  if (ascii::is_digit(before) || before == '_') return false;
  if (ascii::is_letter(before)) return text[at] == '(';
  if (at == 1) return true;
  const char earlier = text[at - 2];
  if (before == '/') return !ascii::is_alphanumeric(earlier);
  const bool joins = before == '.' || before == '-' || before == '+';
  return !joins || !ascii::is_digit(earlier);
}

// Whether a number may end before `end`.
bool may_end(std::string_view text, std::size_t end) {
  if (end == text.size()) return true;
  const char next = text[end];
  if (ascii::is_alphanumeric(next) || next == '_') return false;
  const bool joins = next == '.' || next == '-';
  return !joins || end + 1 == text.size() || !ascii::is_digit(text[end + 1]);
}

bool is_hex_digit(char c) {
  return ascii::is_digit(c) || (ascii::small(c) >= 'a' && ascii::small(c) <= 'f');
}

int digit(char c) {
  return c - '0';
}

int number_of(std::string_view digits) {
  int number = 0;
  for (const char c : digits) number = 10 * number + digit(c);
  return number;
}

bool is_date(std::string_view yyyymmdd) {
  static constexpr std::array<int, 12> days = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const int year = number_of(yyyymmdd.substr(0, 4)), month = number_of(yyyymmdd.substr(4, 2)),
            day = number_of(yyyymmdd.substr(6));
  return year >= 1900 && year < 2100 && month >= 1 && month <= 12 && day >= 1 &&
         day <= days[static_cast<std::size_t>(month - 1)];
}

std::size_t id_number_length(std::string_view text) {
  static constexpr std::array<int, 17> weights = {7, 9, 10, 5,  8, 4, 2, 1, 6,
                                                  3, 7, 9,  10, 5, 8, 4, 2};
  static constexpr std::string_view check = "10X98765432";
  if (text.size() < 18 || text[0] == '0') return 0;
  int sum = 0;
  for (std::size_t i = 0; i < 17; ++i) {
    if (!ascii::is_digit(text[i])) return 0;
    sum += weights[i] * digit(text[i]);
  }
  const char last = text[17] == 'x' ? 'X' : text[17];
  const bool holds = last == check[static_cast<std::size_t>(sum % 11)];
  return holds && is_date(text.substr(6, 8)) ? 18 : 0;
}

// Networks whose addresses belong to nobody on the Internet (RFC 6890), and multicast.
struct Network {
  std::uint32_t address;
  int bits;
};
constexpr std::uint32_t ipv4(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
  return a << 24 | b << 16 | c << 8 | d;
}
constexpr std::array<Network, 14> special_networks = {{{ipv4(0, 0, 0, 0), 8},
                                                       {ipv4(10, 0, 0, 0), 8},
                                                       {ipv4(100, 64, 0, 0), 10},
                                                       {ipv4(127, 0, 0, 0), 8},
                                                       {ipv4(169, 254, 0, 0), 16},
                                                       {ipv4(172, 16, 0, 0), 12},
                                                       {ipv4(192, 0, 0, 0), 24},
                                                       {ipv4(192, 0, 2, 0), 24},
                                                       {ipv4(192, 88, 99, 0), 24},
                                                       {ipv4(192, 168, 0, 0), 16},
                                                       {ipv4(198, 18, 0, 0), 15},
                                                       {ipv4(198, 51, 100, 0), 24},
                                                       {ipv4(203, 0, 113, 0), 24},
                                                       {ipv4(224, 0, 0, 0), 3}}};

bool is_public(std::uint32_t address) {
  return std::ranges::none_of(special_networks, [&](const Network& network) {
    return (address ^ network.address) >> (32 - network.bits) == 0;
  });
}

std::size_t ipv4_length(std::string_view text) {
  std::uint32_t address = 0;
  std::size_t at = 0;
  for (int part = 0; part < 4; ++part) {
    if (part > 0 && (at == text.size() || text[at++] != '.')) return 0;
    std::size_t end = at;
    while (end < text.size() && end - at < 4 && ascii::is_digit(text[end])) ++end;
    const std::size_t digits = end - at;
    if (digits == 0 || digits > 3 || (digits > 1 && text[at] == '0')) return 0;
    const int value = number_of(text.substr(at, digits));
    if (value > 255) return 0;
    address = address << 8 | static_cast<std::uint32_t>(value);
    at = end;
  }
  return is_public(address) ? at : 0;
}

// Public ones are of 2000::/3 (RFC 4291), but for 2001:db8::/32, which is for documentation.
std::size_t ipv6_length(std::string_view text) {
  std::size_t end = 0;
  while (end < text.size() && (is_hex_digit(text[end]) || text[end] == ':')) ++end;
  if (end > 2 && text[end - 1] == ':' && text[end - 2] != ':') --end;  // of the sentence
  if (std::ranges::count(text.substr(0, end), ':') < 2 || end > 39) return 0;
  in6_addr address{};
  if (inet_pton(AF_INET6, std::string(text.substr(0, end)).c_str(), &address) != 1) return 0;
  const auto* bytes = address.s6_addr;
  const bool documentation =
      bytes[0] == 0x20 && bytes[1] == 0x01 && bytes[2] == 0x0d && bytes[3] == 0xb8;
  return bytes[0] >> 5 == 1 && !documentation ? end : 0;
}

// d: a digit, D: 2 to 9, M: 3 to 9; ~: - or a space; others stand for themselves.
bool matches(char c, char pattern) {
  switch (pattern) {
    case 'd':
      return ascii::is_digit(c);
    case 'D':
      return c >= '2' && c <= '9';
    case 'M':
      return c >= '3' && c <= '9';
    case '~':
      return c == '-' || c == ' ';
    default:
      return c == pattern;
  }
}

constexpr std::array<std::string_view, 22> phone_patterns = {
    // China's mobile numbers, alone or with the country's code
    "1Mddddddddd", "1Md~dddd~dddd", "861Mddddddddd", "86~1Mddddddddd", "86~1Md~dddd~dddd",
    "00861Mddddddddd", "0086~1Mddddddddd", "0086~1Md~dddd~dddd",
    // with an area: 010 and 02x have 8 digits, the others 7 or 8
    "0dd-dddddddd", "0ddd-ddddddd", "0ddd-dddddddd", "(0dd)dddddddd", "(0dd) dddddddd",
    "(0ddd)ddddddd", "(0ddd) ddddddd",
    // North America: one mark throughout, unlike in "48 CFR 252.227-7013"
    "(Ddd) Ddd-dddd", "(Ddd)Ddd-dddd", "1 (Ddd) Ddd-dddd", "Ddd-Ddd-dddd", "1-Ddd-Ddd-dddd",
    "Ddd.Ddd.dddd", "1.Ddd.Ddd.dddd"};

// A + and 8 to 15 digits (ITU-T E.164), in groups between a mark, or two with a parenthesis.
std::size_t international_length(std::string_view text) {
  const auto among = [](std::string_view marks, char c) {
    return marks.find(c) != std::string_view::npos;
  };
  if (text.size() < 2 || text[0] != '+' || text[1] < '1' || text[1] > '9') return 0;
  std::size_t end = 1, digits = 0;
  for (std::size_t at = 1; at < text.size(); ++at) {
    if (ascii::is_digit(text[at])) {
      ++digits;
      end = at + 1;
      continue;
    }
    const bool second = at == end + 1 && (among("()", text[at]) || among("()", text[at - 1]));
    if (!among(" -.()", text[at]) || (at > end && !second)) break;
  }
  return digits >= 8 && digits <= 15 ? end : 0;
}

std::size_t phone_length(std::string_view text, std::size_t at) {
  const std::string_view rest = text.substr(at);
  std::size_t longest = 0;
  const auto take = [&](std::size_t length) {
    if (length > longest && may_end(text, at + length)) longest = length;
  };
  take(international_length(rest));
  for (const std::string_view pattern : phone_patterns) {
    const auto [stop, end] = std::ranges::mismatch(rest, pattern, matches);
    if (end == pattern.end()) take(pattern.size());
  }
  return longest;
}

}  // namespace

std::optional<PersonalNumber> find_personal_number(std::string_view text, std::size_t at,
                                                   const PersonalConfig& config) {
  if (!may_begin(text, at)) return std::nullopt;
  const std::string_view rest = text.substr(at);
  const auto whole = [&](std::size_t length) { return length > 0 && may_end(text, at + length); };
  if (config.id_numbers) {
    const std::size_t length = id_number_length(rest);
    if (whole(length)) return PersonalNumber{PersonalKind::id_number, length, "000000000000000000"};
  }
  if (config.ip_addresses) {
    const bool inside = at > 0 && text[at - 1] == ':';  // of an address that is none
    const std::size_t six = inside ? 0 : ipv6_length(rest), four = ipv4_length(rest);
    if (whole(six)) return PersonalNumber{PersonalKind::ip_address, six, "2001:db8::1"};
    if (whole(four)) return PersonalNumber{PersonalKind::ip_address, four, "192.0.2.1"};
  }
  if (config.phones) {
    const std::size_t length = phone_length(text, at);
    if (length > 0) return PersonalNumber{PersonalKind::phone, length, "000-0000-0000"};
  }
  return std::nullopt;
}

}  // namespace fathom::clean
