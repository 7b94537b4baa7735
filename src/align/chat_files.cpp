#include "align/chat_files.h"

#include <filesystem>

#include "align/template_files.h"
#include "io/atomic_file.h"
#include "io/gguf.h"
#include "io/line_reader.h"

namespace fathom {

namespace fs = std::filesystem;

std::map<std::string, std::string> read_chat_files(const std::string& directory) {
  std::map<std::string, std::string> files;
  if (directory.empty()) return files;
  if (is_gguf_file(directory)) {
    if (auto text = default_chat_template(directory)) files["chat_template.jinja"] = *text;
    return files;
  }
  for (const char* name : {"chat_template.jinja", "tokenizer_config.json",
                           "special_tokens_map.json", "generation_config.json"}) {
    const std::string path = directory + "/" + name;
    if (fs::is_regular_file(path)) files[name] = read_text(path);
  }
  const std::string additional = "additional_chat_templates";
  if (fs::is_directory(directory + "/" + additional)) {
    for (const auto& entry : fs::directory_iterator(directory + "/" + additional)) {
      if (entry.path().extension() != ".jinja") continue;
      files[additional + "/" + entry.path().filename().string()] = read_text(entry.path());
    }
  }
  return files;
}

std::optional<std::string> default_chat_template(const std::string& directory) {
  if (directory.empty()) return std::nullopt;
  const TemplateFiles files = read_template_files(directory);
  const auto found = files.templates.find("default");
  return found == files.templates.end() ? std::nullopt : std::optional(found->second.text);
}

void copy_chat_files(const std::string& from, const std::string& to) {
  for (const auto& [name, content] : read_chat_files(from)) {
    const std::string path = to + "/" + name;
    fs::create_directories(fs::path(path).parent_path());
    write_file_atomically(path, content);
  }
}

}  // namespace fathom
