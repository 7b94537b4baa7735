// `fathom verify`'s library: layouts as users write them, and what it finds. With
// FATHOM_ALL_LAYOUTS=1 every layout of 8 ranks with every option, and 8 layouts from each
// to each (some 5 minutes on 2 cores).
#include "verify/verify.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <tuple>
#include <utility>

#include "core/error.h"
#include "data/sample_data.h"
#include "train/rank_config.h"

namespace fathom {
namespace {

using test::TempDir;

TrainConfig config_of(const TempDir& dir, std::int64_t layers) {
  return test::rank_config(dir, "run", layers, 8);
}

TrainConfig fp8_config_of(const TempDir& dir) {
  TrainConfig config = test::rank_config(dir, "run", 2, 4);
  config.model.intermediate_size = 64;  // two ranks have multiples of 16
  config.precision = Products::fp8;
  return config;
}

struct Verified {
  bool passed = false;
  std::vector<LayoutVerdict> verdicts;
};

Verified verify(const TempDir& dir, const std::string& layouts, Transfers transfers,
                std::int64_t layers = 4, double loss_tolerance = 0, double weight_tolerance = 0) {
  if (!std::filesystem::exists(dir / "out")) test::sample_data(dir);
  VerifyOptions options;
  options.transfers = transfers;
  options.directory = dir / "verify";
  options.loss_tolerance = loss_tolerance;
  options.weight_tolerance = weight_tolerance;
  Verified result;
  result.passed = verify_layouts(parse_layouts(layouts, config_of(dir, layers)), options,
                                 [&](const LayoutVerdict& v) { result.verdicts.push_back(v); });
  for (const LayoutVerdict& v : result.verdicts) {
    EXPECT_TRUE(v.passed || loss_tolerance > 0) << v.from << " -> " << v.layout;
  }
  return result;
}

TEST(VerifyLayouts, EachFromEachCheckpoint) {
  TempDir dir;
  const Verified result = verify(dir, "pp2xdp2xtp2+sp tp2+full pp2+v2 dp4+nozero", Transfers::all);
  EXPECT_TRUE(result.passed);
  EXPECT_EQ(result.verdicts.size(), 4u + 16u);
  EXPECT_FALSE(std::filesystem::exists(dir / "verify"));
}

TEST(VerifyLayouts, EveryLayoutOfEightRanks) {
  if (!std::getenv("FATHOM_ALL_LAYOUTS")) GTEST_SKIP() << "set FATHOM_ALL_LAYOUTS=1";
  TempDir dir;
  EXPECT_TRUE(verify(dir, "all8", Transfers::none, 16).passed);
  EXPECT_TRUE(verify(dir,
                     "pp8 tp8+sp dp8 pp2xdp2xtp2+sp pp4+v2 dp4+nozero tp2xdp4+full pp4xtp2+gpipe",
                     Transfers::all, 16)
                  .passed);
}

// A layout's own checkpoint has to give the very bits; one rank alone is its own reference.
TEST(VerifyLayouts, ARingGoesFromEachToItselfAndTheNext) {
  TempDir dir;
  const Verified result = verify(dir, "1 dp2 tp2", Transfers::ring, 2);
  EXPECT_TRUE(result.passed);
  std::vector<std::string> transfers;
  for (const LayoutVerdict& v : result.verdicts) {
    transfers.push_back(v.from + ">" + v.layout);
    EXPECT_EQ(v.must_be_bits, v.from == v.layout);
    EXPECT_TRUE(v.same_samples);
    if (v.must_be_bits || v.layout == "1") {
      EXPECT_EQ(v.same_bits, v.from.empty() || v.must_be_bits) << transfers.back();
    }
  }
  EXPECT_EQ(transfers, (std::vector<std::string>{">1", ">dp2", ">tp2", "1>1", "1>dp2", "dp2>dp2",
                                                 "dp2>tp2", "tp2>1", "tp2>tp2"}));
}

// Runs before it may have taken hours.
TEST(VerifyLayouts, ALayoutThatCannotRunIsRefusedBeforeTheFirstRun) {
  TempDir dir;
  try {
    verify(dir, "tp2 tp3", Transfers::none, 2);
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::input);
    EXPECT_TRUE(std::string(error.what()).starts_with("layout 'tp3': parallel.tp (3) does not"))
        << error.what();
  }
  EXPECT_FALSE(std::filesystem::exists(dir / "verify"));
}

// Layouts agree within what rounding to FP8 does, and not within the tolerances of f32.
TEST(VerifyLayouts, Fp8HasATolerance) {
  TempDir dir;
  test::sample_data(dir);
  VerifyOptions options;
  options.transfers = Transfers::none;
  options.directory = dir / "verify";
  std::vector<LayoutVerdict> verdicts;
  EXPECT_TRUE(verify_layouts(parse_layouts("tp2 dp2", fp8_config_of(dir)), options,
                             [&](const LayoutVerdict& v) { verdicts.push_back(v); }));
  ASSERT_EQ(verdicts.size(), 2u);
  EXPECT_GT(verdicts[0].loss, 1e-5);
  EXPECT_GT(verdicts[0].weight, 1e-4);
}

TEST(VerifyLayouts, WeightsHaveATolerance) {
  TempDir dir;
  const Verified result = verify(dir, "tp2", Transfers::none, 2, 1, 1e-15);
  EXPECT_FALSE(result.passed);
  ASSERT_EQ(result.verdicts.size(), 1u);
  EXPECT_GT(result.verdicts[0].weight, 1e-15);
  EXPECT_LT(result.verdicts[0].weight, 1e-4);
  EXPECT_FALSE(result.verdicts[0].same_bits);
}

// A layout of another seed draws other samples: that fails it, however close its losses are.
TEST(VerifyLayouts, OtherSamplesAreTold) {
  TempDir dir;
  test::sample_data(dir);
  std::vector<LayoutChoice> layouts = parse_layouts("1 dp2", config_of(dir, 2));
  layouts[1].config.seed += 1;
  VerifyOptions options;
  options.transfers = Transfers::none;
  options.directory = dir / "verify";
  options.loss_tolerance = options.weight_tolerance = 1e9;
  std::vector<bool> same;
  EXPECT_FALSE(verify_layouts(layouts, options, [&](const LayoutVerdict& v) {
    same.push_back(v.same_samples);
    EXPECT_EQ(v.passed, v.same_samples) << v.layout;
  }));
  EXPECT_EQ(same, (std::vector<bool>{true, false}));
}

// Two windows of 16 tokens and a rest that no window holds. The last token of the second window is
// a target alone.
std::string data_of_one_document(const TempDir& dir, const std::string& name, std::size_t at) {
  std::string text(40, 'a');
  text[at] = 'b';
  test::write_file(dir / (name + ".txt"), text + "\n");
  PrepareConfig config;
  config.output = dir / name;
  config.held_out_fraction = 0;
  config.sources.resize(1);
  config.sources[0].name = "one";
  config.sources[0].paths = {dir / (name + ".txt")};
  config.sources[0].format = TextFormat::lines;
  prepare_data(config, test::byte_encoder());
  return config.output;
}

// Inputs alone do not make a sample.
TEST(VerifyLayouts, OtherInputsOrTargetsAreOtherSamples) {
  TempDir dir;
  const std::string data = data_of_one_document(dir, "data", 36);
  for (const auto& [at, same] : {std::pair(39, true), {31, false}, {7, false}}) {
    std::vector<LayoutChoice> layouts = parse_layouts("1 dp2", config_of(dir, 2));
    layouts[0].config.data.directory = data;
    layouts[1].config.data.directory =
        data_of_one_document(dir, fmt::format("b{}", at), static_cast<std::size_t>(at));
    VerifyOptions options;
    options.transfers = Transfers::none;
    options.directory = dir / fmt::format("verify-{}", at);
    options.loss_tolerance = options.weight_tolerance = 1e9;
    std::vector<bool> found;
    verify_layouts(layouts, options,
                   [&](const LayoutVerdict& v) { found.push_back(v.same_samples); });
    EXPECT_EQ(found, (std::vector<bool>{true, same})) << at;
  }
}

TEST(VerifyLayouts, NothingIsRefused) {
  for (const auto& [layouts, steps] : {std::pair("1", 0), {"", 1}}) {
    std::vector<LayoutChoice> choices;
    if (*layouts) choices = parse_layouts(layouts, TrainConfig{});
    VerifyOptions options;
    options.steps = steps;
    EXPECT_EQ(test::runtime_error_of([&] { verify_layouts(choices, options, {}); }),
              "nothing to verify");
  }
}

// A run of twice the steps, whatever end the config gives it.
TEST(VerifyLayouts, TheConfigsLimitsDoNotEndTheRuns) {
  TempDir dir;
  test::sample_data(dir);
  TrainConfig config = config_of(dir, 2);
  config.train.steps = 1;
  config.train.tokens = 1;
  config.train.epochs = 1e-9;
  config.train.max_minutes = 1e-9;
  VerifyOptions options;
  options.steps = 1;
  options.transfers = Transfers::none;
  options.directory = dir / "verify";
  int told = 0;
  EXPECT_TRUE(verify_layouts(parse_layouts("1", config), options, [&](const LayoutVerdict& v) {
    EXPECT_TRUE(v.same_bits && v.same_samples);
    ++told;
  }));
  EXPECT_EQ(told, 1);
}

// Two steps of 8 samples, the second with another mix; the other phases lie beyond them.
TEST(VerifyLayouts, PhasesOfTheDataAreReadAlike) {
  TempDir dir;
  test::sample_data(dir);
  TrainConfig config = config_of(dir, 2);
  config.data.phases = {
      {0.5, {}, {}, {{"a", 0}}}, {{}, {}, 2, {{"a", 1}}}, {{}, 2 * 8 * 16, {}, {{"a", 2}}}};
  VerifyOptions options;
  options.steps = 1;
  options.transfers = Transfers::all;
  options.directory = dir / "verify";
  int told = 0;
  EXPECT_TRUE(verify_layouts(parse_layouts("1 dp2 pp2", config), options,
                             [&](const LayoutVerdict& v) { told += v.same_samples; }));
  EXPECT_EQ(told, 3 + 9);
}

// Of ten steps 0.95 lies behind the last, and 0.81 and 0.85 begin with the same one.
TEST(VerifyLayouts, SharesOfManyStepsMayBeNoneOfAFew) {
  TempDir dir;
  test::sample_data(dir);
  const std::vector<std::vector<double>> all = {{0.8, 0.95}, {0.81, 0.85}};
  for (const std::vector<double>& shares : all) {
    TrainConfig config = config_of(dir, 2);
    for (const double share : shares) config.data.phases.push_back({share, {}, {}, {{"a", share}}});
    config.train.steps = 1000;
    VerifyOptions options;
    options.steps = 5;
    options.transfers = Transfers::none;
    options.directory = fmt::format("{}/verify-{}", dir.path(), shares.back());
    EXPECT_TRUE(verify_layouts(parse_layouts("1", config), options, [](const LayoutVerdict&) {}));
  }
}

// A trial begins with its own weights, goes on whatever its losses are, and neither evaluates nor
// saves as the config's own run would.
TEST(VerifyLayouts, TrialsLeaveOutWhatIsOfTheRunItself) {
  TempDir dir;
  test::sample_data(dir);
  const std::string absent = dir / "absent";
  using Change = std::function<void(TrainConfig&)>;
  const std::pair<const char*, Change> changes[] = {
      {"weights to begin with", [&](TrainConfig& c) { c.init_from = absent; }},
      {"a run to continue", [&](TrainConfig& c) { c.continue_from = absent; }},
      {"spikes",
       [](TrainConfig& c) {
         c.schedule.peak = 0.5;  // some losses are above those before
         c.guard.on_spike = GuardAction::stop;
         c.guard.sigma = 1e-9;
         c.guard.window = 2;
         c.guard.warmup = 1;
       }},
      {"samples of text",
       [](TrainConfig& c) {
         c.validation.every_steps = 1;
         c.validation.sample_tokens = 8;
       }},
      {"repetition",
       [](TrainConfig& c) {
         c.repetition.prompts = {"aaaa"};
         c.repetition.every_steps = 1;
       }},
      {"tasks",
       [&](TrainConfig& c) {
         c.eval.tasks = {"piqa"};
         c.eval.data = absent;
         c.eval.every_steps = 1;
       }},
      {"no checkpoints", [](TrainConfig& c) { c.checkpoint.enabled = false; }},
      {"another output", [&](TrainConfig& c) { c.output = "/proc/none/run"; }}};
  for (const auto& [name, change] : changes) {
    SCOPED_TRACE(name);
    TrainConfig config = config_of(dir, 2);
    change(config);
    VerifyOptions options;
    options.steps = 3;
    options.transfers = Transfers::none;
    options.directory = dir / "verify";
    int told = 0;
    EXPECT_TRUE(verify_layouts(parse_layouts("1", config), options, [&](const LayoutVerdict& v) {
      EXPECT_TRUE(v.same_bits && v.same_samples);
      ++told;
    }));
    EXPECT_EQ(told, 1);
    EXPECT_FALSE(std::filesystem::exists(dir / "run"));
    EXPECT_FALSE(std::filesystem::exists(dir / "verify"));
  }
}

// Where nobody gives a tolerance: more than f32's differences, less than an error.
TEST(VerifyLayouts, Bf16HasATolerance) {
  TempDir dir;
  test::sample_data(dir);
  TrainConfig config = config_of(dir, 2);
  config.dtype = DTypeChoice::bf16;
  VerifyOptions options;
  options.transfers = Transfers::none;
  options.directory = dir / "verify";
  std::vector<LayoutVerdict> verdicts;
  EXPECT_TRUE(verify_layouts(parse_layouts("tp2 pp2", config), options,
                             [&](const LayoutVerdict& v) { verdicts.push_back(v); }));
  ASSERT_EQ(verdicts.size(), 2u);
  EXPECT_GT(verdicts[0].loss, 1e-5);
  EXPECT_LT(verdicts[0].loss, 1e-2);
  EXPECT_LT(verdicts[0].weight, 5e-2);
}

// Each kind by itself: a tolerance of one says nothing of the other.
TEST(VerifyLayouts, EachToleranceIsOfItsOwnDifferences) {
  TempDir dir;
  EXPECT_FALSE(verify(dir, "tp2", Transfers::none, 2, 1e-15, 1).passed);
  std::filesystem::remove_all(dir / "verify");
  EXPECT_TRUE(verify(dir, "tp2", Transfers::none, 2, 1, 1).passed);
}

// Nor is a limit on what the config's own run repeats one on a trial's steps.
TEST(VerifyLayouts, MayReadASourceMoreOftenThanTheRun) {
  TempDir dir;
  test::sample_data(dir);
  TrainConfig config = config_of(dir, 2);
  config.data.max_epochs = 0.01;
  config.data.sources = {{"a", "", {}, false, 0.01}, {"b", "", {}}};
  VerifyOptions options;
  options.steps = 1;
  options.transfers = Transfers::none;
  options.directory = dir / "verify";
  EXPECT_TRUE(verify_layouts(parse_layouts("1", config), options, [](const LayoutVerdict&) {}));
}

TEST(VerifyLayouts, ADifferenceIsTold) {
  TempDir dir;
  const Verified result = verify(dir, "tp2+sp", Transfers::none, 4, 1e-15);
  EXPECT_FALSE(result.passed);
  ASSERT_EQ(result.verdicts.size(), 1u);
  EXPECT_GT(result.verdicts[0].loss, 1e-15);
  EXPECT_TRUE(std::filesystem::exists(dir / "verify")) << "kept, to be looked into";
}

TEST(VerifyLayouts, WhatStandsInTheDirectoryIsNotTouched) {
  TempDir dir;
  std::filesystem::create_directories(dir / "verify");
  test::write_file(dir / "verify/mine.txt", "mine");
  EXPECT_THROW(verify(dir, "tp2", Transfers::none), Error);
  EXPECT_TRUE(std::filesystem::exists(dir / "verify/mine.txt"));
}

TEST(VerifyLayouts, RemovesItsOwnFilesAlone) {
  TempDir dir;
  test::sample_data(dir);
  VerifyOptions options;
  options.transfers = Transfers::ring;
  options.directory = dir / "verify";
  const std::string among_wholes = dir / "verify/notes.txt", in_one = dir / "verify/1/a.txt",
                    in_transfer = dir / "verify/1-to-1/b.txt";
  bool first = true;
  EXPECT_TRUE(
      verify_layouts(parse_layouts("1", config_of(dir, 2)), options, [&](const LayoutVerdict&) {
        if (!std::exchange(first, false)) return;
        for (const std::string& mine : {among_wholes, in_one, in_transfer}) {
          test::write_file(mine, "mine");
        }
      }));
  std::vector<std::string> left;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir / "verify")) {
    if (entry.is_regular_file()) left.push_back(entry.path());
  }
  EXPECT_THAT(left, testing::UnorderedElementsAre(among_wholes, in_one, in_transfer));
}

