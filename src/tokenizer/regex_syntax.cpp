// Translates Oniguruma's syntax with Ruby's rules to PCRE2's. Most constructs are the
// same; this file rewrites those that look the same but have another meaning:
// \s \w \h \v and \b, property names, nested and intersected classes, (?i) in the
// middle of a pattern, (?m), {n,m}+, {n}?, {,m}.
#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/error.h"
#include "text/utf8.h"
#include "tokenizer/regex.h"
#include "tokenizer/regex_properties.h"

namespace fathom::tokenizer {
namespace {

constexpr std::size_t max_pattern = 64 * 1024;
constexpr int max_depth = 40;

class Translator {
 public:
  Translator(std::string_view pattern, const std::string& where) : in_(pattern), where_(where) {}

  std::string run() {
    if (in_.size() > max_pattern) refuse("a pattern of more than 64 KiB");
    if (utf8::valid_prefix(in_) != in_.size()) refuse("invalid UTF-8");
    groups_.push_back({0, 0});
    while (at_ < in_.size()) step();
    close_options(groups_[0]);
    return out_;
  }

 private:
  struct Group {
    std::size_t start;  // of the group in out_
    int options;        // "(?i:" opened inside it, still to be closed
  };

  [[noreturn]] void refuse(std::string_view what) const {
    fail_input("{}: the regular expression '{}' uses {}, which is not supported", where_,
               in_.substr(0, 100), what);
  }
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < in_.size() ? in_[at_ + ahead] : '\0';
  }
  bool starts(std::string_view text) const { return in_.substr(at_, text.size()) == text; }
  void begin_atom() { atom_ = out_.size(); }

  void step() {
    const char c = peek();
    if (c == '\\') return escape();
    if (c == '(') return open_group();
    if (c == ')') return close_group();
    if (c == '{') return interval();
    if (c == '[') {
      begin_atom();
      out_ += char_class(0);
      return;
    }
    begin_atom();
    const std::size_t length = utf8::length(c);
    out_ += in_.substr(at_, length);
    at_ += length;
  }

  void close_options(Group& group) {
    for (; group.options > 0; --group.options) out_ += ')';
  }

  void close_group() {
    if (groups_.size() == 1) refuse("an unmatched ')'");
    close_options(groups_.back());
    out_ += ')';
    ++at_;
    atom_ = groups_.back().start;
    groups_.pop_back();
  }

  void open_group() {
    if (starts("(*")) refuse("a verb '(*'");
    if (starts("(?#")) {
      at_ = std::min(in_.find(')', at_), in_.size() - 1) + 1;
      return;
    }
    if (starts("(?") && is_option(peek(2))) return options();
    if (starts("(?~") || starts("(?(") || starts("(?{") || starts("(?C") || starts("(?R") ||
        starts("(?P") || starts("(?&") || starts("(?|") || starts("(?+") || starts("(?'") ||
        (starts("(?") && peek(2) >= '0' && peek(2) <= '9')) {
      refuse("'" + std::string(in_.substr(at_, 3)) + "'");
    }
    if (groups_.size() > max_depth) refuse("groups nested too deeply");
    groups_.push_back({out_.size(), 0});
    out_ += '(';
    ++at_;
    if (peek() == '?') {  // "?:", "?=", "?<" and others
      out_ += in_.substr(at_, 2);
      at_ += 2;
    }
  }

  static bool is_option(char c) { return c == 'i' || c == 'm' || c == 'x' || c == '-'; }

  // (?im-x) and (?im-x:...). The first applies to the end of the group around it and
  // binds weaker than "|", so it is written as a group of its own.
  void options() {
    std::string flags;
    std::size_t p = at_ + 2;
    for (; p < in_.size() && is_option(in_[p]); ++p) {
      if (in_[p] == 'x') refuse("the extended option (?x)");
      flags += in_[p] == 'm' ? 's' : in_[p];
    }
    const char end = p < in_.size() ? in_[p] : '\0';
    if (end != ')' && end != ':') refuse("an unknown option");
    if (end == ':') {
      groups_.push_back({out_.size(), 0});
    } else {
      ++groups_.back().options;
    }
    if (groups_.size() > max_depth || groups_.back().options > max_depth) {
      refuse("groups nested too deeply");
    }
    out_ += "(?" + flags + ":";
    at_ = p + 1;
  }

