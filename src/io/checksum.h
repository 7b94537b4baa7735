// Content checksums: XXH3 with 64 bits (xxHash). They find damage, not malice.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace fathom {

// The checksum of all bytes passed to update(), independent of how they were divided.
class Checksum {
 public:
  Checksum();
  Checksum(Checksum&&) noexcept;
  Checksum& operator=(Checksum&&) noexcept;
  ~Checksum();

  void update(std::span<const std::byte> bytes);
  void update(std::string_view text) { update(std::as_bytes(std::span(text))); }
  std::uint64_t value() const;  // of the bytes so far

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::uint64_t checksum_of(std::span<const std::byte> bytes);
std::uint64_t checksum_of(std::string_view text);

// 128 bits, for telling texts apart among more of them than 64 bits can: of n texts two differing
// ones are equal with probability n² / 2^129.
struct WideChecksum {
  std::uint64_t high = 0, low = 0;
  friend auto operator<=>(const WideChecksum&, const WideChecksum&) = default;
};
WideChecksum wide_checksum_of(std::string_view text);

// Checksum of a whole file; throws an input Error when it cannot be read.
std::uint64_t checksum_of_file(const std::string& path);

// 16 hexadecimal digits: the form of checksums in manifests.
std::string checksum_text(std::uint64_t checksum);

}  // namespace fathom
