// safetensors files: 8 bytes of header length (little endian), a JSON header of
// names, types, shapes and byte ranges, then the tensors' bytes without gaps
// (https://huggingface.co/docs/safetensors). Reading checks every number of the header
// against the file, and throws one input Error that names the file, the tensor and the
// mistake.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/dtype.h"
#include "io/atomic_file.h"
#include "io/mapped_file.h"

namespace fathom {

// Element types of files: more than DType, which lists the types that we compute with.
enum class StoredType : std::uint8_t {
  boolean,
  u8,
  i8,
  f8_e5m2,
  f8_e4m3,
  i16,
  u16,
  f16,
  bf16,
  i32,
  u32,
  f32,
  f64,
  i64,
  u64
};
std::string_view name_of(StoredType type);  // as in the file: "F32", "BF16", ...
std::size_t size_of(StoredType type);
StoredType stored_type_of(DType dtype);
std::optional<DType> dtype_of_stored(StoredType type);  // none: no DType has this layout

using SafetensorsMetadata = std::map<std::string, std::string>;

// Name, type and shape of a tensor in a file.
struct TensorSpec {
  std::string name;
  StoredType type = StoredType::f32;
  std::vector<std::int64_t> shape;  // any rank; empty: a scalar

  std::int64_t elements() const;
  std::uint64_t bytes() const { return static_cast<std::uint64_t>(elements()) * size_of(type); }
};

// A tensor in an open file; its bytes live as long as the file object. They are
// aligned to the element size in files that safetensors libraries wrote, but the
// format does not promise it: copy (memcpy) rather than cast.
struct StoredTensor : TensorSpec {
  std::span<const std::byte> data;

  // Entries [begin, begin + count) of the first dimension. Throws a runtime Error when that
  // range is outside the tensor.
  std::span<const std::byte> rows(std::int64_t begin, std::int64_t count) const;
};

class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::string& path);
  // Reads bytes that the caller keeps alive; `source` names them in errors.
  SafetensorsFile(std::span<const std::byte> bytes, const std::string& source);

  const std::string& path() const { return path_; }
  const std::vector<StoredTensor>& tensors() const { return tensors_; }  // in order of offset
  const StoredTensor* find(std::string_view name) const;                 // null when absent
  const StoredTensor& at(std::string_view name) const;                   // input Error when absent
  const SafetensorsMetadata& metadata() const { return metadata_; }

 private:
  void read(std::span<const std::byte> bytes);

  std::string path_;
  MappedFile file_;
  std::vector<StoredTensor> tensors_;
  std::unordered_map<std::string, std::size_t> index_;
  SafetensorsMetadata metadata_;
};

// The weights of a Hugging Face model directory: model.safetensors, or the shards
// that model.safetensors.index.json lists. `path` may also be one .safetensors
// file. Every tensor that the index names must be in the shard it names.
class SafetensorsSet {
 public:
  explicit SafetensorsSet(const std::string& path);

  const std::string& path() const { return path_; }
  const std::vector<std::string>& names() const { return names_; }  // sorted
  const StoredTensor* find(std::string_view name) const;
  const StoredTensor& at(std::string_view name) const;
  const SafetensorsMetadata& metadata() const;  // of the first file

 private:
  void open_index(const std::string& index_path);

  std::string path_;
  std::vector<std::unique_ptr<SafetensorsFile>> files_;
  std::vector<std::string> names_;
  std::unordered_map<std::string, const StoredTensor*> tensors_;
};

// Writes one file atomically. The tensors are declared first; their bytes then follow in
// the order of tensors(): wide element types first, then by name, as the safetensors
// libraries do. So every tensor is aligned to its element size, and the data start at a
// multiple of 8.
class SafetensorsWriter {
 public:
  SafetensorsWriter(const std::string& path, std::vector<TensorSpec> tensors,
                    const SafetensorsMetadata& metadata = {}, Flush when = Flush::at_commit);
  ~SafetensorsWriter();  // without finish(): removes the temporary file
  SafetensorsWriter(SafetensorsWriter&&) noexcept;

  const std::vector<TensorSpec>& tensors() const;
  // The next bytes of tensor `name`, in pieces of any size. Throws a runtime
  // Error when another tensor is due or more bytes come than were declared.
  void append(std::string_view name, std::span<const std::byte> bytes);
  // Commits the file and returns the XXH3 of its whole content. Throws a runtime
  // Error when bytes are missing.
  std::uint64_t finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// One file of a Hugging Face model's weights.
struct SafetensorsShard {
  std::string file;                 // its name in the directory
  std::vector<TensorSpec> tensors;  // in the order in which SafetensorsWriter takes them
  std::uint64_t bytes = 0;          // of the tensors
};

// The metadata that Hugging Face's libraries expect in each shard.
inline const SafetensorsMetadata hugging_face_metadata{{"format", "pt"}};

// Assigns a model's tensors to files: model.safetensors when all fit into `max_shard_bytes`,
// else model-00001-of-0000N.safetensors and so on. Tensors keep the given order; none is split.
// Throws a runtime Error when two tensors have the same name.
std::vector<SafetensorsShard> plan_shards(const std::vector<TensorSpec>& tensors,
                                          std::uint64_t max_shard_bytes);
// Writes model.safetensors.index.json into `directory`; call it after the shards are written.
// A single file needs no index: nothing is written. `directory` is an AtomicDirectory's, whose commit
// flushes the file.
void write_shard_index(const std::string& directory, const std::vector<SafetensorsShard>& shards);

}  // namespace fathom
