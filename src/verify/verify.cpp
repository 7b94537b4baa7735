#include "verify/verify.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>

#include "checkpoint/checkpoint.h"
#include "checkpoint/files.h"
#include "comm/ranks.h"
#include "core/error.h"
#include "core/log.h"
#include "core/parallel.h"
#include "train/data_phases.h"
#include "train/plan.h"
#include "verify/layout_trial.h"

namespace fathom {
namespace {

double largest_difference(std::span<const double> a, std::span<const double> b) {
  if (a.size() != b.size()) return INFINITY;
  double most = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    const double difference = std::abs(a[i] / b[i] - 1);
    most = std::isfinite(difference) ? std::max(most, difference) : INFINITY;
  }
  return most;
}

// The weights in all their digits, and moments.
std::vector<float> values_of(const Checkpoint& checkpoint, const Checkpoint::Entry& entry) {
  Context host(cpu_device, 0);
  std::vector<float> values(static_cast<std::size_t>(entry.shape.elements()));
  const Tensor into(values.data(), DType::f32, entry.shape);
  if (entry.kind != StateKind::weight) {
    checkpoint.load(host, entry.kind, entry.name, into);
  } else {
    const std::vector<std::int64_t> start(static_cast<std::size_t>(entry.shape.rank()), 0);
    checkpoint.load_weights(host, entry.name, start, into, Tensor{});
  }
  return values;
}

double relative_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    const double d = double{a[i]} - double{b[i]};
    difference += d * d;
    norm += double{b[i]} * double{b[i]};
  }
  if (difference == 0) return 0;
  const double relative = std::sqrt(difference / norm);
  return std::isfinite(relative) ? relative : INFINITY;
}

// The largest over the weights' tensors.
double weight_difference(const Checkpoint& a, const Checkpoint& b) {
  double most = 0;
  for (const Checkpoint::Entry& entry : b.entries()) {
    if (entry.kind != StateKind::weight) continue;
    most = std::max(most, relative_difference(values_of(a, entry), values_of(b, entry)));
  }
  return most;
}

bool same_bits(const Checkpoint& a, const Checkpoint& b) {
  return std::ranges::all_of(b.entries(), [&](const Checkpoint::Entry& entry) {
    if (entry.kind == StateKind::remainder) return true;  // in the weights
    const std::vector<float> left = values_of(a, entry), right = values_of(b, entry);
    return std::memcmp(left.data(), right.data(), left.size() * sizeof(float)) == 0;
  });
}

template <class T>
std::vector<T> second_half(const std::vector<T>& values) {
  return {values.begin() + std::ssize(values) / 2, values.end()};
}

TrainConfig ended_at(TrainConfig config, std::int64_t last_step) {
  config.train.steps = last_step;
  config.train.tokens.reset();
  config.train.epochs.reset();
  config.train.max_minutes.reset();
  clear_max_epochs(config.data);
  return config;
}

class Verification {
 public:
  // `world`: the launcher's ranks, of which each layout takes some. In a world of one a
  // layout's ranks are threads.
  Verification(Runtime& runtime, const VerifyOptions& options, Communicator& world)
      : runtime_(runtime), options_(options), world_(world) {}

  bool run(const std::vector<LayoutChoice>& layouts,
           const std::function<void(const LayoutVerdict&)>& tell) {
    LayoutChoice one = parse_layouts("1", layouts.front().config).front();
    one.config.train.recompute = layouts.front().config.train.recompute;
    one.name = "reference";
    products_ = one.config.precision;
    check_layouts(layouts);
    take_directory();
    reference_ = run_whole(one);
    bool passed = true;
    const auto judged = [&](const LayoutVerdict& verdict) {
      passed = passed && verdict.passed;
      if (judges()) tell(verdict);
    };
    for (const LayoutChoice& layout : layouts) judged(judge_whole(layout));
    for (std::size_t from = 0; from < layouts.size(); ++from) {
      for (std::size_t to = 0; to < layouts.size(); ++to) {
        const bool near = to == from || to == (from + 1) % layouts.size();
        if (options_.transfers == Transfers::none) continue;
        if (options_.transfers == Transfers::ring && !near) continue;
        judged(judge_transfer(layouts[from], layouts[to]));
      }
    }
    wait_for_disks(world_);  // the first rank has compared the last checkpoints
    passed = gather_values(world_, int{passed}).front() != 0;
    if (passed && judges()) remove_checkpoints(options_.directory, "*/checkpoints/step-*/");
    return passed;
  }

