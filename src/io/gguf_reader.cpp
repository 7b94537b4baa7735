// GGUF, in.
#include <algorithm>
#include <cstring>
#include <fstream>
#include <limits>

#include "core/error.h"
#include "io/gguf.h"
#include "io/gguf_layout.h"

namespace fathom {
namespace {

// More than any vocabulary or list of merges has: a number read from other bytes.
constexpr std::uint64_t most_array_elements = std::uint64_t{1} << 24;
constexpr std::uint64_t longest_name = 65535;

// A key or name for a message: short, and printable in one line.
std::string shown(std::string_view name) {
  std::string out;
  for (const char c : name.substr(0, 60)) {
    out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  }
  return name.size() > 60 ? out + "..." : out;
}

// Takes numbers and strings from the front of the header.
class GgufHeaderReader {
 public:
  GgufHeaderReader(std::span<const std::byte> bytes, const std::string& source)
      : bytes_(bytes), source_(source) {}

  template <class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) const {
    fail_input("{}: {}", source_, fmt::format(format, std::forward<Args>(args)...));
  }

  std::uint64_t position() const { return position_; }
  std::uint64_t left() const { return bytes_.size() - position_; }

  template <class T>
  T take(const char* what) {
    if (left() < sizeof(T)) fail("ends within {}: the file is cut short", what);
    T value;
    std::memcpy(&value, bytes_.data() + position_, sizeof(T));
    position_ += sizeof(T);
    return value;
  }

  std::string_view take_text(const char* what, std::uint64_t longest) {
    const auto length = take<std::uint64_t>(what);
    if (length > left()) {
      fail("{} is {} bytes long, but {} bytes are left in the file", what, length, left());
    }
    if (length > longest) fail("{} is {} bytes long; the most is {}", what, length, longest);
    const std::string_view text(reinterpret_cast<const char*>(bytes_.data()) + position_, length);
    position_ += length;
    return text;
  }

 private:
  std::span<const std::byte> bytes_;
  const std::string& source_;
  std::uint64_t position_ = 0;
};

std::int64_t signed_of(GgufHeaderReader& in, std::uint64_t value, std::string_view key) {
  if (value <= std::uint64_t(std::numeric_limits<std::int64_t>::max())) {
    return static_cast<std::int64_t>(value);
  }
  in.fail("the key '{}' is {}, larger than any number of a model", shown(key), value);
}

bool is_integer(std::uint32_t type) {
  return type <= gguf::i32 || type == gguf::u64 || type == gguf::i64;
}

std::size_t least_bytes_of(std::uint32_t type) {
  constexpr std::size_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8};
  return sizes[type];
}

std::int64_t take_integer(GgufHeaderReader& in, std::uint32_t type, std::string_view key) {
  constexpr const char* what = "the value of a key";
  switch (type) {
    case gguf::u8:
      return in.take<std::uint8_t>(what);
    case gguf::i8:
      return in.take<std::int8_t>(what);
    case gguf::u16:
      return in.take<std::uint16_t>(what);
    case gguf::i16:
      return in.take<std::int16_t>(what);
    case gguf::u32:
      return in.take<std::uint32_t>(what);
    case gguf::i32:
      return in.take<std::int32_t>(what);
    case gguf::u64:
      return signed_of(in, in.take<std::uint64_t>(what), key);
    default:
      return in.take<std::int64_t>(what);
  }
}

double take_number(GgufHeaderReader& in, std::uint32_t type) {
  return type == gguf::f32 ? in.take<float>("the value of a key")
                           : in.take<double>("the value of a key");
}

bool take_boolean(GgufHeaderReader& in, std::string_view key) {
  const auto value = in.take<std::uint8_t>("the value of a key");
  if (value > 1) in.fail("the key '{}' is a boolean of value {}", shown(key), value);
  return value == 1;
}

std::string take_string(GgufHeaderReader& in) {
  return std::string(in.take_text("a text", std::numeric_limits<std::uint64_t>::max()));
}

