// Python's random.Random: the same draws from the same seed, so that examples drawn for a prompt are
// those that lm-evaluation-harness draws. The generator is MT19937 (Matsumoto and Nishimura, 1998),
// seeded by an array; sample() is that of CPython's random module.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace fathom::eval {

class PythonRandom {
 public:
  explicit PythonRandom(std::uint64_t seed);

  std::uint32_t next();  // 32 random bits
  // A number below `count`, which is at least 1 and below 2³².
  std::uint32_t below(std::uint32_t count);
  // `count` different numbers below `size`, as random.sample(range(size), count).
  std::vector<std::size_t> sample(std::size_t size, std::size_t count);

 private:
  static constexpr std::size_t length = 624;
  void twist();

  std::array<std::uint32_t, length> state_;
  std::size_t at_ = length;
};

}  // namespace fathom::eval
