// fathom scaling: what a model costs, and from a compute budget to a run by scaling laws.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>

#include "cli/commands.h"
#include "cli/scaling_options.h"
#include "core/error.h"
#include "core/log.h"
#include "io/atomic_file.h"
#include "scaling/budget_report.h"
#include "scaling/flops.h"
#include "scaling/flops_report.h"
#include "scaling/laws_file.h"
#include "scaling/model_file.h"

namespace fathom::cli {
namespace {

using namespace scaling;
namespace fs = std::filesystem;

void add_laws(CLI::App* command, std::string& laws) {
  command->add_option("--laws", laws, "Laws file, or deepseek for the report's laws")
      ->type_name("NAME|FILE")
      ->capture_default_str();
}

void add_flops(CLI::App& parent) {
  struct Flags {
    std::string model;
    std::optional<std::int64_t> length;
    bool json = false;
  };
  auto flags = std::make_shared<Flags>();
  CLI::App* command = parent.add_subcommand(
      "flops", "Show a model's scale, parameters, FLOPs a token and memory of training");
  command
      ->add_option("model", flags->model,
                   "TOML file with a [model] table, Hugging Face directory, run or checkpoint")
      ->type_name("PATH")
      ->required();
  add_length(command, flags->length);
  command->add_flag("--json", flags->json, "Print a JSON object");
  command->footer("Example: fathom scaling flops configs/models/deepseek-llm-7b.toml");
  command->callback([flags] {
    const ModelConfig model = load_whole_model(flags->model);
    const std::int64_t length = flags->length.value_or(usual_length_of(model));
    std::cout << (flags->json ? text_of(flops_json(model, length)) : flops_text(model, length));
  });
}

struct HparamsFlags {
  std::optional<double> compute, tokens;
  std::string model, laws = "deepseek";
  std::optional<std::int64_t> length;
  bool json = false;
};

HyperparameterReport report_of(const HparamsFlags& flags, const Laws& laws) {
  HyperparameterReport report;
  report.sequence_length = flags.length.value_or(usual_length);
  if (flags.compute && flags.model.empty() && !flags.tokens) {
    report.compute = *flags.compute;
  } else if (!flags.compute && !flags.model.empty() && flags.tokens) {
    const ModelConfig model = scaling::load_model(flags.model);
    report.sequence_length = flags.length.value_or(usual_length_of(model));
    report.compute = model_flops(model, report.sequence_length) * *flags.tokens;
  } else {
    fail_input("scaling hparams needs a budget: give --compute, or --model and --tokens");
  }
  report.values = hyperparameters(laws, report.compute);
  return report;
}

void add_hparams(CLI::App& parent) {
  auto flags = std::make_shared<HparamsFlags>();
  CLI::App* command = parent.add_subcommand(
      "hparams", "Show the best learning rate and batch of a budget by scaling laws");
  command->add_option("--compute", flags->compute, "Budget in FLOPs, such as 1e20");
  command
      ->add_option("--model", flags->model,
                   "In place of --compute: a model as for `scaling flops` ...")
      ->type_name("PATH");
  command->add_option("--tokens", flags->tokens, "... and its training tokens, such as 2e12");
  add_laws(command, flags->laws);
  add_length(command, flags->length);
  command->add_flag("--json", flags->json, "Print a JSON object");
  command->footer(
      "Example: fathom scaling hparams --model configs/models/deepseek-llm-7b.toml --tokens 2e12");
  command->callback([flags] {
    const Laws laws = load_laws(flags->laws);
    const HyperparameterReport report = report_of(*flags, laws);
    std::cout << (flags->json ? text_of(to_json(report, laws)) : to_text(report, laws));
  });
}

// A folder that exists may hold what the user has made of an earlier config.
void write_config(const std::string& directory, const std::string& data, const Allocation& a,
                  const Laws& laws) {
  const std::string path = directory + "/train.toml";
  if (fs::exists(path)) fail_input("{} exists: name another --out, or remove it", path);
  fs::create_directories(directory);
  write_file_atomically(path, train_config_text(a, laws, data, directory + "/run"));
  log::info("{0}: start it with `fathom train {0}`", path);
}

void add_allocate(CLI::App& parent) {
  struct Flags {
    double compute = 0;
    std::string laws = "deepseek", out, data = "prepared";
    std::int64_t length = usual_length;
    bool json = false;
  };
  auto flags = std::make_shared<Flags>();
  CLI::App* command = parent.add_subcommand(
      "allocate", "Spend a budget by scaling laws: model, tokens, learning rate and batch");
  command->add_option("--compute", flags->compute, "Budget in FLOPs, such as 1e20")->required();
  add_laws(command, flags->laws);
  command->add_option("--sequence-length", flags->length, "Tokens of a sequence")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 30))
      ->capture_default_str();
  command->add_option("--out", flags->out, "Folder to write a config of `fathom train` to")
      ->type_name("DIR");
  command->add_option("--data", flags->data, "data.directory of that config")
      ->type_name("DIR")
      ->capture_default_str();
  command->add_flag("--json", flags->json, "Print a JSON object");
  command->footer(
      "Example: fathom scaling allocate --compute 1e18 --sequence-length 1024 --out runs/1e18");
  command->callback([flags] {
    const Laws laws = load_laws(flags->laws);
    const Allocation allocation = allocate(laws, flags->compute, flags->length);
    if (!flags->out.empty()) write_config(flags->out, flags->data, allocation, laws);
    std::cout << (flags->json ? text_of(to_json(allocation, laws)) : to_text(allocation, laws));
  });
}

}  // namespace

void add_scaling(CLI::App& app) {
  CLI::App* scaling =
      app.add_subcommand("scaling", "Spend a compute budget well: model costs and scaling laws");
  scaling->require_subcommand(1);
  scaling->footer("Example: fathom scaling allocate --compute 1e20");
  add_flops(*scaling);
  add_hparams(*scaling);
  add_allocate(*scaling);
  add_scaling_fit(*scaling);
  add_scaling_predict(*scaling);
  add_scaling_plan(*scaling);
  add_scaling_run(*scaling);
}

}  // namespace fathom::cli