template <class T, class Take>
std::vector<T> take_many(std::uint64_t count, Take&& take) {
  std::vector<T> values;
  values.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) values.push_back(take());
  return values;
}

GgufValue take_array(GgufHeaderReader& in, std::string_view key) {
  const auto type = in.take<std::uint32_t>("the type of a list");
  const auto count = in.take<std::uint64_t>("the length of a list");
  if (type == gguf::array) in.fail("the key '{}' is a list of lists", shown(key));
  if (type > gguf::f64) in.fail("the key '{}' has the unknown type {}", shown(key), type);
  if (count > in.left() / least_bytes_of(type)) {
    in.fail("the key '{}' is a list of {} values, but {} bytes are left in the file", shown(key),
            count, in.left());
  }
  if (count > most_array_elements) {
    in.fail("the key '{}' is a list of {} values; the most is {}", shown(key), count,
            most_array_elements);
  }
  if (type == gguf::text) return take_many<std::string>(count, [&] { return take_string(in); });
  if (type == gguf::boolean) return take_many<bool>(count, [&] { return take_boolean(in, key); });
  if (is_integer(type)) {
    return take_many<std::int64_t>(count, [&] { return take_integer(in, type, key); });
  }
  return take_many<double>(count, [&] { return take_number(in, type); });
}

GgufValue take_value(GgufHeaderReader& in, std::string_view key) {
  const auto type = in.take<std::uint32_t>("the type of a key");
  if (type > gguf::f64) in.fail("the key '{}' has the unknown type {}", shown(key), type);
  if (type == gguf::array) return take_array(in, key);
  if (type == gguf::text) return take_string(in);
  if (type == gguf::boolean) return take_boolean(in, key);
  if (is_integer(type)) return take_integer(in, type, key);
  return take_number(in, type);
}

struct TensorInfo {
  GgufTensor tensor;
  std::uint64_t offset = 0;
};

// A product that stays below 2^62, or an Error.
std::uint64_t checked_product(const GgufHeaderReader& in, std::uint64_t a, std::uint64_t b,
                              const std::string& name) {
  std::uint64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product) || product >= (std::uint64_t{1} << 62)) {
    in.fail("the tensor '{}' has more elements than any file", shown(name));
  }
  return product;
}

TensorInfo take_info(GgufHeaderReader& in) {
  TensorInfo info;
  info.tensor.name = in.take_text("the name of a tensor", longest_name);
  const std::string& name = info.tensor.name;
  const auto rank = in.take<std::uint32_t>("a tensor's number of dimensions");
  if (rank < 1 || rank > 4) {
    in.fail("the tensor '{}' has {} dimensions, not 1 to 4", shown(name), rank);
  }
  std::uint64_t elements = 1;
  for (std::uint32_t i = 0; i < rank; ++i) {
    const auto size = in.take<std::uint64_t>("a tensor's dimensions");
    if (size == 0) in.fail("the tensor '{}' has a dimension of 0", shown(name));
    elements = checked_product(in, elements, size, name);
    info.tensor.shape.insert(info.tensor.shape.begin(), static_cast<std::int64_t>(size));
  }
  checked_product(in, elements, 8, name);  // bytes of the widest type
  const auto number = in.take<std::uint32_t>("a tensor's type");
  const auto type = gguf_type_numbered(number);
  if (!type) {
    in.fail(
        "the tensor '{}' is of GGUF type {}, which Fathom does not read: it reads F32, F16, BF16, "
        "Q4_0 to Q8_0 and the K types; convert the file with llama-quantize",
        shown(name), number);
  }
  info.tensor.type = *type;
  if (info.tensor.shape.back() % block_of(*type).values != 0) {
    in.fail("the tensor '{}' has rows of {} values, no multiple of the {} of a {} block",
            shown(name), info.tensor.shape.back(), block_of(*type).values, name_of(*type));
  }
  info.offset = in.take<std::uint64_t>("a tensor's offset");
  return info;
}

