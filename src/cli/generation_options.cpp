#include "cli/generation_options.h"

#include <CLI/CLI.hpp>

#include "core/error.h"
#include "core/parallel.h"

namespace fathom::cli {

std::optional<DType> parse_dtype(const std::string& name) {
  if (name == "auto") return std::nullopt;
  if (name == "f32") return DType::f32;
  if (name == "bf16") return DType::bf16;
  fail_input("--dtype is {}: use auto, f32 or bf16", name);
}

MatrixStorage parse_weights(const std::string& name) {
  if (name == "dtype") return MatrixStorage::dtype;
  if (name == "int8") return MatrixStorage::int8;
  fail_input("--weights is {}: use dtype or int8", name);
}

void add_weights_option(CLI::App& command, std::string& weights) {
  command
      .add_option("--weights", weights,
                  "matrices in memory: dtype (as --dtype says) or int8, which generates faster on "
                  "a CPU")
      ->capture_default_str();
}

void add_batch_invariant_option(CLI::App& command, bool& batch_invariant) {
  command.add_flag("--batch-invariant", batch_invariant,
                   "the same bits for a request alone, in any batch and from the cache; slower");
}

BatchInvariance invariance_of(bool batch_invariant) {
  return batch_invariant ? BatchInvariance::on : BatchInvariance::off;
}

void add_model_options(CLI::App& command, GenerationOptions& o) {
  command
      .add_option("model", o.model,
                  "Hugging Face directory, GGUF file, run directory or checkpoint")
      ->type_name("PATH")
      ->required();
  command
      .add_option("--tokenizer", o.tokenizer, "path of tokenizer.json; default: the model's own")
      ->type_name("FILE");
  command.add_option("--device", o.device, "cpu, cuda or cuda:N")->capture_default_str();
  command.add_option("--dtype", o.dtype, "auto (as stored), f32 or bf16")->capture_default_str();
  add_weights_option(command, o.weights);
  command.add_option("--threads", o.threads, "CPU threads; 0: all cores")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  add_batch_invariant_option(command, o.batch_invariant);
}

void add_generation_options(CLI::App& command, GenerationOptions& o) {
  add_model_options(command, o);
  command
      .add_option("--temperature", o.sampling.temperature,
                  "higher is more random; 0: always the likeliest token")
      ->capture_default_str();
  command.add_option("--top-k", o.sampling.top_k, "draw from the k likeliest tokens; 0: from all")
      ->capture_default_str();
  command
      .add_option("--top-p", o.sampling.top_p,
                  "draw from the fewest tokens whose probabilities reach p together")
      ->capture_default_str();
  command
      .add_option("--min-p", o.sampling.min_p,
                  "leave out tokens less than p times as likely as the likeliest")
      ->capture_default_str();
  command
      .add_option("--repetition-penalty", o.sampling.repetition_penalty,
                  "above 1: makes earlier tokens less likely; 1: off")
      ->capture_default_str();
  command.add_option("--seed", o.sampling.seed, "seed of the random choices")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
}

void add_template_options(CLI::App& command, TemplateOptions& o) {
  command
      .add_option("--template", o.choice,
                  "chat template: deepseek, chatml, plain, a .jinja file, or the name of one of "
                  "the model's own; default: the model's")
      ->type_name("NAME|FILE");
  command.add_option("--system", o.system, "system prompt, in place of any other");
}

infer::LoadedModel load_model(const GenerationOptions& options, Context& context) {
  if (options.threads > 0) set_num_threads(options.threads);
  context.batch_invariance = invariance_of(options.batch_invariant);
  return infer::load_model(options.model,
                           {options.tokenizer, parse_dtype(options.dtype),
                            parse_weights(options.weights), options.file_weights},
                           context);
}

}  // namespace fathom::cli
