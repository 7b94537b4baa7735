#include "checkpoint/slice_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "core/disk_calls.h"
#include "core/error.h"
#include "core/parallel.h"
#include "io/checksum.h"
#include "io/stored_values.h"

namespace fathom {
namespace {

using Index = std::vector<std::int64_t>;  // one a dimension

// Runs `work` on a file, and throws its Error, also one of the disk, as a DamagedCheckpoint.
template <class Work>
auto as_damage(Work&& work) {
  try {
    return work();
  } catch (const Error& error) {
    fail_damaged("{}", error.what());
  }
}

void check_length(const std::string& path, std::uint64_t bytes, const ManifestFile& file) {
  if (bytes == file.bytes) return;
  fail_damaged("{}: is {} bytes long, but the manifest says {}; the checkpoint is damaged", path,
               bytes, file.bytes);
}

// The box that a slice and a wanted box share, as rows: runs of the last dimension.
class SharedRows {
 public:
  SharedRows(const ManifestSlice& slice, std::span<const std::int64_t> offset, const Tensor& into)
      : slice_(slice), offset_(offset), into_(into) {
    for (std::size_t i = 0; i < offset.size(); ++i) {
      const std::int64_t begin = std::max(slice.offset[i], offset[i]);
      const std::int64_t end =
          std::min(slice.offset[i] + slice.extent[i], offset[i] + into.shape[static_cast<int>(i)]);
      begin_.push_back(begin);
      extent_.push_back(std::max<std::int64_t>(0, end - begin));
    }
    count_ = length() > 0 ? 1 : 0;
    for (std::size_t i = 0; i + 1 < extent_.size(); ++i) count_ *= extent_[i];
  }

  std::int64_t count() const { return count_; }
  std::int64_t length() const { return extent_.back(); }

