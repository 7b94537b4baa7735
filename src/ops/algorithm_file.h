// AlgorithmFile: algorithms chosen by measurement, kept on disk as text. A line holds a key, a
// value and their checksum. What they mean is known to the caller alone (ops/cuda/gemm_cache.h).
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace fathom::ops {

// Any thread may use it, and any number of processes may share one file: all take the first choice
// for a key. The file is replaced as a whole, so that a full disk leaves the old one. Damaged lines
// are ignored, and the next choice removes them. A file that can't be read or written counts as
// empty. Keys and values contain no spaces.
class AlgorithmFile {
 public:
  explicit AlgorithmFile(std::string path);  // empty: memory only

  std::optional<std::string> find(const std::string& key);
  // Stores the value that the caller chose for the key, and returns the value to use: another one
  // when another thread or process stored it first.
  std::string remember(const std::string& key, const std::string& value);
  // Forgets a useless value, also when the file holds it; the next remember() replaces it.
  void refuse(const std::string& key, const std::string& value);

 private:
  using Choices = std::map<std::string, std::string>;
  void read();
  void write() const;

  std::string path_;
  std::mutex mutex_;
  Choices choices_;
  std::set<std::pair<std::string, std::string>> refused_;
};

// One line of the file without its newline, and its key and value; none for a damaged line.
std::string algorithm_line(const std::string& key, const std::string& value);
std::optional<std::pair<std::string, std::string>> parse_algorithm_line(const std::string& line);

}  // namespace fathom::ops
