// GGUF files, llama.cpp's format of models (ggml's docs/gguf.md): magic, version, counts, keys with
// typed values, tensor infos (name, dimensions, type, offset), then the tensors' bytes, each at a
// multiple of the alignment. Little endian, versions 2 and 3. Reading checks every number against
// the file, and throws one input Error that names the file, the key or tensor, and the mistake.
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
#include <variant>
#include <vector>

#include "io/gguf_blocks.h"
#include "io/mapped_file.h"

namespace fathom {

struct GgufTensorSpec {
  std::string name;
  GgufType type = GgufType::f32;
  std::vector<std::int64_t> shape;  // 1 to 4, the last dimension contiguous (files reverse it)

  std::int64_t elements() const;
  std::uint64_t bytes() const;
};

// A tensor in an open file; its bytes live as long as the file object.
struct GgufTensor : GgufTensorSpec {
  std::span<const std::byte> data;

  // Row `row` of a tensor of one or two dimensions (one dimension: the whole).
  std::span<const std::byte> row(std::int64_t row) const;
};

// Integers of all widths are int64_t here, floating-point numbers double.
using GgufValue =
    std::variant<bool, std::int64_t, double, std::string, std::vector<bool>,
                 std::vector<std::int64_t>, std::vector<double>, std::vector<std::string>>;

// True when `path` is a file that begins as GGUF does.
bool is_gguf_file(const std::string& path);

class GgufFile {
 public:
  explicit GgufFile(const std::string& path);
  // Reads bytes that the caller keeps alive; `source` names them in errors.
  GgufFile(std::span<const std::byte> bytes, const std::string& source);

  const std::string& path() const { return path_; }
  const std::vector<GgufTensor>& tensors() const { return tensors_; }  // in the file's order
  const GgufTensor* find(std::string_view name) const;                 // null when absent

  // Values by key. find_...: nullopt when the key is absent. All throw an input Error when the
  // value has another type, the others also when it is absent.
  bool has(std::string_view key) const { return values_.contains(key); }
  const GgufValue* find_value(std::string_view key) const;
  std::optional<std::int64_t> find_integer(std::string_view key) const;
  std::optional<double> find_number(std::string_view key) const;  // integers too
  std::optional<bool> find_boolean(std::string_view key) const;
  std::optional<std::string> find_text(std::string_view key) const;
  std::int64_t integer(std::string_view key) const;
  double number(std::string_view key) const;
  std::string text(std::string_view key) const;
  const std::vector<std::string>& texts(std::string_view key) const;
  const std::vector<std::int64_t>& integers(std::string_view key) const;
  const std::vector<double>& numbers(std::string_view key) const;

 private:
  template <class T>
  const T* find_as(std::string_view key, const char* kind) const;
  template <class T>
  const T& at(std::string_view key, const char* kind) const;

  std::string path_;
  MappedFile file_;
  std::map<std::string, GgufValue, std::less<>> values_;
  std::vector<GgufTensor> tensors_;
  std::unordered_map<std::string, std::size_t> index_;
};

// The keys of a file to be written, in the order in which they are added.
class GgufMetadata {
 public:
  void add_u32(std::string_view key, std::uint32_t value);
  void add_f32(std::string_view key, float value);
  void add_boolean(std::string_view key, bool value);
  void add_text(std::string_view key, std::string_view value);
  void add_texts(std::string_view key, std::span<const std::string> values);
  void add_i32s(std::string_view key, std::span<const std::int32_t> values);
  void add_f32s(std::string_view key, std::span<const float> values);
  // Adds all keys of `other` after these.
  void append(const GgufMetadata& other);

  std::uint64_t count() const { return count_; }
  const std::string& bytes() const { return bytes_; }

 private:
  void begin(std::string_view key, std::uint32_t type);
  void begin_array(std::string_view key, std::uint32_t type, std::size_t count);

  std::uint64_t count_ = 0;
  std::string bytes_;
};

// Writes one file atomically, version 3, alignment 32. The tensors are declared first; their bytes
// then follow in that order.
class GgufWriter {
 public:
  GgufWriter(const std::string& path, const GgufMetadata& metadata,
             std::vector<GgufTensorSpec> tensors);
  ~GgufWriter();  // without finish(): removes the temporary file

  // The next bytes of tensor `name`, in pieces of any size. Throws a runtime Error when another
  // tensor is due or more bytes come than were declared.
  void append(std::string_view name, std::span<const std::byte> bytes);
  // Commits the file. Throws a runtime Error when bytes are missing.
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fathom
