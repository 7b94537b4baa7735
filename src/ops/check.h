// Checks of arguments that all operations share. Each throws a run-time Error that
// names the operation, its arguments and their shapes.
#pragma once

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <span>
#include <string>

#include "core/context.h"
#include "core/error.h"

namespace fathom::ops {

struct Argument {
  Argument() = default;
  Argument(const char* name_, const Tensor& tensor_) : name(name_), tensor(&tensor_) {}

  const char* name = nullptr;
  const Tensor* tensor = nullptr;
};

// The arguments of one call, listed in every message: "linear: x is
// f32[3, 4] on cpu, w bf16[5, 4] on cpu: the types differ".
class Check {
 public:
  Check(const char* operation, std::initializer_list<Argument> arguments)
      : operation_(operation), count_(arguments.size()) {
    std::copy(arguments.begin(), arguments.end(), arguments_.begin());
  }

  // Throws with `problem` unless `holds`.
  const Check& that(bool holds, const char* problem) const {
    if (!holds) [[unlikely]]
      fail(problem);
    return *this;
  }
  // Every argument that is present lies on the context's device.
  const Check& on(const Context& context) const;
  const Check& is(const Argument& argument, DType dtype) const;
  const Check& floating(const Argument& argument) const;  // f32 or bf16
  const Check& same_type(const Argument& a, const Argument& b) const;
  const Check& shaped(const Argument& argument, const Shape& shape) const;
  const Check& rank(const Argument& argument, int rank) const;
  const Check& contiguous(const Argument& argument) const;

 private:
  std::span<const Argument> arguments() const { return {arguments_.data(), count_}; }
  [[noreturn]] void fail(const std::string& problem) const;

  const char* operation_;
  std::array<Argument, 12> arguments_;
  std::size_t count_;
};

}  // namespace fathom::ops
