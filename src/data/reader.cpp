#include "data/reader.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/input_files.h"

namespace fathom {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

TextFormat format_of(const SourceConfig& source, std::string name) {
  if (source.format != TextFormat::automatic) return source.format;
  for (const char* packed : {".gz", ".zst"}) {
    if (name.ends_with(packed)) name.resize(name.size() - std::string(packed).size());
  }
  return name.ends_with(".jsonl") ? TextFormat::jsonl : TextFormat::text;
}

// Picks one top-level string out of a JSON object without building a tree.
class FieldReader : public nlohmann::json_sax<Json> {
 public:
  explicit FieldReader(const std::string& field) : field_(field) {}

  std::optional<std::string> value;
  bool is_object = false, other_type = false;
  std::size_t error_position = 0;

  bool key(std::string& name) override {
    if (depth_ == 1) wanted_ = name == field_;
    return true;
  }
  bool string(std::string& text) override {
    if (at_field()) value = std::move(text);
    return true;
  }
  bool start_object(std::size_t) override {
    if (depth_ == 0) is_object = true;
    return other(), ++depth_, true;
  }
  bool start_array(std::size_t) override { return other(), ++depth_, true; }
  bool end_object() override { return --depth_, true; }
  bool end_array() override { return --depth_, true; }
  bool null() override { return other(); }
  bool boolean(bool) override { return other(); }
  bool number_integer(std::int64_t) override { return other(); }
  bool number_unsigned(std::uint64_t) override { return other(); }
  bool number_float(double, const std::string&) override { return other(); }
  bool binary(Json::binary_t&) override { return other(); }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    error_position = position;
    return false;
  }

 private:
  bool at_field() const { return depth_ == 1 && wanted_; }
  bool other() {
    if (at_field()) other_type = true;
    return true;
  }

  const std::string& field_;
  int depth_ = 0;
  bool wanted_ = false;
};

}  // namespace

std::vector<std::string> files_of(const SourceConfig& source) {
  return expand_paths(source.paths, "source '" + source.name + "'");
}

DocumentReader::DocumentReader(const SourceConfig& source, std::vector<std::string> files)
    : source_(source), files_(std::move(files)) {}

std::uint64_t DocumentReader::file_bytes_read() const {
  return finished_bytes_ + (lines_ ? lines_->file_position() : 0);
}

bool DocumentReader::next(RawDocument& document) {
  for (;;) {
    if (lines_) {
      if (next_in_file(document)) return true;
      finished_bytes_ += lines_->file_position();
      lines_.reset();
    }
    if (file_ == files_.size()) return false;
    document.file = files_[file_++];
    format_ = format_of(source_, document.file);
    if (format_ == TextFormat::text) {
      document.content = read_text(document.file);
      document.line = 1;
      document.json = false;
      finished_bytes_ += fs::file_size(document.file);
      if (!document.content.empty()) return true;
    } else {
      lines_.emplace(document.file);
    }
  }
}

bool DocumentReader::next_in_file(RawDocument& document) {
  document.file = files_[file_ - 1];
  document.json = format_ == TextFormat::jsonl;
  if (format_ == TextFormat::separated) return next_separated(document);
  while (lines_->next(document.content)) {
    document.line = lines_->line_number();
    if (!document.content.empty()) return true;
  }
  return false;
}

bool DocumentReader::next_separated(RawDocument& document) {
  document.content.clear();
  std::string line;
  while (lines_->next(line)) {
    if (line == source_.separator) {
      if (!document.content.empty()) return true;
      continue;
    }
    if (document.content.empty()) document.line = lines_->line_number();
    document.content.append(line).append("\n");
  }
  return !document.content.empty();
}

std::optional<std::string> document_text(RawDocument&& document, const SourceConfig& source) {
  if (!document.json) return std::move(document.content);
  FieldReader reader(source.field);
  const bool parsed = Json::sax_parse(document.content, &reader);
  if (parsed && reader.value && !reader.other_type) return std::move(*reader.value);
  if (source.skip_broken_lines) return std::nullopt;
  const std::string reason =
      !parsed             ? fmt::format("not valid JSON at column {}", reader.error_position)
      : !reader.is_object ? "not a JSON object"
      : reader.other_type ? fmt::format("the field '{}' is no string", source.field)
                          : fmt::format("has no field '{}'", source.field);
  fail_input("{}:{}: {}; mend the line or set skip_broken_lines = true for source '{}'",
             document.file, document.line, reason, source.name);
}

}  // namespace fathom
