#include "checkpoint/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <system_error>
#include <unordered_map>

#include "checkpoint/manifest.h"
#include "checkpoint/master_weights.h"
#include "checkpoint/slice_file.h"
#include "core/disk_calls.h"
#include "core/parallel.h"
#include "io/mapped_file.h"
#include "io/stored_values.h"
#include "ops/optimizer.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

std::string entry_key(StateKind kind, std::string_view name) {
  return fmt::format("{}/{}", name_of(kind), name);
}

// Whether a slice holds any of the box at `offset`.
bool meets(const ManifestSlice& slice, std::span<const std::int64_t> offset, const Shape& shape) {
  for (std::size_t i = 0; i < offset.size(); ++i) {
    if (slice.offset[i] + slice.extent[i] <= offset[i]) return false;
    if (offset[i] + shape[static_cast<int>(i)] <= slice.offset[i]) return false;
  }
  return true;
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

CheckpointTensor CheckpointTensor::whole(StateKind kind, std::string name, Tensor values) {
  const auto rank = static_cast<std::size_t>(values.shape.rank());
  return {kind, std::move(name), values.shape, std::vector<std::int64_t>(rank, 0), values};
}

struct Checkpoint::State {
  std::string directory;
  TrainingState training;
  CheckpointManifest manifest;
  std::vector<Entry> entries;
  std::unordered_map<std::string, std::size_t> index;  // entry_key -> entries
  // Opened when first read: of a large run's files a rank needs few.
  std::map<std::string, std::unique_ptr<SliceFile>> files;
  std::mutex files_mutex;
  std::atomic<std::uint64_t> bytes_read = 0;

  std::string path(const std::string& file) const { return directory + "/" + file; }
  void read_manifest();
  void read_state();
  const ManifestTensor& at(StateKind kind, std::string_view name) const;
  const SliceFile& file(const std::string& name);
  void verify(std::span<const ManifestFile> wanted, const std::function<void()>& between);
};

void Checkpoint::State::read_manifest() {
  const std::string manifest_path = path(CheckpointManifest::file_name);
  const DiskCall call("reading", manifest_path);
  std::error_code error;
  if (!fs::is_regular_file(manifest_path, error)) {
    const bool unreadable = error && error != std::errc::no_such_file_or_directory;
    fail_damaged("{}: {}; {} is no complete checkpoint", manifest_path,
                 unreadable ? "cannot be read: " + error.message() : "is missing", directory);
  }
  manifest = parse_checkpoint_manifest(MappedFile(manifest_path).text(), manifest_path);
  std::set<std::string> names;
  for (const ManifestFile& file : manifest.files) names.insert(file.name);
  for (const ManifestTensor& tensor : manifest.tensors) {
    for (const ManifestSlice& slice : tensor.slices) {
      if (names.contains(slice.file)) continue;
      fail_damaged("{}: '{}' should be in {}, which is no file of the checkpoint", manifest_path,
                   tensor.name, slice.file);
    }
    if (!index.emplace(entry_key(tensor.kind, tensor.name), entries.size()).second) {
      fail_damaged("{}: lists {} of '{}' twice", manifest_path, name_of(tensor.kind), tensor.name);
    }
    entries.push_back({tensor.kind, tensor.name, tensor.dtype, tensor.shape});
  }
}

void Checkpoint::State::read_state() {
  const auto is_state = [](const ManifestFile& file) {
    return file.name == CheckpointManifest::state_file_name;
  };
  const auto listed = std::ranges::find_if(manifest.files, is_state);
  if (listed == manifest.files.end()) {
    fail_damaged("{}: lists no {}", path(CheckpointManifest::file_name),
                 CheckpointManifest::state_file_name);
  }
  const std::string state_path = path(listed->name);
  verify_file(state_path, *listed);
  training = parse_state(MappedFile(state_path).text(), state_path);
  if (training.step != manifest.step) {
    fail_damaged("{}: is of step {}, but the manifest of step {}", state_path, training.step,
                 manifest.step);
  }
}

const SliceFile& Checkpoint::State::file(const std::string& name) {
  const std::lock_guard lock(files_mutex);
  std::unique_ptr<SliceFile>& file = files[name];
  if (!file) {
    const auto has_name = [&](const ManifestFile& listed) { return listed.name == name; };
    file = std::make_unique<SliceFile>(path(name), *std::ranges::find_if(manifest.files, has_name));
  }
  return *file;
}

void Checkpoint::State::verify(std::span<const ManifestFile> wanted,
                               const std::function<void()>& between) {
  parallel_for(std::ssize(wanted), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const ManifestFile& file = wanted[static_cast<std::size_t>(i)];
      verify_file(path(file.name), file, between);
      bytes_read += file.bytes;
    }
  });
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
  try {
    s.read_manifest();
    s.read_state();
    if (verify == Verify::as_read) return;
    s.verify(s.manifest.files, {});
    for (const ManifestTensor& tensor : s.manifest.tensors) {
      for (const ManifestSlice& slice : tensor.slices) s.file(slice.file).place_of(tensor, slice);
    }
  } catch (const DamagedCheckpoint&) {
    throw;
  } catch (const Error& error) {
    fail_damaged("{}", error.what());
  }
}

bool Checkpoint::verify_share(int index, int shares, const std::function<void()>& between) const {
  const CheckpointManifest& manifest = state_->manifest;
  const bool by_blocks = std::ranges::all_of(manifest.tensors, [](const ManifestTensor& tensor) {
    return std::ranges::none_of(tensor.slices,
                                [](const ManifestSlice& s) { return s.checksums.empty(); });
  });
  if (by_blocks) return false;
  std::vector<ManifestFile> files = manifest.files, mine;
  std::ranges::stable_sort(files, std::ranges::greater(), &ManifestFile::bytes);
  std::vector<std::uint64_t> bytes(static_cast<std::size_t>(shares), 0);
  for (const ManifestFile& file : files) {
    const auto least = std::ranges::min_element(bytes);
    if (least - bytes.begin() == index) mine.push_back(file);
    *least += file.bytes;
  }
  state_->verify(mine, between);
  return true;
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
std::uint64_t Checkpoint::bytes_read() const {
  return state_->bytes_read;
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
    if (!meets(slice, offset, host.shape)) continue;
    state_->bytes_read += read_overlap(state_->file(slice.file), tensor, slice, offset, host);
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
  const Tensor master = whole.tensor(DType::f32, weight.shape);
  if (kept) {
    const Buffer halves(cpu_device, elements * 2 * sizeof(std::uint16_t));
    const Tensor high = halves.tensor(DType::bf16, weight.shape);
    const Tensor low = halves.tensor(DType::u16, weight.shape, elements * sizeof(std::uint16_t));
    load_slice(context, StateKind::weight, name, offset, high);
    load_slice(context, StateKind::remainder, name, offset, low);
    ops::join_master_weights(high, low, master);
  } else {
    load_slice(context, StateKind::weight, name, offset, master);
  }
  set_master_weights(context, master, weight, remainder);
}

void Checkpoint::load(Context& context, StateKind kind, std::string_view name, Tensor into) const {
  const ManifestTensor& tensor = state_->at(kind, name);
  if (into.shape != tensor.shape) {
    fail_input("{}: '{}' has the shape {}, but {} is wanted; is it another model's?", directory(),
               name, to_string(tensor.shape), to_string(into.shape));
  }
  const std::vector<std::int64_t> start(static_cast<std::size_t>(tensor.shape.rank()), 0);
  load_slice(context, kind, name, start, into);
}

}  // namespace fathom
