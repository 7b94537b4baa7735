// Reads the rows of Parquet files as JSON objects. The reader itself is a shared library (see
// text/parquet_module.h), opened with the first Parquet file: Arrow is large, and a fathom that
// reads no Parquet starts without it and runs where it is absent.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace fathom {

class ParquetReader {
 public:
  virtual ~ParquetReader() = default;
  // Writes the next row to `json` as an object on one line; false at the end. Throws an input
  // Error that names the file and a row near the place when the file is damaged.
  virtual bool next(std::string& json) = 0;
  // About how many bytes of the file the rows so far have taken, for progress.
  virtual std::uint64_t file_position() const = 0;
};

// A row's object has the columns in the file's order. Lists are arrays, structs and maps with
// text keys are objects, dictionaries are replaced by their values, numbers that are not finite
// by null; dates, times and durations are texts. Memory holds a few megabytes of decoded rows,
// whatever the size of the file.
// `columns`: names of those to read, of which the file must have one; empty for all.
// Throws an input Error that names the file when it is cut off, packed or no regular file, when
// the library is not there, and for a column of a type that JSON lacks, such as binary data.
std::unique_ptr<ParquetReader> open_parquet(const std::string& path,
                                            std::span<const std::string> columns = {});

// What this fathom reads Parquet with, for `fathom info`.
struct ParquetSupport {
  std::string arrow_version;  // empty without the library
  std::string problem;        // why it cannot be used
};
ParquetSupport parquet_support();

}  // namespace fathom