std::uint64_t alignment_of(const GgufHeaderReader& in, const GgufValue* value) {
  if (!value) return gguf::default_alignment;
  const auto* const number = std::get_if<std::int64_t>(value);
  if (!number || *number < 1 || *number > 65536 || (*number & (*number - 1)) != 0) {
    in.fail("'general.alignment' is no power of two up to 65536");
  }
  return static_cast<std::uint64_t>(*number);
}

void check_counts(const GgufHeaderReader& in, std::uint64_t tensors, std::uint64_t keys) {
  // The shortest tensor info has 32 bytes, the shortest key 13.
  if (tensors > in.left() / 32 || keys > in.left() / 13) {
    in.fail("announces {} tensors and {} keys, but {} bytes follow", tensors, keys, in.left());
  }
}

// Points each tensor at its bytes.
void place(const GgufHeaderReader& in, std::span<const std::byte> data, std::uint64_t alignment,
           std::vector<TensorInfo>& infos) {
  for (TensorInfo& info : infos) {
    const std::uint64_t size = info.tensor.bytes();
    if (info.offset % alignment != 0) {
      in.fail("the tensor '{}' begins at {}, no multiple of the alignment {}",
              shown(info.tensor.name), info.offset, alignment);
    }
    if (info.offset > data.size() || size > data.size() - info.offset) {
      in.fail(
          "the tensor '{}' of {} bytes begins at {}, but the data end at {}: the file is cut "
          "short",
          shown(info.tensor.name), size, info.offset, data.size());
    }
    info.tensor.data = data.subspan(info.offset, size);
  }
}

void refuse_overlaps(const GgufHeaderReader& in, const std::vector<TensorInfo>& infos) {
  std::vector<const TensorInfo*> order;
  for (const TensorInfo& info : infos) order.push_back(&info);
  std::ranges::sort(order, {}, &TensorInfo::offset);
  for (std::size_t i = 1; i < order.size(); ++i) {
    if (order[i - 1]->offset + order[i - 1]->tensor.bytes() > order[i]->offset) {
      in.fail("the tensors '{}' and '{}' overlap", shown(order[i - 1]->tensor.name),
              shown(order[i]->tensor.name));
    }
  }
}

}  // namespace

std::int64_t GgufTensorSpec::elements() const {
  std::int64_t product = 1;
  for (const std::int64_t size : shape) product *= size;
  return product;
}

std::uint64_t GgufTensorSpec::bytes() const {
  const GgufBlock block = block_of(type);
  return static_cast<std::uint64_t>(elements() / block.values) * block.bytes;
}

std::span<const std::byte> GgufTensor::row(std::int64_t row) const {
  const std::int64_t rows = shape.size() == 1 ? 1 : elements() / shape.back();
  require(row >= 0 && row < rows, "{}: no row {}", name, row);
  const std::size_t size = data.size() / static_cast<std::size_t>(rows);
  return data.subspan(static_cast<std::size_t>(row) * size, size);
}

bool is_gguf_file(const std::string& path) {
  std::error_code error;
  std::ifstream file(path, std::ios::binary);
  char first[4] = {};
  return file.read(first, 4) && std::string_view(first, 4) == gguf::magic;
}

GgufFile::GgufFile(const std::string& path) : GgufFile(std::span<const std::byte>(), path) {}

