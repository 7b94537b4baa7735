// AlgorithmFile: choices that measurement made, kept on disk as text: a line holds a key, a value
// and their checksum. Nothing here knows what the values mean (ops/cuda/gemm_cache.h does).
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace fathom::ops {

// Safe to use from any thread, and from any number of processes on one file: the first choice for
// a key is everybody's. The file is replaced as a whole, so that a full disk leaves the one before;
// damaged lines are ignored and gone with the next choice. A file that can't be read or written
// counts as empty. Keys and values are words.
class AlgorithmFile {
 public:
  explicit AlgorithmFile(std::string path);  // empty: memory only

  std::optional<std::string> find(const std::string& key);
  // `value` was chosen for the key; returns the value to take, which is another's when that was
  // chosen first.
  std::string remember(const std::string& key, const std::string& value);
  // The value is of no use, here or from the file; the next remember() replaces it.
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

// One line of the file without its end, and back; none for a line that is damaged.
std::string algorithm_line(const std::string& key, const std::string& value);
std::optional<std::pair<std::string, std::string>> parse_algorithm_line(const std::string& line);

}  // namespace fathom::ops
