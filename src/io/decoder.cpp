#include "io/decoder.h"

#include <bzlib.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <cstdint>
#include <new>
#include <stdexcept>

namespace fathom {

namespace {

// The sizes of zlib and bzip2 have 32 bits.
unsigned piece(std::size_t size) {
  return static_cast<unsigned>(std::min<std::size_t>(size, 1u << 30));
}

// Removes `used` bytes from the front of `in` and `made` from the front of `out`.
void advance(std::string_view& in, std::size_t used, std::span<char>& out, std::size_t made) {
  in.remove_prefix(used);
  out = out.subspan(made);
}

class GzipDecoder : public Decoder {
 public:
  GzipDecoder() {
    if (inflateInit2(&stream_, 16 + MAX_WBITS) != Z_OK) throw std::bad_alloc();
  }
  ~GzipDecoder() override { inflateEnd(&stream_); }
  void start() override { inflateReset(&stream_); }
  Status decode(std::string_view& in, std::span<char>& out) override {
    const unsigned in_size = piece(in.size()), out_size = piece(out.size());
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream_.avail_in = in_size;
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = out_size;
    const int status = inflate(&stream_, Z_NO_FLUSH);
    advance(in, in_size - stream_.avail_in, out, out_size - stream_.avail_out);
    if (status == Z_STREAM_END) return Status::ended;
    if (status == Z_OK || status == Z_BUF_ERROR) return Status::more;
    throw std::runtime_error(stream_.msg ? stream_.msg : zError(status));
  }

 private:
  z_stream stream_{};
};

class ZstdDecoder : public Decoder {
 public:
  ZstdDecoder() : stream_(ZSTD_createDStream(), &ZSTD_freeDStream) {
    if (!stream_) throw std::bad_alloc();
    // At most a window of 128 MB, the default of the zstd tool, so that a damaged header
    // cannot demand more memory.
    ZSTD_DCtx_setParameter(stream_.get(), ZSTD_d_windowLogMax, 27);
  }
  void start() override { ZSTD_DCtx_reset(stream_.get(), ZSTD_reset_session_only); }
  Status decode(std::string_view& in, std::span<char>& out) override {
    ZSTD_inBuffer input{in.data(), in.size(), 0};
    ZSTD_outBuffer output{out.data(), out.size(), 0};
    const std::size_t status = ZSTD_decompressStream(stream_.get(), &output, &input);
    advance(in, input.pos, out, output.pos);
    if (ZSTD_getErrorCode(status) == ZSTD_error_frameParameter_windowTooLarge) {
      throw std::runtime_error("its window is larger than 128 MB; pack it again without --long");
    }
    if (ZSTD_isError(status)) throw std::runtime_error(ZSTD_getErrorName(status));
    return status == 0 ? Status::ended : Status::more;
  }

 private:
  std::unique_ptr<ZSTD_DStream, std::size_t (*)(ZSTD_DStream*)> stream_;
};

class XzDecoder : public Decoder {
 public:
  ~XzDecoder() override { lzma_end(&stream_); }
  void start() override {
    // Many times the largest dictionary of the presets (64 MB), so that a damaged header
    // cannot demand more memory.
    constexpr std::uint64_t memory_bytes = std::uint64_t{1} << 30;
    if (lzma_stream_decoder(&stream_, memory_bytes, 0) != LZMA_OK) throw std::bad_alloc();
  }
  Status decode(std::string_view& in, std::span<char>& out) override {
    stream_.next_in = reinterpret_cast<const std::uint8_t*>(in.data());
    stream_.avail_in = in.size();
    stream_.next_out = reinterpret_cast<std::uint8_t*>(out.data());
    stream_.avail_out = out.size();
    const lzma_ret status = lzma_code(&stream_, LZMA_RUN);
    advance(in, in.size() - stream_.avail_in, out, out.size() - stream_.avail_out);
    if (status == LZMA_STREAM_END) return Status::ended;
    if (status == LZMA_OK || status == LZMA_BUF_ERROR) return Status::more;
    if (status == LZMA_MEM_ERROR) throw std::bad_alloc();
    throw std::runtime_error(status == LZMA_OPTIONS_ERROR    ? "unsupported options"
                             : status == LZMA_MEMLIMIT_ERROR ? "needs more than 1 GiB to unpack"
                                                             : "checksums do not match");
  }

 private:
  lzma_stream stream_ = LZMA_STREAM_INIT;
};

class Bzip2Decoder : public Decoder {
 public:
  ~Bzip2Decoder() override { BZ2_bzDecompressEnd(&stream_); }
  void start() override {
    BZ2_bzDecompressEnd(&stream_);  // does nothing before the first part
    stream_ = {};
    if (BZ2_bzDecompressInit(&stream_, 0, 0) != BZ_OK) throw std::bad_alloc();
  }
  Status decode(std::string_view& in, std::span<char>& out) override {
    const unsigned in_size = piece(in.size()), out_size = piece(out.size());
    stream_.next_in = const_cast<char*>(in.data());
    stream_.avail_in = in_size;
    stream_.next_out = out.data();
    stream_.avail_out = out_size;
    const int status = BZ2_bzDecompress(&stream_);
    advance(in, in_size - stream_.avail_in, out, out_size - stream_.avail_out);
    if (status == BZ_STREAM_END) return Status::ended;
    if (status == BZ_OK) return Status::more;
    if (status == BZ_MEM_ERROR) throw std::bad_alloc();
    throw std::runtime_error("checksums do not match");
  }

 private:
  bz_stream stream_{};
};

bool is_zstd(std::string_view head) {
  // A skippable frame (the last byte of its number is 0x50 to 0x5f) may come first:
  // pzstd begins with one.
  const bool skippable = head.size() >= 4 && (head[0] & 0xf0) == 0x50 &&
                         head.substr(1, 3) == std::string_view("\x2a\x4d\x18");
  return skippable || head.starts_with("\x28\xb5\x2f\xfd");
}

// "BZh1" to "BZh9" may begin a text: the number of a block or of the end follows.
bool is_bzip2(std::string_view head) {
  return head.size() >= 10 && head.starts_with("BZh") && head[3] >= '1' && head[3] <= '9' &&
         (head.substr(4, 6) == "\x31\x41\x59\x26\x53\x59" ||
          head.substr(4, 6) == "\x17\x72\x45\x38\x50\x90");
}

}  // namespace

std::unique_ptr<Decoder> make_decoder(std::string_view head) {
  if (head.starts_with("\x1f\x8b")) return std::make_unique<GzipDecoder>();
  if (is_zstd(head)) return std::make_unique<ZstdDecoder>();
  if (head.starts_with(std::string_view("\xfd"
                                        "7zXZ\0",
                                        6))) {
    return std::make_unique<XzDecoder>();
  }
  if (is_bzip2(head)) return std::make_unique<Bzip2Decoder>();
  return nullptr;
}

}  // namespace fathom
