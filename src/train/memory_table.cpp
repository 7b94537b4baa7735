#include "train/memory_table.h"

#include "core/error.h"
#include "core/proc.h"
#include "core/progress.h"

namespace fathom {
namespace {

void append_rows(std::string& text, const char* title, const std::vector<MemoryRow>& rows,
                 std::size_t total) {
  text += fmt::format("{:<44} {:>10} {:>7}\n", title, "size", "share");
  const double whole = total == 0 ? 1 : static_cast<double>(total);
  for (const MemoryRow& row : rows) {
    text += fmt::format("  {:<42} {:>10} {:>5.1f} %\n", row.what,
                        human_bytes(static_cast<double>(row.bytes)),
                        100 * static_cast<double>(row.bytes) / whole);
  }
  text += fmt::format("  {:<42} {:>10}\n", "total", human_bytes(static_cast<double>(total)));
}

}  // namespace

void MemoryTable::add(std::string what, std::size_t bytes) {
  if (bytes > 0) device_rows_.push_back({std::move(what), bytes});
}

void MemoryTable::add_host(std::string what, std::size_t bytes) {
  auto& rows = device_.type == DeviceType::cpu ? device_rows_ : host_rows_;
  if (bytes > 0) rows.push_back({std::move(what), bytes});
}

void MemoryTable::add_process(std::string what, std::size_t bytes) {
  process_bytes_ += bytes;
  add_host(std::move(what), bytes);
}

std::size_t MemoryTable::total(const std::vector<MemoryRow>& rows) {
  std::size_t sum = 0;
  for (const MemoryRow& row : rows) sum += row.bytes;
  return sum;
}

std::string MemoryTable::text() const {
  std::string text;
  append_rows(text, fmt::format("memory of {}", to_string(device_)).c_str(), device_rows_,
              device_total());
  if (!host_rows_.empty()) append_rows(text, "memory of the host", host_rows_, host_total());
  return text;
}

ProcessMemory ProcessMemory::now() {
  const char* status = "/proc/self/status";
  return {proc_bytes(status, "VmRSS"), proc_bytes(status, "VmHWM"), proc_bytes(status, "RssFile")};
}

std::size_t available_host_memory() {
  return proc_bytes("/proc/meminfo", "MemAvailable");
}

}  // namespace fathom
