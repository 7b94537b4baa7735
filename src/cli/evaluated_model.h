// The model that `fathom eval` asks: one of this machine, or a server's.
#pragma once

#include <memory>
#include <string>

#include "cli/generation_options.h"
#include "eval/language_model.h"

namespace fathom::cli {

struct EvaluatedModelOptions : GenerationOptions {
  std::string api_key_file;
  std::int64_t batch = 64, max_length = 0;
  double cache_gib = 4;
  bool chat = false;
  TemplateOptions templates;
};
void add_evaluated_model_options(CLI::App& command, EvaluatedModelOptions& options);

class EvaluatedModel {
 public:
  virtual ~EvaluatedModel() = default;
  virtual eval::LanguageModel& model() = 0;
  // All that its answers depend on besides the questions, as far as it can be known.
  virtual std::string identity() const = 0;
  virtual std::string dtype() const = 0;
  virtual std::string device() const = 0;
  virtual BatchInvariance batch_invariance() const = 0;
};

// A path, or a server's address (http://...). Throws the Errors of loading, and of a server.
std::unique_ptr<EvaluatedModel> open_evaluated_model(const EvaluatedModelOptions& options);

}  // namespace fathom::cli
