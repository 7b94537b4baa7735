#include "eval/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "core/error.h"

namespace fathom::eval {
namespace {

struct Freer {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};

PCRE2_SPTR units(std::string_view text) {
  return reinterpret_cast<PCRE2_SPTR>(text.data());
}

std::string message_of(int error) {
  PCRE2_UCHAR text[256];
  pcre2_get_error_message(error, text, sizeof(text));
  return reinterpret_cast<const char*>(text);
}

// The place of the next character of valid UTF-8.
std::size_t next_character(std::string_view text, std::size_t at) {
  ++at;
  while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
  return at;
}

}  // namespace

struct Pattern::Code {
  std::unique_ptr<pcre2_code, Freer> code;
  std::string where;
};

Pattern::Pattern(const std::string& expression, const std::string& where, bool whole) {
  int error = 0;
  PCRE2_SIZE offset = 0;
  const std::uint32_t options = PCRE2_UTF | PCRE2_UCP | (whole ? PCRE2_ANCHORED | PCRE2_ENDANCHORED : 0);
  pcre2_code* code = pcre2_compile(units(expression), expression.size(), options, &error, &offset,
                                   nullptr);
  if (!code) {
    fail_input("{}: '{}' is no regular expression: {} at its byte {}", where, expression,
               message_of(error), offset);
  }
  code_ = std::make_shared<Code>(Code{std::unique_ptr<pcre2_code, Freer>(code), where});
}

std::optional<Pattern::Match> Pattern::find(std::string_view text, std::size_t from) const {
  const std::unique_ptr<pcre2_match_data, Freer> data(
      pcre2_match_data_create_from_pattern(code_->code.get(), nullptr));
  const int count = pcre2_match(code_->code.get(), units(text), text.size(), from, 0, data.get(),
                                nullptr);
  if (count == PCRE2_ERROR_NOMATCH) return std::nullopt;
  if (count < 0) fail_input("{}: the regular expression fails: {}", code_->where, message_of(count));
  const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(data.get());
  Match match{ends[0], ends[1], {}};
  for (std::uint32_t i = 0; i < pcre2_get_ovector_count(data.get()); ++i) {
    if (ends[2 * i] == PCRE2_UNSET) {
      match.groups.emplace_back();
    } else {
      match.groups.emplace_back(text.substr(ends[2 * i], ends[2 * i + 1] - ends[2 * i]));
    }
  }
  return match;
}

std::vector<Pattern::Match> Pattern::find_all(std::string_view text) const {
  std::vector<Match> matches;
  for (std::size_t from = 0; from <= text.size();) {
    const std::optional<Match> match = find(text, from);
    if (!match) break;
    from = match->end > match->begin ? match->end : next_character(text, match->end);
    matches.push_back(*match);
  }
  return matches;
}

std::string Pattern::replace(std::string_view text, std::string_view with) const {
  std::string out;
  std::size_t done = 0;
  for (const Match& match : find_all(text)) {
    out += text.substr(done, match.begin - done);
    for (std::size_t i = 0; i < with.size(); ++i) {
      const bool group = with[i] == '\\' && i + 1 < with.size() && with[i + 1] >= '0' && with[i + 1] <= '9';
      if (!group) {
        out += with[i];
        continue;
      }
      const auto number = static_cast<std::size_t>(with[++i] - '0');
      if (number >= match.groups.size()) {
        fail_input("{}: the replacement '{}' names group {}, which the expression lacks",
                   code_->where, with, number);
      }
      out += match.groups[number].value_or("");
    }
    done = match.end;
  }
  return out.append(text.substr(done));
}

std::optional<std::size_t> Pattern::group(const std::string& name) const {
  const int number = pcre2_substring_number_from_name(
      code_->code.get(), reinterpret_cast<PCRE2_SPTR>(name.c_str()));
  if (number < 0) return std::nullopt;
  return static_cast<std::size_t>(number);
}

}  // namespace fathom::eval
