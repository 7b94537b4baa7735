#include "eval/process_usage.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
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

bool is_awake(const fs::path& task) {
  std::ifstream file(task / "stat");
  std::string line;
  std::getline(file, line);
  // The second field is a name in brackets, the third the state.
  const std::size_t state = line.rfind(')') + 2;
  return state < line.size() && (line[state] == 'R' || line[state] == 'D');
}

// Whether a thread of the process, or of what it started, is.
bool any_awake(long process) {
  std::error_code ignored;
  for (fs::directory_iterator task(fmt::format("/proc/{}/task", process), ignored), end; task != end;
       task.increment(ignored)) {
    if (is_awake(task->path())) return true;
  }
  return std::ranges::any_of(children_of(process), any_awake);
}

// Seconds of processors that a process, all it started and those of them that it waited for took.
double cpu_seconds_of(long process) {
  std::ifstream file(fmt::format("/proc/{}/stat", process));
  std::string line;
  std::getline(file, line);
  // The second field is a name, which may have blanks; numbers 14 to 17 are times in ticks.
  std::istringstream fields(line.substr(std::min(line.rfind(')') + 1, line.size())));
  std::string skipped;
  for (int i = 3; i < 14; ++i) fields >> skipped;
  double ticks = 0, time = 0;
  for (int i = 0; i < 4 && fields >> time; ++i) ticks += time;
  double seconds = ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
  for (const long child : children_of(process)) seconds += cpu_seconds_of(child);
  return seconds;
}

}  // namespace

std::size_t memory_below(long first) {
  std::size_t bytes = 0;
  for (const long child : children_of(first)) bytes += memory_of(child);
  return bytes;
}

bool awake_below(long first) {
  return std::ranges::any_of(children_of(first), any_awake);
}

double cpu_seconds_below(long first) {
  double seconds = 0;
  for (const long child : children_of(first)) seconds += cpu_seconds_of(child);
  return seconds;
}

}  // namespace fathom::eval
