// Regular expressions of task files, by PCRE2 over UTF-8. Their syntax is Python's as far as the
// two agree: groups (?P<name>...), (?i), (?s), look-arounds, \d and \w over Unicode.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::eval {

class Pattern {
 public:
  // Throws an input Error that begins with `where` for what is no expression. `whole`: it must
  // match the whole text.
  Pattern(const std::string& expression, const std::string& where, bool whole = false);

  struct Match {
    std::size_t begin, end;
    // [0] the match, then its groups; nullopt: the group took no part.
    std::vector<std::optional<std::string>> groups;
  };
  // The first match that begins at `from` or later. Throws an input Error when the expression takes
  // too many steps on this text.
  std::optional<Match> find(std::string_view text, std::size_t from = 0) const;
  // All matches from left to right, as Python's re.finditer().
  std::vector<Match> find_all(std::string_view text) const;
  // All matches replaced; \1 to \9 in `with` are groups.
  std::string replace(std::string_view text, std::string_view with) const;

  // The number of a named group; nullopt when there is none.
  std::optional<std::size_t> group(const std::string& name) const;

 private:
  struct Code;
  std::shared_ptr<const Code> code_;
};

}  // namespace fathom::eval
