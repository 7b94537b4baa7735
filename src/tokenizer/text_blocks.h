// The text of many files in blocks of about a megabyte, so that several threads
// can work on files of any size. Plain text is cut after a newline; each record
// of a .jsonl file is a text of its own. Either may be compressed (.gz, .zst).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "io/compression.h"

namespace fathom::tokenizer {

struct TextBlock {
  std::size_t source = 0;          // index of the file
  std::vector<std::string> texts;  // one for plain text, one a record for JSONL
};

class TextBlocks {
 public:
  // `text_field`: the key that holds a record's text.
  TextBlocks(std::vector<std::string> files, std::string text_field);

  // The next block, in order of the files; false at the end. Safe to call from
  // any thread. Throws an input Error with file and line on a broken record.
  bool next(TextBlock& block);
  // Bytes of the files read so far, as they are on the disk. Safe from any thread.
  std::uint64_t position() const { return position_.load(std::memory_order_relaxed); }
  static std::uint64_t total_size(const std::vector<std::string>& files);

 private:
  bool open_next();
  bool read_plain(TextBlock& block);
  bool read_records(TextBlock& block);

  std::vector<std::string> files_;
  std::string text_field_;
  std::mutex mutex_;
  std::size_t current_ = 0;
  std::unique_ptr<ByteReader> bytes_;
  std::unique_ptr<LineReader> lines_;
  std::string rest_;  // of plain text: what follows the last newline
  std::atomic<std::uint64_t> position_ = 0;
  std::uint64_t before_ = 0;  // bytes of the files already closed
};

// The text of one JSONL record; `where` ("file:line") starts the message of the
// input Error for one that has none.
std::string text_of_record(const std::string& line, const std::string& field,
                           const std::string& where);
bool is_jsonl(const std::string& path);
// `text` as a JSON string; bytes that are no valid UTF-8 become U+FFFD.
std::string json_string(const std::string& text);

}  // namespace fathom::tokenizer
