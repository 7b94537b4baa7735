#include "data/dedup/stamped_files.h"

#include <algorithm>
#include <filesystem>

#include "io/atomic_directory.h"
#include "io/atomic_file.h"
#include "io/line_reader.h"

namespace fathom::dedup {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view suffix = ".jsonl.zst";

}  // namespace

StampedFiles::StampedFiles(const std::string& output, const std::string& directory)
    : files_(output + "/" + directory), stamps_(output + "/." + directory + "-stamps") {
  for (const std::string& made : {files_, stamps_}) {
    fs::create_directories(made);
    remove_stale_temporaries(made);
  }
}

std::string StampedFiles::path(const std::string& name) const {
  return files_ + "/" + name + std::string(suffix);
}

bool StampedFiles::exists(const std::string& name) const {
  return fs::exists(path(name));
}

bool StampedFiles::is_current(const std::string& name, const std::string& stamp) const {
  const std::string stored = stamps_ + "/" + name;
  return exists(name) && fs::exists(stored) && read_text(stored) == stamp;
}

void StampedFiles::remove(const std::string& name) {
  remove_stamp(name);
  fs::remove(path(name));
}

std::vector<std::string> StampedFiles::names() const {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(files_)) {
    std::string name = entry.path().filename();
    if (!name.ends_with(suffix)) continue;
    name.resize(name.size() - suffix.size());
    names.push_back(std::move(name));
  }
  std::ranges::sort(names);
  return names;
}

void StampedFiles::remove_stamp(const std::string& name) {
  // On the disk before the file changes.
  if (fs::remove(stamps_ + "/" + name)) fsync_directory(stamps_);
}

void StampedFiles::save_stamp(const std::string& name, const std::string& stamp) {
  write_file_atomically(stamps_ + "/" + name, stamp);
}

}  // namespace fathom::dedup
