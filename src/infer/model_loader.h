// Loads a trained model, weights and tokenizer, from a path that the user gives. Used by
// `generate`, evaluation and the server.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/context.h"
#include "model/parameters.h"
#include "model/stage.h"
#include "tokenizer/tokenizer.h"

namespace fathom::infer {

// Where the weights are that a file holds as the engine wants them.
enum class FileWeights {
  in_place,  // in the file's pages, which cannot be written
  copied,
};

struct LoadOptions {
  std::string tokenizer;       // path of tokenizer.json; empty: looked for beside the model
  std::optional<DType> dtype;  // of weights and activations; nullopt: as stored
  // int8: matrices are rounded to 8 bits as they are loaded; on a CPU alone.
  MatrixStorage storage = MatrixStorage::dtype;
  FileWeights file_weights = FileWeights::in_place;  // copied: for weights that will change
};

struct LoadedModel {
  // Where its tokenizer and, if it has one, its chat template are: a directory or a GGUF file.
  std::string directory;
  Tokenizer tokenizer;
  std::vector<std::int32_t> end_tokens;
  std::unique_ptr<ParameterStore> parameters;
  std::unique_ptr<Stage> stage;           // the whole model, on the context's device
  std::optional<std::int64_t> step = {};  // of the training, where it is a checkpoint
};

// `path`: a Hugging Face model directory, a GGUF file, or a run directory, a directory of
// checkpoints or one checkpoint of Fathom. Throws an input Error that names the
// file when there is no model or tokenizer, or when the tokenizer has more
// tokens than the model.
LoadedModel load_model(const std::string& path, const LoadOptions& options, Context& context);

}  // namespace fathom::infer
