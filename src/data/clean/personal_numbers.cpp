#include "data/clean/personal_numbers.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <string>

#include "data/clean/phone_numbers.h"
#include "text/ascii.h"

namespace fathom::clean {
namespace {

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

// Whether four numbers are rather a version or a section: they are small, or it says so before.
bool is_version(std::string_view before, std::string_view parts) {
  int below_10 = 0, below_20 = 0;
  for (std::size_t at = 0; at < parts.size();) {
    const std::size_t end = std::min(parts.find('.', at), parts.size());
    const int part = number_of(parts.substr(at, end - at));
    below_10 += part < 10;
    below_20 += part < 20;
    at = end + 1;
  }
  if (below_20 == 4 || below_10 >= 3) return true;
  before = before.substr(before.size() - std::min<std::size_t>(before.size(), 24));
  while (!before.empty() && (before.back() == ' ' || before.back() == '.')) before.remove_suffix(1);
  for (const std::string_view mark : {"§", ">=", "<=", "==", "~=", "版本", "章节"}) {
    if (before.ends_with(mark)) return true;
  }
  std::size_t begin = before.size();
  while (begin > 0 && ascii::is_letter(before[begin - 1])) --begin;
  static constexpr std::array<std::string_view, 9> words = {
      "version", "v", "ver", "section", "sections", "since", "release", "sec", "versions"};
  return std::ranges::any_of(words, [&](std::string_view word) {
    return ascii::equal_ignoring_case(before.substr(begin), word);
  });
}

}  // namespace

std::optional<PersonalNumber> find_personal_number(std::string_view text, std::size_t at,
                                                   const PersonalConfig& config) {
  const std::string_view rest = text.substr(at);
  const bool begins = may_begin_number(text, at);
  const auto whole = [&](std::size_t length) {
    return begins && length > 0 && may_end_number(text, at + length);
  };
  if (config.id_numbers) {
    const std::size_t length = id_number_length(rest);
    if (whole(length)) return PersonalNumber{PersonalKind::id_number, length, "000000000000000000"};
  }
  if (config.ip_addresses) {
    const bool inside = at > 0 && text[at - 1] == ':';  // of an address that is none
    const std::size_t six = inside ? 0 : ipv6_length(rest), four = ipv4_length(rest);
    if (whole(six)) return PersonalNumber{PersonalKind::ip_address, six, "2001:db8::1"};
    if (whole(four) && !is_version(text.substr(0, at), rest.substr(0, four))) {
      return PersonalNumber{PersonalKind::ip_address, four, "192.0.2.1"};
    }
  }
  if (config.phones) {
    const std::size_t length = phone_length(text, at);
    if (length > 0) return PersonalNumber{PersonalKind::phone, length, "000-0000-0000"};
  }
  return std::nullopt;
}

}  // namespace fathom::clean