  // {n}, {n,}, {,m}, {n,m}; anything else is a plain brace.
  void interval() {
    std::size_t p = at_ + 1;
    std::string low, high;
    bool comma = false;
    for (; p < in_.size() && in_[p] != '}'; ++p) {
      if (in_[p] == ',' && !comma) {
        comma = true;
      } else if (in_[p] >= '0' && in_[p] <= '9') {
        (comma ? high : low) += in_[p];
      } else {
        break;
      }
    }
    if (p >= in_.size() || in_[p] != '}' || (low.empty() && high.empty())) {
      begin_atom();
      out_ += "\\{";
      ++at_;
      return;
    }
    out_ += "{" + (low.empty() ? "0" : low) + (comma ? "," : "") + high + "}";
    at_ = p + 1;
    if (peek() == '+' || (peek() == '?' && !comma)) {
      out_.insert(atom_, "(?:");
      out_ += ')';
    }
  }

  void escape() {
    if (at_ + 1 >= in_.size()) refuse("a backslash at its end");
    begin_atom();
    const char c = peek(1);
    const auto bracket = [](std::string_view members, bool negated) {
      return (negated ? "[^" : "[") + std::string(members) + "]";
    };
    if (c == 'b' || c == 'B') {
      const std::string word = bracket(word_members, false);
      const std::string edge =
          "(?:(?<=" + word + ")(?!" + word + ")|(?<!" + word + ")(?=" + word + "))";
      out_ += c == 'b' ? edge : "(?!" + edge + ")";
      at_ += 2;
    } else if (c == 's' || c == 'S') {
      out_ += bracket(space_members, c == 'S');
      at_ += 2;
    } else if (c == 'w' || c == 'W') {
      out_ += bracket(word_members, c == 'W');
      at_ += 2;
    } else if (c == 'h' || c == 'H') {
      out_ += bracket(hex_members, c == 'H');
      at_ += 2;
    } else if (c == 'O') {
      out_ += "(?s:.)";
      at_ += 2;
    } else if (c == 'p' || c == 'P') {
      auto [name, negated] = property();
      if (name[0] == '^') {
        name.erase(0, 1);
        negated = !negated;
      }
      out_ += bracket(property_members(name, false), negated);
    } else if (std::string_view("AZzGRXKNkg123456789").find(c) != std::string_view::npos) {
      out_ += in_.substr(at_, 2);
      at_ += 2;
    } else {
      out_ += single_escape();
    }
  }

  // \p{Name} or \P{Name}: moves past it.
  std::pair<std::string, bool> property() {
    const bool negated = peek(1) == 'P';
    const std::size_t end = in_.find('}', at_);
    if (peek(2) != '{' || end == std::string_view::npos || end - at_ > 60 || end == at_ + 3) {
      refuse("\\p without {a name}");
    }
    std::string name(in_.substr(at_ + 3, end - at_ - 3));
    at_ = end + 1;
    return {name, negated};
  }

  // Reads an escape of one character and moves past it.
  std::string single_escape() {
    const char c = peek(1);
    const std::string_view rest = in_.substr(at_ + 2);
    if (c == 'x' && peek(2) == '{') {
      const std::size_t end = in_.find('}', at_);
      if (end == std::string_view::npos || end - at_ > 12) refuse("\\x{ without '}'");
      std::string text(in_.substr(at_, end + 1 - at_));
      at_ = end + 1;
      return text;
    }
    if (c == 'x' || c == '0') {
      at_ += 2;
      return std::string("\\") + c;
    }
    if (c == 'u') {
      if (rest.size() < 4) refuse("\\u without four digits");
      at_ += 6;
      return "\\x{" + std::string(rest.substr(0, 4)) + "}";
    }
    if (c == 'c' || c == 'C' || c == 'M' || c == 'y' || c == 'Y') {
      refuse(std::string("\\") + c);
    }
    if (c == 'v') {
      at_ += 2;
      return "\\x0b";
    }
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (letter || static_cast<unsigned char>(c) >= 0x80) {
      const bool known = std::string_view("aefnrtdD").find(c) != std::string_view::npos;
      const std::size_t length = utf8::length(c);
      std::string text = (known ? "\\" : "") + std::string(in_.substr(at_ + 1, length));
      if (c == 'd') text = "\\p{Nd}";
      if (c == 'D') text = "\\P{Nd}";
      at_ += 1 + length;
      return text;
    }
    at_ += 2;
    return std::string("\\") + c;
  }

