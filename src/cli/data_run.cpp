// fathom data run: the stages from text to token shards, by one config.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/chain_stages.h"
#include "cli/commands.h"
#include "cli/text_flag.h"
#include "core/config.h"
#include "core/error.h"
#include "core/log.h"
#include "core/progress.h"
#include "data/chain/plan.h"
#include "data/chain/sources.h"
#include "data/chain/table.h"
#include "data/prepare.h"
#include "io/atomic_directory.h"
#include "io/atomic_file.h"
#include "io/checksum.h"
#include "io/file_lock.h"
#include "tokenizer/tokenizer.h"

namespace fathom::cli {
namespace {

namespace fs = std::filesystem;

struct RunArguments {
  std::string config, from, until;
  std::vector<std::string> overrides;
  bool dry_run = false;
};

std::string stamp_path(const chain::ChainConfig& config, chain::Stage stage) {
  return config.folder(stage) + ".stage.json";
}

chain::StageFacts facts_of(const chain::ChainConfig& config, chain::Stage stage) {
  const std::string folder = config.folder(stage);
  chain::StageFacts facts{stage,
                          checksum_text(checksum_of(own_config(config, stage))),
                          chain::text_of_files(named_files(config, stage), enum_name(stage)),
                          chain::StageStamp::load(stamp_path(config, stage)),
                          "",
                          true,
                          source_names(config.sources, stage)};
  if (facts.stamp) facts.missing = missing_file(facts.stamp->output, folder);
  std::error_code absent;
  facts.folder_is_empty = !fs::exists(folder, absent) ||
                          (fs::is_directory(folder, absent) && fs::is_empty(folder, absent));
  return facts;
}

std::vector<chain::PlannedStage> plan_of(const chain::ChainConfig& config,
                                         const std::string& sources, const chain::Range& range) {
  std::vector<chain::StageFacts> facts;
  for (const chain::Stage stage : config.stages) facts.push_back(facts_of(config, stage));
  return plan_stages(facts, sources, range);
}

// Names of the files that the stage's runs made; nothing else in its folder is removed.
OwnFiles made_by(const chain::ChainConfig& config, chain::Stage stage) {
  const auto stamp = chain::StageStamp::load(stamp_path(config, stage));
  return stamp ? files_of(stage, stamp->source_names()) : OwnFiles{};
}

// Finds what would stop a stage only after those before it have run.
void check_plan(const chain::ChainConfig& config, const std::vector<chain::PlannedStage>& plan) {
  for (const chain::PlannedStage& planned : plan) {
    if (planned.action == chain::Action::keep) continue;
    const std::string folder = config.folder(planned.stage);
    if (planned.action != chain::Action::make)
      require_own_files(folder, made_by(config, planned.stage));
    if (const std::string& like = config.tokenizer.like;
        planned.stage == chain::Stage::tokenizer && !like.empty() && !fs::exists(like)) {
      fail_input("tokenizer.like: there is no file {}", like);
    }
    if (planned.stage != chain::Stage::prepare || config.prepare.tokenizer.empty()) continue;
    make_encoder(Tokenizer::load(config.prepare.tokenizer), config.prepare.tokenizer,
                 config.prepare.end_of_document);
  }
}

void print_plan(const chain::ChainConfig& config, const std::vector<chain::PlannedStage>& plan,
                const RunArguments& arguments) {
  for (const chain::PlannedStage& planned : plan) {
    const std::string line = line_of(planned, config.folder(planned.stage));
    if (arguments.dry_run) {
      fmt::print("{}\n", line);
    } else {
      log::info("{}", line);
    }
  }
  for (const chain::Stage stage : chain::all_stages) {
    if (config.has(stage) || !fs::exists(stamp_path(config, stage))) continue;
    log::info("{} is of a stage that the config no longer has; it stays as it is",
              config.folder(stage));
  }
}

// Tells roughly what stages without an output need on the disk: each as much as the first of them
// reads. It is no bound: packed text grows, and `data dedup` writes an index beside the text.
// Throws when there is clearly less; the stages themselves check it more closely.
void check_space(const chain::ChainConfig& config, const std::vector<chain::PlannedStage>& plan,
                 std::uint64_t bytes) {
  std::uint64_t needed = 0;
  for (const chain::PlannedStage& planned : plan) {
    const chain::Stage stage = planned.stage;
    if (planned.action == chain::Action::keep && chain::makes_text(stage)) {
      bytes = chain::StageStamp::load(stamp_path(config, stage))->output.bytes();
    }
    if (planned.action == chain::Action::make && stage != chain::Stage::tokenizer) needed += bytes;
  }
  if (needed == 0) return;
  const std::uint64_t free = free_disk_bytes(config.output);
  const std::string line =
      fmt::format("stages without an output write roughly {}; {} are free",
                  human_bytes(static_cast<double>(needed)), human_bytes(static_cast<double>(free)));
  if (free < needed / 4)
    fail_runtime("{}: {}; choose an output on another disk", config.output, line);
  log::info("{}", line);
}

// Shards and the tokenizer stay until new ones take their place.
void remove_old_texts(const chain::ChainConfig& config, chain::Stage stage) {
  if (!chain::makes_text(stage)) return;
  const std::string place = through_links(config.folder(stage));
  std::error_code error;
  if (!fs::exists(place, error)) return;
  remove_own_files(place, made_by(config, stage));
  fs::create_directories(place, error);
  if (error) fail_runtime("{}: cannot create this directory: {}", place, error.message());
}

// Temporaries of the chain's own files, left by a kill. The output may hold others: it is the
// user's folder, and another command may be writing there.
void remove_temporaries(const chain::ChainConfig& config) {
  for (const chain::Stage stage : config.stages) {
    remove_stale_temporaries_of(stamp_path(config, stage));
    for (const std::string& file : made_by(config, stage)) {
      if (file.find('*') == std::string::npos)
        remove_stale_temporaries_of(config.folder(stage) + "/" + file);
    }
  }
}

// With the names of the sources, by which a later call knows the files that this one leaves, and of
// those before, whose shards stay until new ones take their place.
chain::StageStamp begun(const chain::ChainConfig& config, const chain::PlannedStage& planned,
                        const std::optional<chain::StageStamp>& before) {
  std::vector<std::string> names = source_names(config.sources, planned.stage);
  if (before) {
    for (const std::string& name : before->source_names()) {
      if (std::ranges::count(names, name) == 0) names.push_back(name);
    }
  }
  chain::StageStamp stamp{planned.config, planned.input, false, 0, {}};
  for (const std::string& name : names) stamp.output.sources.push_back({name, {}, {}, {}, 0});
  return stamp;
}

chain::StageStamp run_planned(const chain::ChainConfig& config, const chain::PlannedStage& planned,
                              const std::vector<SourceConfig>& sources, DataCrew& crew) {
  const std::string path = stamp_path(config, planned.stage);
  if (planned.action == chain::Action::keep) return *chain::StageStamp::load(path);
  if (planned.action == chain::Action::replace) remove_old_texts(config, planned.stage);
  chain::StageStamp stamp = begun(config, planned, chain::StageStamp::load(path));
  stamp.save(path);
  log::info("{}: running", enum_name(planned.stage));
  const auto start = std::chrono::steady_clock::now();
  stamp.output = run_stage(config, planned.stage, sources, crew);
  stamp.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  stamp.done = true;
  stamp.save(path);
  return stamp;
}

// A later stage would say only that it finds no files, and one that is held out whole would be
// missing silently.
void require_texts(chain::Stage stage, const chain::StageOutput& output) {
  for (const chain::StageSource& source : output.sources) {
    if (source.kept.documents > 0) continue;
    fail_input(
        "source '{}': {} kept none of its {} documents; change [{}], or leave the source out",
        source.name, enum_name(stage), source.read.documents, enum_name(stage));
  }
}

void run_chain(const RunArguments& arguments, DataCrew& crew) {
  const chain::Range range{enum_of<chain::Stage>(arguments.from),
                           enum_of<chain::Stage>(arguments.until)};
  const chain::ChainConfig config = chain::load_chain(arguments.config, arguments.overrides);
  // Before the lock makes the output: that may be a folder which a source reads.
  const chain::SourcesOnDisk read = reads_sources(config.stages, range)
                                        ? chain::find_sources(config.sources, config.output)
                                        : chain::SourcesOnDisk{};
  std::optional<DirectoryLock> lock;
  if (!arguments.dry_run) {
    lock.emplace(config.output);
    remove_temporaries(config);
  }
  const std::vector<chain::PlannedStage> plan = plan_of(config, read.checksum, range);
  check_plan(config, plan);
  print_plan(config, plan, arguments);
  check_space(config, plan, read.bytes);
  if (arguments.dry_run) return;
  std::vector<SourceConfig> sources = config.sources;
  std::vector<std::pair<chain::Stage, chain::StageStamp>> done;
  for (const chain::PlannedStage& planned : plan) {
    const chain::Stage stage = planned.stage;
    done.emplace_back(stage, run_planned(config, planned, sources, crew));
    if (chain::makes_text(stage) && stage != config.stages.back()) {
      require_texts(stage, done.back().second.output);
      sources = carried(std::move(sources), done.back().second.output, config.folder(stage));
    }
  }
  fmt::print("{}", summary(done));
}

constexpr const char* run_example = R"(Example: fathom data run chain.toml --until dedup
with chain.toml such as
  output = "corpus"
  [[sources]]
  name = "web"
  paths = ["crawl/*.jsonl.gz"]
  weight = 2.0
  [clean]
  languages = ["en", "zh"]
  [dedup]
  [tokenizer]
  vocab_size = 32000
  [prepare]
  held_out_fraction = 0.005
On many machines (docs/data.md): mpirun --map-by ppr:1:node --bind-to none fathom data run chain.toml
)";

}  // namespace

