#include "text/text_blocks.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "io/line_reader.h"
#include "text/utf8.h"

namespace fathom {

namespace {

constexpr std::size_t block_bytes = 1 << 20;
// A longer line is cut between two characters.
constexpr std::size_t max_block_bytes = 16 * block_bytes;

}  // namespace

TextBlocks::TextBlocks(std::vector<std::string> files, std::string field)
    : files_(std::move(files)) {
  options_.fields = {std::move(field)};
}

std::uint64_t TextBlocks::total_size(const std::vector<std::string>& files) {
  std::uint64_t total = 0;
  for (const auto& file : files) {
    std::error_code problem;
    const auto size = std::filesystem::file_size(file, problem);
    if (!problem) total += size;
  }
  return total;
}

std::vector<Document> TextBlocks::read(TextBlock&& block) {
  std::vector<Document> documents;
  DocumentCounts counts;
  for (RawDocument& raw : block.documents) {
    if (auto document = read_document(std::move(raw), options_, counts)) {
      documents.push_back(std::move(*document));
    }
  }
  const std::lock_guard lock(mutex_);
  if (!counts.first_repaired.empty() && block.number < first_repaired_block_) {
    first_repaired_block_ = block.number;
    counts_.first_repaired = counts.first_repaired;
  }
  counts_.add(counts);
  return documents;
}

DocumentCounts TextBlocks::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

void TextBlocks::open_next() {
  OpenedText opened = open_text(files_[file_], options_);
  if (opened.format == TextFormat::jsonl || opened.format == TextFormat::parquet ||
      opened.format == TextFormat::warc) {
    records_ = open_documents(files_[file_], std::move(opened), options_);
  } else {
    bytes_ = std::move(opened.bytes);
    line_ = 1;
  }
  ++file_;
}

bool TextBlocks::cut(TextBlock& block) {
  const std::lock_guard lock(mutex_);
  block = {};
  for (;;) {
    if (!bytes_ && !records_) {
      if (file_ == files_.size()) return false;
      open_next();
    }
    const bool more = bytes_ ? cut_text(block) : cut_records(block);
    const std::uint64_t here = bytes_ ? bytes_->file_position() : records_->file_position();
    position_.store(finished_bytes_ + here, std::memory_order_relaxed);
    if (more) {
      block.number = blocks_++;
      return true;
    }
    finished_bytes_ += here;
    bytes_.reset();
    records_.reset();
  }
}

bool TextBlocks::cut_text(TextBlock& block) {
  std::string text = std::move(rest_);
  rest_.clear();
  std::size_t cut = std::string::npos;
  while (cut == std::string::npos) {
    const std::size_t before = text.size();
    text.resize(before + block_bytes);
    const std::size_t got = read_fully(*bytes_, std::span(text).subspan(before));
    text.resize(before + got);
    const std::size_t newline = text.rfind('\n');
    if (got == 0) {
      cut = text.size();
    } else if (newline != std::string::npos) {
      cut = newline + 1;
    } else if (text.size() >= max_block_bytes) {
      cut = text.size() - utf8::incomplete_suffix(text);
    }
  }
  rest_ = text.substr(cut);
  text.resize(cut);
  if (text.empty()) return false;
  const auto lines = static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
  block.bytes = text.size();
  block.documents.push_back({std::move(text), files_[file_ - 1], line_, false});
  line_ += lines;
  return true;
}

bool TextBlocks::cut_records(TextBlock& block) {
  for (RawDocument raw; block.bytes < block_bytes && records_->next(raw); raw = {}) {
    block.bytes += raw.content.size() + 1;
    block.documents.push_back(std::move(raw));
  }
  return !block.documents.empty();
}

}  // namespace fathom