  // Translates a class with its brackets, or an intersection of classes.
  std::string char_class(int depth) {
    ++at_;  // [
    const bool negated = peek() == '^';
    if (negated) ++at_;
    std::vector<std::string> parts(1);
    class_members(parts, depth);
    if (parts.size() == 1) return (negated ? "[^" : "[") + parts[0] + "]";
    std::string all = "(?:";
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) all += "(?=[" + parts[i] + "])";
    all += "[" + parts.back() + "])";
    return negated ? "(?:(?!" + all + ")(?s:.))" : all;
  }

  // Everything up to the closing bracket, moving past it; "&&" begins a new part.
  void class_members(std::vector<std::string>& parts, int depth) {
    if (depth > 10) refuse("character classes nested too deeply");
    for (bool first = true;; first = false) {
      if (at_ >= in_.size()) refuse("a character class without its ']'");
      std::string& part = parts.back();
      const char c = peek();
      if (c == ']' && !first) break;
      if (starts("&&")) {
        if (depth > 0 || part.empty()) refuse("'&&' here");
        parts.emplace_back();
        at_ += 2;
      } else if (starts("[:")) {
        part += posix_members();
      } else if (c == '[') {
        part += nested_members(depth);
      } else if (c == '\\') {
        part += class_escape();
      } else if (c == ']') {
        part += "\\]";
        ++at_;
      } else {
        const std::size_t length = utf8::length(c);
        part += in_.substr(at_, length);
        at_ += length;
      }
    }
    ++at_;
    if (parts.back().empty()) refuse("an empty character class");
  }

  std::string nested_members(int depth) {
    if (peek(1) == '^') refuse("a negated class inside a class");
    ++at_;
    std::vector<std::string> inner(1);
    class_members(inner, depth + 1);
    return inner[0];
  }

  std::string posix_members() {
    const std::size_t end = in_.find(":]", at_ + 2);
    if (end == std::string_view::npos || end - at_ > 20) refuse("'[:' without ':]'");
    const std::string name(in_.substr(at_ + 2, end - at_ - 2));
    const std::string members = property_members(name, false);
    if (members.empty() || members.find("sc:") != std::string::npos) refuse("[:" + name + ":]");
    at_ = end + 2;
    return members + hyphen();
  }

  // A "-" after a set of characters is a plain one.
  std::string hyphen() {
    if (peek() != '-' || peek(1) == ']') return "";
    ++at_;
    return "\\-";
  }

  std::string class_escape() {
    const char c = peek(1);
    const auto set = [&](std::string members) {
      at_ += 2;
      return members + hyphen();
    };
    if (c == 's') return set(space_members);
    if (c == 'S') return set(not_space_members);
    if (c == 'w') return set(word_members);
    if (c == 'h') return set(hex_members);
    if (c == 'd') return set("\\p{Nd}");
    if (c == 'D') return set("\\P{Nd}");
    if (c == 'b') return at_ += 2, "\\x08";
    if (c == 'p' || c == 'P') {
      const auto [name, negated] = property();
      const std::string members = property_members(name, negated);
      if (members.empty()) refuse("\\P{" + name + "} in a class");
      return members + hyphen();
    }
    if (std::string_view("WHRXBAZzGKNOkg").find(c) != std::string_view::npos) {
      refuse(std::string("\\") + c + " in a class");
    }
    if (at_ + 1 >= in_.size()) refuse("a backslash at its end");
    return single_escape();
  }

  std::string_view in_;
  const std::string& where_;
  std::size_t at_ = 0;
  std::string out_;
  std::size_t atom_ = 0;  // where the last atom starts in out_
  std::vector<Group> groups_;
};

}  // namespace

std::string to_pcre2(std::string_view pattern, const std::string& where) {
  return Translator(pattern, where).run();
}

}  // namespace fathom::tokenizer
