#include "io/compression.h"

#include <algorithm>
#include <stdexcept>
#include <string_view>

#include "core/error.h"
#include "io/decoder.h"

namespace fathom {

namespace {

constexpr std::size_t input_bytes = 256 << 10;
constexpr int max_layers = 4;  // of compression

class UnpackingReader : public ByteReader {
 public:
  UnpackingReader(std::unique_ptr<ByteReader> packed, std::unique_ptr<Decoder> decoder,
                  std::string name)
      : packed_(std::move(packed)),
        decoder_(std::move(decoder)),
        name_(std::move(name)),
        buffer_(new char[input_bytes]) {}

  std::size_t read(std::span<char> out) override {
    std::span<char> rest = out;
    while (!out.empty() && rest.size() == out.size()) {
      if (input_.empty() && !output_waits_ && !refill()) {
        if (in_part_) fail_truncated();
        return 0;
      }
      if (!in_part_ && !begin_part()) continue;
      decode(rest);
    }
    return out.size() - rest.size();
  }
  std::uint64_t file_position() const override { return packed_->file_position(); }

 private:
  // False at the end of the file.
  bool refill() {
    input_ = {buffer_.get(), packed_->read({buffer_.get(), input_bytes})};
    return !input_.empty();
  }

  // False when only padding was left in the buffer.
  bool begin_part() {
    if (parts_ > 0) input_.remove_prefix(std::min(input_.find_first_not_of('\0'), input_.size()));
    if (input_.empty()) return false;
    decoder_->start();
    in_part_ = true;
    part_bytes_ = 0;
    return true;
  }

  void decode(std::span<char>& out) {
    const std::size_t room = out.size();
    try {
      in_part_ = decoder_->decode(input_, out) == Decoder::Status::more;
    } catch (const std::runtime_error& problem) {
      if (parts_ > 0 && part_bytes_ == 0) fail_garbage();
      fail_input("{}: the compressed data cannot be unpacked near byte {}: {}", name_,
                 file_position(), problem.what());
    }
    part_bytes_ += room - out.size();
    // A full buffer may have left some of the output inside the decoder.
    output_waits_ = in_part_ && out.empty();
    if (!in_part_) ++parts_;
  }

  [[noreturn]] void fail_truncated() const {
    fail_input("{}: the compressed data end too early (after {} bytes); is the file cut off?",
               name_, file_position());
  }
  [[noreturn]] void fail_garbage() const {
    fail_input(
        "{}: bytes that are not compressed follow the compressed data (near byte {}); remove "
        "them, or pack the file again",
        name_, file_position());
  }

  std::unique_ptr<ByteReader> packed_;
  std::unique_ptr<Decoder> decoder_;
  std::string name_;
  std::unique_ptr<char[]> buffer_;
  std::string_view input_;  // unread part of the buffer
  std::uint64_t parts_ = 0, part_bytes_ = 0;
  bool in_part_ = false, output_waits_ = false;
};

}  // namespace

std::unique_ptr<PeekReader> unpack(std::unique_ptr<ByteReader> bytes, const std::string& name) {
  auto reader = std::make_unique<PeekReader>(std::move(bytes));
  for (int layer = 0; auto decoder = make_decoder(reader->peek(packed_magic_bytes)); ++layer) {
    if (layer == max_layers) {
      fail_input("{}: compressed more than {} times over; unpack it first", name, max_layers);
    }
    reader = std::make_unique<PeekReader>(
        std::make_unique<UnpackingReader>(std::move(reader), std::move(decoder), name));
  }
  return reader;
}

std::unique_ptr<PeekReader> open_bytes(const std::string& path) {
  return unpack(open_file_bytes(path), path);
}

}  // namespace fathom
