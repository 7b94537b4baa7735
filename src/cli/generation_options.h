// The options of commands that generate text: which model, where, and how its tokens are drawn.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "infer/model_loader.h"
#include "infer/sampler.h"

namespace CLI {
class App;
}

namespace fathom::cli {

struct GenerationOptions {
  std::string model, tokenizer, device = "cpu", dtype = "auto", weights = "dtype";
  int threads = 0;
  bool batch_invariant = false;
  infer::FileWeights file_weights = infer::FileWeights::copied;
  infer::SamplingOptions sampling;
};

void add_generation_options(CLI::App& command, GenerationOptions& options);
// Those of the model alone: which one, where, its type and threads.
void add_model_options(CLI::App& command, GenerationOptions& options);

// What `--dtype` says; nothing for "auto", the type of the files. Throws an input Error for
// another name.
std::optional<DType> parse_dtype(const std::string& name);

// `--weights`, and what it says. parse_weights() throws an input Error for another name.
void add_weights_option(CLI::App& command, std::string& weights);
MatrixStorage parse_weights(const std::string& name);

// `--batch-invariant`; a context does as it says once it is set so.
void add_batch_invariant_option(CLI::App& command, bool& batch_invariant);
BatchInvariance invariance_of(bool batch_invariant);

// How a command with a chat template is given one.
struct TemplateOptions {
  std::string choice;  // as ChatTemplate::open()'s
  std::optional<std::string> system;
};
void add_template_options(CLI::App& command, TemplateOptions& options);

// Sets the number of threads and the context's batch invariance, and loads the model. `context` is
// of parse_device(options.device). Throws an input Error for an option that cannot be used.
infer::LoadedModel load_model(const GenerationOptions& options, Context& context);

}  // namespace fathom::cli
