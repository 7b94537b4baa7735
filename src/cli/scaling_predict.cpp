// fathom scaling predict: says the loss of a run that is yet to be made.
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "cli/commands.h"
#include "cli/scaling_options.h"
#include "core/error.h"
#include "core/log.h"
#include "scaling/fit_report.h"
#include "scaling/flops.h"
#include "scaling/laws_file.h"
#include "scaling/model_file.h"
#include "scaling/predict.h"

namespace fathom::cli {
namespace {

using namespace scaling;

struct PredictArguments {
  std::string laws, model;
  std::optional<double> model_flops, tokens, compute;
  std::optional<double> unique_tokens;
  std::optional<std::int64_t> length;
  bool json = false;
};

double model_flops_of(const PredictArguments& a) {
  if (a.model_flops.has_value() != a.model.empty()) {
    fail_input("scaling predict needs a run: give --compute for the best run of a budget, or --tokens "
               "and one of --model-flops and --model");
  }
  if (a.model_flops) return *a.model_flops;
  const ModelConfig model = scaling::load_model(a.model);
  return model_flops(model, a.length.value_or(usual_length_of(model)));
}

Prediction prediction_of(const PredictArguments& a) {
  const Laws laws = load_laws(a.laws);
  if (a.compute) return predict_best_loss(laws, *a.compute);
  const double model_flops = model_flops_of(a);
  if (!a.tokens) fail_input("scaling predict needs --tokens, the training tokens of the model");
  return predict_loss(laws, model_flops, *a.tokens);
}

void predict(const PredictArguments& a) {
  const Prediction prediction = prediction_of(a);
  for (const std::string& warning : prediction.warnings) log::warning("{}", warning);
  if (a.unique_tokens && prediction.tokens > *a.unique_tokens) {
    log::warning("the run reads its text {:.1f} times: the laws hold for text that is read once, "
                 "and a model may learn repeated text by heart",
                 prediction.tokens / *a.unique_tokens);
  }
  std::cout << (a.json ? text_of(to_json(prediction)) : to_text(prediction));
}

}  // namespace

void add_scaling_predict(CLI::App& scaling) {
  CLI::App* c = scaling.add_subcommand("predict", "Predict the loss of a run by fitted laws");
  const auto a = std::make_shared<PredictArguments>();
  c->add_option("--laws", a->laws, "Laws file with a curve or a surface of the loss")
      ->type_name("FILE")
      ->required();
  CLI::Option* model_flops = c->add_option("--model-flops", a->model_flops,
                                           "M, the model's FLOPs a token, such as 3.5e8");
  CLI::Option* model = c->add_option("--model", a->model,
                                     "In place of --model-flops: a model as for `scaling flops`")
                           ->type_name("PATH");
  CLI::Option* tokens = c->add_option("--tokens", a->tokens, "Training tokens, such as 2e9");
  c->add_option("--compute", a->compute,
                "In place of a model and tokens: a budget in FLOPs, for its best run")
      ->excludes(model_flops, model, tokens);
  c->add_option("--unique-tokens", a->unique_tokens,
                "Tokens of the text; a warning says when the run reads them more than once")
      ->check(CLI::PositiveNumber);
  add_length(c, a->length);
  c->add_flag("--json", a->json, "Print a JSON object");
  c->footer(
      "Example: fathom scaling predict --laws laws/laws.json --compute 1.5e17\n"
      "         fathom scaling predict --laws laws/laws.json --model-flops 3.5e8 --tokens 2e9");
  c->callback([a] { predict(*a); });
}

}  // namespace fathom::cli
