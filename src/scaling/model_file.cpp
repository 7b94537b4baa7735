#include "scaling/model_file.h"

#include <filesystem>

#include "core/error.h"
#include "train/config.h"

namespace fathom::scaling {

ModelConfig load_model(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return model_to_begin_with(path);
  ModelConfig model = load_train_config(path).model;
  const std::int64_t vocab_size = model.vocab_size;
  if (vocab_size == 0) model.vocab_size = 1;  // resolve() wants one
  model = with_location(path, [&] { return resolve(model); });
  model.vocab_size = vocab_size;
  return model;
}

ModelConfig load_whole_model(const std::string& path) {
  const ModelConfig model = load_model(path);
  if (model.vocab_size == 0) {
    fail_input("{}: model.vocab_size is missing, and no tokenizer gives it here: set it", path);
  }
  return model;
}

}  // namespace fathom::scaling
