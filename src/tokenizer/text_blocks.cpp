#include "tokenizer/text_blocks.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "core/error.h"

namespace fathom::tokenizer {
namespace {

constexpr std::size_t block_bytes = 1 << 20;

}  // namespace

bool is_jsonl(const std::string& path) {
  std::string_view name = path;
  for (const std::string_view ending : {".gz", ".zst"}) {
    if (name.ends_with(ending)) name.remove_suffix(ending.size());
  }
  return name.ends_with(".jsonl");
}

std::string text_of_record(const std::string& line, const std::string& field,
                           const std::string& where) {
  using nlohmann::json;
  const json record = json::parse(line, nullptr, false);
  if (record.is_discarded()) fail_input("{}: not valid JSON; mend or remove the line", where);
  const auto text = record.is_object() ? record.find(field) : record.end();
  if (text == record.end() || !text->is_string()) {
    fail_input("{}: wants an object with a string under '{}'", where, field);
  }
  return text->get<std::string>();
}

std::string json_string(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

TextBlocks::TextBlocks(std::vector<std::string> files, std::string text_field)
    : files_(std::move(files)), text_field_(std::move(text_field)) {}

std::uint64_t TextBlocks::total_size(const std::vector<std::string>& files) {
  std::uint64_t total = 0;
  for (const auto& file : files) {
    std::error_code problem;
    const auto size = std::filesystem::file_size(file, problem);
    if (!problem) total += size;
  }
  return total;
}

bool TextBlocks::open_next() {
  if (current_ == files_.size()) return false;
  if (is_jsonl(files_[current_])) {
    lines_ = std::make_unique<LineReader>(files_[current_]);
  } else {
    bytes_ = open_bytes(files_[current_]);
  }
  return true;
}

bool TextBlocks::next(TextBlock& block) {
  const std::lock_guard lock(mutex_);
  for (;;) {
    if (!bytes_ && !lines_ && !open_next()) return false;
    block.source = current_;
    block.texts.clear();
    const bool more = bytes_ ? read_plain(block) : read_records(block);
    const std::uint64_t here = bytes_ ? bytes_->file_position() : lines_->file_position();
    position_.store(before_ + here, std::memory_order_relaxed);
    if (more) return true;
    before_ += here;
    bytes_.reset();
    lines_.reset();
    ++current_;
  }
}

bool TextBlocks::read_plain(TextBlock& block) {
  std::string text = std::move(rest_);
  rest_.clear();
  while (text.size() < 16 * block_bytes) {
    const std::size_t before = text.size();
    text.resize(before + block_bytes);
    std::size_t got = 0, step = 0;
    while (got < block_bytes && (step = bytes_->read(std::span(text).subspan(before + got))) > 0) {
      got += step;
    }
    text.resize(before + got);
    if (got == 0) break;
    const std::size_t newline = text.rfind('\n');
    if (newline == std::string::npos) continue;
    rest_ = text.substr(newline + 1);
    text.resize(newline + 1);
    break;
  }
  if (text.empty()) return false;
  block.texts.push_back(std::move(text));
  return true;
}

bool TextBlocks::read_records(TextBlock& block) {
  std::string line;
  std::size_t bytes = 0;
  while (bytes < block_bytes && lines_->next(line)) {
    if (line.empty()) continue;
    const std::string where = fmt::format("{}:{}", files_[current_], lines_->line_number());
    block.texts.push_back(text_of_record(line, text_field_, where));
    bytes += block.texts.back().size() + 1;
  }
  return !block.texts.empty();
}

}  // namespace fathom::tokenizer
