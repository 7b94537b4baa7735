#include "data/prepare_check.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <set>

#include "core/error.h"

namespace fathom {

namespace {

namespace fs = std::filesystem;

// Leaves room for the rest of a shard's file name, and fits its header (shard_format.h).
constexpr std::size_t max_source_name = 100;

void check_sources(const std::vector<SourceConfig>& sources) {
  std::set<std::string> names;
  for (const SourceConfig& source : sources) {
    check_source_name(source.name, names);
    if (!std::isfinite(source.weight) || source.weight < 0) {
      fail_input("source '{}': weight {} must be 0 or more", source.name, source.weight);
    }
  }
}

// The path without links, whether it exists or not. An open pipe (/dev/stdin) has no name in
// the file system: its path stays as it is.
fs::path real_path(const std::string& path) {
  const fs::path place = fs::absolute(through_links(path));
  std::error_code error;
  const fs::path real = fs::weakly_canonical(place, error);
  return error ? place : real;
}

bool lies_in(const fs::path& inner, const fs::path& outer) {
  return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

}  // namespace

void check_source_name(const std::string& name, std::set<std::string>& names) {
  const bool plain = !name.empty() && name.size() <= max_source_name && name[0] != '.' &&
                     std::ranges::all_of(name, [](unsigned char c) {
                       return (c < 128 && std::isalnum(c)) || c == '-' || c == '_' || c == '.';
                     });
  if (!plain) {
    fail_input(
        "sources: '{}' is not a valid name of a source; use up to {} letters, digits, '-', '_' "
        "and '.', and no '.' first",
        name, max_source_name);
  }
  if (!names.insert(name).second) {
    fail_input("sources: two are called '{}'; give each its own name", name);
  }
}

void check_prepare_config(const PrepareConfig& config) {
  if (config.output.empty()) fail_input("output: missing; name the directory to make");
  if (config.sources.empty()) fail_input("sources: missing; add at least one [[sources]] table");
  if (!(config.held_out_fraction >= 0 && config.held_out_fraction < 1)) {
    fail_input("held_out_fraction: {} is not in [0, 1)", config.held_out_fraction);
  }
  if (config.held_out_bytes && *config.held_out_bytes < 0) {
    fail_input("held_out_bytes: {} is negative", *config.held_out_bytes);
  }
  if (config.shard_tokens < 1) fail_input("shard_tokens: {} is below 1", config.shard_tokens);
  if (config.threads < 0 || config.threads > 4096) {
    fail_input("threads: {} is not in [0, 4096]", config.threads);
  }
  check_sources(config.sources);
}

void check_output(const std::string& output, Overwrite overwrite) {
  std::error_code error;  // a path that cannot be reached is reported when it is made
  if (!fs::exists(output, error)) return;
  if (overwrite == Overwrite::no) {
    fail_input("{}: already exists; choose another output or use --overwrite", output);
  }
  if (fs::is_directory(output, error) && !fs::is_empty(output, error) &&
      !fs::exists(output + "/manifest.json", error)) {
    fail_input(
        "{}: not made by `fathom data prepare` (it has no manifest.json), so it is not "
        "overwritten; choose another output or remove it yourself",
        output);
  }
}

void check_apart(const std::string& output, const InputFiles& files, const std::string& source) {
  const fs::path place = real_path(output);
  for (const std::string& file : files.paths) {
    if (lies_in(real_path(file), place)) {
      fail_input("output: {} holds {}, which source '{}' reads; choose another output", output,
                 file, source);
    }
  }
  for (const std::string& directory : files.directories) {
    if (lies_in(place, real_path(directory))) {
      fail_input(
          "output: {} is inside {}, a directory that source '{}' reads; choose another output",
          output, directory, source);
    }
  }
}

}  // namespace fathom
