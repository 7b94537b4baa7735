#include "text/warc.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "core/error.h"
#include "io/json_object.h"
#include "text/ascii.h"
#include "text/utf8.h"

namespace fathom {
namespace {

constexpr std::size_t read_bytes = 256 << 10;
constexpr std::size_t max_line = 64 << 10;
constexpr std::size_t max_header_lines = 1000;
// A longer page is no text to train on, and a length that lies must not fill the memory.
constexpr std::uint64_t max_content = 32 << 20;
constexpr std::string_view record_end = "\r\n\r\n";

bool begins_record(std::string_view line) {
  return line == "WARC/1.0" || line == "WARC/1.1" || line == "WARC/0.18" || line == "WARC/0.17";
}

// WARC 1.0 has its addresses in <>, by its grammar, WARC 1.1 has not.
std::string_view without_brackets(std::string_view url) {
  if (!url.starts_with('<') || !url.ends_with('>')) return url;
  return url.substr(1, url.size() - 2);
}

// A string of JSON. Bytes that are not UTF-8 stay, for read_document() to repair and count.
std::string quoted_bytes(std::string_view text) {
  std::string quoted = "\"";
  while (!text.empty()) {
    const std::size_t valid = utf8::valid_prefix(text);
    const std::string part = json_quoted(text.substr(0, valid));
    quoted.append(part, 1, part.size() - 2);
    text.remove_prefix(valid);
    const std::size_t invalid = utf8::invalid_prefix(text);
    quoted += text.substr(0, invalid);
    text.remove_prefix(invalid);
  }
  return quoted += '"';
}

}  // namespace

bool is_warc(std::string_view sample) {
  return sample.starts_with("WARC/1.") || sample.starts_with("WARC/0.");
}

WarcDocuments::WarcDocuments(std::string file, std::unique_ptr<ByteReader> bytes,
                             TextContent content, bool skip_broken)
    : file_(std::move(file)),
      bytes_(std::move(bytes)),
      content_(content),
      skip_broken_(skip_broken) {}

std::string_view WarcDocuments::wanted_type() const {
  return content_ == TextContent::html ? "response" : "conversion";
}

// 0 at the end of the file, and where its packed bytes are damaged when that is to be skipped.
std::size_t WarcDocuments::read_block(std::span<char> out) {
  if (!damage_.empty()) return 0;
  try {
    return bytes_->read(out);
  } catch (const Error& error) {
    if (!skip_broken_ || error.kind() != ErrorKind::input) throw;
    damage_ = error.what();
    return 0;
  }
}

// More bytes into the buffer; false at the end of the file.
bool WarcDocuments::fill() {
  buffer_.erase(0, at_);
  at_ = 0;
  const std::size_t before = buffer_.size();
  buffer_.resize(before + read_bytes);
  const std::size_t got = read_block(std::span(buffer_).subspan(before));
  buffer_.resize(before + got);
  return got > 0;
}

// A line without its end, of which all beyond max_line is left out; false at the end of the file.
bool WarcDocuments::read_line(std::string& line) {
  line.clear();
  for (;;) {
    const std::size_t end = std::min(buffer_.find('\n', at_), buffer_.size());
    if (line.size() < max_line) line.append(buffer_, at_, std::min(end - at_, max_line));
    const bool whole = end < buffer_.size();
    at_ = whole ? end + 1 : end;
    if (whole) break;
    if (!fill()) return !line.empty();
  }
  if (line.ends_with('\r')) line.pop_back();
  return true;
}

// Reads up to the version line of a record; false at the end of the file. `broken`: other lines
// than empty ones were before it.
bool WarcDocuments::find_record(bool& broken) {
  broken = false;
  const bool skipping = std::exchange(skipping_, false);
  if (std::exchange(ahead_, false)) return true;
  for (std::string line; read_line(line);) {
    if (begins_record(line)) return true;
    if (line.empty() || skipping) continue;
    broken = true;
    if (!skip_broken_) return true;
  }
  return false;
}

// False with the problem for a header that cannot be understood.
bool WarcDocuments::read_header(Header& header, std::string& problem) {
  bool has_length = false;
  std::string line;
  for (std::size_t lines = 0; read_line(line); ++lines) {
    if (line.empty()) {
      if (!has_length) problem = "its header has no Content-Length";
      if (has_length && header.type.empty()) problem = "its header has no WARC-Type";
      return problem.empty();
    }
    if (begins_record(line)) {
      ahead_ = true;
      problem = "its header has no end";
      return false;
    }
    if (line.starts_with(' ') || line.starts_with('\t')) {  // goes on with the one before
      if (lines < max_header_lines) continue;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos || lines == max_header_lines) {
      problem = "its header has a line without a colon, or too many";
      return false;
    }
    const std::string_view name = std::string_view(line).substr(0, colon);
    const std::string_view value = ascii::trimmed(std::string_view(line).substr(colon + 1));
    if (ascii::equal_ignoring_case(name, "WARC-Type")) header.type = value;
    if (ascii::equal_ignoring_case(name, "WARC-Target-URI")) header.url = without_brackets(value);
    if (ascii::equal_ignoring_case(name, "WARC-Date")) header.date = value;
    if (ascii::equal_ignoring_case(name, "Content-Length")) {
      const auto [end, error] =
          std::from_chars(value.data(), value.data() + value.size(), header.length);
      has_length = error == std::errc() && end == value.data() + value.size() && !value.empty();
    }
  }
  problem = "the file ends in its header";
  return false;
}

// Whether `bytes` more are in the buffer, read as far as the file goes.
bool WarcDocuments::buffer(std::size_t bytes) {
  while (buffer_.size() - at_ < bytes && fill()) continue;
  return buffer_.size() - at_ >= bytes;
}

// Whether the next `length` bytes, and the end of a record, are in the buffer. False with the
// problem when they are not the record's, so that its true end must be looked for.
bool WarcDocuments::has_content(std::size_t length, std::string& problem) {
  if (!buffer(length)) {
    problem = fmt::format("the file ends before its {} bytes", length);
    return false;
  }
  if (buffer(length + record_end.size()) &&
      buffer_.compare(at_ + length, record_end.size(), record_end) == 0) {
    return true;
  }
  problem = fmt::format("no record ends behind its {} bytes", length);
  return false;
}

// Makes the row of a broken record, or throws.
bool WarcDocuments::is_broken(RawDocument& document, const std::string& problem) {
  if (!skip_broken_) {
    fail_input("{}: record {}: {}; set skip_broken_lines = true to read on behind it", file_,
               record_, problem);
  }
  document = {};
  document.content = damage_.empty() ? problem : damage_;
  document.file = file_;
  document.line = record_;
  document.json = true;
  ended_ = ended_ || !damage_.empty();
  skipping_ = true;
  return true;
}

bool WarcDocuments::next(RawDocument& document) {
  for (bool broken = false; find_record(broken);) {
    if (broken) {
      ahead_ = true;  // the record behind is read next
      return is_broken(document, "what follows it is no record");
    }
    ++record_;
    Header header;
    std::string problem;
    if (!read_header(header, problem)) return is_broken(document, problem);
    const bool wanted = header.type == wanted_type();
    others_ += !wanted && (header.type == "conversion" || header.type == "response");
    if (header.length > max_content) {
      wanted_ += wanted;
      if (wanted && content_ == TextContent::html) {
        skipping_ = true;
        make_document(document, header, {});
        document.problem = PageProblem::too_large;
        return true;
      }
      if (wanted) {
        return is_broken(document,
                         fmt::format("its {} bytes are more than {}", header.length, max_content));
      }
      skipping_ = true;  // the length may lie: the next version line tells the record's end
      continue;
    }
    const auto length = static_cast<std::size_t>(header.length);
    if (!has_content(length, problem)) return is_broken(document, problem);
    const std::string_view text = std::string_view(buffer_).substr(at_, length);
    at_ += length + record_end.size();
    if (!wanted) continue;
    ++wanted_;
    make_document(document, header, text);
    return true;
  }
  if (!damage_.empty() && !ended_) return is_broken(document, damage_);
  require_wanted();
  return false;
}

void WarcDocuments::make_document(RawDocument& document, const Header& header,
                                  std::string_view text) const {
  const std::string members =
      fmt::format(R"("url": {}, "date": {})", quoted_bytes(header.url), quoted_bytes(header.date));
  document = {};
  document.file = file_;
  document.line = record_;
  if (content_ == TextContent::html) {
    document.response = true;
    document.content = text;
    document.members = members;
    return;
  }
  document.json = true;
  document.content = fmt::format(R"({{"text": {}, {}}})", quoted_bytes(text), members);
}

// Throws for a file that holds what is not wanted alone.
void WarcDocuments::require_wanted() const {
  if (wanted_ > 0 || others_ == 0) return;
  if (content_ == TextContent::html) {
    fail_input("{}: holds the texts of pages and no responses; set the content to text", file_);
  }
  fail_input(
      "{}: holds a crawler's responses and no text; set the content to html, or give the WET file "
      "of the same pages",
      file_);
}

}  // namespace fathom
