#include "eval/process_memory.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <vector>

namespace fathom::eval {
namespace {

namespace fs = std::filesystem;

// The processes that a process started and that have not ended.
std::vector<long> children_of(long process) {
  std::vector<long> all;
  std::error_code ignored;
  for (fs::directory_iterator task(fmt::format("/proc/{}/task", process), ignored), end; task != end;
       task.increment(ignored)) {
    std::ifstream children(task->path() / "children");
    for (long child = 0; children >> child;) all.push_back(child);
  }
  return all;
}

// Bytes that a process and all it started have in memory; 0 when it has ended.
std::size_t memory_of(long process) {
  std::size_t pages = 0, size = 0;
  std::ifstream(fmt::format("/proc/{}/statm", process)) >> size >> pages;
  std::size_t bytes = pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  for (const long child : children_of(process)) bytes += memory_of(child);
  return bytes;
}

}  // namespace

std::size_t memory_below(long first) {
  std::size_t bytes = 0;
  for (const long child : children_of(first)) bytes += memory_of(child);
  return bytes;
}

}  // namespace fathom::eval
