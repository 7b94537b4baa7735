// Sorts more records than fit in memory: sorted runs go to the disk and are merged.
#pragma once

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/parallel.h"
#include "data/dedup/record_file.h"

namespace fathom::dedup {

// Record: trivially copyable, with operator<. Equal records must be alike in every bit, so that
// the order of the result does not depend on where runs end. Used by one thread, which sorts on
// all cores.
template <class Record>
class ExternalSorter {
 public:
  // Runs are files `<prefix><n>`, removed at the end. At least 1 MiB of memory is used.
  ExternalSorter(std::string prefix, std::size_t memory_bytes)
      : prefix_(std::move(prefix)),
        capacity_(std::max<std::size_t>(1 << 20, memory_bytes) / sizeof(Record)) {}
  ~ExternalSorter() { remove_runs(); }
  ExternalSorter(const ExternalSorter&) = delete;
  ExternalSorter& operator=(const ExternalSorter&) = delete;

  void add(const Record& record) {
    if (records_.size() == capacity_) spill();
    if (records_.capacity() == 0) records_.reserve(std::min<std::size_t>(capacity_, 1 << 12));
    records_.push_back(record);
    ++size_;
  }
  std::uint64_t size() const { return size_; }
  std::size_t runs() const { return runs_.size(); }  // on the disk

  // Calls take(record) in order, and leaves the sorter empty.
  template <class Take>
  void drain(Take&& take) {
    if (!runs_.empty() && !records_.empty()) spill();
    if (runs_.empty()) {
      drain_memory(take);
    } else {
      records_ = {};
      auto sources = open(runs_);
      merge_sorted(sources, take);
    }
    remove_runs();
    size_ = 0;
  }

 private:
  static constexpr std::size_t max_runs = 256;  // open at once

  // A sorted piece of records_.
  class Piece {
   public:
    Piece(const Record* begin, const Record* end) : at_(begin), end_(end) {}
    bool ended() const { return at_ == end_; }
    const Record& front() const { return *at_; }
    void pop() { ++at_; }

   private:
    const Record *at_, *end_;
  };

  // A spill must leave runs to merge with.
  static int num_pieces() { return std::min(num_threads(), static_cast<int>(max_runs / 2)); }

  // Calls f(piece) for each of num_pieces() parts of records_, sorted, on its own thread.
  template <class F>
  void sort_pieces(F&& f) {
    const auto count = static_cast<std::int64_t>(records_.size());
    on_each_thread(
        [&](int thread, int threads) {
          const Range range = split_range(count, thread, threads);
          Record* begin = records_.data() + range.begin;
          Record* end = records_.data() + range.end;
          std::sort(begin, end);
          f(thread, begin, end);
        },
        num_pieces());
  }

  template <class Take>
  void drain_memory(Take&& take) {
    std::vector<std::unique_ptr<Piece>> pieces(static_cast<std::size_t>(num_pieces()));
    sort_pieces([&](int thread, const Record* begin, const Record* end) {
      pieces[static_cast<std::size_t>(thread)] = std::make_unique<Piece>(begin, end);
    });
    merge_sorted(pieces, take);
    records_ = {};
  }

  // Writes each sorted part as a run.
  void spill() {
    const int pieces = num_pieces();
    if (runs_.size() + static_cast<std::size_t>(pieces) > max_runs) merge_runs();
    const std::size_t first = runs_.size();
    for (int i = 0; i < pieces; ++i) runs_.push_back(next_name());
    sort_pieces([&](int thread, const Record* begin, const Record* end) {
      FileWriter file(runs_[first + static_cast<std::size_t>(thread)]);
      file.write(std::as_bytes(std::span(begin, end)));
      file.close();
    });
    records_.clear();
  }

  void merge_runs() {
    const std::string name = next_name();
    {
      FileWriter file(name);
      auto sources = open(runs_);
      merge_sorted(sources, [&](const Record& record) { write_record(file, record); });
      file.close();
    }
    remove_runs();
    runs_.push_back(name);
  }

  std::vector<std::unique_ptr<RecordFile<Record>>> open(const std::vector<std::string>& paths) {
    const std::size_t block =
        std::clamp<std::size_t>(capacity_ * sizeof(Record) / paths.size(), 1 << 14, 1 << 20);
    std::vector<std::unique_ptr<RecordFile<Record>>> files;
    for (const std::string& path : paths) {
      files.push_back(std::make_unique<RecordFile<Record>>(path, block));
    }
    return files;
  }

  std::string next_name() { return fmt::format("{}{}", prefix_, names_++); }

  void remove_runs() {
    std::error_code ignored;
    for (const std::string& path : runs_) std::filesystem::remove(path, ignored);
    runs_.clear();
  }

  std::string prefix_;
  std::size_t capacity_;
  std::vector<Record> records_;
  std::vector<std::string> runs_;
  std::uint64_t size_ = 0;
  std::size_t names_ = 0;
};

}  // namespace fathom::dedup
