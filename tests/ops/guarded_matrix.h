// A matrix on a device inside a larger one filled with NaN, so that an operation
// which leaves an element unwritten, reads past its rows or writes past them is
// seen. Its rows lie apart, and start at odd addresses or at multiples of 16 bytes.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "core/context.h"

namespace fathom::ops {

using Doubles = std::vector<double>;

enum class Rows { odd, aligned };

class GuardedMatrix {
 public:
  GuardedMatrix(const Context& context, DType dtype, std::int64_t rows, std::int64_t cols,
                Rows place = Rows::odd)
      : context_(&context),
        guard_(place == Rows::odd ? 3 : 8),
        stride_(cols + 2 * guard_),
        buffer_(context.device, (rows + 2) * stride_ * size_of(dtype)),
        whole_(buffer_.tensor(dtype, {rows + 2, stride_})) {
    write(Doubles(whole_.elements(), std::numeric_limits<double>::quiet_NaN()), whole_);
  }

  Tensor view() const {
    return whole_.slice(1, whole_.rows() - 2).columns(guard_, whole_.cols() - 2 * guard_);
  }

  // Sets columns [column, column + cols) from a contiguous matrix.
  void set(const Doubles& values, std::int64_t column, std::int64_t cols) {
    Doubles all = read(whole_);
    for (std::size_t i = 0; i < values.size(); ++i)
      all[at(i / cols, column + i % cols)] = values[i];
    write(all, whole_);
  }
  void set(const Doubles& values) { set(values, 0, view().cols()); }

  Doubles get(std::int64_t column, std::int64_t cols) const {
    const Doubles all = read(whole_);
    Doubles values(view().rows() * cols);
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = all[at(i / cols, column + i % cols)];
    return values;
  }
  Doubles get() const { return get(0, view().cols()); }

  bool guards_intact() const {
    const Doubles all = read(whole_);
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(all.size()); ++i) {
      const std::int64_t row = i / stride_ - 1, col = i % stride_ - guard_;
      const bool inside = row >= 0 && row < view().rows() && col >= 0 && col < view().cols();
      if (!inside && !std::isnan(all[i])) return false;
    }
    return true;
  }

 private:
  std::int64_t at(std::int64_t row, std::int64_t col) const {
    return (row + 1) * stride_ + guard_ + col;
  }
  void write(const Doubles& values, Tensor to) {
    dispatch_floating(to.dtype, [&](auto type) {
      using T = decltype(type);
      std::vector<T> host;
      for (const double value : values) host.push_back(T(static_cast<float>(value)));
      copy_bytes(to.data, context_->device, host.data(), cpu_device, to.bytes(), context_->stream);
      synchronize(context_->device, context_->stream);
    });
  }
  Doubles read(Tensor from) const {
    return dispatch_floating(from.dtype, [&](auto type) {
      std::vector<decltype(type)> host(from.elements());
      copy_bytes(host.data(), cpu_device, from.data, context_->device, from.bytes(),
                 context_->stream);
      synchronize(context_->device, context_->stream);
      Doubles values;
      for (const auto value : host) values.push_back(static_cast<float>(value));
      return values;
    });
  }

  const Context* context_;
  std::int64_t guard_, stride_;
  Buffer buffer_;
  Tensor whole_;
};

}  // namespace fathom::ops
