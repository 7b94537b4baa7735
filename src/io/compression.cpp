#include "io/compression.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>
#include <string_view>

#include "core/error.h"

namespace fathom {

namespace {

constexpr std::size_t input_bytes = 256 << 10;
constexpr std::size_t line_buffer_bytes = 256 << 10;

// The file itself, with a look at its first bytes.
class PlainReader : public ByteReader {
 public:
  explicit PlainReader(const std::string& path)
      : path_(path), file_(std::fopen(path.c_str(), "rbe"), &std::fclose) {
    if (!file_) fail_input("{}: cannot read this file: {}", path, std::strerror(errno));
    std::setvbuf(file_.get(), nullptr, _IONBF, 0);  // we read in large pieces ourselves
    first_size_ = read_file({first_, sizeof first_});
  }

  std::string_view first_bytes() const { return {first_, first_size_}; }
  const std::string& path() const { return path_; }

  std::size_t read(std::span<char> out) override {
    const std::size_t from_first = std::min(out.size(), first_size_ - first_read_);
    std::memcpy(out.data(), first_ + first_read_, from_first);
    first_read_ += from_first;
    const std::size_t count = from_first + read_file(out.subspan(from_first));
    position_ += count;
    return count;
  }
  std::uint64_t file_position() const override { return position_; }

 private:
  std::size_t read_file(std::span<char> out) {
    const std::size_t count = out.empty() ? 0 : std::fread(out.data(), 1, out.size(), file_.get());
    if (count < out.size() && std::ferror(file_.get())) {
      fail_input("{}: reading failed: {}", path_, std::strerror(errno));
    }
    return count;
  }

  std::string path_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
  char first_[4];
  std::size_t first_size_ = 0, first_read_ = 0;
  std::uint64_t position_ = 0;
};

// What gzip and zstd have in common: compressed bytes waiting in a buffer.
class CompressedReader : public ByteReader {
 public:
  explicit CompressedReader(std::unique_ptr<PlainReader> file)
      : file_(std::move(file)), input_(new char[input_bytes]) {}
  std::uint64_t file_position() const override { return file_->file_position(); }

 protected:
  // False at the end of the file.
  bool refill() {
    available_ = file_->read({input_.get(), input_bytes});
    return available_ > 0;
  }
  [[noreturn]] void fail_truncated() const {
    fail_input("{}: the compressed data end too early (after {} bytes); is the file cut off?",
               file_->path(), file_position());
  }
  [[noreturn]] void fail_damaged(const char* reason) const {
    fail_input("{}: the compressed data are damaged near byte {}: {}", file_->path(),
               file_position(), reason);
  }

  std::unique_ptr<PlainReader> file_;
  std::unique_ptr<char[]> input_;
  std::size_t available_ = 0;
};

class GzipReader : public CompressedReader {
 public:
  explicit GzipReader(std::unique_ptr<PlainReader> file) : CompressedReader(std::move(file)) {
    if (inflateInit2(&stream_, 16 + MAX_WBITS) != Z_OK) throw std::bad_alloc();
  }
  ~GzipReader() override { inflateEnd(&stream_); }

  std::size_t read(std::span<char> out) override {
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(std::min<std::size_t>(out.size(), 1u << 30));
    const uInt wanted = stream_.avail_out;
    while (stream_.avail_out == wanted) {
      if (stream_.avail_in == 0) {
        if (!refill()) {
          if (in_member_) fail_truncated();
          return 0;
        }
        stream_.next_in = reinterpret_cast<Bytef*>(input_.get());
        stream_.avail_in = static_cast<uInt>(available_);
      }
      // A file may hold several members one after another (as pigz and cat make).
      if (!in_member_) inflateReset(&stream_);
      in_member_ = true;
      const int status = inflate(&stream_, Z_NO_FLUSH);
      if (status == Z_STREAM_END) {
        in_member_ = false;
      } else if (status != Z_OK && status != Z_BUF_ERROR) {
        fail_damaged(stream_.msg ? stream_.msg : zError(status));
      }
    }
    return wanted - stream_.avail_out;
  }

 private:
  z_stream stream_{};
  bool in_member_ = false;
};

class ZstdReader : public CompressedReader {
 public:
  explicit ZstdReader(std::unique_ptr<PlainReader> file)
      : CompressedReader(std::move(file)), stream_(ZSTD_createDStream(), &ZSTD_freeDStream) {
    if (!stream_) throw std::bad_alloc();
    // A window of 128 MB at most, as the zstd tool accepts unless told otherwise: a
    // damaged header cannot make us take more.
    ZSTD_DCtx_setParameter(stream_.get(), ZSTD_d_windowLogMax, 27);
  }

  std::size_t read(std::span<char> out) override {
    ZSTD_outBuffer output{out.data(), out.size(), 0};
    while (output.pos == 0) {
      if (in_.pos == in_.size && !flushing_) {
        if (!refill()) {
          if (in_frame_) fail_truncated();
          return 0;
        }
        in_ = {input_.get(), available_, 0};
      }
      const std::size_t status = ZSTD_decompressStream(stream_.get(), &output, &in_);
      if (ZSTD_isError(status)) fail_damaged(ZSTD_getErrorName(status));
      in_frame_ = status != 0;
      flushing_ = in_frame_ && output.pos == output.size;  // more may be inside
    }
    return output.pos;
  }

 private:
  std::unique_ptr<ZSTD_DStream, std::size_t (*)(ZSTD_DStream*)> stream_;
  ZSTD_inBuffer in_{nullptr, 0, 0};
  bool in_frame_ = false, flushing_ = false;
};

}  // namespace

std::unique_ptr<ByteReader> open_bytes(const std::string& path) {
  auto file = std::make_unique<PlainReader>(path);
  if (file->first_bytes().starts_with("\x1f\x8b")) {
    return std::make_unique<GzipReader>(std::move(file));
  }
  if (file->first_bytes() == "\x28\xb5\x2f\xfd") {
    return std::make_unique<ZstdReader>(std::move(file));
  }
  return file;
}

LineReader::LineReader(const std::string& path)
    : bytes_(open_bytes(path)), buffer_(new char[line_buffer_bytes]) {}

bool LineReader::fill() {
  begin_ = 0;
  end_ = bytes_->read({buffer_.get(), line_buffer_bytes});
  return end_ > 0;
}

bool LineReader::next(std::string& line) {
  line.clear();
  if (begin_ == end_ && !fill()) return false;
  ++line_number_;
  do {
    const std::string_view rest(buffer_.get() + begin_, end_ - begin_);
    const auto newline = rest.find('\n');
    line.append(rest.substr(0, newline));
    if (newline != std::string_view::npos) {
      begin_ += newline + 1;
      break;
    }
  } while (fill());
  if (!line.empty() && line.back() == '\r') line.pop_back();
  return true;
}

std::string read_text(const std::string& path) {
  const auto bytes = open_bytes(path);
  std::string text;
  for (;;) {
    const std::size_t old = text.size();
    text.resize(old + line_buffer_bytes);
    const std::size_t count = bytes->read({text.data() + old, line_buffer_bytes});
    text.resize(old + count);
    if (count == 0) return text;
  }
}

}  // namespace fathom
