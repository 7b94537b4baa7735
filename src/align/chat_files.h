// The files by which a model is talked to: its chat templates, special tokens and how to generate.
#pragma once

#include <map>
#include <optional>
#include <string>

namespace fathom {

// Names, within a model's directory, and contents of the files that it has of
// chat_template.jinja, additional_chat_templates/*.jinja, tokenizer_config.json,
// special_tokens_map.json and generation_config.json. They belong beside tokenizer.json: in a
// run's directory, in a checkpoint's and in a model's. Of a GGUF file: its chat template.
std::map<std::string, std::string> read_chat_files(const std::string& directory);

// The chat template that is used when none is named; nullopt: the model has none.
std::optional<std::string> default_chat_template(const std::string& directory);

// Writes them into `to`, in place of those that are there. An empty `from` has none.
void copy_chat_files(const std::string& from, const std::string& to);

}  // namespace fathom
