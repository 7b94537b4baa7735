// Learning rates against the report's numbers.
#include "learn/schedule.h"

#include <gmock/gmock.h>

#include <cmath>

#include "core/config.h"
#include "core/enum_names.h"
#include "io/temp_dir.h"

namespace fathom {
namespace {

using test::input_error_of;
using testing::HasSubstr;

double learning_rate(const ScheduleConfig& config, std::int64_t steps, double progress) {
  return learning_rate(config, schedule_factors(config, steps, progress));
}

// deepseek-llm-7b: 2.0T tokens in steps of 2304 · 4096 tokens, peak 4.2e-4.
constexpr std::int64_t steps_7b = 2'000'000'000'000 / (2304 * 4096);

double rate_7b(std::int64_t steps) {
  ScheduleConfig config;
  config.peak = 4.2e-4;
  return learning_rate(config, steps, double(steps) / double(steps_7b));
}

TEST(Schedule, TheReportsMultiStep) {
  EXPECT_DOUBLE_EQ(rate_7b(0), 4.2e-4 / 2000);
  EXPECT_DOUBLE_EQ(rate_7b(999), 4.2e-4 / 2);
  EXPECT_DOUBLE_EQ(rate_7b(1999), 4.2e-4);
  EXPECT_DOUBLE_EQ(rate_7b(steps_7b / 2), 4.2e-4);
  EXPECT_DOUBLE_EQ(rate_7b(steps_7b * 4 / 5), 4.2e-4);  // the last step before 80 %
  EXPECT_NEAR(rate_7b(steps_7b * 4 / 5 + 1), 0.316 * 4.2e-4, 0.001 * 4.2e-4);
  EXPECT_NEAR(rate_7b(steps_7b * 9 / 10 - 1), 0.316 * 4.2e-4, 0.001 * 4.2e-4);
  EXPECT_DOUBLE_EQ(rate_7b(steps_7b * 9 / 10 + 1), 0.1 * 4.2e-4);
  EXPECT_DOUBLE_EQ(rate_7b(steps_7b), 0.1 * 4.2e-4);
}

TEST(Schedule, FallsExactlyAtItsMilestones) {
  ScheduleConfig config;
  config.peak = 2;
  config.warmup_steps = 0;
  const auto rate = [&](double progress) { return learning_rate(config, 7, progress); };
  EXPECT_EQ(rate(std::nextafter(0.8, 0)), 2);
  EXPECT_EQ(rate(0.8), 2 * config.factors[0]);
  EXPECT_EQ(rate(std::nextafter(0.9, 0)), 2 * config.factors[0]);
  EXPECT_EQ(rate(0.9), 2 * config.factors[1]);
  EXPECT_DOUBLE_EQ(config.factors[0] * config.factors[0], config.factors[1]) << "1/√10 and 1/10";
}

TEST(Schedule, CountsTheMilestonesThatArePassed) {
  ScheduleConfig config;
  EXPECT_EQ(schedule_phase(config, std::nextafter(0.8, 0)), 0);
  EXPECT_EQ(schedule_phase(config, 0.8), 1);
  EXPECT_EQ(schedule_phase(config, 0.9), 2);
  EXPECT_EQ(schedule_phase(config, 1), 2);
  config.milestones = {0.5, 0.5};
  EXPECT_EQ(schedule_phase(config, 0.5), 2);
  EXPECT_EQ(schedule_factors(config, 9, 0.5).decay, config.factors[1]);
  for (const ScheduleKind kind : {ScheduleKind::cosine, ScheduleKind::constant}) {
    config.kind = kind;
    EXPECT_EQ(schedule_phase(config, 1), 0);
  }
}

// Each limit of the warm-up alone, and the one that is passed first.
TEST(Schedule, WarmsUpByStepsOrByTheRun) {
  ScheduleConfig config;
  config.peak = 1;
  config.warmup_steps = 10;
  config.max_warmup = 0.5;
  config.milestones = {};
  config.factors = {};
  EXPECT_DOUBLE_EQ(learning_rate(config, 0, 0), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate(config, 8, 0), 0.9);
  EXPECT_DOUBLE_EQ(learning_rate(config, 9, 0), 1);
  EXPECT_DOUBLE_EQ(learning_rate(config, 0, 0.25), 0.5);
  EXPECT_DOUBLE_EQ(learning_rate(config, 7, 0.25), 0.8);
  EXPECT_DOUBLE_EQ(learning_rate(config, 0, 0.5), 1);
  config.max_warmup = 0;
  EXPECT_DOUBLE_EQ(learning_rate(config, 0, 0), 1) << "none";
  config.kind = ScheduleKind::cosine;
  config.max_warmup = 1;
  config.final_factor = 0;
  EXPECT_DOUBLE_EQ(learning_rate(config, 4, 0.5), 0.25) << "half warmed up, half fallen";
  EXPECT_NEAR(learning_rate(config, 20, 2), 0, 1e-15) << "beyond the end";
}

TEST(Schedule, CosineEndsWhereMultiStepDoes) {
  ScheduleConfig config;
  config.kind = ScheduleKind::cosine;
  config.peak = 1;
  config.warmup_steps = 0;
  EXPECT_DOUBLE_EQ(learning_rate(config, 0, 0), 1);
  EXPECT_DOUBLE_EQ(learning_rate(config, 50, 0.5), 0.55);
  EXPECT_DOUBLE_EQ(learning_rate(config, 100, 1), 0.1);
  config.kind = ScheduleKind::constant;
  EXPECT_DOUBLE_EQ(learning_rate(config, 100, 1), 1);
}

TEST(Schedule, AShortRunWarmsUpInItsFirstTwentieth) {
  ScheduleConfig config;
  config.peak = 1;
  EXPECT_DOUBLE_EQ(learning_rate(config, 25, 0.025), 0.5);
  EXPECT_DOUBLE_EQ(learning_rate(config, 50, 0.05), 1);
}

// The rates at half of the run and at its end tell the kinds apart.
TEST(Schedule, KindsAreChosenByName) {
  const test::TempDir dir;
  struct Kind {
    const char* name;
    ScheduleKind kind;
    double half, end;
  };
  for (const auto& [name, kind, half, end] : {Kind{"multi_step", ScheduleKind::multi_step, 1, 0.1},
                                              {"cosine", ScheduleKind::cosine, 0.55, 0.1},
                                              {"constant", ScheduleKind::constant, 1, 1}}) {
    test::write_file(dir / "schedule.toml",
                     fmt::format("kind = \"{}\"\npeak = 1.0\nwarmup_steps = 0\n", name));
    ScheduleConfig config;
    read_config(ConfigTable::load(dir / "schedule.toml"), config);
    EXPECT_EQ(config.kind, kind) << name;
    EXPECT_EQ(enum_name(kind), name);
    EXPECT_DOUBLE_EQ(learning_rate(config, 7, 0.5), half) << name;
    EXPECT_DOUBLE_EQ(learning_rate(config, 7, 1), end) << name;
  }
}

TEST(Schedule, ErrorsNameTheKey) {
  const auto message = [](auto&& change) {
    ScheduleConfig config;
    change(config);
    return input_error_of([&] { check(config); });
  };
  EXPECT_THAT(message([](auto& c) { c.peak = 0; }), HasSubstr("schedule.peak is 0"));
  EXPECT_THAT(message([](auto& c) { c.peak = NAN; }), HasSubstr("schedule.peak is nan"));
  EXPECT_THAT(message([](auto& c) { c.peak = 1e39; }), HasSubstr("schedule.peak is 1e+39"));
  EXPECT_THAT(message([](auto& c) { c.warmup_steps = -1; }), HasSubstr("schedule.warmup_steps"));
  EXPECT_THAT(message([](auto& c) { c.max_warmup = 2; }), HasSubstr("schedule.max_warmup is 2"));
  EXPECT_THAT(message([](auto& c) { c.final_factor = -1; }), HasSubstr("schedule.final_factor"));
  EXPECT_THAT(message([](auto& c) { c.factors.pop_back(); }),
              HasSubstr("schedule.milestones has 2 entries and schedule.factors 1"));
  EXPECT_THAT(message([](auto& c) { c.milestones = {0.9, 0.8}; }), HasSubstr("ascending"));
  EXPECT_THAT(message([](auto& c) { c.factors = {0.5, 7}; }), HasSubstr("schedule.factors"));
  EXPECT_THAT(message([](auto& c) { c.factors = {-0.1, 1}; }), HasSubstr("schedule.factors"));
  EXPECT_THAT(message([](auto& c) { c.milestones = {-0.1, 0.9}; }), HasSubstr("ascending"));
  EXPECT_THAT(message([](auto& c) { c.milestones = {0.8, 1.1}; }), HasSubstr("ascending"));
  EXPECT_THAT(message([](auto& c) { c.max_warmup = -0.1; }), HasSubstr("schedule.max_warmup"));
  EXPECT_THAT(message([](auto& c) { c.max_warmup = NAN; }), HasSubstr("schedule.max_warmup"));
  EXPECT_THAT(message([](auto& c) { c.final_factor = 1.1; }), HasSubstr("schedule.final_factor"));
}

TEST(Schedule, TakesTheFirstAndTheLastOfWhatIsAllowed) {
  ScheduleConfig config;
  config.warmup_steps = 0;
  for (const double bound : {0.0, 1.0}) {
    config.max_warmup = config.final_factor = bound;
    config.milestones = config.factors = {bound, bound};
    EXPECT_NO_THROW(check(config)) << bound;
  }
}

}  // namespace
}  // namespace fathom
