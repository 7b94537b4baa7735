#include "text/mojibake.h"

#include <algorithm>
#include <array>

#include "text/ascii.h"
#include "text/utf8.h"

namespace fathom {
namespace {

// windows-1252 from 0x80 to 0x9f; 0: no character.
constexpr std::array<char32_t, 32> upper_half = {
    0x20ac, 0,      0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017d, 0,      0,      0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
    0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0,      0x017e, 0x0178};

// The byte that was read as this character; 0 when there is none beyond ASCII.
unsigned char byte_of(char32_t c) {
  if (c >= 0x80 && c <= 0xff) return static_cast<unsigned char>(c);
  const auto found = std::ranges::find(upper_half, c);
  if (c == 0 || found == upper_half.end()) return 0;
  return static_cast<unsigned char>(0x80 + (found - upper_half.begin()));
}

// A run of characters beyond ASCII as the bytes that it was.
struct Run {
  std::string bytes;         // empty when a character is none
  bool has_control = false;  // U+0080 to U+009F
};

Run run_of(std::string_view text) {
  Run run;
  for (const char *p = text.data(), *end = p + text.size(); p < end;) {
    const char32_t c = utf8::next(p);
    const unsigned char byte = byte_of(c);
    if (byte == 0) return {};
    run.bytes += static_cast<char>(byte);
    run.has_control |= c < 0xa0;
  }
  return run;
}

// Whether this byte's character may stand behind a word without a blank, and a letter behind it as
// in "café–šunka": › ’ ” • – — … † ‡ ‰ ™, the space that does not break, ® ° ² ³ ´ · ¹ º ª », the
// quotes “ ‘ « which end German ones, and ± µ ©; or is one of the letters Š š Œ œ Ž ž.
bool may_follow_a_letter(char byte) {
  static constexpr std::string_view characters =
      "\x85\x86\x87\x89\x8a\x8c\x8e\x91\x92\x93\x94\x95\x96\x97\x99\x9a\x9b\x9c\x9e\xa0\xa9"
      "\xaa\xab\xae\xb0\xb1\xb2\xb3\xb4\xb5\xb7\xb9\xba\xbb";
  return characters.find(byte) != std::string_view::npos;
}

bool is_capital(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_small(char c) {
  return c >= 'a' && c <= 'z';
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Of the bytes of one character that begin with a capital of Latin-1, C2 to DE.
bool is_unambiguous_pair(unsigned char lead, char second, char before, char behind) {
  if (is_capital(before)) return false;  // "NÃO"
  if (lead == 0xc2) return true;
  static constexpr std::string_view ends = "\x85\x91\x93\x94\x96\x97";  // … ‘ “ ” – —
  if (lead == 0xc3) {
    if (second == '\x92') return false;  // ’
    const bool beside =
        is_small(before) || is_small(behind) || is_digit(before) || is_digit(behind);
    return beside || ends.find(second) == std::string_view::npos;
  }
  if (second == '\x9b' || second == '\xbb') return is_small(behind);  // "Å›wiat": no quote ends so
  // A capital behind a small letter has no footnote: "byÄ‡".
  if (second == '\x86' || second == '\x87' || second == '\x89') return is_small(before);
  return (is_small(before) || is_small(behind)) && !may_follow_a_letter(second);
}

// Of those of one character that begin with a small letter of Latin-1, E0 to F4.
bool is_unambiguous_longer(std::string_view bytes) {
  const auto lead = static_cast<unsigned char>(bytes[0]);
  const auto second = static_cast<unsigned char>(bytes[1]);
  if (lead == 0xe2) return second == 0x80 || second == 0x82 || second == 0x84 || second == 0x88;
  const bool vietnamese = lead == 0xe1 && (second == 0xba || second == 0xbb);
  const bool east_asian = (lead >= 0xe3 && lead <= 0xe9) || lead == 0xef;
  if (!vietnamese && !east_asian && lead < 0xf0) return false;
  return second != 0xa0 && !std::ranges::all_of(bytes.substr(1), may_follow_a_letter);
}

// `before`, `behind`: the characters of ASCII beside the run, or 0.
bool is_unambiguous(const Run& run, char before, char behind) {
  const std::string& bytes = run.bytes;
  const auto lead = static_cast<unsigned char>(bytes[0]);
  if (bytes.size() > utf8::length(bytes[0])) return true;
  if (bytes.size() == 2) {
    if (lead == 0xd7 || lead == 0xdf) return false;                                 // × and ß
    if (lead == 0xc2 && static_cast<unsigned char>(bytes[1]) < 0xa0) return false;  // a control
    return run.has_control || is_unambiguous_pair(lead, bytes[1], before, behind);
  }
  return run.has_control || is_unambiguous_longer(bytes);
}

// All characters that begin a run of UTF-8 misread are U+00C2 to U+00F4, which begin with this.
constexpr char first_byte = '\xc3';

std::string repaired_once(std::string_view text, std::int64_t& repairs) {
  std::string out;
  const auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
  std::size_t copied = 0;
  for (std::size_t at = 0; (at = text.find(first_byte, at)) != std::string_view::npos;) {
    const std::size_t begin = at;
    while (at < text.size() && !is_ascii(text[at])) ++at;
    if (begin > 0 && !is_ascii(text[begin - 1])) continue;  // begins within a run
    const Run run = run_of(text.substr(begin, at - begin));
    if (run.bytes.empty() || utf8::valid_prefix(run.bytes) != run.bytes.size()) continue;
    const char before = begin > 0 ? text[begin - 1] : '\0';
    const char behind = at < text.size() ? text[at] : '\0';
    if (!is_unambiguous(run, before, behind)) continue;
    out += text.substr(copied, begin - copied);
    out += run.bytes;
    copied = at;
    ++repairs;
  }
  out += text.substr(copied);
  return out;
}

}  // namespace

std::string repair_mojibake(std::string_view text, std::int64_t& repairs) {
  std::string out(text);
  for (int times = 0; times < 2 && out.find(first_byte) != std::string::npos; ++times) {
    const std::int64_t before = repairs;
    out = repaired_once(out, repairs);
    if (repairs == before) break;
  }
  return out;
}

}  // namespace fathom
