#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <filesystem>
#include <limits>
#include <utility>

#include "core/error.h"
#include "io/safetensors.h"
#include "io/safetensors_header.h"

namespace fathom {

static_assert(std::endian::native == std::endian::little, "the formats of io are little endian");

namespace {

// The libraries' own limit; a real header of a thousand tensors is 0.1 MB.
constexpr std::uint64_t max_header_bytes = 100'000'000;

// Bytes of a tensor with this shape; nullopt when the number needs more than 63 bits.
std::optional<std::uint64_t> checked_bytes(const TensorSpec& spec) {
  std::uint64_t bytes = size_of(spec.type);
  // A zero dimension makes the tensor empty, but the others must still multiply without
  // overflow, as elements() multiplies them.
  for (const std::int64_t dim : spec.shape) {
    if (dim != 0 && bytes > static_cast<std::uint64_t>(INT64_MAX) / static_cast<std::uint64_t>(dim))
      return std::nullopt;
    if (dim != 0) bytes *= static_cast<std::uint64_t>(dim);
  }
  return std::find(spec.shape.begin(), spec.shape.end(), 0) == spec.shape.end() ? bytes : 0;
}

// Compares the entries of the header with each other and with the size of the data.
void check_layout(std::vector<HeaderTensor>& tensors, std::uint64_t data_bytes,
                  const std::string& source) {
  std::ranges::stable_sort(
      tensors, {}, [](const HeaderTensor& tensor) { return std::pair(tensor.begin, tensor.end); });
  std::uint64_t expected = 0;
  for (const HeaderTensor& tensor : tensors) {
    if (tensor.end < tensor.begin || tensor.end > data_bytes) {
      fail_input("{}: tensor '{}' claims bytes {} to {}, but the file holds {}; is it cut off?",
                 source, tensor.name, tensor.begin, tensor.end, data_bytes);
    }
    if (tensor.begin != expected) {
      fail_input("{}: tensor '{}' begins at byte {}, {} the end of the one before it ({})", source,
                 tensor.name, tensor.begin, tensor.begin < expected ? "before" : "after", expected);
    }
    const auto bytes = checked_bytes(tensor);
    if (!bytes || *bytes != tensor.end - tensor.begin) {
      fail_input("{}: tensor '{}' of type {} and shape [{}] cannot take {} bytes", source,
                 tensor.name, name_of(tensor.type), fmt::join(tensor.shape, ", "),
                 tensor.end - tensor.begin);
    }
    expected = tensor.end;
  }
  if (expected != data_bytes) {
    fail_input("{}: the header describes {} bytes of tensors, but {} follow it", source, expected,
               data_bytes);
  }
}

}  // namespace

std::span<const std::byte> StoredTensor::rows(std::int64_t begin, std::int64_t count) const {
  const std::int64_t total = shape.empty() ? 1 : shape[0];
  require(begin >= 0 && count >= 0 && begin <= total && count <= total - begin,
          "tensor '{}' has {} rows, so not {} from row {}", name, total, count, begin);
  const std::size_t row_bytes = total == 0 ? 0 : data.size() / static_cast<std::size_t>(total);
  return data.subspan(static_cast<std::size_t>(begin) * row_bytes,
                      static_cast<std::size_t>(count) * row_bytes);
}

SafetensorsFile::SafetensorsFile(const std::string& path) : path_(path), file_(path) {
  read(file_.bytes());
}

SafetensorsFile::SafetensorsFile(std::span<const std::byte> bytes, const std::string& source)
    : path_(source) {
  read(bytes);
}

void SafetensorsFile::read(std::span<const std::byte> bytes) {
  std::uint64_t header_bytes = 0;
  if (bytes.size() < sizeof header_bytes) {
    fail_input("{}: not a safetensors file: only {} bytes long", path_, bytes.size());
  }
  std::memcpy(&header_bytes, bytes.data(), sizeof header_bytes);
  const auto rest = bytes.subspan(sizeof header_bytes);
  if (header_bytes > max_header_bytes) {
    fail_input("{}: not a safetensors file: it claims a header of {} bytes; at most {} are allowed",
               path_, header_bytes, max_header_bytes);
  }
  if (header_bytes > rest.size()) {
    fail_input("{}: the header claims {} bytes, but only {} follow; is the file cut off?", path_,
               header_bytes, rest.size());
  }
  const std::string_view json(reinterpret_cast<const char*>(rest.data()), header_bytes);
  SafetensorsHeader header = parse_safetensors_header(json, path_);
  const auto data = rest.subspan(header_bytes);
  check_layout(header.tensors, data.size(), path_);
  metadata_ = std::move(header.metadata);
  tensors_.reserve(header.tensors.size());
  for (HeaderTensor& tensor : header.tensors) {
    const auto span = data.subspan(tensor.begin, tensor.end - tensor.begin);
    tensors_.push_back({std::move(tensor), span});
    index_.emplace(tensors_.back().name, tensors_.size() - 1);
  }
}

const StoredTensor* SafetensorsFile::find(std::string_view name) const {
  const auto found = index_.find(std::string(name));
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

const StoredTensor& SafetensorsFile::at(std::string_view name) const {
  const StoredTensor* tensor = find(name);
  if (!tensor) fail_input("{}: holds no tensor '{}'", path_, name);
  return *tensor;
}

}  // namespace fathom
