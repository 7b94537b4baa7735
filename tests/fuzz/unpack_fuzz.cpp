// Any bytes are unpacked, known for what they hold, or refused with an Error. The first
// byte picks a magic to begin with, so that the fuzzer meets every decoder.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "core/error.h"
#include "io/compression.h"
#include "text/content.h"

namespace {

using namespace std::string_view_literals;

// Bytes from memory, in pieces of odd sizes.
class MemoryBytes : public fathom::ByteReader {
 public:
  explicit MemoryBytes(std::string bytes) : bytes_(std::move(bytes)) {}
  std::size_t read(std::span<char> out) override {
    const std::size_t piece = 1 + at_ % 37;
    const std::size_t count = std::min({out.size(), bytes_.size() - at_, piece});
    std::memcpy(out.data(), bytes_.data() + at_, count);
    at_ += count;
    return count;
  }
  std::uint64_t file_position() const override { return at_; }

 private:
  std::string bytes_;
  std::size_t at_ = 0;
};

constexpr std::string_view magics[] = {""sv,
                                       "\x1f\x8b\x08\0\0\0\0\0\0\x03"sv,
                                       "\x28\xb5\x2f\xfd"sv,
                                       "\x50\x2a\x4d\x18"sv,
                                       "\xfd"
                                       "7zXZ\0"sv,
                                       "BZh91AY&SY"sv};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string bytes(magics[data[0] % std::size(magics)]);
  bytes.append(reinterpret_cast<const char*>(data + 1), size - 1);
  try {
    const auto reader = fathom::unpack(std::make_unique<MemoryBytes>(bytes), "fuzz");
    const std::string sample(reader->peek(fathom::content_sample_bytes));
    fathom::foreign_content(sample);
    fathom::foreign_encoding(sample);
    fathom::json_layout(sample, false);
    char piece[777];
    // A few bytes may unpack to gigabytes.
    for (int i = 0; i < 2000 && reader->read(piece) > 0; ++i) {
    }
  } catch (const fathom::Error&) {
  }
  return 0;
}