std::string error_of(const std::string& layouts) {
  try {
    parse_layouts(layouts, TrainConfig{});
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::input);
    return error.what();
  }
  return "no error";
}

TEST(LayoutChoice, ReadsAxesAndOptions) {
  TrainConfig base;
  base.parallel.pp = 7;
  base.parallel.stage_layers = {1, 2};
  const auto choices = parse_layouts("pp2xdp3xtp4+sp+nozero+v2+full, 1", base);
  ASSERT_EQ(choices.size(), 2u);
  const TrainConfig& c = choices[0].config;
  EXPECT_EQ(choices[0].ranks(), 24);
  EXPECT_TRUE(c.parallel.sequence_parallel);
  EXPECT_FALSE(c.parallel.zero);
  EXPECT_EQ(c.parallel.schedule, PipelineSchedule::interleaved);
  EXPECT_EQ(c.parallel.virtual_stages, 2);
  EXPECT_EQ(c.train.recompute, RecomputeChoice::full);
  EXPECT_TRUE(c.parallel.stage_layers.empty());
  EXPECT_EQ(choices[1].ranks(), 1);
  EXPECT_EQ(parse_layouts("all8", base).size(), 76u);
}

// Every option in both directions, over a base that says the opposite.
TEST(LayoutChoice, EachOptionSetsItsKey) {
  TrainConfig base;
  const auto with = [&](const std::string& option) {
    const auto choices = parse_layouts("dp2+" + option, base);
    EXPECT_EQ(choices.size(), 1u);
    EXPECT_EQ(choices[0].name, "dp2+" + option);
    EXPECT_EQ(choices[0].config.parallel.dp, 2);
    return choices[0].config;
  };
  for (const bool on : {false, true}) {
    base.parallel.sequence_parallel = base.parallel.zero = base.parallel.overlap =
        base.parallel.peer_memory = !on;
    const std::string no = on ? "" : "no";
    EXPECT_EQ(with(no + "sp").parallel.sequence_parallel, on);
    EXPECT_EQ(with(no + "zero").parallel.zero, on);
    EXPECT_EQ(with(no + "overlap").parallel.overlap, on);
    EXPECT_EQ(with(no + "peer").parallel.peer_memory, on);
    EXPECT_EQ(with("full").parallel.zero, !on) << "what is not said is as in the base";
  }
  EXPECT_EQ(with("gpipe").parallel.schedule, PipelineSchedule::gpipe);
  base.parallel.schedule = PipelineSchedule::gpipe;
  EXPECT_EQ(with("1f1b").parallel.schedule, PipelineSchedule::one_f_one_b);
  EXPECT_EQ(with("v3+1f1b").parallel.schedule, PipelineSchedule::one_f_one_b) << "the last counts";
  EXPECT_EQ(with("v3+1f1b").parallel.virtual_stages, 1);
  EXPECT_EQ(with("v3+gpipe").parallel.virtual_stages, 1);
  EXPECT_EQ(with("v3").parallel.virtual_stages, 3);
  EXPECT_EQ(with("v3").parallel.schedule, PipelineSchedule::interleaved);
  EXPECT_EQ(with("pieces4").parallel.sequence_pieces, 4);
  EXPECT_EQ(with("none").train.recompute, RecomputeChoice::none);
  EXPECT_EQ(with("selective").train.recompute, RecomputeChoice::selective);
  EXPECT_EQ(with("full").train.recompute, RecomputeChoice::full);
}

