#include "cli/evaluated_model.h"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <optional>

#include "align/weights_checksum.h"
#include "cli/api_keys.h"
#include "core/error.h"
#include "eval/engine_model.h"
#include "io/checksum.h"
#include "serve/remote_model.h"

namespace fathom::cli {
namespace {

namespace fs = std::filesystem;

class LocalModel : public EvaluatedModel {
 public:
  explicit LocalModel(const EvaluatedModelOptions& options)
      : options_(options), context_(parse_device(options.device)), loaded_(load_model(options, context_)) {
    if (options.chat) chat_ = ChatTemplate::open(options.templates.choice, loaded_.directory, loaded_.tokenizer);
    model_.emplace(loaded_, context_,
                   eval::EngineModelOptions{
                       .max_sequences = options.batch,
                       .cache_bytes = static_cast<std::size_t>(options.cache_gib * (std::size_t{1} << 30)),
                       .max_length = options.max_length,
                       .chat = chat_ ? &*chat_ : nullptr});
  }

  eval::LanguageModel& model() override { return *model_; }
  std::string identity() const override {
    const std::string& path = options_.model;
    const std::string weights = fs::is_regular_file(path) ? checksum_text(checksum_of_file(path)) : weights_checksum(path);
    return fmt::format("{} {} {} {} {} {}{}{}", weights, options_.weights, checksum_text(loaded_.tokenizer.hash()), dtype(),
                       options_.device, options_.max_length, chat_ ? " " + checksum_text(chat_->hash()) : "",
                       options_.batch_invariant ? " batch-invariant" : "");
  }
  std::string dtype() const override { return std::string(name_of(loaded_.stage->dtype())); }
  std::string device() const override { return options_.device; }
  BatchInvariance batch_invariance() const override { return context_.batch_invariance; }

 private:
  EvaluatedModelOptions options_;
  Context context_;
  infer::LoadedModel loaded_;
  std::optional<ChatTemplate> chat_;
  std::optional<eval::EngineModel> model_;
};

class ServedModel : public EvaluatedModel {
 public:
  explicit ServedModel(const EvaluatedModelOptions& options)
      : url_(options.model), model_(options.model, key_of(options), {.connections = options.batch}) {}

  eval::LanguageModel& model() override { return model_; }
  std::string identity() const override { return model_.identity(); }
  std::string dtype() const override { return "the server's"; }
  std::string device() const override { return url_; }
  BatchInvariance batch_invariance() const override { return invariance_of(model_.batch_invariant()); }

 private:
  static std::string key_of(const EvaluatedModelOptions& options) {
    const std::vector<std::string> keys = api_keys(options.api_key_file);
    return keys.empty() ? "" : keys.front();
  }
  std::string url_;
  serve::RemoteModel model_;
};

}  // namespace

void add_evaluated_model_options(CLI::App& command, EvaluatedModelOptions& o) {
  add_model_options(command, o);
  command.get_option("model")
      ->required(false)  // eval compare needs none
      ->description("Hugging Face directory, GGUF file, run directory or checkpoint, or a server's address (http://...)");
  command
      .add_option("--api-key-file", o.api_key_file,
                  "file with the server's key; else FATHOM_API_KEY")
      ->type_name("FILE");
  command.add_flag("--chat", o.chat, "ask in the model's chat form: examples as turns, the description as the system's");
  add_template_options(command, o.templates);
  command.add_option("--batch", o.batch, "sequences that the model reads at once, or requests to a server")
      ->capture_default_str();
  command.add_option("--cache-gib", o.cache_gib, "memory for keys and values")->capture_default_str();
  command.add_option("--max-length", o.max_length, "tokens of a question with its answer; 0: the model's context")
      ->capture_default_str();
}

std::unique_ptr<EvaluatedModel> open_evaluated_model(const EvaluatedModelOptions& options) {
  if (!options.model.starts_with("http://")) return std::make_unique<LocalModel>(options);
  if (!options.tokenizer.empty() || !options.templates.choice.empty() || options.max_length != 0) {
    fail_input("--tokenizer, --template and --max-length are the server's own");
  }
  if (options.batch_invariant) {
    fail_input("--batch-invariant is the server's own: start `fathom serve` with it");
  }
  return std::make_unique<ServedModel>(options);
}

}  // namespace fathom::cli
