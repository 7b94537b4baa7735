// Which items of a task stand in a training text.
//
// Texts are compared as units: words without case and punctuation, and each Chinese, Japanese or
// Korean character. An item is in a document when they share a run of `length` units; an item of fewer
// units, but at least `shortest`, when it stands there whole (the rule of DeepSeekMath, section 2.1: 10
// and 3).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace fathom::eval {

struct OverlapRule {
  std::int64_t length = 10, shortest = 3;
};

// Hashes of a text's units, in order.
std::vector<std::uint64_t> text_units(std::string_view text);

class OverlapIndex {
 public:
  explicit OverlapIndex(const OverlapRule& rule) : rule_(rule) {}

  // Adds an item and returns its number, from 0. All items come before the first search. One of fewer
  // units than `shortest` is never found.
  std::int64_t add(std::string_view text);

  // Leaves out the runs that more than a tenth of the items, and at least three, share: a task's own
  // phrases, such as "answer these questions".
  void leave_out_common();

  // Of each item that the document shares a run with: how many of its runs. Any thread may call it.
  struct Found {
    std::int64_t item = 0, runs = 0;
  };
  std::vector<Found> search(std::string_view document) const;

  std::int64_t items() const { return std::ssize(runs_); }
  // How many different runs an item has that were not left out.
  std::int64_t runs(std::int64_t item) const { return runs_[static_cast<std::size_t>(item)]; }

 private:
  OverlapRule rule_;
  std::unordered_map<std::uint64_t, std::vector<std::int32_t>> owners_;  // of a run's hash: the items
  std::vector<std::int64_t> runs_;
  std::vector<std::int64_t> lengths_;  // of runs, each once, ascending
};

}  // namespace fathom::eval
