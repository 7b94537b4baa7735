#include "core/program_files.h"

#include <filesystem>
#include <system_error>

namespace fathom {

namespace fs = std::filesystem;

std::string program_folder() {
  std::error_code ignored;
  return fs::read_symlink("/proc/self/exe", ignored).parent_path().string();
}

std::string find_program_file(const std::string& path) {
  std::error_code ignored;
  if (!path.starts_with("configs/") || fs::exists(path, ignored)) return path;
  const fs::path program = program_folder();
  for (const char* folder : {".", "../share/fathom", "..", "../.."}) {
    const fs::path file = (program / folder / path).lexically_normal();
    if (fs::exists(file, ignored)) return file.string();
  }
  return path;
}

}  // namespace fathom