  // Where row `row` begins among the slice's values; ascending with `row`.
  std::int64_t stored(std::int64_t row) const {
    return row_in_box(row, slice_.offset, slice_.extent.data()) * slice_.extent.back() +
           begin_.back() - slice_.offset.back();
  }
  // Where its values go.
  std::byte* target(std::int64_t row) const {
    const std::int64_t value =
        row_in_box(row, offset_, into_.shape) * into_.row_stride + begin_.back() - offset_.back();
    return static_cast<std::byte*>(into_.data) +
           static_cast<std::size_t>(value) * size_of(into_.dtype);
  }
  // The first row that ends behind the slice's value `value`.
  std::int64_t first_behind(std::int64_t value) const {
    std::int64_t low = 0, high = count_;
    while (low < high) {
      const std::int64_t middle = low + (high - low) / 2;
      if (stored(middle) + length() > value) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }

 private:
  // The number of the row in a box that begins at `origin`.
  std::int64_t row_in_box(std::int64_t row, std::span<const std::int64_t> origin,
                          const auto& box_extent) const {
    std::int64_t stride = 1, number = 0;
    for (int i = static_cast<int>(origin.size()) - 2; i >= 0; --i) {
      const auto at = static_cast<std::size_t>(i);
      number += (begin_[at] + row % extent_[at] - origin[at]) * stride;
      row /= extent_[at];
      stride *= box_extent[i];
    }
    return number;
  }

  const ManifestSlice& slice_;
  std::span<const std::int64_t> offset_;
  const Tensor& into_;
  Index begin_, extent_;
  std::int64_t count_ = 0;
};

// Fills `block` with the slice's values from `first` on: a whole block, which is compared with its
// checksum, or a part of one where the slice has no checksums.
void read_block(const SliceFile& file, const SliceFile::Place& place, const ManifestSlice& slice,
                std::int64_t first, std::vector<std::byte>& block) {
  const std::uint64_t begin = static_cast<std::uint64_t>(first) * size_of(place.type);
  const std::uint64_t end = begin + block.size();
  file.reader().will_need(place.offset + end,
                          std::min<std::uint64_t>(slice_block_bytes, place.bytes - end));
  as_damage([&] { file.reader().read(place.offset + begin, block); });
  if (slice.checksums.empty()) return;
  if (checksum_of(block) != slice.checksums[begin / slice_block_bytes]) {
    fail_damaged(
        "{}: the bytes of '{}' from {} on do not match their checksum; the checkpoint is "
        "damaged",
        file.reader().path(), slice.key, begin);
  }
}

}  // namespace

SliceFile::SliceFile(const std::string& path, const ManifestFile& file)
    : reader_(as_damage([&] { return std::make_unique<FileReader>(path); })) {
  check_length(path, reader_->size(), file);
  as_damage([&] {
    const DiskCall call("reading", path);
    const SafetensorsFile header(path);
    std::uint64_t bytes = 0;
    for (const StoredTensor& tensor : header.tensors()) bytes += tensor.bytes();
    std::uint64_t offset = file.bytes - bytes;  // the tensors end the file, without gaps
    for (const StoredTensor& tensor : header.tensors()) {
      places_[tensor.name] = {tensor.type, tensor.shape, offset, tensor.bytes()};
      offset += tensor.bytes();
    }
  });
}

const SliceFile::Place& SliceFile::place_of(const ManifestTensor& tensor,
                                            const ManifestSlice& slice) const {
  const auto found = places_.find(slice.key);
  if (found == places_.end()) {
    fail_damaged("{}: holds no tensor '{}'", reader_->path(), slice.key);
  }
  const Place& place = found->second;
  const StoredType type = stored_type_of(tensor.dtype);
  if (place.type != type || place.shape != slice.extent) {
    fail_damaged("{}: '{}' is {}[{}], but the manifest says {}[{}]", reader_->path(), slice.key,
                 name_of(place.type), fmt::join(place.shape, ", "), name_of(type),
                 fmt::join(slice.extent, ", "));
  }
  return place;
}

std::uint64_t read_overlap(const SliceFile& file, const ManifestTensor& tensor,
                           const ManifestSlice& slice, std::span<const std::int64_t> offset,
                           Tensor into) {
  const SliceFile::Place& place = file.place_of(tensor, slice);
  const SharedRows rows(slice, offset, into);
  if (rows.count() == 0) return 0;
  const std::size_t size = size_of(place.type);
  const auto block_values = static_cast<std::int64_t>(slice_block_bytes / size);
  const auto all_values = static_cast<std::int64_t>(place.bytes / size);
  const std::int64_t wanted_begin = rows.stored(0);
  const std::int64_t wanted_end = rows.stored(rows.count() - 1) + rows.length();
  const std::int64_t first_block = wanted_begin / block_values;
  const std::int64_t blocks = (wanted_end - 1) / block_values + 1 - first_block;
  std::atomic<std::uint64_t> bytes_read = 0;
  parallel_for(blocks, 1, [&](std::int64_t begin_block, std::int64_t end_block) {
    std::vector<std::byte> block;
    for (std::int64_t b = begin_block; b < end_block; ++b) {
      std::int64_t begin = (first_block + b) * block_values;
      std::int64_t end = std::min(begin + block_values, all_values);
      std::int64_t row = rows.first_behind(begin);
      if (row == rows.count() || rows.stored(row) >= end) continue;
      if (slice.checksums.empty()) {
        begin = std::max(begin, wanted_begin);
        end = std::min(end, wanted_end);
      }
      block.resize(static_cast<std::size_t>(end - begin) * size);
      read_block(file, place, slice, begin, block);
      bytes_read += block.size();
      for (; row < rows.count() && rows.stored(row) < end; ++row) {
        const std::int64_t from = std::max(rows.stored(row), begin);
        const std::int64_t to = std::min(rows.stored(row) + rows.length(), end);
        convert_stored(std::span(block).subspan(static_cast<std::size_t>(from - begin) * size,
                                                static_cast<std::size_t>(to - from) * size),
                       place.type,
                       rows.target(row) +
                           static_cast<std::size_t>(from - rows.stored(row)) * size_of(into.dtype),
                       into.dtype);
      }
    }
  });
  return bytes_read;
}

void verify_file(const std::string& path, const ManifestFile& file,
                 const std::function<void()>& between) {
  const auto reader = as_damage([&] { return std::make_unique<FileReader>(path); });
  check_length(path, reader->size(), file);
  Checksum checksum;
  std::vector<std::byte> block;
  for (std::uint64_t done = 0; done < file.bytes; done += block.size()) {
    if (between) between();
    block.resize(std::min<std::uint64_t>(slice_block_bytes, file.bytes - done));
    reader->will_need(done + block.size(), slice_block_bytes);
    as_damage([&] { reader->read(done, block); });
    checksum.update(block);
  }
  if (checksum.value() == file.checksum) return;
  fail_damaged("{}: its content does not match its checksum; the checkpoint is damaged", path);
}

}  // namespace fathom
