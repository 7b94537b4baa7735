// Lines in a file of zstd frames of about a megabyte.
#pragma once

#include <string>
#include <string_view>

#include "io/atomic_file.h"
#include "io/zstd_frame.h"

namespace fathom::dedup {

class PackedLines {
 public:
  explicit PackedLines(const std::string& path) : file_(path) {}
  void add(std::string_view line) {
    block_ += line;
    if (block_.size() >= 1 << 20) flush();
  }
  void commit() {
    flush();
    file_.commit();
  }

 private:
  void flush() {
    if (!block_.empty()) file_.write(zstd_frame(block_));
    block_.clear();
  }

  AtomicFile file_;
  std::string block_;
};

}  // namespace fathom::dedup
