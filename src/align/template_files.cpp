#include "align/template_files.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <vector>

#include "io/gguf.h"
#include "io/json_value.h"
#include "io/line_reader.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

// A token is its text, or an object that holds it.
void read_special_tokens(const JsonValue& file, std::map<std::string, std::string>& tokens) {
  for (const char* name : {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token",
                           "cls_token", "mask_token"}) {
    const auto token = file.find(name);
    if (token) tokens[name] = token->is_object() ? token->at("content").text() : token->text();
  }
}

// One template, or a list of them with names.
void read_config_templates(const JsonValue& config, TemplateFiles& files) {
  const auto found = config.find("chat_template");
  if (!found) return;
  if (!found->is_array()) {
    files.templates["default"] = {found->text(), config.source()};
    return;
  }
  for (const JsonValue& one : found->items()) {
    files.templates[one.at("name").text()] = {one.at("template").text(), config.source()};
  }
}

// The one template of a GGUF file, and the tokens that its keys name.
TemplateFiles read_gguf_template(const std::string& path) {
  TemplateFiles files;
  const GgufFile file(path);
  if (auto text = file.find_text("tokenizer.chat_template")) {
    files.templates["default"] = {std::move(*text), path};
  }
  if (!file.has("tokenizer.ggml.tokens")) return files;
  const auto& tokens = file.texts("tokenizer.ggml.tokens");
  for (const auto& [name, key] : {std::pair("bos_token", "tokenizer.ggml.bos_token_id"),
                                  std::pair("eos_token", "tokenizer.ggml.eos_token_id"),
                                  std::pair("unk_token", "tokenizer.ggml.unknown_token_id"),
                                  std::pair("pad_token", "tokenizer.ggml.padding_token_id")}) {
    const auto id = file.find_integer(key);
    if (id && *id >= 0 && *id < std::ssize(tokens)) {
      files.special_tokens[name] = tokens[static_cast<std::size_t>(*id)];
    }
  }
  files.has_config = true;
  return files;
}

}  // namespace

TemplateFiles read_template_files(const std::string& directory) {
  if (is_gguf_file(directory)) return read_gguf_template(directory);
  TemplateFiles files;
  const auto path_of = [&](const char* name) { return directory + "/" + name; };
  const auto load = [&](const char* name) -> std::optional<JsonValue> {
    if (!fs::exists(path_of(name))) return std::nullopt;
    return JsonValue::load(path_of(name));
  };
  if (const auto map = load("special_tokens_map.json")) {
    read_special_tokens(*map, files.special_tokens);
  }
  if (const auto config = load("tokenizer_config.json")) {
    files.has_config = true;
    read_special_tokens(*config, files.special_tokens);
    read_config_templates(*config, files);
  }
  // Files of their own replace those in tokenizer_config.json.
  std::vector<std::pair<std::string, std::string>> own;
  const std::string additional = path_of("additional_chat_templates");
  if (fs::exists(path_of("chat_template.jinja"))) {
    own.emplace_back("default", path_of("chat_template.jinja"));
  }
  if (fs::is_directory(additional)) {
    for (const auto& entry : fs::directory_iterator(additional)) {
      if (entry.path().extension() == ".jinja") {
        own.emplace_back(entry.path().stem().string(), entry.path().string());
      }
    }
  }
  if (!own.empty()) files.templates.clear();
  for (const auto& [name, path] : own) files.templates[name] = {read_text(path), path};
  return files;
}

}  // namespace fathom
