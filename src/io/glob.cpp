#include "io/glob.h"

#include <fnmatch.h>
#include <locale.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <span>
#include <utility>

#include "core/error.h"

namespace fathom {

namespace {

namespace fs = std::filesystem;
using Inode = std::pair<dev_t, ino_t>;

bool is_directory(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

// Whether the path exists, be it a dangling link.
bool is_there(const std::string& path) {
  struct stat status {};
  return lstat(path.c_str(), &status) == 0;
}

// While it exists, fnmatch() on this thread matches whole UTF-8 characters. A name that is
// not UTF-8 is still matched byte by byte.
class Utf8Names {
 public:
  Utf8Names()
      : utf8_(newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)),
        old_(utf8_ ? uselocale(utf8_) : nullptr) {}
  ~Utf8Names() {
    if (!utf8_) return;
    uselocale(old_);
    freelocale(utf8_);
  }
  Utf8Names(const Utf8Names&) = delete;
  Utf8Names& operator=(const Utf8Names&) = delete;

 private:
  locale_t utf8_, old_;
};

std::vector<std::string> split_path(std::string_view pattern) {
  std::vector<std::string> names;
  while (!pattern.empty()) {
    const std::size_t slash = pattern.find('/');
    if (slash != 0) names.emplace_back(pattern.substr(0, slash));
    pattern.remove_prefix(slash == std::string_view::npos ? pattern.size() : slash + 1);
  }
  return names;
}

// Walks down the tree along the names of a pattern.
class Matcher {
 public:
  std::vector<std::string> found;
  bool directories_only = false;  // for a pattern that ends in a slash

  void match(const std::string& directory, std::span<const std::string> names) {
    if (names.empty()) {
      if (!directories_only || is_directory(directory)) found.push_back(directory);
    } else if (names[0] == "**") {
      std::set<Inode> entered;
      match_any_depth(directory, names.subspan(1), entered);
    } else if (!is_pattern(names[0])) {
      const std::string path = join_path(directory, names[0]);
      if (is_there(path)) match(path, names.subspan(1));
    } else {
      match_names(directory, names);
    }
  }

 private:
  void match_names(const std::string& directory, std::span<const std::string> names) {
    const std::string place = directory.empty() ? "." : directory;
    if (!is_directory(place)) return;
    for (const std::string& name : sorted_names(place)) {
      if (fnmatch(names[0].c_str(), name.c_str(), FNM_PERIOD | FNM_NOESCAPE) != 0) continue;
      const std::string path = join_path(directory, name);
      if (names.size() == 1 || is_directory(path)) match(path, names.subspan(1));
    }
  }

  void match_any_depth(const std::string& directory, std::span<const std::string> rest,
                       std::set<Inode>& entered) {
    const std::string place = directory.empty() ? "." : directory;
    struct stat status {};
    if (stat(place.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) return;
    if (!entered.insert({status.st_dev, status.st_ino}).second) return;
    if (rest.empty()) {
      found.push_back(place);  // the directory stands for all below it
      return;
    }
    match(directory, rest);
    for (const std::string& name : sorted_names(place)) {
      if (name[0] != '.') match_any_depth(join_path(directory, name), rest, entered);
    }
  }
};

// The brace that closes the one at `open`, and the commas between them.
std::size_t find_closing(const std::string& text, std::size_t open,
                         std::vector<std::size_t>& commas) {
  int depth = 0;
  for (std::size_t i = open; i < text.size(); ++i) {
    if (text[i] == '{') ++depth;
    if (text[i] == ',' && depth == 1) commas.push_back(i);
    if (text[i] == '}' && --depth == 0) return i;
  }
  return std::string::npos;
}

// Limit on the patterns that one entry's braces expand to.
constexpr std::size_t max_choices = 10'000;

void expand_braces_from(const std::string& text, std::size_t from, std::vector<std::string>& out) {
  for (std::size_t open = text.find('{', from); open != std::string::npos;
       open = text.find('{', open + 1)) {
    std::vector<std::size_t> ends;
    const std::size_t close = find_closing(text, open, ends);
    if (close == std::string::npos || ends.empty()) continue;
    ends.push_back(close);
    std::size_t begin = open + 1;
    for (const std::size_t end : ends) {
      expand_braces_from(
          text.substr(0, open) + text.substr(begin, end - begin) + text.substr(close + 1), open,
          out);
      begin = end + 1;
    }
    return;
  }
  if (out.size() == max_choices) {
    fail_input("'{}': its braces give more than {} patterns; use fewer", text, max_choices);
  }
  out.push_back(text);
}

}  // namespace

bool is_pattern(std::string_view path) {
  return path.find_first_of("*?[{") != std::string_view::npos;
}

std::vector<std::string> expand_braces(const std::string& text) {
  std::vector<std::string> out;
  expand_braces_from(text, 0, out);
  return out;
}

std::vector<std::string> match_pattern(const std::string& pattern) {
  const Utf8Names utf8;
  Matcher matcher;
  for (const std::string& choice : expand_braces(pattern)) {
    if (choice.empty()) continue;
    const auto names = split_path(choice);
    matcher.directories_only = choice.ends_with('/');
    matcher.match(choice.starts_with("/") ? "/" : "", names);
  }
  std::sort(matcher.found.begin(), matcher.found.end());
  matcher.found.erase(std::unique(matcher.found.begin(), matcher.found.end()), matcher.found.end());
  return std::move(matcher.found);
}

std::vector<std::string> sorted_names(const std::string& directory) {
  std::error_code error;
  std::vector<std::string> names;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  if (error) fail_input("{}: cannot read this directory: {}", directory, error.message());
  std::sort(names.begin(), names.end());
  return names;
}

std::string join_path(const std::string& directory, std::string_view name) {
  if (directory.empty()) return std::string(name);
  std::string path = directory;
  if (path.back() != '/') path += '/';
  return path.append(name);
}

}  // namespace fathom
