#include "ops/check.h"

namespace fathom::ops {

void Check::fail(const std::string& problem) const {
  std::string list;
  for (const Argument& argument : arguments()) {
    list += fmt::format("{}{} {}{}", list.empty() ? "" : ", ", argument.name,
                        list.empty() ? "is " : "", to_string(*argument.tensor));
  }
  fail_runtime("{}: {}: {}", operation_, list, problem);
}

const Check& Check::on(const Context& context) const {
  for (const Argument& argument : arguments()) {
    if (*argument.tensor && argument.tensor->device != context.device) [[unlikely]] {
      fail(fmt::format("{} is not on {}, where the operation runs", argument.name,
                       to_string(context.device)));
    }
  }
  return *this;
}

const Check& Check::is(const Argument& argument, DType dtype) const {
  if (argument.tensor->dtype != dtype) [[unlikely]]
    fail(fmt::format("{} must be {}", argument.name, name_of(dtype)));
  return *this;
}

const Check& Check::floating(const Argument& argument) const {
  if (!is_floating(argument.tensor->dtype)) [[unlikely]]
    fail(fmt::format("{} must be f32 or bf16", argument.name));
  return *this;
}

const Check& Check::same_type(const Argument& a, const Argument& b) const {
  if (a.tensor->dtype != b.tensor->dtype) [[unlikely]]
    fail(fmt::format("the types of {} and {} differ", a.name, b.name));
  return *this;
}

const Check& Check::shaped(const Argument& argument, const Shape& shape) const {
  if (!*argument.tensor || !(argument.tensor->shape == shape)) [[unlikely]]
    fail(fmt::format("{} must be {}", argument.name, to_string(shape)));
  return *this;
}

const Check& Check::rank(const Argument& argument, int rank) const {
  if (!*argument.tensor || argument.tensor->shape.rank() != rank) [[unlikely]]
    fail(fmt::format("{} must have {} dimension{}", argument.name, rank, rank == 1 ? "" : "s"));
  return *this;
}

const Check& Check::contiguous(const Argument& argument) const {
  if (!argument.tensor->contiguous()) [[unlikely]]
    fail(fmt::format("{} must be contiguous", argument.name));
  return *this;
}

}  // namespace fathom::ops
