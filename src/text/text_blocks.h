// Divides the text of many files into blocks of about a megabyte, so that several threads can
// work on files of any size. Plain text is cut after a newline; each record of JSON lines and
// each row of Parquet is a document of its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "text/document.h"

namespace fathom {

struct TextBlock {
  std::vector<RawDocument> documents;  // one for plain text, else one a record
  std::size_t bytes = 0;               // of the documents in the unpacked file
  std::uint64_t number = 0;            // of the block, from 0
};

class TextBlocks {
 public:
  // `field`: the key or column that holds a record's text.
  TextBlocks(std::vector<std::string> files, std::string field);

  // Cuts the next block, in the order of the files; false at the end. Where blocks end depends
  // on the files alone. Safe to call from any thread. Throws the Errors of open_text().
  bool cut(TextBlock& block);
  // The texts of a block. Safe to call from any thread. Throws the Errors of read_document().
  std::vector<Document> read(TextBlock&& block);
  // Bytes of the files on disk read so far. Safe to call from any thread.
  std::uint64_t position() const { return position_.load(std::memory_order_relaxed); }
  // Of the blocks read so far.
  DocumentCounts counts() const;

  static std::uint64_t total_size(const std::vector<std::string>& files);

 private:
  bool cut_text(TextBlock& block);
  bool cut_records(TextBlock& block);
  void open_next();

  std::vector<std::string> files_;
  DocumentOptions options_;
  mutable std::mutex mutex_;
  std::size_t file_ = 0;                     // the next to open
  std::unique_ptr<ByteReader> bytes_;        // of plain text, or
  std::unique_ptr<DocumentSource> records_;  // of JSON lines or Parquet
  std::string rest_;                         // of plain text: what follows the last newline
  std::uint64_t line_ = 1;                   // of plain text: where the rest begins
  std::atomic<std::uint64_t> position_ = 0;
  std::uint64_t finished_bytes_ = 0;
  std::uint64_t blocks_ = 0;  // cut so far
  DocumentCounts counts_;
  // Threads finish blocks in any order: the block of counts_.first_repaired.
  std::uint64_t first_repaired_block_ = std::numeric_limits<std::uint64_t>::max();
};

}  // namespace fathom
