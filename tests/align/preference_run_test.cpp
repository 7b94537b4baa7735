// Preference training as a run, on every layout of four ranks.
#include <gtest/gtest.h>

#include <cmath>

#include "align/preference_objective.h"
#include "align/preference_validator.h"
#include "align/random_pairs.h"
#include "comm/ranks.h"
#include "core/num_threads_scope.h"
#include "io/temp_dir.h"
#include "train/training_run.h"

namespace fathom {
namespace {

struct Layout {
  int pp, dp, tp;
};

class Recorder final : public RunObserver {
 public:
  void step(const StepRecord& step) override {
    losses.push_back(step.result.loss);
    for (const auto& [name, value] : step.figures.values) figures[name].push_back(value);
    norms.push_back(step.result.gradient_norm);
  }
  void validation(const MetricsRecord& record) override { validated = record; }

  std::vector<double> losses, norms;
  std::map<std::string, std::vector<double>> figures;
  MetricsRecord validated;
};

TrainConfig config_of(const Layout& layout, const std::string& output) {
  TrainConfig config;
  config.output = output;
  config.dtype = DTypeChoice::f32;
  config.model.num_layers = 4;
  config.model.hidden_size = 32;
  config.model.num_heads = config.model.num_kv_heads = 4;
  config.model.max_position = 64;
  config.model.init_std = 0.2;
  config.data.attention_within_documents = true;
  config.train.sequence_length = 60;
  config.train.global_batch = 4;
  config.train.micro_batch = 1;
  config.train.steps = 8;
  config.schedule.warmup_steps = 0;
  config.schedule.peak = 1e-3;
  config.validation.every_steps = 0;
  config.validation.sample_tokens = 0;
  config.checkpoint.enabled = false;
  config.parallel.pp = layout.pp;
  config.parallel.tp = layout.tp;
  return config;
}

RunParts parts_of(const TrainPlan& plan, const RankGroups& ranks) {
  const auto source = std::make_shared<const PairSource>(test::random_pairs(24, 60, 2),
                                                         plan.config.train.sequence_length, 1);
  const auto held_out = std::make_shared<const PairSource>(test::random_pairs(9, 60, 3),
                                                           plan.config.train.sequence_length, 1);
  const auto reference = std::make_shared<PreferenceReference>(
      ReferenceOptions{plan.config.output + "/reference.safetensors", {}, 1},
      std::vector<NamedPairs>{{"training data", source}, {"held-out data", held_out}}, ranks);
  PreferenceLossConfig loss;
  loss.nll = 0.1;
  RunParts parts;
  parts.source = source;
  parts.objective = std::make_unique<PreferenceObjective>(loss, source, reference, ranks);
  parts.validator = std::make_unique<PreferenceValidator>(loss, held_out, reference, 1, ranks);
  return parts;
}

Recorder train_on(const test::TempDir& dir, const Layout& layout) {
  const std::string output = dir / fmt::format("pp{}dp{}tp{}", layout.pp, layout.dp, layout.tp);
  std::filesystem::create_directories(output);
  Runtime runtime(Signals::untouched, 1e10);
  std::vector<Recorder> recorders(static_cast<std::size_t>(layout.pp * layout.dp * layout.tp));
  run_ranks(layout.pp * layout.dp * layout.tp, {60}, [&](Communicator& world) {
    const NumThreadsScope threads(1);
    const TrainPlan plan = resolve(config_of(layout, output), {60, 1000}, world.size());
    const RankGroups ranks(world, plan.parallel, plan.config.model);
    Recorder& recorder = recorders[static_cast<std::size_t>(world.rank())];
    TrainingRun(runtime, parts_of(plan, ranks), plan, ranks, recorder).run({"none"});
  });
  for (const Recorder& recorder : recorders) {
    EXPECT_EQ(recorder.losses, recorders.front().losses);
    EXPECT_EQ(recorder.figures, recorders.front().figures);
    EXPECT_EQ(recorder.validated.values, recorders.front().validated.values);
  }
  return recorders.front();
}

TEST(PreferenceRun, EveryLayoutOfFourRanksGivesTheSameNumbers) {
  const test::TempDir dir;
  const Recorder one = train_on(dir, {1, 1, 1});
  ASSERT_EQ(one.losses.size(), 8u);
  EXPECT_NEAR(one.losses.front(), std::log(2.0) + 0.1 * one.figures.at("nll_loss").front(), 1e-12);
  EXPECT_LT(one.losses.back(), one.losses.front() - 0.01);
  EXPECT_EQ(one.figures.at("rewards/accuracies").front(), 0);
  EXPECT_GT(one.figures.at("rewards/accuracies").back(), 0.5);
  ASSERT_TRUE(one.validated.find("validation_rewards/margins"));

  for (const Layout& layout :
       {Layout{4, 1, 1}, {1, 4, 1}, {1, 1, 4}, {2, 2, 1}, {2, 1, 2}, {1, 2, 2}}) {
    SCOPED_TRACE(fmt::format("pp {} dp {} tp {}", layout.pp, layout.dp, layout.tp));
    const Recorder many = train_on(dir, layout);
    ASSERT_EQ(many.losses.size(), one.losses.size());
    for (std::size_t i = 0; i < one.losses.size(); ++i) {
      EXPECT_NEAR(many.losses[i] / one.losses[i], 1, 1e-5) << "step " << i;
      EXPECT_NEAR(many.norms[i] / one.norms[i], 1, 1e-4) << "step " << i;
      for (const auto& [name, values] : one.figures) {
        EXPECT_NEAR(many.figures.at(name)[i], values[i], 1e-4 * (1 + std::abs(values[i])))
            << name << " of step " << i;
      }
    }
    for (const auto& [name, value] : one.validated.values) {
      EXPECT_NEAR(*many.validated.find(name), value, 1e-4 * (1 + std::abs(value))) << name;
    }
  }
}

}  // namespace
}  // namespace fathom
