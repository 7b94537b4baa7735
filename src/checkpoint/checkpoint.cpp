#include "checkpoint/checkpoint.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <unordered_map>

#include "checkpoint/manifest.h"
#include "core/error.h"
#include "core/parallel.h"
#include "io/checksum.h"
#include "io/mapped_file.h"
#include "io/safetensors.h"
#include "io/stored_values.h"
#include "ops/optimizer.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

using Index = std::vector<std::int64_t>;  // one a dimension

std::string entry_key(StateKind kind, std::string_view name) {
  return fmt::format("{}/{}", name_of(kind), name);
}

// The box that two boxes of a tensor share.
struct Overlap {
  Index begin, extent;
  bool empty = false;
};

Overlap overlap_of(const ManifestSlice& slice, std::span<const std::int64_t> offset,
                   const Shape& shape) {
  Overlap out;
  for (std::size_t i = 0; i < offset.size(); ++i) {
    const std::int64_t begin = std::max(slice.offset[i], offset[i]);
    const std::int64_t end =
        std::min(slice.offset[i] + slice.extent[i], offset[i] + shape[static_cast<int>(i)]);
    out.begin.push_back(begin);
    out.extent.push_back(end - begin);
    out.empty = out.empty || begin >= end;
  }
  return out;
}

// The number of the row that holds the first value of the overlap's row `row`, in
// a box that begins at `origin`; rows are the runs of the last dimension.
std::int64_t row_in_box(const Overlap& part, std::int64_t row, std::span<const std::int64_t> origin,
                        const auto& box_extent) {
  std::int64_t stride = 1, number = 0;
  for (int i = static_cast<int>(origin.size()) - 2; i >= 0; --i) {
    const auto at = static_cast<std::size_t>(i);
    number += (part.begin[at] + row % part.extent[at] - origin[at]) * stride;
    row /= part.extent[at];
    stride *= box_extent[i];
  }
  return number;
}

// Copies what `slice` holds of the box at `offset` that `into` (CPU) stands for.
void copy_overlap(const StoredTensor& stored, const ManifestSlice& slice,
                  std::span<const std::int64_t> offset, Tensor into) {
  const Overlap part = overlap_of(slice, offset, into.shape);
  if (part.empty) return;
  const std::int64_t run = part.extent.back();
  std::int64_t rows = 1;
  for (std::size_t i = 0; i + 1 < part.extent.size(); ++i) rows *= part.extent[i];
  const std::size_t stored_size = size_of(stored.type), into_size = size_of(into.dtype);
  const std::int64_t stored_column = part.begin.back() - slice.offset.back();
  const std::int64_t into_column = part.begin.back() - offset.back();
  constexpr std::int64_t grain_values = 1 << 16;
  parallel_for(rows, std::max<std::int64_t>(1, grain_values / run), [&](auto begin, auto end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t from = row_in_box(part, row, slice.offset, slice.extent.data());
      const std::int64_t to = row_in_box(part, row, offset, into.shape);
      const std::int64_t first = from * slice.extent.back() + stored_column;
      convert_stored(stored.data.subspan(static_cast<std::size_t>(first) * stored_size,
                                         static_cast<std::size_t>(run) * stored_size),
                     stored.type,
                     static_cast<std::byte*>(into.data) +
                         static_cast<std::size_t>(to * into.row_stride + into_column) * into_size,
                     into.dtype);
    }
  });
}

// Copies a contiguous host tensor to a tensor of the same type and shape.
void copy_to_device(Context& context, const Tensor& from, const Tensor& to) {
  const std::int64_t rows = to.contiguous() ? 1 : to.rows();
  const std::size_t bytes = from.bytes() / static_cast<std::size_t>(rows);
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::size_t to_offset = static_cast<std::size_t>(row * to.row_stride) * size_of(to.dtype);
    copy_bytes(static_cast<std::byte*>(to.data) + to_offset, to.device,
               static_cast<const std::byte*>(from.data) + static_cast<std::size_t>(row) * bytes,
               from.device, bytes, context.stream);
  }
  synchronize(to.device, context.stream);
}

}  // namespace

std::string_view name_of(StateKind kind) {
  switch (kind) {
    case StateKind::weight:
      return "weight";
    case StateKind::remainder:
      return "remainder";
    case StateKind::first_moment:
      return "first_moment";
    case StateKind::second_moment:
      return "second_moment";
  }
  return "?";
}

