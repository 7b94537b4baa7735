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

// Whether the process still is a copy of this one, which has not started its program.
bool is_copy(long process) {
  std::error_code error;
  const fs::path own = fs::read_symlink("/proc/self/exe", error);
  return !error && fs::read_symlink(fmt::format("/proc/{}/exe", process), error) == own;
}

}  // namespace

std::size_t memory_below(long first) {
  std::size_t bytes = 0;
  for (const long child : children_of(first)) {
    if (!is_copy(child)) bytes += memory_of(child);
  }
  return bytes;
}

}  // namespace fathom::eval
