// A source's files divided into parts, the pieces by which long work is restarted and shared out.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/config.h"

namespace fathom {

struct PartFile {
  std::string path;
  std::uint64_t bytes = 0;  // on the disk

  friend bool operator==(const PartFile&, const PartFile&) = default;
};

struct SourcePart {
  std::int64_t number = 0;  // in the source
  std::vector<PartFile> files;

  std::uint64_t bytes() const;
  std::vector<std::string> paths() const;
};

// "<source>-00003": the name of a part's files and directories.
std::string part_name(const std::string& source, std::int64_t number);

// Shell patterns of the names of the sources' parts, for the names of files that belong to them.
std::vector<std::string> part_patterns(std::span<const std::string> sources);

// A part ends with the file that brings it to `part_mb`. Parts depend on the files alone. Throws an
// input Error that names the source when it has no files, one cannot be read, or a
// name is not UTF-8, and when `output`
// (unless empty) lies in a directory that is read, or a file in `output`.
std::vector<SourcePart> parts_of(const TextSourceConfig& source, std::int64_t part_mb,
                                 const std::string& output = "");

}  // namespace fathom