 private:
  struct Whole {
    TrialRecord record;
    LayoutTrial trial;
  };

  bool judges() const { return world_.rank() == 0; }
  std::string path_of(const std::string& name) const { return options_.directory + "/" + name; }
  std::int64_t last_step() const { return 2 * options_.steps; }

  // A directory that is there already belongs to the user: only files made here are removed.
  void take_directory() const {
    std::error_code error;
    if (judges() && !std::filesystem::is_empty(options_.directory, error) && !error) {
      fail_input("{}: exists already; remove it, or name another --directory", options_.directory);
    }
    wait_for_disks(world_);
  }

  // Of the checkpoints whose directories `below` matches; what else was put there stays.
  static void remove_checkpoints(const std::string& directory, const std::string& below) {
    OwnFiles own;
    for (const std::string& file : checkpoint_files()) own.push_back(below + file);
    if (!remove_own_files(directory, own)) {
      log::warning("{}: is not removed: it holds files that Fathom did not make", directory);
    }
  }

  // Refuses a layout that cannot run before the first run begins.
  void check_layouts(const std::vector<LayoutChoice>& layouts) const {
    DataConfig data = layouts.front().config.data;
    data.verify = false;  // each run verifies it
    const DataFacts facts = facts_of(open_prepared(data), data);
    for (const LayoutChoice& layout : layouts) {
      if (world_.size() > 1 && layout.ranks() > world_.size()) {
        fail_input("layout '{}' takes {} ranks, and {} were launched", layout.name, layout.ranks(),
                   world_.size());
      }
      try {
        resolve(ended_at(layout.config, last_step()), facts, layout.ranks());
      } catch (const Error& error) {
        fail_input("layout '{}': {}", layout.name, error.what());
      }
    }
  }

  // The record of the first rank; empty on ranks that the layout leaves idle.
  TrialRecord run_layout(const LayoutChoice& layout, LayoutTrial& trial) {
    trial.config = ended_at(layout.config, last_step());
    trial.config.data.phases = reached_phases(trial.config);
    trial.save_every = options_.steps;
    const int ranks = layout.ranks();
    const auto threads = static_cast<int>(trial.config.threads);
    trial.threads = threads > 0 ? threads : num_threads();
    if (world_.size() > 1) return run_launched(layout, trial);
    trial.threads = std::max(1, trial.threads / ranks);
    TrialRecord record;
    const CommunicatorOptions communication = communicator_options(layout.config.parallel);
    run_ranks(ranks, communication, [&](Communicator& world) {
      TrialRecord mine = run_trial(runtime_, trial, world);
      if (world.rank() == 0) record = std::move(mine);
    });
    return record;
  }

  TrialRecord run_launched(const LayoutChoice& layout, const LayoutTrial& trial) {
    const int ranks = layout.ranks();
    wait_for_disks(world_);  // the first rank has compared the checkpoints before
    const auto group = world_.split(world_.rank() < ranks ? 0 : 1, "layout");
    TrialRecord record;
    if (world_.rank() < ranks) record = run_trial(runtime_, trial, *group);
    wait_for_disks(world_);
    return record;
  }

  Whole run_whole(const LayoutChoice& layout) {
    LayoutTrial trial;
    trial.directory = path_of(layout.name);
    TrialRecord record = run_layout(layout, trial);
    return {std::move(record), std::move(trial)};
  }

