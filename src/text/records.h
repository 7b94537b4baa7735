// Reads whole JSON objects from files: JSON lines, an array of objects, or objects one after
// the other over several lines, packed or not, and the rows of Parquet. For readers of rows with
// many fields; documents with one text are read by text/document.h.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/byte_reader.h"
#include "io/line_reader.h"
#include "text/parquet.h"

namespace fathom {

struct JsonRecord {
  std::string json;  // not yet checked
  std::string file;
  std::uint64_t line = 0;  // on which it begins, or its row in Parquet, from 1

  std::string where() const { return file + ":" + std::to_string(line); }
};

// The records of files, one after the other.
class RecordReader {
 public:
  explicit RecordReader(std::vector<std::string> files) : files_(std::move(files)) {}

  // False at the end. Throws an input Error that names a file which cannot be read or holds
  // neither JSON nor Parquet, and names the line where an array is broken.
  bool next(JsonRecord& record);
  std::uint64_t file_bytes_read() const;  // as on disk, for progress

 private:
  void open_next();
  bool next_line(JsonRecord& record);
  bool next_value(JsonRecord& record);
  bool next_row(JsonRecord& record);

  std::vector<std::string> files_;
  std::size_t file_ = 0;                 // the next to open
  std::unique_ptr<LineReader> lines_;    // of a file of JSON lines
  std::unique_ptr<ParquetReader> rows_;  // of a Parquet file
  std::string text_;                     // of another file, whole
  std::size_t at_ = 0;                   // in text_
  std::uint64_t line_ = 1;               // at that place, or the next row
  bool in_array_ = false;
  std::uint64_t finished_bytes_ = 0;
};

}  // namespace fathom
