#include "scaling/sweep_plan.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/error.h"
#include "core/log.h"
#include "io/atomic_file.h"
#include "io/json_object.h"
#include "io/mapped_file.h"
#include "scaling/flops.h"
#include "scaling/sweep_trunks.h"

namespace fathom::scaling {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t plan_version = 1;

std::string plan_path(const std::string& dir) {
  return dir + "/plan.json";
}

std::string config_path(const std::string& dir, const SweepRun& run) {
  return fmt::format("{}/configs/{}.toml", dir, run.name);
}

std::string run_directory(const std::string& dir, const std::string& name) {
  return fmt::format("{}/runs/{}", dir, name);
}

std::string branch_point(const std::string& dir, const SweepRun& run) {
  if (run.trunk.empty()) return "";
  return fmt::format("{}@{}", run_directory(dir, run.trunk), run.branch_step);
}

// resolve() on a CPU, for the device need not be on this machine. What a GPU would choose by its
// free memory is chosen here: runs side by side leave each other more or less of it.
TrainConfig resolve_anywhere(TrainConfig config, const DataFacts& data) {
  const std::string device = config.device;
  LoopConfig& loop = config.train;
  const bool cpu = device == "cpu";
  const bool chunk_open = loop.logits_chunk == 0;
  if (!cpu) {
    if (loop.micro_batch == 0) loop.micro_batch = choose_micro_batch(loop, 1, DeviceType::cuda);
    if (loop.recompute == RecomputeChoice::automatic) loop.recompute = RecomputeChoice::none;
    if (config.dtype == DTypeChoice::automatic) config.dtype = DTypeChoice::bf16;
  }
  config.device = "cpu";
  config = resolve(config, data).config;
  config.device = device;
  if (!cpu && chunk_open) config.train.logits_chunk = 0;  // by the device alone
  return config;
}

SweepRun run_in(const JsonObject& json) {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  SweepRun run;
  run.name = json.text("name");
  run.budget = json.number("budget");
  run.model.num_layers = json.integer("layers", 1, most);
  run.model.hidden_size = json.integer("width", 1, most);
  run.model_flops = json.number("model_flops");
  run.tokens = json.integer("tokens", 1, most);
  run.batch = json.integer("batch", 1, most);
  run.learning_rate = json.number("learning_rate");
  run.warmup_steps = json.integer("warmup_steps", 0, most);
  run.flops_per_token = json.number("flops_per_token");
  run.trunk = json.find_text("trunk").value_or("");
  run.branch_step = json.find_integer("branch_step").value_or(0);
  return run;
}

// Of a directory that a sweep has been planned in: its runs may have been trained already.
void require_same_files(const std::vector<std::pair<std::string, std::string>>& files) {
  for (const auto& [path, text] : files) {
    if (fs::exists(path) && MappedFile(path).text() == text) continue;
    fail_input("{} is of another plan: name another --out, or remove that sweep", path);
  }
}

// What a run's result is made of must not have been edited in its config alone.
void require_planned(const TrainConfig& config, const SweepPlan& plan, const SweepRun& run,
                     const std::string& path) {
  const auto same = [&](const char* key, auto own, auto planned) {
    if (own == planned) return;
    fail_input("{}: {} is {}, but the sweep's plan.json says {}: plan a sweep of its own for it",
               path, key, own, planned);
  };
  same("model.num_layers", config.model.num_layers, run.model.num_layers);
  same("model.hidden_size", config.model.hidden_size, run.model.hidden_size);
  same("train.sequence_length", config.train.sequence_length, plan.sequence_length);
  same("train.tokens", config.train.tokens.value_or(0), run.tokens);
  same("train.global_batch", config.train.global_batch, run.batch);
  same("schedule.peak", config.schedule.peak, run.learning_rate);
  same("seed", config.seed, plan.seed);
}

}  // namespace

const SweepRun* SweepPlan::find(const std::string& name) const {
  const auto found = std::ranges::find(runs, name, &SweepRun::name);
  return found == runs.end() ? nullptr : &*found;
}

double SweepPlan::whole_flops(const SweepRun& run) const {
  return run.flops_per_token * static_cast<double>(run.tokens);
}

double SweepPlan::own_flops(const SweepRun& run) const {
  return run.flops_per_token * static_cast<double>(own_tokens(run, sequence_length));
}

SweepPlan make_sweep_plan(const SweepConfig& config, const Laws& laws, const DataFacts& data) {
  SweepPlan plan;
  plan.dataset = config.dataset;
  plan.sequence_length = config.run.train.sequence_length;
  plan.unique_tokens = data.train_tokens;
  plan.seed = config.run.seed;
  plan.runs = sweep_runs(config, laws);
  // Phases of the data begin elsewhere in a run of another length, maybe before the branch.
  const bool trunks = config.trunks && config.run.data.phases.empty();
  if (config.trunks && !trunks) {
    log::info(
        "trunks: none, for the phases of the data begin elsewhere in runs of other lengths; each "
        "run trains from its own beginning");
  }
  plan_trunks(plan.runs, {trunks, config.warmup, config.run.schedule, plan.sequence_length});
  for (SweepRun& run : plan.runs) {
    run.model = sweep_run_config(plan, run, config, data, "").model;
    run.flops_per_token = train_flops_per_token(run.model, plan.sequence_length);
  }
  return plan;
}