std::vector<std::string> names_of(const std::string& text) {
  std::vector<std::string> names;
  for (const LayoutChoice& choice : parse_layouts(text, TrainConfig{}))
    names.push_back(choice.name);
  return names;
}

// Each factorisation with each option that it can tell apart.
TEST(LayoutChoice, AllOfSomeRanksAreListedInTheirOrder) {
  EXPECT_THAT(names_of("all1"), testing::ElementsAre("pp1xdp1xtp1+none", "pp1xdp1xtp1+full"));
  EXPECT_THAT(names_of("all2"),
              testing::ElementsAre(
                  "pp1xdp2xtp1+zero+none", "pp1xdp2xtp1+zero+full", "pp1xdp2xtp1+nozero+none",
                  "pp1xdp2xtp1+nozero+full", "pp1xdp1xtp2+sp+none", "pp1xdp1xtp2+sp+full",
                  "pp1xdp1xtp2+nosp+none", "pp1xdp1xtp2+nosp+full", "pp2xdp1xtp1+1f1b+none",
                  "pp2xdp1xtp1+1f1b+full", "pp2xdp1xtp1+v2+none", "pp2xdp1xtp1+v2+full"));
  EXPECT_EQ(names_of("all6").size(), 60u);
  for (const LayoutChoice& choice : parse_layouts("all6", TrainConfig{})) {
    EXPECT_EQ(choice.ranks(), 6) << choice.name;
  }
}

