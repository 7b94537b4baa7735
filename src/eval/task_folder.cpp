#include "eval/task_folder.h"

#include <filesystem>

#include "core/error.h"

namespace fathom::eval {

namespace fs = std::filesystem;

std::string task_folder(const std::string& wanted) {
  std::error_code error;
  if (!wanted.empty()) {
    if (!fs::is_directory(wanted, error)) fail_input("--configs: there is no folder '{}'", wanted);
    return wanted;
  }
  if (fs::is_directory("configs/tasks", error)) return "configs/tasks";
  const fs::path program = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (const char* folder : {"configs/tasks", "../share/fathom/configs/tasks", "../configs/tasks", "../../configs/tasks"}) {
    const fs::path path = (program / folder).lexically_normal();
    if (fs::is_directory(path, error)) return path.string();
  }
  fail_input("there is no folder configs/tasks here nor beside {}: give it with --configs", program.string());
}

}  // namespace fathom::eval