struct Checkpoint::State {
  std::string directory;
  TrainingState training;
  CheckpointManifest manifest;
  std::unordered_map<std::string, std::unique_ptr<SafetensorsFile>> files;
  std::vector<Entry> entries;
  std::unordered_map<std::string, std::size_t> index;  // entry_key -> entries

  std::string path(const std::string& file) const { return directory + "/" + file; }
  void check_file(const ManifestFile& file, Verify verify) const;
  void check_tensor(const ManifestTensor& tensor) const;
  const ManifestTensor& at(StateKind kind, std::string_view name) const;
};

void Checkpoint::State::check_file(const ManifestFile& file, Verify verify) const {
  std::error_code error;
  const std::uint64_t bytes = fs::file_size(path(file.name), error);
  if (error) fail_input("{}: {}; the checkpoint is damaged", path(file.name), error.message());
  if (bytes != file.bytes) {
    fail_input("{}: is {} bytes long, but the manifest says {}; the checkpoint is damaged",
               path(file.name), bytes, file.bytes);
  }
  if (verify == Verify::checksums && checksum_of_file(path(file.name)) != file.checksum) {
    fail_input("{}: its content does not match its checksum; the checkpoint is damaged",
               path(file.name));
  }
}

// The manifest's claims about a tensor against the files that hold it.
void Checkpoint::State::check_tensor(const ManifestTensor& tensor) const {
  for (const ManifestSlice& slice : tensor.slices) {
    const auto file = files.find(slice.file);
    if (file == files.end()) {
      fail_input("{}: '{}' should be in {}, which is no file of the checkpoint",
                 path(CheckpointManifest::file_name), tensor.name, slice.file);
    }
    const StoredTensor& stored = file->second->at(slice.key);
    if (stored.type != stored_type_of(tensor.dtype) || stored.shape != slice.extent) {
      fail_input("{}: '{}' is {}[{}], but the manifest says {}[{}]", path(slice.file), slice.key,
                 name_of(stored.type), fmt::join(stored.shape, ", "),
                 name_of(stored_type_of(tensor.dtype)), fmt::join(slice.extent, ", "));
    }
  }
}

const ManifestTensor& Checkpoint::State::at(StateKind kind, std::string_view name) const {
  const auto found = index.find(entry_key(kind, name));
  if (found == index.end()) {
    fail_input("{}: the checkpoint holds no {} of '{}'", directory, name_of(kind), name);
  }
  return manifest.tensors[found->second];
}

Checkpoint::Checkpoint(std::string directory, Verify verify) : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.directory = std::move(directory);
  const std::string manifest_path = s.path(CheckpointManifest::file_name);
  std::error_code error;
  if (!fs::is_regular_file(manifest_path, error)) {
    fail_input("{}: is missing; {} is no complete checkpoint", manifest_path, s.directory);
  }
  s.manifest = parse_checkpoint_manifest(MappedFile(manifest_path).text(), manifest_path);
  bool has_state = false;
  for (const ManifestFile& file : s.manifest.files) {
    s.check_file(file, verify);
    has_state = has_state || file.name == CheckpointManifest::state_file_name;
    if (file.name.ends_with(".safetensors")) {
      s.files[file.name] = std::make_unique<SafetensorsFile>(s.path(file.name));
    }
  }
  if (!has_state) fail_input("{}: lists no {}", manifest_path, CheckpointManifest::state_file_name);
  const std::string state_path = s.path(CheckpointManifest::state_file_name);
  s.training = parse_state(MappedFile(state_path).text(), state_path);
  if (s.training.step != s.manifest.step) {
    fail_input("{}: is of step {}, but the manifest of step {}", state_path, s.training.step,
               s.manifest.step);
  }
  for (const ManifestTensor& tensor : s.manifest.tensors) {
    s.check_tensor(tensor);
    if (!s.index.emplace(entry_key(tensor.kind, tensor.name), s.entries.size()).second) {
      fail_input("{}: lists {} of '{}' twice", manifest_path, name_of(tensor.kind), tensor.name);
    }
    s.entries.push_back({tensor.kind, tensor.name, tensor.dtype, tensor.shape});
  }
}

Checkpoint::Checkpoint(Checkpoint&&) noexcept = default;
Checkpoint& Checkpoint::operator=(Checkpoint&&) noexcept = default;
Checkpoint::~Checkpoint() = default;

