// Content checksums: XXH3 with 64 bits (xxHash). They find damage, not malice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace fathom {

// The checksum of everything passed to update(), however it was cut up.
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
// Of a whole file, read by mapping it; throws an input Error when unreadable.
std::uint64_t checksum_of_file(const std::string& path);

// 16 hexadecimal digits, the form in which manifests hold a checksum.
std::string checksum_text(std::uint64_t checksum);

}  // namespace fathom
