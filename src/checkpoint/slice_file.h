// One safetensors file of a checkpoint, and reading a box of a tensor out of a slice in it.
// Slices are read block by block, and each block is compared with its checksum as it is read,
// so that bytes come from the disk once. Internal to the checkpoints.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/manifest.h"
#include "io/file_reader.h"
#include "io/safetensors.h"

namespace fathom {

class SliceFile {
 public:
  // Where a slice lies in the file.
  struct Place {
    StoredType type;
    std::vector<std::int64_t> shape;
    std::uint64_t offset = 0, bytes = 0;
  };

  // Opens the file and checks its header. Throws a DamagedCheckpoint when it is not as long as
  // the manifest says, or no safetensors file.
  SliceFile(const std::string& path, const ManifestFile& file);

  const FileReader& reader() const { return *reader_; }
  // Throws a DamagedCheckpoint unless the slice is there with this type and shape.
  const Place& place_of(const ManifestTensor& tensor, const ManifestSlice& slice) const;

 private:
  std::unique_ptr<FileReader> reader_;
  std::map<std::string, Place> places_;
};

// Copies the entries that the slice and the box at `offset` share to `into` (CPU, the box's shape),
// converted to its type, on all threads. Returns the bytes read. Throws a DamagedCheckpoint when a
// block does not match its checksum; slices of old checkpoints have no checksums.
std::uint64_t read_overlap(const SliceFile& file, const ManifestTensor& tensor,
                           const ManifestSlice& slice, std::span<const std::int64_t> offset,
                           Tensor into);

// Throws a DamagedCheckpoint when the file's length or whole content is not the manifest's.
// `between` is called between blocks, and may throw to end the work.
void verify_file(const std::string& path, const ManifestFile& file,
                 const std::function<void()>& between = {});

}  // namespace fathom
