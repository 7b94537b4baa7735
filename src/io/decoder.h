// One compressed format as a machine that is fed pieces. Internal to io.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

namespace fathom {

class Decoder {
 public:
  enum class Status { more, ended };  // whether the part (member, stream, frame) goes on

  virtual ~Decoder() = default;
  virtual void start() = 0;  // a new part begins
  // Decodes from the front of `in` to the front of `out` and takes off both what was
  // used. Throws std::runtime_error with the reason when the data are damaged.
  virtual Status decode(std::string_view& in, std::span<char>& out) = 0;
};

// Bytes to look at for make_decoder().
inline constexpr std::size_t packed_magic_bytes = 10;

// The decoder of the format that begins with `head`; null when that is none we know.
std::unique_ptr<Decoder> make_decoder(std::string_view head);

}  // namespace fathom
