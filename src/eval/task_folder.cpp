#include "eval/task_folder.h"

#include <filesystem>

#include "core/error.h"
#include "core/program_files.h"

namespace fathom::eval {

namespace fs = std::filesystem;

std::string task_folder(const std::string& wanted) {
  std::error_code error;
  if (!wanted.empty()) {
    if (!fs::is_directory(wanted, error)) fail_input("--configs: there is no folder '{}'", wanted);
    return wanted;
  }
  const std::string folder = find_program_file("configs/tasks");
  if (fs::is_directory(folder, error)) return folder;
  fail_input("there is no folder configs/tasks here nor beside {}: give it with --configs",
             program_folder());
}

}  // namespace fathom::eval