void require_held_out(const PreparedData& data) {
  for (const PreparedSource& source : data.sources) {
    if (source.held_out.counts().tokens > 0) return;
  }
  fail_input(
      "{}: holds no text out, which the losses of a sweep are measured on: prepare it with a "
      "larger "
      "held_out_fraction or held_out_bytes",
      data.directory);
}

TrainConfig sweep_run_config(const SweepPlan& plan, const SweepRun& run, const SweepConfig& sweep,
                             const DataFacts& data, const std::string& dir) {
  TrainConfig config = sweep.run;
  config.output = run_directory(dir, run.name);
  config.continue_from = branch_point(dir, run);
  config.model = run.model;
  config.train.tokens = run.tokens;
  config.train.global_batch = run.batch;
  config.schedule.peak = run.learning_rate;
  config.schedule.warmup_steps = run.warmup_steps;
  config.schedule.max_warmup = 1;  // runs of other lengths warm up alike
  config.checkpoint.keep_tokens = branch_tokens(plan.runs, run, plan.sequence_length);
  return with_location(run.name, [&] { return resolve_anywhere(config, data); });
}

std::string sweep_plan_text(const SweepPlan& plan) {
  nlohmann::ordered_json json{{"version", plan_version},
                              {"dataset", plan.dataset},
                              {"sequence_length", plan.sequence_length},
                              {"unique_tokens", plan.unique_tokens},
                              {"seed", plan.seed},
                              {"runs", nlohmann::ordered_json::array()}};
  for (const SweepRun& run : plan.runs) {
    nlohmann::ordered_json one{{"name", run.name},
                               {"config", fmt::format("configs/{}.toml", run.name)},
                               {"budget", run.budget},
                               {"layers", run.model.num_layers},
                               {"width", run.model.hidden_size},
                               {"model_flops", run.model_flops},
                               {"tokens", run.tokens},
                               {"batch", run.batch},
                               {"learning_rate", run.learning_rate},
                               {"warmup_steps", run.warmup_steps},
                               {"flops_per_token", run.flops_per_token}};
    if (!run.trunk.empty()) {
      one["trunk"] = run.trunk;
      one["branch_step"] = run.branch_step;
    }
    json["runs"].push_back(std::move(one));
  }
  return json.dump(1) + "\n";
}

void write_sweep(const std::string& dir, const SweepPlan& plan, const SweepConfig& sweep,
                 const DataFacts& data) {
  std::vector<std::pair<std::string, std::string>> files;  // paths and texts
  for (const SweepRun& run : plan.runs) {
    TrainConfig config = sweep_run_config(plan, run, sweep, data, dir);
    files.emplace_back(config_path(dir, run), config_to_toml(config));
  }
  files.emplace_back(plan_path(dir), sweep_plan_text(plan));  // last: it says that all are there
  if (fs::exists(plan_path(dir))) return require_same_files(files);
  fs::create_directories(dir + "/configs");
  for (const auto& [path, text] : files) write_file_atomically(path, text);
}

SweepPlan load_sweep_plan(const std::string& dir) {
  const std::string path = plan_path(dir);
  if (!fs::exists(path)) {
    fail_input("{}: there is no sweep: make one with `fathom scaling plan SWEEP.toml --out {}`",
               path, dir);
  }
  const JsonObject json = JsonObject::load(path);
  if (const std::int64_t version = json.integer("version"); version != plan_version) {
    fail_input("{}: its version is {}, and this fathom reads {}", path, version, plan_version);
  }
  SweepPlan plan;
  plan.dataset = json.text("dataset");
  plan.sequence_length = json.integer("sequence_length", 1, std::int64_t{1} << 31);
  plan.unique_tokens = json.integer("unique_tokens");
  plan.seed = json.integer("seed");
  for (const JsonObject& run : json.objects("runs")) plan.runs.push_back(run_in(run));
  for (const SweepRun& run : plan.runs) {
    if (run.trunk.empty() || plan.find(run.trunk)) continue;
    fail_input("{}: run {} is a branch of {}, which is not there", path, run.name, run.trunk);
  }
  return plan;
}

TrainConfig load_sweep_run(const std::string& dir, const SweepPlan& plan, const SweepRun& run) {
  const std::string path = config_path(dir, run);
  // The model is in the file: a trunk's checkpoint, which would give it, is yet to be made.
  const std::vector<std::string> alone{"continue_from=\"\""};
  TrainConfig config = load_train_config(path, alone);
  require_planned(config, plan, run, path);
  config.output = run_directory(dir, run.name);
  config.continue_from = branch_point(dir, run);
  return config;
}

}  // namespace fathom::scaling
