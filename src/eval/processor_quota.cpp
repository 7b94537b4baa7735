#include "eval/processor_quota.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace fathom::eval {
namespace {

namespace fs = std::filesystem;

constexpr double unlimited = 1024;

// "QUOTA PERIOD" in microseconds, or "max PERIOD".
double quota_of(const fs::path& group) {
  std::ifstream file(group / "cpu.max");
  double quota = 0, period = 0;
  return file >> quota >> period && period > 0 ? quota / period : unlimited;
}

}  // namespace

double processor_quota(const std::string& root, const std::string& own) {
  std::ifstream file(own);
  std::string group;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("0::")) group = line.substr(3);
  }
  double quota = quota_of(root);
  fs::path path = root;
  for (const fs::path& part : fs::path(group).relative_path()) quota = std::min(quota, quota_of(path /= part));
  return quota;
}

}  // namespace fathom::eval
