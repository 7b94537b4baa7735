// Parts of documents that are copies and go, on the disk: a sorted file for each segment.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/dedup/external_sorter.h"
#include "data/dedup/index.h"
#include "data/dedup/record_file.h"

namespace fathom::dedup {

struct RemovedPart {
  std::uint32_t document;
  std::uint32_t number;  // of the line or paragraph, or of the first token

  friend auto operator<=>(const RemovedPart&, const RemovedPart&) = default;
};

// Parts of one kind. The files are in `scratch`, which outlives this.
class RemovedParts {
 public:
  RemovedParts(const std::string& scratch, std::string_view kind);

  // `sorted`: documents by their number in the index. Called once.
  void write(const Index& index, ExternalSorter<RemovedPart>& sorted);

  // Absent when nothing of the segment goes.
  std::string path(std::size_t segment) const;
  // Of what goes from a segment of the index.
  std::uint64_t checksum(std::size_t segment) const { return checksums_.at(segment); }

 private:
  std::string prefix_;
  std::vector<std::uint64_t> checksums_;
};

// Reads what goes from the documents of one segment, in their order.
class RemovedPartReader {
 public:
  RemovedPartReader(const std::optional<RemovedParts>& parts, std::size_t segment);
  std::vector<std::uint32_t> of(std::uint32_t document);  // ascending numbers

 private:
  std::unique_ptr<RecordFile<RemovedPart>> file_;  // null: nothing goes
};

// Of each kind that the config asks for.
struct Removals {
  std::optional<RemovedParts> lines, paragraphs, sequences;
};

}  // namespace fathom::dedup
