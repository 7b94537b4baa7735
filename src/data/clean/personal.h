// Personal data replaced by placeholders, each kind by choice.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace fathom::clean {

struct PersonalConfig {
  bool emails = false;
  bool ip_addresses = false;
  bool phones = false;
  bool id_numbers = false;
};
template <class Visitor>
void visit_fields(PersonalConfig& c, Visitor&& field) {
  field("emails", c.emails, "e-mail addresses become email@example.com");
  field("ip_addresses", c.ip_addresses, "public IP addresses become 192.0.2.1 or 2001:db8::1");
  field("phones", c.phones, "phone numbers become 000-0000-0000");
  field("id_numbers", c.id_numbers,
        "Chinese citizens' numbers whose checksum holds become 18 zeros");
}

enum class PersonalKind : std::uint8_t { email, ip_address, phone, id_number };
inline std::span<const std::string_view> enum_names(PersonalKind) {
  static constexpr std::string_view names[] = {"email", "ip_address", "phone", "id_number"};
  return names;
}

// How many of each kind were masked, by PersonalKind.
using MaskedCounts = std::array<std::int64_t, 4>;

// The text with placeholders; a masked text stays as it is. Letters are ASCII's here, so that Han
// characters may touch what is masked. In one sentence each:
//   email       up to 64 letters, digits and ._%+- before an @, and behind it a name of two or more
//               parts, the last a country's code or another common top-level domain in one case; no
//               call, version, URL's login or repository; example.com, .org and .net stay
//   ip_address  four numbers of at most 255 between dots, or an IPv6 address, which a router on the
//               Internet forwards: neither private nor reserved; no four of them below 20, nor
//               three below 10, nor behind "version", "section", "§" or ">="
//   phone       a Chinese mobile number with a prefix in use, a Chinese area number, a North
//               American number of ten digits with parentheses or -, or a + with a country's code
//               and 8 to 15 digits in all, with - and blanks between; no amount, no value behind =,
//               no round number; blanks in a mobile number only behind +86, 0086 or a word as "Tel"
//   id_number   18 characters of which 8 are a date from 1900 on and the last is the checksum of
//               GB 11643 (ISO 7064 MOD 11-2)
std::string masked(std::string_view text, const PersonalConfig& config, MaskedCounts& counts);

}  // namespace fathom::clean
