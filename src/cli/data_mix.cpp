// fathom data mix: the sources' shares of a token budget, and the epochs that result.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "cli/commands.h"
#include "core/error.h"
#include "data/config.h"
#include "data/prepared.h"
#include "data/reading_table.h"
#include "data/remix.h"

namespace fathom::cli {
namespace {

struct MixArguments {
  std::string directory;
  RemixOptions options;
  std::vector<std::string> weights, caps, phases;
};

// "name=2.5" apart. Throws an input Error that names the switch.
std::pair<std::string, double> assignment(const std::string& option, const std::string& text) {
  const std::size_t equals = text.find('=');
  char* end = nullptr;
  const double value =
      equals == std::string::npos ? 0 : std::strtod(text.c_str() + equals + 1, &end);
  if (equals == std::string::npos || equals + 1 == text.size() || *end != '\0') {
    fail_input("{}: '{}' is not SOURCE=NUMBER", option, text);
  }
  return {text.substr(0, equals), value};
}

RemixSource& find_source(std::vector<RemixSource>& sources, const std::string& name,
                         const std::string& directory) {
  const auto found = std::ranges::find(sources, name, &RemixSource::name);
  if (found == sources.end()) {
    fail_input("{} has no source '{}'; `fathom data check {}` lists them", directory, name,
               directory);
  }
  return *found;
}

std::vector<RemixSource> sources_of(const MixArguments& arguments) {
  std::vector<RemixSource> sources;
  for (const SourceEntry& source : read_manifest(arguments.directory).sources) {
    sources.push_back(
        {source.name, static_cast<double>(source.counts(Split::train).tokens), 1, 0, 0});
  }
  for (const std::string& text : arguments.weights) {
    const auto [name, value] = assignment("--weight", text);
    find_source(sources, name, arguments.directory).weight = value;
  }
  for (const std::string& text : arguments.caps) {
    const auto [name, value] = assignment("--cap", text);
    if (!(value > 0)) fail_input("--cap: '{}' is not above 0", text);
    find_source(sources, name, arguments.directory).max_epochs = value;
  }
  return sources;
}

// "0.8:code=2,books=0". `sources` have the weights before it, and then its own.
RemixPhase phase_of(const std::string& text, std::vector<RemixSource>& sources,
                    const std::string& directory) {
  RemixPhase phase;
  const std::size_t colon = text.find(':');
  char* end = nullptr;
  phase.begin = std::strtod(text.c_str(), &end);
  if (colon == std::string::npos || colon == 0 || end != text.c_str() + colon) {
    fail_input("--phase: '{}' is not SHARE:SOURCE=FACTOR,...", text);
  }
  std::istringstream factors(text.substr(colon + 1));
  for (std::string factor; std::getline(factors, factor, ',');) {
    const auto [name, value] = assignment("--phase", factor);
    find_source(sources, name, directory).weight = value;
  }
  for (const RemixSource& source : sources) phase.weights.push_back(source.weight);
  return phase;
}

void print_table(const std::string& title, const std::vector<RemixShare>& shares,
                 const std::vector<RemixSource>& sources) {
  std::vector<SourceShare> rows;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    rows.push_back({shares[i].name, sources[i].tokens, shares[i].share, shares[i].tokens,
                    shares[i].capped ? " (its most)" : ""});
  }
  fmt::print("{}{}", title, reading_table(rows, "# "));
}

std::vector<RemixShare> total(const std::vector<std::vector<RemixShare>>& parts, double budget) {
  std::vector<RemixShare> all = parts.front();
  for (std::size_t s = 0; s < all.size(); ++s) {
    all[s].tokens = 0;
    for (const auto& part : parts) {
      all[s].tokens += part[s].tokens;
      all[s].capped |= part[s].capped;
    }
    all[s].share = all[s].tokens / budget;
  }
  return all;
}

void print_config(const std::string& directory, const std::vector<RemixPhase>& phases,
                  const std::vector<std::vector<RemixShare>>& parts) {
  fmt::print("[data]\ndirectory = \"{}\"\n", directory);
  for (const RemixShare& share : parts.front()) {
    fmt::print("\n[[data.sources]]\nname = \"{}\"\nweight = {}\n", share.name, share.share);
  }
  for (std::size_t i = 0; i < phases.size(); ++i) {
    MixPhaseConfig phase;
    phase.begin_share = phases[i].begin;
    for (const RemixShare& share : parts[i + 1]) phase.weights[share.name] = share.share;
    fmt::print("\n[[data.phases]]\n{}", config_to_toml(phase));
  }
}

void print_mix(const MixArguments& arguments) {
  const std::vector<RemixSource> sources = sources_of(arguments);
  std::vector<RemixSource> changing = sources;
  std::vector<RemixPhase> phases;
  for (const std::string& text : arguments.phases) {
    phases.push_back(phase_of(text, changing, arguments.directory));
  }
  const auto parts = remix_phases(sources, phases, arguments.options);
  if (phases.empty()) {
    print_table("", parts.front(), sources);
  } else {
    print_table("# from the start\n", parts.front(), sources);
    for (std::size_t i = 0; i < phases.size(); ++i) {
      print_table(fmt::format("# from {:.4g} of the tokens on\n", phases[i].begin), parts[i + 1],
                  sources);
    }
    print_table("# in all\n", total(parts, arguments.options.budget), sources);
  }
  print_config(arguments.directory, phases, parts);
}

}  // namespace

void add_data_mix(CLI::App& data) {
  CLI::App* command = data.add_subcommand(
      "mix", "Print the sources' shares of a token budget, with the epochs, as a run's [data]");
  const auto arguments = std::make_shared<MixArguments>();
  command->add_option("directory", arguments->directory, "a prepared directory")
      ->type_name("DIR")
      ->required();
  command->add_option("--tokens", arguments->options.budget, "tokens that the run reads")
      ->required();
  command
      ->add_option("--temperature", arguments->options.temperature,
                   "shares are as tokens^(1/temperature): above 1 favours small sources")
      ->capture_default_str();
  command->add_option("--max-epochs", arguments->options.max_epochs, "no source is read more often")
      ->capture_default_str();
  command->add_option("--weight", arguments->weights, "SOURCE=FACTOR of its share")
      ->type_name("SOURCE=FACTOR")
      ->take_all();
  command->add_option("--cap", arguments->caps, "SOURCE=EPOCHS at most, for this source")
      ->type_name("SOURCE=EPOCHS")
      ->take_all();
  command
      ->add_option("--phase", arguments->phases,
                   "other factors once so large a share of the tokens is read; sources not named "
                   "keep theirs")
      ->type_name("SHARE:SOURCE=FACTOR,...")
      ->take_all();
  command->footer(
      "Example: fathom data mix prepared --tokens 2e9 --weight code=2 --cap books=8\n"
      "With better data in the last fifth:\n"
      "  fathom data mix prepared --tokens 2e9 --phase 0.8:math=4,books=4");
  command->callback([arguments] { print_mix(*arguments); });
}

}  // namespace fathom::cli
