// The chat templates and special tokens that a model's directory names, as transformers reads
// them. Internal to src/align.
#pragma once

#include <map>
#include <string>

namespace fathom {

struct TemplateFiles {
  struct Source {
    std::string text;
    std::string file;  // that holds it, for messages
  };
  std::map<std::string, Source> templates;            // by name: "default", "tool_use", ...
  std::map<std::string, std::string> special_tokens;  // by name, such as "bos_token"
  bool has_config = false;                            // there is a tokenizer_config.json
};

// `directory` may also be a GGUF file. Throws an input Error that names a file which is no JSON or
// holds something else.
TemplateFiles read_template_files(const std::string& directory);

}  // namespace fathom
