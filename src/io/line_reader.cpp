#include "io/line_reader.h"

#include <string_view>

#include "io/compression.h"

namespace fathom {

namespace {

constexpr std::size_t read_bytes = 256 << 10;

}  // namespace

LineReader::LineReader(const std::string& path) : LineReader(open_bytes(path)) {}

LineReader::LineReader(std::unique_ptr<ByteReader> bytes)
    : bytes_(std::move(bytes)), buffer_(new char[read_bytes]) {}

bool LineReader::fill() {
  begin_ = 0;
  end_ = bytes_->read({buffer_.get(), read_bytes});
  return end_ > 0;
}

bool LineReader::next(std::string& line, std::size_t max_bytes) {
  line.clear();
  cut_ = false;
  if (begin_ == end_ && !fill()) return false;
  ++line_number_;
  do {
    const std::string_view rest(buffer_.get() + begin_, end_ - begin_);
    const auto newline = rest.find('\n');
    const std::string_view part = rest.substr(0, newline);
    cut_ = cut_ || part.size() > max_bytes - line.size();
    line.append(part.substr(0, max_bytes - line.size()));
    if (newline != std::string_view::npos) {
      begin_ += newline + 1;
      break;
    }
  } while (fill());
  if (!line.empty() && line.back() == '\r') line.pop_back();
  return true;
}

std::size_t read_fully(ByteReader& bytes, std::span<char> out) {
  std::size_t count = 0, step = 0;
  while (count < out.size() && (step = bytes.read(out.subspan(count))) > 0) count += step;
  return count;
}

std::string read_all(ByteReader& bytes, std::size_t max_bytes) {
  std::string text;
  for (;;) {
    if (text.size() > max_bytes) return text;
    const std::size_t old = text.size();
    text.resize(old + read_bytes);
    const std::size_t count = bytes.read({text.data() + old, read_bytes});
    text.resize(old + count);
    if (count == 0) return text;
  }
}

std::string read_text(const std::string& path) {
  return read_all(*open_bytes(path));
}

}  // namespace fathom
