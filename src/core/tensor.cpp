#include "core/tensor.h"

#include <fmt/format.h>

#include "core/error.h"

namespace fathom {

void fail_not_floating(DType dtype) {
  fail_runtime("dtype {} is not a floating-point type (f32 or bf16)", name_of(dtype));
}

Shape::Shape(std::initializer_list<std::int64_t> dims)
    : Shape(std::span<const std::int64_t>(dims.begin(), dims.size())) {}

Shape::Shape(std::span<const std::int64_t> dims) {
  require(dims.size() <= max_rank, "a shape has at most {} dimensions, not {}", max_rank,
          dims.size());
  for (const std::int64_t dim : dims) {
    require(dim >= 0, "a dimension cannot be {}", dim);
    dims_[rank_++] = dim;
  }
}

std::int64_t Shape::elements() const {
  std::int64_t product = 1;
  for (const std::int64_t dim : dims()) product *= dim;
  return product;
}

std::string to_string(const Shape& shape) {
  return fmt::format("[{}]", fmt::join(shape.dims(), ", "));
}

Tensor::Tensor(void* data_, DType dtype_, Shape shape_, Device device_)
    : data(data_), dtype(dtype_), device(device_), shape(shape_), present(true) {
  row_stride = cols();
}

Tensor Tensor::view(Shape new_shape) const {
  const bool keeps_rows = new_shape.rank() > 0 && shape.rank() > 0 && new_shape[-1] == shape[-1];
  if (new_shape.elements() != elements() || !(contiguous() || keeps_rows)) {
    fail_runtime("cannot view {} as {}", to_string(*this), to_string(new_shape));
  }
  Tensor result = *this;
  result.shape = new_shape;
  if (!keeps_rows) result.row_stride = result.cols();
  return result;
}

Tensor Tensor::columns(std::int64_t begin, std::int64_t count) const {
  if (begin < 0 || count < 0 || begin + count > cols()) {
    fail_runtime("no columns [{}, {}) in {}", begin, begin + count, to_string(*this));
  }
  std::array<std::int64_t, Shape::max_rank> dims{};
  for (int i = 0; i < shape.rank(); ++i) dims[i] = shape[i];
  dims[shape.rank() - 1] = count;
  Tensor result = *this;
  result.shape = Shape(std::span<const std::int64_t>(dims.data(), shape.rank()));
  if (data) result.data = static_cast<std::byte*>(data) + begin * size_of(dtype);
  return result;
}

Tensor Tensor::slice(std::int64_t begin, std::int64_t count) const {
  if (shape.rank() == 0 || begin < 0 || count < 0 || begin + count > shape[0]) {
    fail_runtime("no entries [{}, {}) in {}", begin, begin + count, to_string(*this));
  }
  std::array<std::int64_t, Shape::max_rank> dims{};
  for (int i = 0; i < shape.rank(); ++i) dims[i] = shape[i];
  dims[0] = count;
  Tensor result = *this;
  result.shape = Shape(std::span<const std::int64_t>(dims.data(), shape.rank()));
  const std::int64_t rows_each = shape[0] == 0 ? 0 : rows() / shape[0];
  const std::int64_t offset = shape.rank() == 1 ? begin : begin * rows_each * row_stride;
  if (data) result.data = static_cast<std::byte*>(data) + offset * size_of(dtype);
  if (shape.rank() == 1) result.row_stride = count;
  return result;
}

void Tensor::fail_dtype(DType expected) const {
  fail_runtime("{} was read as {}", to_string(*this), name_of(expected));
}

std::string to_string(const Tensor& tensor) {
  if (!tensor) return "no tensor";
  return fmt::format("{}{} on {}", name_of(tensor.dtype), to_string(tensor.shape),
                     to_string(tensor.device));
}

}  // namespace fathom