TEST(LayoutChoice, AreSeparatedBySpacesOrCommas) {
  EXPECT_THAT(names_of(" tp2,dp2\tpp2\n1 , "), testing::ElementsAre("tp2", "dp2", "pp2", "1"));
  EXPECT_EQ(names_of("all1 tp2").size(), 3u);
}

// Axes that are not named are 1, and what depends on them is as of one rank; the rest is the
// base's.
TEST(LayoutChoice, TakesNoAxesFromTheBase) {
  TrainConfig base;
  base.train.recompute = RecomputeChoice::full;
  base.seed = 9;
  base.parallel.pp = base.parallel.dp = base.parallel.tp = 3;
  base.parallel.virtual_stages = 3;
  base.parallel.sequence_pieces = 3;
  base.parallel.schedule = PipelineSchedule::interleaved;
  base.parallel.timeout_seconds = 77;
  for (const auto& [name, pp, dp, tp] : {std::tuple("1", 1, 1, 1),
                                         {"pp2", 2, 1, 1},
                                         {"dp2", 1, 2, 1},
                                         {"tp2", 1, 1, 2},
                                         {"tp4xpp2", 2, 1, 4}}) {
    const TrainConfig c = parse_layouts(name, base).front().config;
    EXPECT_EQ(c.parallel.pp, pp) << name;
    EXPECT_EQ(c.parallel.dp, dp) << name;
    EXPECT_EQ(c.parallel.tp, tp) << name;
    EXPECT_EQ(c.parallel.virtual_stages, 1);
    EXPECT_EQ(c.parallel.sequence_pieces, 1);
    EXPECT_EQ(c.parallel.schedule, PipelineSchedule::one_f_one_b);
    EXPECT_EQ(c.parallel.timeout_seconds, 77);
    EXPECT_EQ(c.train.recompute, RecomputeChoice::full);
    EXPECT_EQ(c.seed, 9);
  }
}

