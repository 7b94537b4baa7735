#include "text/parquet.h"

#include <dlfcn.h>

#include <filesystem>
#include <string_view>
#include <system_error>

#include "core/error.h"
#include "core/program_files.h"
#include "io/file_reader.h"
#include "text/content.h"
#include "text/parquet_module.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

// Where an installed program has it (../lib/fathom from it), else where it was built.
std::string library_path() {
  const fs::path built = FATHOM_PARQUET_LIBRARY;
  const fs::path installed =
      fs::path(program_folder()).parent_path() / "lib/fathom" / built.filename();
  std::error_code ignored;
  return fs::exists(installed, ignored) ? installed : built;
}

const ParquetLibrary& library() {
  static const ParquetLibrary opened = open_parquet_library(library_path());
  return opened;
}

// The end of a file says where its rows are, and is read first.
void check_ends(const std::string& path) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) {
    fail_input("{}: holds Parquet, which can't be read from a pipe: name a file", path);
  }
  const FileReader file(path);
  char begin[parquet_magic.size()] = {}, end[parquet_magic.size()] = {};
  if (file.size() >= sizeof begin + sizeof end) {
    file.read(0, std::as_writable_bytes(std::span(begin)));
    file.read(file.size() - sizeof end, std::as_writable_bytes(std::span(end)));
    if (std::string_view(begin, sizeof begin) != parquet_magic) {
      fail_input("{}: holds packed Parquet, which is read from its end; unpack it first", path);
    }
  }
  if (std::string_view(end, sizeof end) != parquet_magic) {
    fail_input("{}: holds Parquet without its end; the file is cut off", path);
  }
}

}  // namespace

ParquetLibrary open_parquet_library(const std::string& path) {
  const auto problem = [] {
    const char* reason = dlerror();
    return std::string(reason ? reason : "unknown reason");
  };
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) return {nullptr, problem()};
  const void* module = dlsym(handle, parquet_module_symbol);
  if (!module) return {nullptr, problem()};
  return {static_cast<const ParquetModule*>(module), ""};
}

std::unique_ptr<ParquetReader> open_parquet_by(const ParquetLibrary& library,
                                               const std::string& path,
                                               std::span<const std::string> columns) {
  check_ends(path);
  if (!library.module) {
    fail_input(
        "{}: holds Parquet, which this fathom can't read: {}; run scripts/setup_parquet and build "
        "again, or convert the file to JSON lines",
        path, library.problem);
  }
  return library.module->open(path, columns);
}

std::unique_ptr<ParquetReader> open_parquet(const std::string& path,
                                            std::span<const std::string> columns) {
  return open_parquet_by(library(), path, columns);
}

ParquetSupport parquet_support() {
  if (!library().module) return {"", library().problem};
  return {library().module->arrow_version, ""};
}

}  // namespace fathom
