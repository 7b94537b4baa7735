// fathom data mix: the sources' shares of a token budget, and the epochs that result.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/commands.h"
#include "core/error.h"
#include "core/progress.h"
#include "data/prepared.h"
#include "data/remix.h"

namespace fathom::cli {
namespace {

struct MixArguments {
  std::string directory;
  RemixOptions options;
  std::vector<std::string> weights, caps;
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

void print_mix(const MixArguments& arguments) {
  std::vector<RemixSource> sources;
  for (const SourceEntry& source : read_manifest(arguments.directory).sources) {
    sources.push_back({source.name, static_cast<double>(source.counts(Split::train).tokens), 1, 0});
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
  const std::vector<RemixShare> shares = remix(sources, arguments.options);
  fmt::print("# {:<20} {:>10} {:>10} {:>8} {:>8}\n", "source", "tokens", "read", "share", "epochs");
  for (std::size_t i = 0; i < shares.size(); ++i) {
    fmt::print("# {:<20} {:>10} {:>10} {:>8.4f} {:>8.3f}{}\n", shares[i].name,
               human_count(sources[i].tokens), human_count(shares[i].tokens), shares[i].share,
               shares[i].epochs, shares[i].capped ? " (its most)" : "");
  }
  fmt::print("[data]\ndirectory = \"{}\"\n", arguments.directory);
  for (const RemixShare& share : shares) {
    fmt::print("\n[[data.sources]]\nname = \"{}\"\nweight = {}\n", share.name, share.share);
  }
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
  command->footer("Example: fathom data mix prepared --tokens 2e9 --weight code=2 --cap books=8");
  command->callback([arguments] { print_mix(*arguments); });
}

}  // namespace fathom::cli