TEST(LayoutChoice, SaysWhatItDoesNotUnderstand) {
  EXPECT_EQ(error_of("tp2xq3"),
            "layout 'tp2xq3': 'q3' is no axis: write for example pp2xdp2xtp2, tp4, 1 or all8");
  EXPECT_NE(error_of("tp2+fast").find("layout 'tp2+fast': 'fast' is not known: use sp"),
            std::string::npos);
  EXPECT_NE(error_of("").find("no layout is given"), std::string::npos);
  EXPECT_NE(error_of("tp0").find("'tp0' is no axis"), std::string::npos);
  EXPECT_NE(error_of("tp65537").find("'tp65537' is no axis"), std::string::npos);
  EXPECT_NE(error_of("tp2+v").find("'v' is not known"), std::string::npos);
  EXPECT_NE(error_of("+sp").find("'sp' is no axis"), std::string::npos);
  EXPECT_EQ(error_of("tp2xdp2xtp4"), "layout 'tp2xdp2xtp4': names the axis tp twice");
  EXPECT_EQ(error_of("tp2 dp2 tp2"), "layout 'tp2' is named twice");
  EXPECT_NE(error_of("tp").find("'tp' is no axis"), std::string::npos);
  EXPECT_NE(error_of("tp-2").find("'tp-2' is no axis"), std::string::npos);
  EXPECT_NE(error_of("tp2y").find("'tp2y' is no axis"), std::string::npos);
  EXPECT_NE(error_of("1xtp2").find("'1' is no axis"), std::string::npos);
  EXPECT_NE(error_of("all0").find("'all0' is no axis"), std::string::npos);
  EXPECT_NE(error_of("tp2+v0").find("'v0' is not known"), std::string::npos);
  EXPECT_NE(error_of("tp2+pieces").find("'pieces' is not known"), std::string::npos);
  EXPECT_EQ(error_of("+"), "layout '+' is empty");
  EXPECT_EQ(error_of("all1 pp1xdp1xtp1+full"), "layout 'pp1xdp1xtp1+full' is named twice");
  EXPECT_EQ(error_of("tp65536 dp1 pp1"), "no error");
  EXPECT_EQ(error_of("tp2+pieces65536 tp2+v1"), "no error");
}

}  // namespace
}  // namespace fathom
