#include "core/cuda/library.h"

#include <dlfcn.h>
#include <link.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace fathom::cuda {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> split_variable(const char* name) {
  std::vector<fs::path> parts;
  const char* value = std::getenv(name);
  std::istringstream stream(value ? value : "");
  for (std::string part; std::getline(stream, part, ':');) {
    if (!part.empty()) parts.emplace_back(part);
  }
  return parts;
}

std::vector<fs::path> folders_in(const fs::path& folder, std::string_view prefix = "") {
  std::vector<fs::path> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.path().filename().string().starts_with(prefix)) found.push_back(entry.path());
  }
  return found;
}

// <environment>/lib/python3.*/site-packages/nvidia/*/lib for each
// <environment>/bin on $PATH.
std::vector<fs::path> python_packages() {
  std::vector<fs::path> folders;
  for (const fs::path& bin : split_variable("PATH")) {
    for (const fs::path& python : folders_in(bin.parent_path() / "lib", "python3")) {
      for (const char* packages : {"site-packages", "dist-packages"}) {
        for (const fs::path& package : folders_in(python / packages / "nvidia")) {
          folders.push_back(package / "lib");
        }
      }
    }
  }
  return folders;
}

std::vector<fs::path> toolkits() {
  std::vector<fs::path> folders;
  for (const char* variable : {"CUDA_HOME", "CUDA_PATH"}) {
    for (const fs::path& home : split_variable(variable)) folders.push_back(home / "lib64");
  }
  folders.emplace_back("/usr/local/cuda/lib64");
  return folders;
}

void* open_in(const std::vector<fs::path>& folders, const std::string& file, std::string& path) {
  for (const fs::path& folder : folders) {
    path = (folder / file).string();
    if (void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL)) return handle;
  }
  return nullptr;
}

// Where the dynamic linker found it.
std::string path_of(void* handle) {
  const link_map* map = nullptr;
  return dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 ? map->l_name : "";
}

}  // namespace

Library::Library(const std::string& file) {
  handle_ = open_in(split_variable("FATHOM_CUDA_LIBRARIES"), file, path_);
  if (!handle_) {
    handle_ = dlopen(file.c_str(), RTLD_NOW | RTLD_GLOBAL);
    path_ = handle_ ? path_of(handle_) : file;
  }
  if (!handle_) handle_ = open_in(toolkits(), file, path_);
  if (!handle_) handle_ = open_in(python_packages(), file, path_);
  if (!handle_) {
    fail_input(
        "cannot open {}: install CUDA's and cuDNN's libraries, or a PyTorch built for this CUDA "
        "version, or name their folders in FATHOM_CUDA_LIBRARIES",
        file);
  }
}

void* Library::symbol(const char* name) const {
  void* function = dlsym(handle_, name);
  if (!function) {
    fail_input("{} has no {}: it is another version than fathom was built for", path_, name);
  }
  return function;
}

}  // namespace fathom::cuda
