#include "ops/algorithm_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>
#include <xxhash.h>

#include <cstdio>
#include <fstream>
#include <sstream>

namespace fathom::ops {
namespace {

// Locks out other processes between reading and replacing the file. It locks a file of its own,
// because the file itself is replaced. On a disk without locks the last writer wins.
class FileLock {
 public:
  explicit FileLock(const std::string& path)
      : file_(path.empty() ? -1
                           : open((path + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
    if (file_ >= 0) flock(file_, LOCK_EX);
  }
  ~FileLock() {
    if (file_ >= 0) close(file_);
  }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int file_;
};

std::string checksum_of(const std::string& text) {
  return fmt::format("{:016x}", XXH64(text.data(), text.size(), 0));
}

}  // namespace

std::string algorithm_line(const std::string& key, const std::string& value) {
  const std::string text = key + " " + value;
  return text + " " + checksum_of(text);
}

std::optional<std::pair<std::string, std::string>> parse_algorithm_line(const std::string& line) {
  std::istringstream words(line);
  std::string key, value;
  if (!(words >> key >> value) || line != algorithm_line(key, value)) return std::nullopt;
  return std::pair(key, value);
}

AlgorithmFile::AlgorithmFile(std::string path) : path_(std::move(path)) {
  read();
}

// The first line of a key counts; a choice in memory counts before it.
void AlgorithmFile::read() {
  std::ifstream file(path_);
  for (std::string line; std::getline(file, line);) {
    const auto choice = parse_algorithm_line(line);
    if (choice && !refused_.contains(*choice)) choices_.insert(*choice);
  }
}

void AlgorithmFile::write() const {
  const std::string temporary = fmt::format("{}.tmp-{}", path_, getpid());
  std::ofstream file(temporary, std::ios::trunc);
  for (const auto& [key, value] : choices_) file << algorithm_line(key, value) << '\n';
  file.close();
  if (file.fail() || std::rename(temporary.c_str(), path_.c_str()) != 0) {
    std::remove(temporary.c_str());
  }
}

std::optional<std::string> AlgorithmFile::find(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto found = choices_.find(key);
  if (found == choices_.end()) return std::nullopt;
  return found->second;
}

std::string AlgorithmFile::remember(const std::string& key, const std::string& value) {
  const std::lock_guard lock(mutex_);
  if (choices_.contains(key)) return choices_[key];
  const FileLock file(path_);
  read();  // what other processes have chosen meanwhile
  const auto [chosen, first] = choices_.try_emplace(key, value);
  if (first && !path_.empty()) write();
  return chosen->second;
}

void AlgorithmFile::refuse(const std::string& key, const std::string& value) {
  const std::lock_guard lock(mutex_);
  refused_.emplace(key, value);
  const auto found = choices_.find(key);
  if (found != choices_.end() && found->second == value) choices_.erase(found);
}

}  // namespace fathom::ops
