// Tensor: a view of memory that a Buffer or an Arena owns.
//
// Row-major with up to 4 dimensions. The last dimension is contiguous. Consecutive rows
// are `row_stride` elements apart, so a range of columns of a matrix (the queries inside a
// fused QKV product) is a Tensor too. Passed by value.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "core/device.h"
#include "core/dtype.h"

namespace fathom {

class Shape {
 public:
  static constexpr int max_rank = 4;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> dims);  // throws on more than max_rank or a negative
  explicit Shape(std::span<const std::int64_t> dims);

  int rank() const { return rank_; }
  std::int64_t operator[](int i) const { return dims_[i < 0 ? i + rank_ : i]; }  // -1: the last
  std::int64_t elements() const;                                                 // 1 for rank 0
  std::span<const std::int64_t> dims() const { return {dims_.data(), std::size_t(rank_)}; }
  bool operator==(const Shape&) const = default;

 private:
  std::array<std::int64_t, max_rank> dims_{};
  int rank_ = 0;
};

std::string to_string(const Shape& shape);  // "[2, 3]"

struct Tensor {
  void* data = nullptr;
  DType dtype = DType::f32;
  Device device;
  Shape shape;
  std::int64_t row_stride = 0;  // elements between consecutive rows; >= shape[-1]
  bool present = false;         // false for Tensor{}: an argument left out

  Tensor() = default;
  Tensor(void* data, DType dtype, Shape shape, Device device = cpu_device);

  explicit operator bool() const { return present; }
  bool operator==(const Tensor&) const = default;  // the same view of the same memory

  std::int64_t elements() const { return shape.elements(); }
  std::int64_t cols() const { return shape.rank() == 0 ? 1 : shape[-1]; }
  std::int64_t rows() const { return cols() == 0 ? 0 : elements() / cols(); }
  bool contiguous() const { return row_stride == cols() || rows() <= 1; }
  std::size_t bytes() const { return static_cast<std::size_t>(elements()) * size_of(dtype); }

  // The same memory as another shape with as many elements. A tensor that is not contiguous
  // must keep its last dimension. Throws otherwise.
  Tensor view(Shape shape) const;
  // Columns [begin, begin + count) of every row.
  Tensor columns(std::int64_t begin, std::int64_t count) const;
  // Entries [begin, begin + count) of the first dimension.
  Tensor slice(std::int64_t begin, std::int64_t count) const;

  // Typed pointer to the first element; throws when the dtype differs.
  template <class T>
  T* as() const {
    if (dtype != dtype_of<T>) [[unlikely]]
      fail_dtype(dtype_of<T>);
    return static_cast<T*>(data);
  }

 private:
  [[noreturn]] void fail_dtype(DType expected) const;
};

std::string to_string(const Tensor& tensor);  // "bf16[2, 3] on cpu"

}  // namespace fathom