void add_data_run(CLI::App& data) {
  CLI::App* command = data.add_subcommand(
      "run",
      "Run clean, dedup, tokenizer train and prepare by one config, each on what the one before it "
      "wrote; again, it does what is left to do or has changed");
  const auto arguments = std::make_shared<RunArguments>();
  const auto names = enum_names(chain::Stage{});
  const CLI::IsMember stage_names(std::vector<std::string>(names.begin(), names.end()));
  command->add_option("config", arguments->config, "TOML file")->type_name("FILE")->required();
  command->add_option("--set", arguments->overrides, "key=value: override a key of the config")
      ->type_name("KEY=VALUE");
  command
      ->add_option("--from", arguments->from,
                   "Do this stage and those after it again; those before it are taken as they are, "
                   "and what they read need not be there")
      ->check(stage_names);
  command->add_option("--until", arguments->until, "Stop behind this stage")->check(stage_names);
  command->add_flag("--dry-run", arguments->dry_run,
                    "Print what would run, and why, and write nothing");
  add_text_flag(
      *command, "--help-config", "Configuration", [] { return config_help<chain::ChainConfig>(); },
      "List every key of the config with its default");
  command->footer(run_example);
  command->callback(
      [arguments] { run_data_ranks([&](DataCrew& crew) { run_chain(*arguments, crew); }); });
}

}  // namespace fathom::cli
