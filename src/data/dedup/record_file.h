// Files of records of one size, as they are in memory, and a merge of sorted ones.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/error.h"
#include "io/atomic_file.h"
#include "io/file_reader.h"

namespace fathom::dedup {

template <class Record>
void write_record(FileWriter& file, const Record& record) {
  static_assert(std::is_trivially_copyable_v<Record>);
  file.write(std::as_bytes(std::span(&record, 1)));
}

// Reads the records of a file in order, `block_bytes` at a time.
template <class Record>
class RecordFile {
 public:
  // Throws an input Error when the file cannot be opened or its size is no number of records.
  explicit RecordFile(const std::string& path, std::size_t block_bytes = 1 << 18)
      : file_(path), block_(std::max<std::size_t>(1, block_bytes / sizeof(Record))) {
    if (file_.size() % sizeof(Record) != 0) {
      fail_input("{}: its {} bytes are no number of records of {}; it is damaged", path,
                 file_.size(), sizeof(Record));
    }
    fill();
  }

  std::uint64_t size() const { return file_.size() / sizeof(Record); }
  bool ended() const { return at_ == records_.size(); }
  const Record& front() const { return records_[at_]; }
  void pop() {
    if (++at_ == records_.size()) fill();
  }

 private:
  void fill() {
    const std::uint64_t left = size() - next_;
    records_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(block_, left)));
    file_.read(next_ * sizeof(Record), std::as_writable_bytes(std::span(records_)));
    next_ += records_.size();
    at_ = 0;
  }

  FileReader file_;
  std::size_t block_;
  std::vector<Record> records_;
  std::size_t at_ = 0;
  std::uint64_t next_ = 0;  // record to read next
};

// Calls take(record) for the records of all sources in order; equal records in the order of the
// sources. A source has ended(), front() and pop(), and is sorted.
template <class Source, class Take>
void merge_sorted(std::vector<std::unique_ptr<Source>>& sources, Take&& take) {
  const auto later = [&](std::size_t a, std::size_t b) {
    if (sources[b]->front() < sources[a]->front()) return true;
    return !(sources[a]->front() < sources[b]->front()) && b < a;
  };
  std::vector<std::size_t> heap;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (!sources[i]->ended()) heap.push_back(i);
  }
  std::ranges::make_heap(heap, later);
  while (!heap.empty()) {
    std::ranges::pop_heap(heap, later);
    Source& source = *sources[heap.back()];
    // As long as this source has the smallest record, the heap is left alone.
    do {
      take(source.front());
      source.pop();
    } while (!source.ended() && heap.size() == 1);
    if (source.ended()) {
      heap.pop_back();
    } else {
      std::ranges::push_heap(heap, later);
    }
  }
}

}  // namespace fathom::dedup
