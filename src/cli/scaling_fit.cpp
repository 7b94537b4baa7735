// fathom scaling fit: fits laws to the results of a study.
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "cli/commands.h"
#include "cli/scaling_options.h"
#include "core/log.h"
#include "report/png.h"
#include "scaling/fit.h"
#include "scaling/fit_files.h"
#include "scaling/fit_report.h"
#include "scaling/results.h"

namespace fathom::cli {
namespace {

using namespace scaling;

struct FitArguments {
  std::vector<std::string> results;
  std::string metric = "loss", out;
  FitOptions options;
  bool json = false;
};

void fit(FitArguments& a) {
  if (a.metric == "bits_per_byte") a.options.unit = LossUnit::bits_per_byte;
  const Results results = read_results(a.results);
  for (const std::string& note : results.notes) log::warning("{}", note);
  const std::vector<DatasetFit> fits = fit_results(results, a.options);
  for (const DatasetFit& one : fits) {
    for (const std::string& warning : one.warnings) {
      log::warning("{}{}", one.dataset.empty() ? "" : one.dataset + ": ", warning);
    }
  }
  std::cout << (a.json ? text_of(to_json(fits)) : to_text(fits));
  if (a.out.empty()) return;
  const bool png = can_write_png();
  const std::vector<std::string> paths =
      write_fit(a.out, fits, png ? Pictures::svg_and_png : Pictures::svg);
  for (const std::string& path : paths) log::info("wrote {}", path);
  if (!png) log::info("no PNG pictures: rsvg-convert (Debian's librsvg2-bin) is not installed");
}

}  // namespace

void add_scaling_fit(CLI::App& scaling) {
  CLI::App* c = scaling.add_subcommand("fit", "Fit laws to the results of a scaling study");
  const auto a = std::make_shared<FitArguments>();
  c->add_option("results", a->results, "Files of JSON lines, a run each")
      ->type_name("FILE")
      ->required();
  c->add_option("--metric", a->metric,
                "Loss that is fitted: loss (nats per token) or bits_per_byte")
      ->check(CLI::IsMember({"loss", "bits_per_byte"}))
      ->capture_default_str();
  c->add_option("--budget-tolerance", a->options.budget_tolerance,
                "Runs whose compute differs by at most this share have the same budget")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  c->add_option("--least-compute", a->options.least_compute,
                "Leave out runs with fewer FLOPs: models that are too small learn in jumps")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  c->add_option("--draws", a->options.bootstrap.draws,
                "Fits to resampled losses, for the intervals")
      ->check(CLI::Range(100, 100000))
      ->capture_default_str();
  c->add_option("--seed", a->options.bootstrap.seed, "Seed of these draws")->capture_default_str();
  c->add_option("--out", a->out, "Folder for laws file, report page and pictures")
      ->type_name("DIR");
  c->add_flag("--json", a->json, "Print a JSON object");
  c->footer("Example: fathom scaling fit results.jsonl --out laws");
  c->callback([a] { fit(*a); });
}

}  // namespace fathom::cli
