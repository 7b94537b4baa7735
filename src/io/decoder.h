// Decoder of one compressed format, fed in pieces. Internal to io.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

namespace fathom {

class Decoder {
 public:
  enum class Status { more, ended };  // of the current part (member, stream, frame)

  virtual ~Decoder() = default;
  virtual void start() = 0;  // begins a new part
  // Decodes from the front of `in` to the front of `out` and removes the used bytes from
  // both. Throws std::runtime_error with the reason when the data cannot be decoded.
  virtual Status decode(std::string_view& in, std::span<char>& out) = 0;
};

// Length of `head` below.
inline constexpr std::size_t packed_magic_bytes = 10;

// The decoder for a file that begins with `head`; null when the file is not packed.
std::unique_ptr<Decoder> make_decoder(std::string_view head);

}  // namespace fathom
