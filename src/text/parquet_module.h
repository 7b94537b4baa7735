// What the shared library of src/text/arrow exports, and how it is opened. Internal to text.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "text/parquet.h"

namespace fathom {

struct ParquetModule {
  const char* arrow_version;
  // open_parquet() for a file whose two ends were checked.
  std::unique_ptr<ParquetReader> (*open)(const std::string& path,
                                         std::span<const std::string> columns);
};

// Name of the one symbol that the library exports, a ParquetModule.
inline constexpr const char* parquet_module_symbol = "fathom_parquet_module";

struct ParquetLibrary {
  const ParquetModule* module = nullptr;
  std::string problem;  // when there is no module
};
// Opens the library, which stays open.
ParquetLibrary open_parquet_library(const std::string& path);

// open_parquet() by this library, or its Error when there is none.
std::unique_ptr<ParquetReader> open_parquet_by(const ParquetLibrary& library,
                                               const std::string& path,
                                               std::span<const std::string> columns);

}  // namespace fathom
