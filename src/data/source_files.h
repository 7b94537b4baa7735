// The files that a source of `data prepare` names. Internal to data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/config.h"

namespace fathom {

struct SourceFiles {
  std::vector<std::string> read;      // by `paths`, without those of `held_out`
  std::vector<std::string> held_out;  // by `held_out_paths`: none of them is trained on
};

// A file that both lists lead to, under whatever name, is held out. Logs what find_input_files()
// notes, and throws its errors, which name the source; an input Error too for a file in `output`,
// for held_out_paths that leave no file to read, and for an `output` in a directory that is read.
SourceFiles find_source_files(const SourceConfig& source, const std::string& output);

// Bytes on the disk. FIFOs and devices, whose sizes are unknown, count as zero.
std::uint64_t total_bytes(const std::vector<std::string>& files);

}  // namespace fathom