GgufFile::GgufFile(std::span<const std::byte> bytes, const std::string& source) : path_(source) {
  if (bytes.data() == nullptr) {
    file_ = MappedFile(source, MappedFile::Access::usual);
    bytes = file_.bytes();
  }
  GgufHeaderReader in(bytes, path_);
  if (bytes.size() < 4 || std::memcmp(bytes.data(), gguf::magic.data(), 4) != 0) {
    in.fail("is no GGUF file: it does not begin with 'GGUF'");
  }
  in.take<std::uint32_t>("its magic");
  const auto version = in.take<std::uint32_t>("its version");
  if (version != 2 && version != 3) {
    in.fail("is of GGUF version {}{}: Fathom reads versions 2 and 3", version,
            (version & 0xffff) == 0 ? " (big endian)" : "");
  }
  const auto num_tensors = in.take<std::uint64_t>("its number of tensors");
  const auto num_keys = in.take<std::uint64_t>("its number of keys");
  check_counts(in, num_tensors, num_keys);
  for (std::uint64_t i = 0; i < num_keys; ++i) {
    const std::string key(in.take_text("a key", longest_name));
    GgufValue value = take_value(in, key);
    if (!values_.emplace(key, std::move(value)).second)
      in.fail("has the key '{}' twice", shown(key));
  }
  std::vector<TensorInfo> infos;
  for (std::uint64_t i = 0; i < num_tensors; ++i) infos.push_back(take_info(in));
  const std::uint64_t alignment = alignment_of(in, find_value("general.alignment"));
  const std::uint64_t begin = (in.position() + alignment - 1) / alignment * alignment;
  if (begin > bytes.size() && num_tensors > 0) in.fail("ends before the tensors' bytes");
  place(in, bytes.subspan(std::min<std::uint64_t>(begin, bytes.size())), alignment, infos);
  refuse_overlaps(in, infos);
  for (TensorInfo& info : infos) {
    if (!index_.emplace(info.tensor.name, tensors_.size()).second) {
      in.fail("has the tensor '{}' twice", shown(info.tensor.name));
    }
    tensors_.push_back(std::move(info.tensor));
  }
}

const GgufTensor* GgufFile::find(std::string_view name) const {
  const auto found = index_.find(std::string(name));
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

const GgufValue* GgufFile::find_value(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

template <class T>
const T* GgufFile::find_as(std::string_view key, const char* kind) const {
  const GgufValue* const value = find_value(key);
  if (!value) return nullptr;
  const T* const as = std::get_if<T>(value);
  if (!as) fail_input("{}: the key '{}' is no {}", path_, key, kind);
  return as;
}

template <class T>
const T& GgufFile::at(std::string_view key, const char* kind) const {
  const T* const value = find_as<T>(key, kind);
  if (!value) fail_input("{}: the key '{}' is missing", path_, key);
  return *value;
}

namespace {
template <class T>
std::optional<T> copied(const T* value) {
  return value ? std::optional<T>(*value) : std::nullopt;
}
}  // namespace

std::optional<std::int64_t> GgufFile::find_integer(std::string_view key) const {
  return copied(find_as<std::int64_t>(key, "integer"));
}
std::optional<bool> GgufFile::find_boolean(std::string_view key) const {
  return copied(find_as<bool>(key, "boolean"));
}
std::optional<std::string> GgufFile::find_text(std::string_view key) const {
  return copied(find_as<std::string>(key, "text"));
}
std::optional<double> GgufFile::find_number(std::string_view key) const {
  const GgufValue* const value = find_value(key);
  if (value && std::holds_alternative<std::int64_t>(*value)) {
    return static_cast<double>(std::get<std::int64_t>(*value));
  }
  return copied(find_as<double>(key, "number"));
}
std::int64_t GgufFile::integer(std::string_view key) const {
  return at<std::int64_t>(key, "integer");
}
double GgufFile::number(std::string_view key) const {
  const auto value = find_number(key);
  if (!value) fail_input("{}: the key '{}' is missing", path_, key);
  return *value;
}
std::string GgufFile::text(std::string_view key) const {
  return at<std::string>(key, "text");
}
const std::vector<std::string>& GgufFile::texts(std::string_view key) const {
  return at<std::vector<std::string>>(key, "list of texts");
}
const std::vector<std::int64_t>& GgufFile::integers(std::string_view key) const {
  return at<std::vector<std::int64_t>>(key, "list of integers");
}
const std::vector<double>& GgufFile::numbers(std::string_view key) const {
  return at<std::vector<double>>(key, "list of numbers");
}

}  // namespace fathom
