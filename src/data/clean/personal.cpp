#include "data/clean/personal.h"

#include <algorithm>

#include "data/clean/email_domain.h"
#include "data/clean/personal_numbers.h"
#include "text/ascii.h"

namespace fathom::clean {
namespace {

constexpr std::string_view email_mask = "email@example.com";

// Builds a text with parts of another one replaced, from left to right.
class Replacements {
 public:
  explicit Replacements(std::string_view text) : text_(text) {}
  std::size_t done() const { return done_; }  // what is before is replaced or decided
  void replace(std::size_t begin, std::size_t end, std::string_view by) {
    out_ += text_.substr(done_, begin - done_);
    out_ += by;
    done_ = end;
  }
  std::string take() {
    out_ += text_.substr(done_);
    return std::move(out_);
  }

 private:
  std::string_view text_;
  std::string out_;
  std::size_t done_ = 0;
};

bool is_local(char c) {
  return ascii::is_alphanumeric(c) || std::string_view("._%+-").find(c) != std::string_view::npos;
}

bool is_reserved_domain(std::string_view domain) {
  static constexpr std::array<std::string_view, 3> reserved = {"example.com", "example.org",
                                                               "example.net"};  // RFC 2606
  return std::ranges::any_of(
      reserved, [&](std::string_view name) { return ascii::equal_ignoring_case(domain, name); });
}

// Whether `behind` may follow an address: no other one, no call as in "q@k.to(device)", and no path
// of a repository as in "git@github.com:a/b".
bool may_end_email(std::string_view local, std::string_view behind) {
  if (behind.starts_with('(')) return false;
  if (behind.starts_with('@')) return behind.size() == 1 || !is_local(behind[1]);
  return local != "git" || !(behind.starts_with(':') || behind.starts_with('/'));
}

std::string mask_emails(std::string_view text, std::int64_t& count) {
  Replacements out(text);
  for (std::size_t at = 0; (at = text.find('@', at)) != std::string_view::npos; ++at) {
    std::size_t begin = at;
    while (begin > out.done() && at - begin < 65 && is_local(text[begin - 1])) --begin;
    while (begin < at && (text[begin] == '.' || text[begin] == '-')) ++begin;
    const std::string_view local = text.substr(begin, at - begin);
    if (local.empty() || local.size() > 64 || local.ends_with('.')) continue;
    const std::size_t length = domain_length(text.substr(at + 1));
    if (length == 0 || is_reserved_domain(text.substr(at + 1, length))) continue;
    if (begin > 0 && text[begin - 1] == '@') continue;
    if (!may_end_email(local, text.substr(at + 1 + length))) continue;
    if (text.substr(0, begin).ends_with("://")) continue;  // who logs in at a URL
    out.replace(begin, at + 1 + length, email_mask);
    ++count;
    at += length;
  }
  return out.take();
}

std::string mask_numbers(std::string_view text, const PersonalConfig& config,
                         MaskedCounts& counts) {
  Replacements out(text);
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (!ascii::is_digit(c) && c != '+' && c != '(') {
      ++at;
      continue;
    }
    if (const auto found = find_personal_number(text, at, config)) {
      out.replace(at, at + found->length, found->mask);
      ++counts[static_cast<std::size_t>(found->kind)];
      at += found->length;
    } else {
      // No number begins within another one.
      ++at;
      while (ascii::is_digit(c) && at < text.size() && ascii::is_digit(text[at])) ++at;
    }
  }
  return out.take();
}

}  // namespace

std::string masked(std::string_view text, const PersonalConfig& config, MaskedCounts& counts) {
  std::string out(text);
  // First, as their names may look like phone numbers.
  if (config.emails) {
    out = mask_emails(out, counts[static_cast<std::size_t>(PersonalKind::email)]);
  }
  if (config.ip_addresses || config.phones || config.id_numbers) {
    out = mask_numbers(out, config, counts);
  }
  return out;
}

}  // namespace fathom::clean
