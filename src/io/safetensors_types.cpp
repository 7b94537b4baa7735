#include <array>

#include "core/error.h"
#include "io/safetensors.h"
#include "io/safetensors_header.h"

namespace fathom {

namespace {

struct TypeInfo {
  std::string_view name;
  std::size_t size;
  std::optional<DType> dtype;
};

// Indexed by StoredType, whose order is the sorting order of the libraries.
constexpr std::array<TypeInfo, 15> types = {{
    {"BOOL", 1, std::nullopt},
    {"U8", 1, DType::u8},
    {"I8", 1, std::nullopt},
    {"F8_E5M2", 1, std::nullopt},
    {"F8_E4M3", 1, std::nullopt},
    {"I16", 2, std::nullopt},
    {"U16", 2, DType::u16},
    {"F16", 2, std::nullopt},
    {"BF16", 2, DType::bf16},
    {"I32", 4, DType::i32},
    {"U32", 4, DType::u32},
    {"F32", 4, DType::f32},
    {"F64", 8, std::nullopt},
    {"I64", 8, std::nullopt},
    {"U64", 8, std::nullopt},
}};

const TypeInfo& info(StoredType type) {
  return types[static_cast<std::size_t>(type)];
}

}  // namespace

std::string_view name_of(StoredType type) {
  return info(type).name;
}

std::size_t size_of(StoredType type) {
  return info(type).size;
}

std::optional<DType> dtype_of_stored(StoredType type) {
  return info(type).dtype;
}

StoredType stored_type_of(DType dtype) {
  for (std::size_t i = 0; i < types.size(); ++i) {
    if (types[i].dtype == dtype) return static_cast<StoredType>(i);
  }
  fail_runtime("no safetensors type for {}", name_of(dtype));
}

std::optional<StoredType> stored_type_named(std::string_view name) {
  for (std::size_t i = 0; i < types.size(); ++i) {
    if (types[i].name == name) return static_cast<StoredType>(i);
  }
  return std::nullopt;
}

std::int64_t TensorSpec::elements() const {
  std::int64_t count = 1;
  for (const std::int64_t dim : shape) count *= dim;
  return count;
}

}  // namespace fathom
