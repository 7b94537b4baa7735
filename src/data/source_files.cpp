#include "data/source_files.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>
#include <utility>

#include "core/error.h"
#include "core/log.h"
#include "data/prepare_check.h"
#include "io/input_files.h"

namespace fathom {

namespace {

namespace fs = std::filesystem;

using FileIdentity = std::pair<dev_t, ino_t>;

FileIdentity identity_of(const std::string& file) {
  struct stat status {};
  if (stat(file.c_str(), &status) != 0) {
    fail_input("{}: cannot read this file: {}", file, std::strerror(errno));
  }
  return {status.st_dev, status.st_ino};
}

std::vector<std::string> find(const std::vector<std::string>& paths, const std::string& owner,
                              const SourceConfig& source, const std::string& output) {
  InputFiles found = find_input_files(paths, owner);
  for (const std::string& note : found.notes) log::warning("{}", note);
  check_apart(output, found, source.name);
  return std::move(found.paths);
}

}  // namespace

SourceFiles find_source_files(const SourceConfig& source, const std::string& output) {
  const std::string owner = "source '" + source.name + "'";
  SourceFiles files{find(source.paths, owner, source, output), {}};
  if (source.held_out_paths.empty()) return files;
  files.held_out = find(source.held_out_paths, owner + ": held_out_paths", source, output);
  std::set<FileIdentity> held_out;
  for (const std::string& file : files.held_out) held_out.insert(identity_of(file));
  std::erase_if(files.read,
                [&](const std::string& file) { return held_out.contains(identity_of(file)); });
  if (files.read.empty()) {
    fail_input("{}: held_out_paths hold out all files of paths; leave some to train on", owner);
  }
  return files;
}

std::uint64_t total_bytes(const std::vector<std::string>& files) {
  std::uint64_t total = 0;
  for (const std::string& file : files) {
    std::error_code error;
    if (fs::is_fifo(file, error) || fs::is_character_file(file, error)) continue;
    const auto size = fs::file_size(file, error);
    if (error) fail_input("{}: cannot read this file: {}", file, error.message());
    total += size;
  }
  return total;
}

}  // namespace fathom
