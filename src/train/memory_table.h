// The bytes that a run will take of each memory, known before the first one is taken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/device.h"

namespace fathom {

struct MemoryRow {
  std::string what;
  std::size_t bytes = 0;
};

class MemoryTable {
 public:
  explicit MemoryTable(Device device) : device_(device) {}

  // Memory of the device that computes, and of the host when that is another;
  // on the CPU both are one.
  void add(std::string what, std::size_t bytes);
  void add_host(std::string what, std::size_t bytes);
  // Host memory that the process takes once, however many of its threads are ranks.
  void add_process(std::string what, std::size_t bytes);

  const std::vector<MemoryRow>& device_rows() const { return device_rows_; }
  std::size_t process_total() const { return process_bytes_; }
  std::size_t device_total() const { return total(device_rows_); }
  std::size_t host_total() const { return total(host_rows_); }
  Device device() const { return device_; }
  // Lines of text: a row each, with its share, and the totals.
  std::string text() const;

 private:
  static std::size_t total(const std::vector<MemoryRow>& rows);

  Device device_;
  std::vector<MemoryRow> device_rows_, host_rows_;
  std::size_t process_bytes_ = 0;  // also in a row
};

// Figures of this process and machine, from /proc; 0 where it does not say.
struct ProcessMemory {
  std::size_t resident = 0;       // VmRSS
  std::size_t peak_resident = 0;  // VmHWM
  std::size_t mapped_files = 0;   // RssFile: page cache, given back under pressure
  static ProcessMemory now();
};
std::size_t available_host_memory();

}  // namespace fathom
