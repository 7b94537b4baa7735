// Any pattern matches in bounded time over a small tree with links that go round, and
// gives paths that exist, in order.
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "core/error.h"
#include "io/glob.h"
#include "io/input_files.h"

namespace {

namespace fs = std::filesystem;

std::string make_tree() {
  const fs::path root = fs::temp_directory_path() / ("fathom-glob-" + std::to_string(getpid()));
  fs::create_directories(root / "a/b");
  fs::create_directories(root / ".h");
  for (const char* name : {"x", "a/y.t", "a/b/z", ".h/w", "a/[c]", "a/{d,e}"}) {
    std::ofstream(root / name) << name;
  }
  std::error_code error;
  fs::create_directory_symlink("..", root / "a/b/up", error);
  fs::current_path(root);
  return root;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string root = make_tree();
  std::string pattern;
  // Within the tree: no way up, no absolute path, no zero byte.
  for (std::size_t i = 0; i < std::min<std::size_t>(size, 40); ++i) {
    const char c = static_cast<char>(data[i]);
    const bool leaves = (c == '/' && pattern.empty()) || (c == '.' && pattern.ends_with('.'));
    if (c != '\0' && !leaves) pattern += c;
  }
  try {
    const auto found = fathom::match_pattern(pattern);
    if (!std::is_sorted(found.begin(), found.end())) std::abort();
    for (const std::string& path : found) {
      if (!path.empty() && !fs::exists(fs::symlink_status(path))) std::abort();
    }
    fathom::find_input_files({{pattern}}, "fuzz");
  } catch (const fathom::Error&) {
  }
  return 0;
}
