// GGUF, out.
#include <cstring>

#include "core/error.h"
#include "io/atomic_file.h"
#include "io/gguf.h"
#include "io/gguf_layout.h"

namespace fathom {
namespace {

template <class T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(T));
}

void put_text(std::string& out, std::string_view text) {
  put<std::uint64_t>(out, text.size());
  out += text;
}

std::uint64_t padded(std::uint64_t bytes) {
  constexpr std::uint64_t step = gguf::default_alignment;
  return (bytes + step - 1) / step * step;
}

}  // namespace

void GgufMetadata::begin(std::string_view key, std::uint32_t type) {
  put_text(bytes_, key);
  put(bytes_, type);
  ++count_;
}

void GgufMetadata::begin_array(std::string_view key, std::uint32_t type, std::size_t count) {
  begin(key, gguf::array);
  put(bytes_, type);
  put<std::uint64_t>(bytes_, count);
}

void GgufMetadata::add_u32(std::string_view key, std::uint32_t value) {
  begin(key, gguf::u32);
  put(bytes_, value);
}
void GgufMetadata::add_f32(std::string_view key, float value) {
  begin(key, gguf::f32);
  put(bytes_, value);
}
void GgufMetadata::add_boolean(std::string_view key, bool value) {
  begin(key, gguf::boolean);
  put<std::uint8_t>(bytes_, value ? 1 : 0);
}
void GgufMetadata::add_text(std::string_view key, std::string_view value) {
  begin(key, gguf::text);
  put_text(bytes_, value);
}
void GgufMetadata::add_texts(std::string_view key, std::span<const std::string> values) {
  begin_array(key, gguf::text, values.size());
  for (const std::string& value : values) put_text(bytes_, value);
}
void GgufMetadata::add_i32s(std::string_view key, std::span<const std::int32_t> values) {
  begin_array(key, gguf::i32, values.size());
  for (const std::int32_t value : values) put(bytes_, value);
}
void GgufMetadata::add_f32s(std::string_view key, std::span<const float> values) {
  begin_array(key, gguf::f32, values.size());
  for (const float value : values) put(bytes_, value);
}
void GgufMetadata::append(const GgufMetadata& other) {
  count_ += other.count_;
  bytes_ += other.bytes_;
}

struct GgufWriter::State {
  AtomicFile file;
  std::vector<GgufTensorSpec> tensors;
  std::size_t current = 0;
  std::uint64_t written = 0;  // bytes of the current tensor
};

GgufWriter::GgufWriter(const std::string& path, const GgufMetadata& metadata,
                       std::vector<GgufTensorSpec> tensors) {
  std::string header(gguf::magic);
  put<std::uint32_t>(header, 3);
  put<std::uint64_t>(header, tensors.size());
  put<std::uint64_t>(header, metadata.count());
  header += metadata.bytes();
  std::uint64_t offset = 0;
  for (const GgufTensorSpec& tensor : tensors) {
    put_text(header, tensor.name);
    put<std::uint32_t>(header, static_cast<std::uint32_t>(tensor.shape.size()));
    for (auto size = tensor.shape.rbegin(); size != tensor.shape.rend(); ++size) {
      put<std::uint64_t>(header, static_cast<std::uint64_t>(*size));
    }
    put<std::uint32_t>(header, static_cast<std::uint32_t>(tensor.type));
    put<std::uint64_t>(header, offset);
    offset += padded(tensor.bytes());
  }
  header.resize(padded(header.size()));
  state_.reset(new State{AtomicFile(path), std::move(tensors)});
  state_->file.write(header);
}

GgufWriter::~GgufWriter() = default;

void GgufWriter::append(std::string_view name, std::span<const std::byte> bytes) {
  State& state = *state_;
  require(state.current < state.tensors.size() && state.tensors[state.current].name == name,
          "the tensor {} is not due", name);
  const std::uint64_t size = state.tensors[state.current].bytes();
  require(bytes.size() <= size - state.written, "{}: more bytes than its {}", name, size);
  state.file.write(bytes);
  state.written += bytes.size();
  if (state.written < size) return;
  state.file.write(std::string(padded(size) - size, '\0'));
  state.written = 0;
  ++state.current;
}

void GgufWriter::finish() {
  require(state_->current == state_->tensors.size(), "bytes of the tensor {} are missing",
          state_->current < state_->tensors.size() ? state_->tensors[state_->current].name : "");
  state_->file.commit();
}

}  // namespace fathom
