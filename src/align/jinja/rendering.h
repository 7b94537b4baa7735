// One rendering of a template: the line that it is at, and its bounds. Templates come with
// models from anywhere, so every step, byte and level of nesting is counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <utility>

#include "core/error.h"

namespace fathom::jinja {

struct Limits {
  // Evaluated nodes, and 256 copied or compared bytes count as one.
  std::uint64_t steps = 5'000'000;
  // Bytes of all values that are alive at one time.
  std::size_t memory = std::size_t{128} << 20;
  // Bytes of the rendered text.
  std::size_t output = std::size_t{32} << 20;
  // Nested expressions, statements and macro calls.
  int depth = 400;
};

class Rendering {
 public:
  Rendering(std::string name, const Limits& limits, std::optional<std::tm> now)
      : name_(std::move(name)), limits_(limits), now_(now) {}
  Rendering(const Rendering&) = delete;
  Rendering& operator=(const Rendering&) = delete;

  // Throws an input Error that begins with the template's name and the current line.
  template <class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) const {
    fail_input("{}, line {}: {}", name_, line_, fmt::format(format, std::forward<Args>(args)...));
  }

  int line() const { return line_; }
  void set_line(int line) { line_ = line; }

  void spend(std::uint64_t steps) {
    steps_ += steps;
    if (steps_ > limits_.steps) [[unlikely]] {
      fail(
          "the template takes more than {} steps: it never ends, or is made to exhaust the machine",
          limits_.steps);
    }
  }
  // Steps of an operation that reads or writes `bytes`.
  void spend_bytes(std::size_t bytes) { spend(bytes / 256); }

  // Throws unless `bytes` more may be held.
  void check_memory(std::size_t bytes) const {
    if (bytes > limits_.memory - held_) [[unlikely]] {
      fail("the template's values take more than {} MiB of memory", limits_.memory >> 20);
    }
  }
  void check_output(std::size_t bytes) const {
    if (bytes > limits_.output) [[unlikely]] {
      fail("the template writes more than {} MiB", limits_.output >> 20);
    }
  }
  const std::optional<std::tm>& now() const { return now_; }

 private:
  friend class Held;
  friend class Nesting;

  std::string name_;
  Limits limits_;
  std::optional<std::tm> now_;
  int line_ = 1;
  std::uint64_t steps_ = 0;
  std::size_t held_ = 0;
  int depth_ = 0;
};

// Memory of one value, returned when the value goes. Constants of the template hold none.
class Held {
 public:
  Held() = default;
  Held(Rendering& rendering, std::size_t bytes) : rendering_(&rendering), bytes_(bytes) {
    rendering.check_memory(bytes);
    rendering.held_ += bytes;
  }
  Held(Held&& other) noexcept
      : rendering_(std::exchange(other.rendering_, nullptr)), bytes_(other.bytes_) {}
  Held& operator=(Held&& other) noexcept {
    std::swap(rendering_, other.rendering_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Held() {
    if (rendering_) rendering_->held_ -= bytes_;
  }

 private:
  Rendering* rendering_ = nullptr;
  std::size_t bytes_ = 0;
};

// One level of nesting, for the life of the object.
class Nesting {
 public:
  explicit Nesting(Rendering& rendering) : rendering_(rendering) {
    if (rendering_.depth_ >= rendering_.limits_.depth) {
      rendering_.fail("calls and expressions are nested more than {} deep",
                      rendering_.limits_.depth);
    }
    ++rendering_.depth_;
  }
  Nesting(const Nesting&) = delete;
  Nesting& operator=(const Nesting&) = delete;
  ~Nesting() { --rendering_.depth_; }

 private:
  Rendering& rendering_;
};

}  // namespace fathom::jinja