const std::string& Checkpoint::directory() const {
  return state_->directory;
}
const TrainingState& Checkpoint::state() const {
  return state_->training;
}
const std::vector<Checkpoint::Entry>& Checkpoint::entries() const {
  return state_->entries;
}

const Checkpoint::Entry* Checkpoint::find(StateKind kind, std::string_view name) const {
  const auto found = state_->index.find(entry_key(kind, name));
  return found == state_->index.end() ? nullptr : &state_->entries[found->second];
}

bool Checkpoint::has(StateKind kind) const {
  return std::any_of(state_->entries.begin(), state_->entries.end(),
                     [&](const Entry& entry) { return entry.kind == kind; });
}

void Checkpoint::load_slice(Context& context, StateKind kind, std::string_view name,
                            std::span<const std::int64_t> offset, Tensor into) const {
  const ManifestTensor& tensor = state_->at(kind, name);
  const int rank = tensor.shape.rank();
  bool inside = into.shape.rank() == rank && offset.size() == static_cast<std::size_t>(rank);
  for (int i = 0; inside && i < rank; ++i) {
    const std::int64_t begin = offset[static_cast<std::size_t>(i)];
    inside = begin >= 0 && begin <= tensor.shape[i] && into.shape[i] <= tensor.shape[i] - begin;
  }
  if (!inside) {
    fail_input("{}: '{}' has the shape {}, which holds no {} at [{}]", directory(), name,
               to_string(tensor.shape), to_string(into.shape), fmt::join(offset, ", "));
  }
  const bool same = stored_type_of(into.dtype) == stored_type_of(tensor.dtype);
  const bool floats =
      is_convertible(stored_type_of(tensor.dtype)) && is_convertible(stored_type_of(into.dtype));
  if (!same && !floats) {
    fail_input("{}: '{}' is {}, which cannot become {}", directory(), name, name_of(tensor.dtype),
               name_of(into.dtype));
  }
  if (into.elements() == 0) return;
  const bool on_host = into.device == cpu_device;
  const Buffer staging = on_host ? Buffer() : Buffer(cpu_device, into.bytes());
  const Tensor host = on_host ? into : staging.tensor(into.dtype, into.shape);
  for (const ManifestSlice& slice : tensor.slices) {
    copy_overlap(state_->files.at(slice.file)->at(slice.key), slice, offset, host);
  }
  if (!on_host) copy_to_device(context, host, into);
}

void Checkpoint::load_weights(Context& context, std::string_view name,
                              std::span<const std::int64_t> offset, Tensor weight,
                              Tensor remainder) const {
  const bool kept = find(StateKind::remainder, name) != nullptr;
  if (kept == static_cast<bool>(remainder)) {
    load_slice(context, StateKind::weight, name, offset, weight);
    if (kept) load_slice(context, StateKind::remainder, name, offset, remainder);
    return;
  }
  // One side has the masters in one piece, the other in two: by way of the host.
  const auto elements = static_cast<std::size_t>(weight.elements());
  const Buffer whole(cpu_device, elements * sizeof(float));
  const Buffer halves(cpu_device, elements * 2 * sizeof(std::uint16_t));
  const Tensor master = whole.tensor(DType::f32, weight.shape);
  const Tensor high = halves.tensor(DType::bf16, weight.shape);
  const Tensor low = halves.tensor(DType::u16, weight.shape, elements * sizeof(std::uint16_t));
  if (kept) {
    load_slice(context, StateKind::weight, name, offset, high);
    load_slice(context, StateKind::remainder, name, offset, low);
    ops::join_master_weights(high, low, master);
    return copy_to_device(context, master, weight);
  }
  load_slice(context, StateKind::weight, name, offset, master);
  ops::split_master_weights(master, high, low);
  copy_to_device(context, high, weight);
  copy_to_device(context, low, remainder);
}

void Checkpoint::load(Context& context, StateKind kind, std::string_view name, Tensor into) const {
  const ManifestTensor& tensor = state_->at(kind, name);
  if (into.shape != tensor.shape) {
    fail_input("{}: '{}' has the shape {}, but {} is wanted; is it another model's?", directory(),
               name, to_string(tensor.shape), to_string(into.shape));
  }
  load_slice(context, kind, name, Index(static_cast<std::size_t>(tensor.shape.rank()), 0), into);
}

}  // namespace fathom