  LayoutVerdict judge_whole(const LayoutChoice& layout) {
    const Whole& whole = wholes_[layout.name] = run_whole(layout);
    LayoutVerdict verdict{layout.name, ""};
    if (!judges()) return verdict;
    const Checkpoint mine(whole.trial.checkpoint(last_step()));
    const Checkpoint one(reference_.trial.checkpoint(last_step()));
    verdict.loss = largest_difference(whole.record.losses, reference_.record.losses);
    verdict.weight = weight_difference(mine, one);
    verdict.same_samples = whole.record.samples == reference_.record.samples;
    verdict.same_bits = verdict.loss == 0 && same_bits(mine, one);
    return with_pass(verdict);
  }

  LayoutVerdict judge_transfer(const LayoutChoice& from, const LayoutChoice& to) {
    LayoutTrial trial;
    trial.directory = path_of(from.name + "-to-" + to.name);
    trial.resume = wholes_[from.name].trial.checkpoint(options_.steps);
    const TrialRecord record = run_layout(to, trial);
    LayoutVerdict verdict{to.name, from.name};
    if (!judges()) return verdict;
    const Whole& own = wholes_[to.name];
    const TrialRecord& one = reference_.record;
    verdict.loss = largest_difference(record.losses, second_half(one.losses));
    const Checkpoint mine(trial.checkpoint(last_step()));
    verdict.weight = weight_difference(mine, Checkpoint(reference_.trial.checkpoint(last_step())));
    verdict.same_samples = record.samples == second_half(one.samples);
    verdict.same_bits = record.losses == second_half(own.record.losses) &&
                        same_bits(mine, Checkpoint(own.trial.checkpoint(last_step())));
    verdict.must_be_bits = from.name == to.name;
    verdict = with_pass(verdict);
    if (verdict.passed) remove_checkpoints(trial.directory, "checkpoints/step-*/");
    return verdict;
  }

  LayoutVerdict with_pass(LayoutVerdict verdict) const {
    const Tolerance most = default_tolerance();
    const auto or_default = [](double given, double otherwise) {
      return given > 0 ? given : otherwise;
    };
    verdict.passed = verdict.same_samples && (!verdict.must_be_bits || verdict.same_bits) &&
                     verdict.loss <= or_default(options_.loss_tolerance, most.loss) &&
                     verdict.weight <= or_default(options_.weight_tolerance, most.weight);
    return verdict;
  }

  struct Tolerance {
    double loss, weight;
  };
  // In FP8 each rank, and each micro-batch, has scales of its own.
  Tolerance default_tolerance() const {
    if (products_ == Products::fp8) return {2e-2, 2e-1};
    return weights_are_f32() ? Tolerance{1e-5, 1e-4} : Tolerance{1e-2, 5e-2};
  }

  // As the checkpoints say: the config may leave it to the machine.
  bool weights_are_f32() const {
    return !Checkpoint(reference_.trial.checkpoint(last_step()), Checkpoint::Verify::as_read)
                .has(StateKind::remainder);
  }

  Runtime& runtime_;
  const VerifyOptions& options_;
  Communicator& world_;
  Products products_ = Products::dtype;
  Whole reference_;
  std::map<std::string, Whole> wholes_;
};

}  // namespace

bool verify_layouts(const std::vector<LayoutChoice>& layouts, const VerifyOptions& options,
                    const std::function<void(const LayoutVerdict&)>& tell) {
  require(!layouts.empty() && options.steps >= 1, "nothing to verify");
  Runtime runtime(Signals::untouched);
  bool passed = false;
  const CommunicatorOptions communication = communicator_options(layouts.front().config.parallel);
  run_ranks(1, communication, [&](Communicator& world) {
    passed = Verification(runtime, options, world).run(layouts, tell);
  });
  return passed;
}

}  // namespace fathom
