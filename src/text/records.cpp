#include "text/records.h"

#include <algorithm>

#include "core/error.h"
#include "text/content.h"
#include "text/json_field.h"
#include "text/open_text.h"

namespace fathom {
namespace {

constexpr std::string_view space = " \t\r\n";

}  // namespace

void RecordReader::open_next() {
  const std::string& path = files_[file_++];
  DocumentOptions options;
  options.format = TextFormat::jsonl;  // the layout of JSON is decided here
  OpenedText opened = open_text(path, options);
  line_ = 1;
  if (opened.format == TextFormat::parquet) {
    rows_ = open_parquet(path);
    return;
  }
  const std::string_view sample = opened.bytes->peek(content_sample_bytes);
  const std::size_t first = sample.find_first_not_of(space);
  const bool array = first != std::string_view::npos && sample[first] == '[';
  if (first == std::string_view::npos) return;  // an empty file has no records
  if (!array && sample[first] != '{') {
    fail_input("{}: holds no JSON objects; wants JSON lines, a JSON array or Parquet", path);
  }
  const bool whole = sample.size() < content_sample_bytes;
  if (!array && json_layout(sample, whole) != JsonLayout::spread) {
    lines_ = std::make_unique<LineReader>(std::move(opened.bytes));
    return;
  }
  text_ = read_all(*opened.bytes);
  finished_bytes_ += opened.bytes->file_position();
  at_ = 0;
  in_array_ = false;
  if (array) {
    at_ = text_.find('[') + 1;
    line_ += static_cast<std::uint64_t>(
        std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(at_), '\n'));
    in_array_ = true;
  }
}

bool RecordReader::next_line(JsonRecord& record) {
  while (lines_->next(record.json)) {
    if (record.json.find_first_not_of(space) == std::string::npos) continue;
    record.file = files_[file_ - 1];
    record.line = lines_->line_number();
    return true;
  }
  finished_bytes_ += lines_->file_position();
  lines_.reset();
  return false;
}

bool RecordReader::next_value(JsonRecord& record) {
  const std::string& path = files_[file_ - 1];
  for (; at_ < text_.size(); ++at_) {
    if (text_[at_] == '\n') ++line_;
    if (space.find(text_[at_]) == std::string_view::npos && text_[at_] != ',') break;
  }
  const bool closed = in_array_ && at_ < text_.size() && text_[at_] == ']';
  if (at_ == text_.size() || closed) {
    if (in_array_ && !closed) fail_input("{}: the JSON array has no end; the file is cut", path);
    if (closed && text_.find_first_not_of(space, at_ + 1) != std::string::npos) {
      fail_input("{}:{}: there is more behind the JSON array", path, line_);
    }
    text_.clear();
    return false;
  }
  const std::size_t length = json_value_end(std::string_view(text_).substr(at_));
  if (length == std::string_view::npos) fail_input("{}:{}: not valid JSON", path, line_);
  record = {text_.substr(at_, length), path, line_};
  line_ += static_cast<std::uint64_t>(std::ranges::count(record.json, '\n'));
  at_ += length;
  return true;
}

bool RecordReader::next_row(JsonRecord& record) {
  if (rows_->next(record.json)) {
    record.file = files_[file_ - 1];
    record.line = line_++;
    return true;
  }
  finished_bytes_ += rows_->file_position();
  rows_.reset();
  return false;
}

bool RecordReader::next(JsonRecord& record) {
  for (;;) {
    if (lines_ && next_line(record)) return true;
    if (rows_ && next_row(record)) return true;
    if (!text_.empty() && next_value(record)) return true;
    if (file_ == files_.size()) return false;
    open_next();
  }
}

std::uint64_t RecordReader::file_bytes_read() const {
  const std::uint64_t here = lines_ ? lines_->file_position() : rows_ ? rows_->file_position() : 0;
  return finished_bytes_ + here;
}

}  // namespace fathom
