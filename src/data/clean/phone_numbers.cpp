#include "data/clean/phone_numbers.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <span>
#include <string>

#include "text/ascii.h"

namespace fathom::clean {
namespace {

bool among(std::string_view characters, char c) {
  return characters.find(c) != std::string_view::npos;
}

// `text` without blanks at its end.
std::string_view without_blanks(std::string_view text) {
  while (text.ends_with(' ') || text.ends_with("\u3000")) {
    text.remove_suffix(text.ends_with(' ') ? 1 : 3);
  }
  return text;
}

bool has_ending(std::string_view text, std::span<const std::string_view> ends) {
  return std::ranges::any_of(ends, [&](std::string_view end) { return text.ends_with(end); });
}

// Whether a text ends by saying that a phone number comes, as "Tel.: " and "手机：".
bool ends_with_label(std::string_view text) {
  static constexpr std::array<std::string_view, 5> marks = {":", "：", ".", " ", "\u3000"};
  static constexpr std::array<std::string_view, 9> words = {
      "tel", "phone", "telephone", "mobile", "cell", "fax", "call", "whatsapp", "mob"};
  static constexpr std::array<std::string_view, 6> han = {"电话", "手机", "热线",
                                                          "号码", "传真", "微信"};
  text = text.substr(text.size() - std::min<std::size_t>(text.size(), 24));
  const auto cut = [&](std::string_view mark) {
    const bool is = text.ends_with(mark);
    if (is) text.remove_suffix(mark.size());
    return is;
  };
  while (std::ranges::any_of(marks, cut)) continue;
  if (has_ending(text, han)) return true;
  std::size_t begin = text.size();
  while (begin > 0 && ascii::is_letter(text[begin - 1])) --begin;
  return std::ranges::any_of(words, [&](std::string_view word) {
    return ascii::equal_ignoring_case(text.substr(begin), word);
  });
}

// Whether an amount or an assigned value begins behind a text.
bool ends_before_amount(std::string_view text) {
  static constexpr std::array<std::string_view, 7> marks = {"$", "¥", "￥", "€", "£", "=", "＄"};
  return has_ending(without_blanks(text), marks);
}

// Whether a text begins as one behind an amount.
bool begins_with_unit(std::string_view text) {
  static constexpr std::array<std::string_view, 10> units = {"元",   "美元",    "万",   "亿",  "円",
                                                             "日元", "dollars", "yuan", "USD", "%"};
  while (text.starts_with(' ')) text.remove_prefix(1);
  return std::ranges::any_of(units, [&](std::string_view unit) { return text.starts_with(unit); });
}

// Whether 11 digits are a Chinese mobile number: a prefix that networks have, and no round number.
bool is_mobile(std::string_view digits) {
  static constexpr std::array<std::string_view, 7> thirds = {
      "0123456789", "56789", "012356789", "2567", "01235678", "0123456789", "012356789"};
  if (digits.size() != 11 || digits[0] != '1' || digits[1] < '3') return false;
  if (!std::ranges::all_of(digits, ascii::is_digit)) return false;
  return among(thirds[static_cast<std::size_t>(digits[1] - '3')], digits[2]) &&
         !digits.ends_with("00000");
}

// Whether a mobile number and a - or / are before `at`: "13800138000/13800138001".
bool is_behind_mobile(std::string_view text, std::size_t at) {
  return at >= 12 && among("-/", text[at - 1]) && is_mobile(text.substr(at - 12, 11)) &&
         (at == 12 || !ascii::is_alphanumeric(text[at - 13]));
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

bool begins_with_pattern(std::string_view text, std::string_view pattern) {
  return std::ranges::mismatch(text, pattern, matches).in2 == pattern.end();
}

// China's mobile numbers, alone or with the country's code.
constexpr std::array<std::string_view, 8> mobile_patterns = {
    "1dddddddddd",      "1dd-dddd-dddd",   "861dddddddddd",    "86-1dddddddddd",
    "86-1dd-dddd-dddd", "00861dddddddddd", "0086~1dddddddddd", "0086~1dd~dddd~dddd"};
constexpr std::string_view labelled_mobile = "1dd dddd dddd";  // else three numbers

constexpr std::array<std::string_view, 15> phone_patterns = {
    // China with an area: 010 and 02x have 8 digits, the others 7 or 8
    "010-dddddddd", "02d-dddddddd", "0Mdd-ddddddd", "0Mdd-dddddddd", "(010)dddddddd",
    "(010) dddddddd", "(02d)dddddddd", "(02d) dddddddd", "(0Mdd)ddddddd", "(0Mdd) ddddddd",
    // North America: - throughout, unlike in "48 CFR 252.227-7013"
    "(Ddd) Ddd-dddd", "(Ddd)Ddd-dddd", "1 (Ddd) Ddd-dddd", "Ddd-Ddd-dddd", "1-Ddd-Ddd-dddd"};

// Country codes of ITU-T E.164 that are assigned, between blanks.
constexpr std::string_view country_codes =
    " 1 7 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 "
    "63 64 65 66 81 82 84 86 90 91 92 93 94 95 98 211 212 213 216 218 220 221 222 223 224 225 226 "
    "227 228 229 230 231 232 233 234 235 236 237 238 239 240 241 242 243 244 245 246 247 248 249 "
    "250 251 252 253 254 255 256 257 258 260 261 262 263 264 265 266 267 268 269 290 291 297 298 "
    "299 350 351 352 353 354 355 356 357 358 359 370 371 372 373 374 375 376 377 378 380 381 382 "
    "383 385 386 387 389 420 421 423 500 501 502 503 504 505 506 507 508 509 590 591 592 593 594 "
    "595 596 597 598 599 670 672 673 674 675 676 677 678 679 680 681 682 683 685 686 687 688 689 "
    "690 691 692 800 850 852 853 855 856 870 880 881 882 883 886 960 961 962 963 964 965 966 967 "
    "968 970 971 972 973 974 975 976 977 992 993 994 995 996 998 ";

// How many digits a number with a country's code may have.
struct Lengths {
  std::string_view code;
  std::size_t fewest, most;
};
constexpr std::array<Lengths, 8> known_lengths = {{{"1", 11, 11},
                                                   {"7", 11, 11},
                                                   {"33", 11, 11},
                                                   {"44", 11, 12},
                                                   {"61", 11, 11},
                                                   {"86", 12, 13},
                                                   {"91", 12, 12},
                                                   {"852", 11, 11}}};

// {"", 0, 0} when no country has a code with which the digits begin.
Lengths lengths_of(std::string_view digits) {
  for (std::size_t size = 1; size <= std::min<std::size_t>(3, digits.size()); ++size) {
    const std::string_view code = digits.substr(0, size);
    if (country_codes.find(" " + std::string(code) + " ") == std::string_view::npos) continue;
    if (code == "1" && (digits.size() < 2 || digits[1] < '2')) break;  // an area's first digit
    const auto known = std::ranges::find(known_lengths, code, &Lengths::code);
    return known != known_lengths.end() ? *known : Lengths{code, 8, 15};
  }
  return {"", 0, 0};
}

// A + and digits of a country, in groups between a - or blank, or two with a parenthesis.
std::size_t international_length(std::string_view text, std::size_t at) {
  if (text[at] != '+') return 0;
  if (at > 0) {
    const char before = text[at - 1];
    if (among("~+=", before) || ascii::is_alphanumeric(before)) return 0;
    if (before == '(' && at > 1 && ascii::is_alphanumeric(text[at - 2])) return 0;  // a call
  }
  const std::string_view rest = text.substr(at);
  // Ends of groups at which a number may end.
  std::string digits;
  std::size_t length = 0, end = 1, group = 0, last_group = 0;
  int open = 0;
  for (std::size_t i = 1; i < rest.size() && digits.size() <= 15; ++i) {
    const char c = rest[i];
    if (ascii::is_digit(c)) {
      digits += c;
      ++group;
      end = i + 1;
      if (end < rest.size() && ascii::is_digit(rest[end])) continue;
      const Lengths lengths = lengths_of(digits);
      const bool of_number =
          digits.size() >= lengths.fewest && digits.size() <= lengths.most && open == 0;
      // "+49 30 123456 24 hours"
      const bool next_word = group <= 2 && last_group >= 3 && digits.size() - group >= 8;
      const bool time = end + 1 < rest.size() && rest[end] == ':' && ascii::is_digit(rest[end + 1]);
      const bool joined = end < rest.size() && among("+~", rest[end]);
      const bool plain = digits.size() + 1 == end && digits.size() < 10;  // any number
      if (of_number && !next_word && !time && !joined && !plain && lengths.fewest > 0 &&
          may_end_number(text, at + end)) {
        length = end;
      }
      continue;
    }
    const bool second = i == end + 1 && (among("()", c) || among("()", rest[i - 1]));
    if (!among(" -()", c) || i == 1 || (i > end && !second)) break;
    open += c == '(' ? 1 : c == ')' ? -1 : 0;
    if (open < 0 || open > 1) break;
    if (group > 0) last_group = group;
    group = 0;
  }
  return length;
}

std::size_t mobile_length(std::string_view text, std::size_t at, std::string_view pattern) {
  const std::string_view rest = text.substr(at);
  if (!begins_with_pattern(rest, pattern)) return 0;
  std::string digits;
  std::ranges::copy_if(rest.substr(0, pattern.size()), std::back_inserter(digits), ascii::is_digit);
  if (!is_mobile(std::string_view(digits).substr(digits.size() - 11))) return 0;
  if (begins_with_unit(rest.substr(pattern.size()))) return 0;
  const std::size_t end = at + pattern.size();
  const bool another = end + 12 <= text.size() && text[end] == '-' &&
                       is_mobile(text.substr(end + 1, 11)) && may_end_number(text, end + 12);
  return another || may_end_number(text, end) ? pattern.size() : 0;
}

}  // namespace

bool may_begin_number(std::string_view text, std::size_t at) {
  if (at == 0) return true;
  const char before = text[at - 1];
  if (ascii::is_alphanumeric(before) || before == '_' || before == '+') return false;
  if (at == 1) return true;
  const char earlier = text[at - 2];
  if (before == '/' || before == '-') return !ascii::is_alphanumeric(earlier);
  return before != '.' || !ascii::is_digit(earlier);
}

bool may_end_number(std::string_view text, std::size_t end) {
  if (end == text.size()) return true;
  const char next = text[end];
  if (ascii::is_alphanumeric(next) || next == '_') return false;
  const bool joins = next == '.' || next == '-';
  return !joins || end + 1 == text.size() || !ascii::is_digit(text[end + 1]);
}

std::size_t phone_length(std::string_view text, std::size_t at) {
  const std::string_view before = text.substr(0, at);
  if (!may_begin_number(text, at) && !is_behind_mobile(text, at)) return 0;
  if (ends_before_amount(before)) return 0;
  std::size_t longest = international_length(text, at);
  for (const std::string_view pattern : mobile_patterns) {
    longest = std::max(longest, mobile_length(text, at, pattern));
  }
  if (mobile_length(text, at, labelled_mobile) > longest && ends_with_label(before)) {
    longest = labelled_mobile.size();
  }
  for (const std::string_view pattern : phone_patterns) {
    const bool whole =
        begins_with_pattern(text.substr(at), pattern) && may_end_number(text, at + pattern.size());
    if (whole) longest = std::max(longest, pattern.size());
  }
  return longest;
}

}  // namespace fathom::clean
