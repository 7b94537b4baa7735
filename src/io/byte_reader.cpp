#include "io/byte_reader.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "core/error.h"

namespace fathom {

namespace {

class FileBytes : public ByteReader {
 public:
  explicit FileBytes(const std::string& path)
      : path_(path), file_(std::fopen(path.c_str(), "rbe"), &std::fclose) {
    if (!file_) fail_input("{}: cannot read this file: {}", path, std::strerror(errno));
    struct stat status {};
    if (fstat(fileno(file_.get()), &status) == 0 && S_ISDIR(status.st_mode)) {
      fail_input("{}: is a directory; name a file", path);
    }
    std::setvbuf(file_.get(), nullptr, _IONBF, 0);  // callers read in large pieces
  }

  std::size_t read(std::span<char> out) override {
    const std::size_t count = out.empty() ? 0 : std::fread(out.data(), 1, out.size(), file_.get());
    if (count < out.size() && std::ferror(file_.get())) {
      fail_input("{}: reading failed: {}", path_, std::strerror(errno));
    }
    position_ += count;
    return count;
  }
  std::uint64_t file_position() const override { return position_; }

 private:
  std::string path_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
  std::uint64_t position_ = 0;
};

}  // namespace

std::unique_ptr<ByteReader> open_file_bytes(const std::string& path) {
  return std::make_unique<FileBytes>(path);
}

std::string_view PeekReader::peek(std::size_t bytes) {
  ahead_.erase(0, ahead_read_);
  ahead_read_ = 0;
  while (ahead_.size() < bytes) {
    const std::size_t before = ahead_.size();
    ahead_.resize(bytes);
    const std::size_t count = source_->read(std::span(ahead_).subspan(before));
    ahead_.resize(before + count);
    if (count == 0) break;
  }
  return std::string_view(ahead_).substr(0, bytes);
}

std::size_t PeekReader::read(std::span<char> out) {
  if (ahead_read_ == ahead_.size()) return source_->read(out);
  const std::size_t count = std::min(out.size(), ahead_.size() - ahead_read_);
  std::memcpy(out.data(), ahead_.data() + ahead_read_, count);
  ahead_read_ += count;
  return count;
}

}  // namespace fathom
