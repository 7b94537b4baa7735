// The model that alignment begins with: weights, tokenizer and chat template, wherever they are.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "align/chat_template.h"
#include "model/config.h"
#include "tokenizer/tokenizer.h"
#include "train/run_tokenizer.h"

namespace fathom {

struct BaseModel {
  std::string path;       // of the weights, as the user gave it
  std::string directory;  // with the files of tokenizer and template
  ModelConfig config;
  Tokenizer tokenizer;
  ChatTemplate chat;
  // For the runs: its end tokens are the model's, the tokenizer's and the one that ends the
  // template's answers.
  RunTokenizer files;
};

// `path`: a Hugging Face directory, a run or a checkpoint. `chat_template` as the choice of
// ChatTemplate::open(). Throws an input Error that names what is missing: weights, tokenizer.json,
// a template.
BaseModel open_base_model(const std::string& path, const std::string& chat_template);

// Writes the files by which the model is talked to into the directory of a model that was made of
// it: those of align/chat_files.h, with the template that it was taught by and the special tokens
// that this has. Its generation_config.json, which names the end tokens, stays.
void write_chat_files(const BaseModel& model, const std::string& directory);

}  // namespace fathom
