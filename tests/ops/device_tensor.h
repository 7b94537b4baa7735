// A tensor of any device that a test fills from, and reads into, host doubles.
//
// It stands in memory that is otherwise poisoned: every byte around and between
// its rows is 0xff, which reads as NaN, so an operation that reads outside its
// operands spoils its result, and one that writes there is caught.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "core/context.h"

namespace fathom::ops::test {

// Where a tensor's rows lie; the default is contiguous.
struct Layout {
  std::int64_t offset = 0;   // elements by which the first one is displaced
  std::int64_t row_gap = 0;  // elements between the end of a row and the next
};

// `value` as the type stores it.
inline double rounded(DType dtype, double value) {
  if (dtype == DType::bf16) {
    return static_cast<float>(bfloat16(static_cast<float>(value)));
  }
  return dtype == DType::f32 ? static_cast<float>(value) : value;
}

class DeviceTensor {
 public:
  // Poisoned throughout.
  DeviceTensor(Context& context, DType dtype, Shape shape, Layout layout = {})
      : context_(context), dtype_(dtype), shape_(shape) {
    const std::int64_t cols = shape.rank() == 0 ? 1 : shape[-1];
    const std::int64_t rows = cols == 0 ? 0 : shape.elements() / cols;
    row_stride_ = cols + layout.row_gap;
    first_ = guard + layout.offset;
    const std::int64_t elements = first_ + rows * row_stride_ + guard;
    buffer_ = Buffer(context.device, static_cast<std::size_t>(elements) * size_of(dtype));
    poison();
  }
  DeviceTensor(Context& context, DType dtype, Shape shape, const std::vector<double>& values,
               Layout layout = {})
      : DeviceTensor(context, dtype, shape, layout) {
    upload(values);
  }

  operator Tensor() const { return tensor(); }
  Tensor tensor() const {
    Tensor result(static_cast<std::byte*>(buffer_.data()) + first_ * std::int64_t(size_of(dtype_)),
                  dtype_, shape_, context_.device);
    result.row_stride = shape_.rank() <= 1 ? result.cols() : row_stride_;
    return result;
  }

  void poison() { put(std::vector<std::byte>(buffer_.bytes(), std::byte{0xff})); }

  void upload(const std::vector<double>& values) {
    std::vector<std::byte> bytes = get();
    for (std::size_t i = 0; i < values.size(); ++i) write(&bytes[place(i)], values[i]);
    put(bytes);
  }

  // The values; fails the test when the memory around them was written.
  std::vector<double> download() const {
    std::vector<std::byte> bytes = get();
    std::vector<double> values(static_cast<std::size_t>(shape_.elements()));
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = read(&bytes[place(i)]);
      std::memset(&bytes[place(i)], 0xff, size_of(dtype_));
    }
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      if (bytes[i] == std::byte{0xff}) continue;
      ADD_FAILURE() << "byte " << i << " of " << bytes.size() << " around " << to_string(tensor())
                    << " was written";
      break;
    }
    return values;
  }

 private:
  static constexpr std::int64_t guard = 32;  // elements of poison before and after

  std::size_t place(std::size_t i) const {
    const auto cols = static_cast<std::size_t>(shape_.rank() == 0 ? 1 : shape_[-1]);
    const auto stride = static_cast<std::size_t>(row_stride_);
    return (static_cast<std::size_t>(first_) + i / cols * stride + i % cols) * size_of(dtype_);
  }
  void write(std::byte* to, double value) const {
    if (dtype_ == DType::f32) return put_as(to, static_cast<float>(value));
    if (dtype_ == DType::bf16) return put_as(to, bfloat16(static_cast<float>(value)));
    if (dtype_ == DType::i32) return put_as(to, static_cast<std::int32_t>(value));
    if (dtype_ == DType::u16) return put_as(to, static_cast<std::uint16_t>(value));
    FAIL() << "no test uses " << name_of(dtype_);
  }
  double read(const std::byte* from) const {
    if (dtype_ == DType::f32) return get_as<float>(from);
    if (dtype_ == DType::bf16) return static_cast<float>(get_as<bfloat16>(from));
    if (dtype_ == DType::u16) return get_as<std::uint16_t>(from);
    return get_as<std::int32_t>(from);
  }
  template <class T>
  static void put_as(std::byte* to, T value) {
    std::memcpy(to, &value, sizeof(T));
  }
  template <class T>
  static T get_as(const std::byte* from) {
    T value;
    std::memcpy(&value, from, sizeof(T));
    return value;
  }
  std::vector<std::byte> get() const {
    std::vector<std::byte> bytes(buffer_.bytes());
    copy_bytes(bytes.data(), cpu_device, buffer_.data(), context_.device, bytes.size(),
               context_.stream);
    synchronize(context_.device, context_.stream);
    return bytes;
  }
  void put(const std::vector<std::byte>& bytes) {
    copy_bytes(buffer_.data(), context_.device, bytes.data(), cpu_device, bytes.size(),
               context_.stream);
    synchronize(context_.device, context_.stream);
  }

  Context& context_;
  DType dtype_;
  Shape shape_;
  std::int64_t row_stride_ = 0, first_ = 0;
  Buffer buffer_;
};

}  // namespace fathom::ops::test
