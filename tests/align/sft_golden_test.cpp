// Loss and gradients of conversations against PyTorch in float64, which read each by itself:
// packed or one a row, in one micro-batch or many, on one rank or four.
#include <gtest/gtest.h>

#include <map>
#include <mutex>
#include <numeric>

#include "align/sft_objective.h"
#include "align/sft_source.h"
#include "comm/thread_ranks.h"
#include "core/parallel.h"
#include "data/loader.h"
#include "io/temp_dir.h"
#include "learn/device_batch.h"
#include "learn/learner.h"
#include "model/golden.h"

namespace fathom {
namespace {

using golden::Golden;

constexpr std::int64_t length = 18;  // of a packed row: 16 rows in all

std::shared_ptr<const ExampleSet> conversations_of(const Golden& golden) {
  auto examples = std::make_shared<ExampleSet>();
  const auto ids = golden.values<std::int32_t>("ids"),
             marks = golden.values<std::int32_t>("learned");
  const std::vector<std::uint8_t> learned(marks.begin(), marks.end());
  const auto begins = golden.values<std::int32_t>("begins");
  for (std::size_t i = 0; i + 1 < begins.size(); ++i) {
    const auto begin = std::size_t(begins[i]), count = std::size_t(begins[i + 1]) - begin;
    examples->add({std::span(ids).subspan(begin, count), std::span(learned).subspan(begin, count)});
  }
  return examples;
}

struct Case {
  bool packing;
  std::int64_t micro_batch;
  ParallelConfig parallel;
  std::string name() const {
    return fmt::format("{}, {} rows a micro-batch, pp {} dp {} tp {}, sequence parallel {}",
                       packing ? "packed" : "one a row", micro_batch, parallel.pp, parallel.dp,
                       parallel.tp, parallel.sequence_parallel);
  }
};

struct Step {
  double loss = 0;
  std::map<std::string, std::vector<float>> gradients;  // global
};

// Adds this rank's part of the gradients, from every box that it alone counts.
void collect_gradients(Learner& learner, Step& step) {
  for (const OptimizerSlice& slice : learner.optimizer().slices()) {
    if (!slice.primary) continue;
    std::vector<float>& global = step.gradients[slice.name];
    global.resize(static_cast<std::size_t>(slice.global_shape.elements()));
    const std::int64_t columns = slice.weight.shape[-1];
    const std::int64_t all_columns = slice.global_shape[-1];
    const bool matrix = slice.offset.size() > 1;
    const std::vector<float> own = golden::download(learner.context(), slice.gradient);
    for (std::int64_t i = 0; i < std::ssize(own); ++i) {
      const std::int64_t row = matrix ? slice.offset[0] + i / columns : 0;
      const std::int64_t column = slice.offset.back() + i % columns;
      global[static_cast<std::size_t>(row * all_columns + column)] = own[std::size_t(i)];
    }
  }
}

// One step over all conversations, as a training run takes it.
Step step_of(const Golden& golden, const std::string& directory, const Case& c) {
  const auto examples = conversations_of(golden);
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(examples->size()));
  std::iota(numbers.begin(), numbers.end(), 0);
  SftRows rows{.sequence_length = length, .packing = c.packing, .seed = 5};
  rows.step = examples->size();
  rows.length_multiple = 4;
  const auto source = std::make_shared<const SftSource>(examples, numbers, rows);
  const ParallelPlan plan = resolve(c.parallel, int(c.parallel.pp * c.parallel.dp * c.parallel.tp),
                                    golden.config, {source->num_rows(), c.micro_batch, length});
  Step step;
  std::mutex mutex;
  run_thread_ranks(plan.layout.world(), {60}, [&](Communicator& world) {
    set_num_threads(1);
    const RankGroups ranks(world, plan, golden.config);
    LearnerOptions o(ranks);
    o.model = golden.config;
    o.micro_tokens = c.micro_batch * length;
    const std::int64_t micro_batches = source->num_rows() / (c.micro_batch * plan.layout.dp);
    o.tokens_per_step = micro_batches * o.micro_tokens;
    o.sequence_length = length;
    o.uniform_segments = false;
    Learner learner(o);
    learner.load_weights(DirectoryWeights(directory));
    const OwnedStream uploads(cpu_device);
    Loader loader(source, {c.micro_batch, ranks.place().dp, plan.layout.dp, 2});
    std::vector<DeviceBatch> memory;
    std::vector<Batch> batches;
    for (std::int64_t m = 0; m < micro_batches; ++m) {
      memory.emplace_back(uploads, o.micro_tokens);
      batches.push_back(loader.next());
    }
    const StepTerms terms = SftObjective().prepare(batches);
    std::vector<MicroBatch> uploaded;
    for (std::size_t m = 0; m < batches.size(); ++m) {
      uploaded.push_back(memory[m].upload(learner.context(), batches[m]));
    }
    const double loss = learner.compute_gradients(uploaded, terms.normaliser).loss;
    const std::lock_guard lock(mutex);
    step.loss = loss;
    collect_gradients(learner, step);
  });
  return step;
}

void expect_golden(const Golden& golden, const std::string& directory, const Case& c) {
  SCOPED_TRACE(c.name());
  const Step step = step_of(golden, directory, c);
  const double expected = golden.values<float>("loss").front();
  EXPECT_NEAR(step.loss / expected, 1, 1e-5);
  EXPECT_EQ(step.gradients.size(), parameter_table(golden.config).size());
  for (const auto& [name, values] : step.gradients) {
    EXPECT_LT(golden::relative_error(values, golden.values<float>("gradient." + name)), 1e-5)
        << name;
  }
}

// The fixture's weights as a directory that every rank can take its part of.
void save_weights(const Golden& golden, const std::string& directory) {
  SaveModelOptions options;
  options.dtype = DType::f32;
  const auto read = [&](const ParameterSpec& spec, std::int64_t first_row, Tensor rows) {
    const auto values = golden.values<float>("weight." + spec.name);
    const std::int64_t columns = spec.shape.rank() == 2 ? spec.shape[1] : 1;
    std::copy_n(values.begin() + first_row * columns, rows.elements(), rows.as<float>());
  };
  save_model(directory, golden.config, read, options);
}

ParallelConfig layout(int pp, int dp, int tp) {
  ParallelConfig c;
  c.pp = pp;
  c.dp = dp;
  c.tp = tp;
  return c;
}

class SftGolden : public testing::Test {
 protected:
  void SetUp() override { save_weights(golden_, directory_); }
  void expect(const Case& c) const { expect_golden(golden_, directory_, c); }

  test::TempDir dir_;
  Golden golden_{"sft"};
  std::string directory_ = dir_ / "model";
};

TEST_F(SftGolden, PackingAndAccumulationChangeNothing) {
  for (const bool packing : {true, false}) {
    for (const std::int64_t micro_batch : {16, 4, 1}) expect({packing, micro_batch, layout(1, 1, 1)});
  }
}

TEST_F(SftGolden, EveryLayoutOfFourRanksIsTheSame) {
  for (const int pp : {1, 2, 4}) {
    for (const int tp : {1, 2, 4}) {
      if (4 % (pp * tp) != 0) continue;
      for (const bool packing : {true, false}) {
        Case c{packing, 2, layout(pp, 4 / pp / tp, tp)};
        c.parallel.sequence_parallel = tp > 1 && packing != (pp == 2);
        expect(c);
      }
    }
  }
}

}  // namespace
}  // namespace fathom
