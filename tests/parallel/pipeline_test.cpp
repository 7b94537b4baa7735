// A pipeline's steps against the whole model's, what it asks of its group, and the memory it
// takes.
#include "parallel/pipeline.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <set>

#include "comm/forwarding_communicator.h"
#include "comm/thread_ranks.h"
#include "core/observer.h"
#include "core/parallel.h"
#include "io/temp_dir.h"
#include "parallel/small_model.h"

namespace fathom {
namespace {

using test::SampleBatch;
using testing::ElementsAre;

constexpr int micro_batches = 4;
constexpr std::int64_t layers = 4;

struct PipelineLayout {
  int pp = 1;
  PipelineSchedule schedule = PipelineSchedule::one_f_one_b;
  int parts = 1, tp = 1;

  std::string name() const {
    return fmt::format("pp {} × {}, tp {}, schedule {}", pp, parts, tp, int(schedule));
  }
};

const PipelineLayout pipeline_layouts[] = {{2},
                                           {4},
                                           {2, PipelineSchedule::gpipe},
                                           {2, PipelineSchedule::interleaved, 2},
                                           {4, PipelineSchedule::interleaved, 1},
                                           {2, PipelineSchedule::one_f_one_b, 1, 2}};

ModelConfig pipeline_model() {
  return test::small_model(layers, 2, 50);
}

ParallelPlan plan_of(const PipelineLayout& l) {
  ParallelConfig c;
  c.pp = l.pp;
  c.tp = l.tp;
  c.sequence_parallel = l.tp > 1;
  c.schedule = l.schedule;
  c.virtual_stages = l.parts;
  return resolve(c, l.pp * l.tp, pipeline_model(), {2 * micro_batches, 2, SampleBatch::length});
}

PipelineOptions options_of(const RankGroups& groups) {
  PipelineOptions o(groups);
  o.model = pipeline_model();
  o.stage = {Recompute::selective, 10};
  o.micro_tokens = SampleBatch::n;
  o.micro_batches = micro_batches;
  o.logit_rows = 3;
  return o;
}

std::vector<SampleBatch> samples() {
  std::vector<SampleBatch> all;
  for (int m = 0; m < micro_batches; ++m) all.emplace_back(m);
  return all;
}

std::vector<MicroBatch> batches_of(const std::vector<SampleBatch>& samples) {
  std::vector<MicroBatch> all;
  for (const SampleBatch& sample : samples) all.push_back(sample.batch());
  return all;
}

// A rank's pipeline with its parameters, on the CPU.
struct PipelineRank {
  PipelineRank(Communicator& world, const PipelineLayout& l)
      : groups(world, plan_of(l), pipeline_model()),
        options(options_of(groups)),
        parameters(pipeline_parameters(options), DType::f32, Gradients::f32, cpu_device,
                   groups.shard()),
        pipeline(options, parameters) {
    set_num_threads(1);
    for (Parameter& p : parameters.all()) initialize(context, p, groups.shard(), 0.2, 5);
    parameters.begin_gradients(context);
  }

  void step(std::span<const MicroBatch> batches) {
    pipeline.run(context, batches, 0.1f, tensor(losses));
  }
  Tensor tensor(std::vector<float>& values) {
    return {values.data(), DType::f32, {std::ssize(values)}};
  }

  RankGroups groups;
  PipelineOptions options;
  ParameterStore parameters;
  Pipeline pipeline;
  Context context{cpu_device};
  std::vector<float> losses = std::vector<float>(micro_batches * SampleBatch::n, -1.0f);
};

struct PipelineResult {
  std::vector<float> losses, evaluated, logits;
  std::map<std::string, std::vector<float>> gradients;  // of ranks that hold them whole
};

// A step on the first rank of each tensor group, and a forward of other tokens on every rank.
PipelineResult run(const PipelineLayout& l) {
  PipelineResult result;
  std::mutex mutex;
  run_thread_ranks(l.pp * l.tp, {60}, [&](Communicator& world) {
    PipelineRank rank(world, l);
    const std::vector<SampleBatch> all = samples();
    rank.step(batches_of(all));
    const SampleBatch other(9);
    std::vector<float> evaluated(SampleBatch::n);
    rank.pipeline.evaluate(rank.context, other.batch(), rank.tensor(evaluated));
    const std::vector<std::int32_t> rows{23, 0, 7};
    std::vector<float> logits(3 * 50);
    rank.pipeline.next_logits(rank.context, other.batch(), rows,
                              Tensor(logits.data(), DType::f32, {3, 50}));
    const std::lock_guard lock(mutex);
    if (result.evaluated.empty()) {
      result.evaluated = evaluated;
      result.logits = logits;
    }
    EXPECT_EQ(evaluated, result.evaluated) << "the same on every rank";
    EXPECT_EQ(logits, result.logits);
    if (rank.groups.on_last_stage()) {
      result.losses = rank.losses;
    } else {
      EXPECT_EQ(rank.losses, std::vector<float>(rank.losses.size(), -1)) << "as it was";
    }
    if (l.tp > 1) return;
    for (const Parameter& p : rank.parameters.all()) {
      const float* values = p.gradient.as<float>();
      result.gradients[p.spec.name].assign(values, values + p.gradient.elements());
    }
  });
  return result;
}

TEST(Pipeline, EqualsTheWholeModelOnEverySchedule) {
  const PipelineResult whole = run({1});
  ASSERT_EQ(whole.gradients.size(), parameter_table(pipeline_model()).size());
  for (const PipelineLayout& l : pipeline_layouts) {
    SCOPED_TRACE(l.name());
    const PipelineResult split = run(l);
    EXPECT_LT(test::relative_error(split.losses, whole.losses), 1e-5);
    EXPECT_LT(test::relative_error(split.evaluated, whole.evaluated), 1e-5);
    EXPECT_LT(test::relative_error(split.logits, whole.logits), 1e-5);
    if (l.tp > 1) continue;
    ASSERT_EQ(split.gradients.size(), whole.gradients.size());
    for (const auto& [name, values] : whole.gradients) {
      EXPECT_LT(test::relative_error(split.gradients.at(name), values), 1e-5) << name;
    }
  }
}

class Announcements final : public LayerObserver {
 public:
  void before_forward(Context&, std::int64_t layer) override { ++forwards[layer]; }
  void after_backward(Context&, std::int64_t layer) override { backwards.push_back(layer); }
  std::map<std::int64_t, int> forwards;
  std::vector<std::int64_t> backwards;
};

// Every forward's layers, and those of the last backward alone: until then gradients grow.
TEST(Pipeline, AnnouncesForwardsAndTheLastBackward) {
  for (const PipelineLayout& l : {PipelineLayout{1}, {2}, {2, PipelineSchedule::interleaved, 2}}) {
    SCOPED_TRACE(l.name());
    run_thread_ranks(l.pp, {60}, [&](Communicator& world) {
      PipelineRank rank(world, l);
      std::vector<std::int64_t> own;
      for (const StageRange& range : pipeline_parts(rank.options)) {
        for (std::int64_t layer = range.first_layer; layer < range.last_layer; ++layer) {
          own.push_back(layer);
        }
        if (range.first_layer == 0) own.push_back(-1);
        if (range.last_layer == layers) own.push_back(layers);
      }
      Announcements told;
      rank.pipeline.observe(&told);
      const std::vector<SampleBatch> all = samples();
      rank.step(batches_of(all));
      EXPECT_THAT(told.backwards, testing::UnorderedElementsAreArray(own));
      EXPECT_EQ(told.forwards.size(), own.size());
      for (const std::int64_t layer : own) EXPECT_EQ(told.forwards[layer], micro_batches) << layer;
      std::vector<float> losses(SampleBatch::n);
      rank.pipeline.evaluate(rank.context, all[0].batch(), rank.tensor(losses));
      for (const std::int64_t layer : own) EXPECT_EQ(told.forwards[layer], micro_batches + 1);
    });
  }
}

using Message = std::pair<int, int>;  // the other rank and the tag

// What a pipeline asks of its group.
struct Asked {
  std::vector<Route> routes;
  RouteCapacity capacity;
  std::vector<Message> sent, received, expected;
};

class RecordingGroup final : public test::ForwardingCommunicator {
 public:
  RecordingGroup(std::unique_ptr<Communicator> group, Asked& asked)
      : ForwardingCommunicator(*group), owned_(std::move(group)), asked_(asked) {}
  void open(Device, std::span<const Route> routes, const RouteCapacity& capacity) override {
    asked_.routes.assign(routes.begin(), routes.end());
    asked_.capacity = capacity;
  }
  void send(Context& c, Tensor x, int to, int tag) override {
    asked_.sent.emplace_back(to, tag);
    group_.send(c, x, to, tag);
  }
  void receive(Context& c, Tensor x, int from, int tag) override {
    asked_.received.emplace_back(from, tag);
    group_.receive(c, x, from, tag);
  }
  void expect(Tensor x, int from, int tag) override {
    asked_.expected.emplace_back(from, tag);
    group_.expect(x, from, tag);
  }

 private:
  std::unique_ptr<Communicator> owned_;
  Asked& asked_;
};

class RecordingWorld final : public test::ForwardingCommunicator {
 public:
  RecordingWorld(Communicator& world, Asked& asked)
      : ForwardingCommunicator(world), asked_(asked) {}
  std::unique_ptr<Communicator> split(int color, const std::string& name) override {
    std::unique_ptr<Communicator> group = group_.split(color, name);
    if (name != "pipeline") return group;
    return std::make_unique<RecordingGroup>(std::move(group), asked_);
  }

 private:
  Asked& asked_;
};

// Of each rank, after a step.
std::vector<Asked> ask(const PipelineLayout& l) {
  std::vector<Asked> all(static_cast<std::size_t>(l.pp * l.tp));
  run_thread_ranks(l.pp * l.tp, {60}, [&](Communicator& world) {
    RecordingWorld recording(world, all[std::size_t(world.rank())]);
    PipelineRank rank(recording, l);
    const std::vector<SampleBatch> own = samples();
    rank.step(batches_of(own));
  });
  return all;
}

TEST(Pipeline, OpensTheRoutesThatItsMessagesTake) {
  const std::size_t stream = SampleBatch::n * 32 * sizeof(float);
  for (const Asked& asked : ask({4})) {
    EXPECT_THAT(asked.routes, ElementsAre(Route{0, 1, 0}, Route{1, 0, 1}, Route{1, 2, 0},
                                          Route{2, 1, 1}, Route{2, 3, 0}, Route{3, 2, 1}));
    EXPECT_EQ(asked.capacity.bytes, stream);
    EXPECT_EQ(asked.capacity.messages, 4) << "as many as the first stage has in flight";
  }
  for (const Asked& asked : ask({2, PipelineSchedule::interleaved, 2})) {
    EXPECT_THAT(asked.routes, ElementsAre(Route{0, 1, 0}, Route{1, 0, 1}, Route{1, 0, 0},
                                          Route{0, 1, 1}, Route{0, 1, 0}, Route{1, 0, 1}));
  }
  for (const Asked& asked : ask({2, PipelineSchedule::one_f_one_b, 1, 2})) {
    EXPECT_EQ(asked.capacity.bytes, stream / 2) << "ranks share the tokens";
    EXPECT_EQ(asked.capacity.messages, 2);
  }
  EXPECT_TRUE(ask({1}).front().routes.empty());
}

// Tags are of the part that sends: twice its number, and one more for gradients.
TEST(Pipeline, TellsPartsAndDirectionsApartByTheirTags) {
  const std::vector<Asked> two = ask({2});
  EXPECT_EQ(two[0].sent, std::vector<Message>(4, {1, 0}));
  EXPECT_EQ(two[0].received, std::vector<Message>(4, {1, 3}));
  EXPECT_EQ(two[1].received, std::vector<Message>(4, {0, 0}));
  EXPECT_EQ(two[1].sent, std::vector<Message>(4, {0, 3}));
  const std::vector<Asked> ring = ask({2, PipelineSchedule::interleaved, 2});
  const std::set<Message> received(ring[0].received.begin(), ring[0].received.end());
  EXPECT_THAT(received, ElementsAre(Message{1, 2}, Message{1, 3}, Message{1, 7}));
  EXPECT_EQ(ring[0].received.size(), 3u * micro_batches);
}

// All but a message that the first action waits for can travel during the action before.
TEST(Pipeline, ExpectsEachMessageBeforeItWaitsForIt) {
  for (const PipelineLayout& l : pipeline_layouts) {
    SCOPED_TRACE(l.name());
    const std::vector<Asked> all = ask(l);
    for (std::size_t rank = 0; rank < all.size(); ++rank) {
      const std::size_t first = rank / std::size_t(l.tp) > 0 ? 1 : 0;
      const std::vector<Message> later(all[rank].received.begin() + std::ptrdiff_t(first),
                                       all[rank].received.end());
      EXPECT_EQ(all[rank].expected, later) << "rank " << rank;
    }
  }
}

std::size_t bytes_of_part(const PipelineOptions& o, const StageRange& range) {
  Boundary* const boundary = o.ranks.boundary();
  return std::max(
      Stage::activation_bytes(o.model, range, o.stage, o.dtype, o.micro_tokens, boundary),
      Stage::forward_bytes(o.model, range, o.stage, o.dtype, o.micro_tokens, boundary));
}

// Ranks gather the logits of their parts of the vocabulary, beside activations that are few.
TEST(PipelineBytes, OfOneStageAreTheLargestPass) {
  const ModelConfig wide = test::small_model(layers, 2, 5000);
  const StageRange all = whole_model(wide);
  run_thread_ranks(2, {60}, [&](Communicator& world) {
    const RankGroups groups(world, plan_of({1, PipelineSchedule::one_f_one_b, 1, 2}), wide);
    PipelineOptions o = options_of(groups);
    o.model = wide;
    o.stage = {Recompute::full, 1};
    o.logit_rows = SampleBatch::n;
    const std::size_t logits =
        Stage::logits_bytes(wide, all, o.dtype, o.micro_tokens, o.logit_rows, groups.boundary());
    ASSERT_GT(logits, bytes_of_part(o, all));
    EXPECT_EQ(Pipeline::bytes(o), logits);
    o.logit_rows = 0;
    EXPECT_EQ(Pipeline::bytes(o), bytes_of_part(o, all));
  });
}

// As many places as micro-batches in flight, each with an input; a message on its way each way. To
// exchange them, a copy of each message that may be on its way to another stage.
TEST(PipelineBytes, OfAStageHoldWhatIsInFlight) {
  const std::size_t stream = SampleBatch::n * 32 * sizeof(float);
  struct Case {
    PipelineLayout layout;
    std::vector<std::size_t> slots, outgoing;  // of each stage
    std::size_t messages;
  };
  const Case cases[] = {{{4}, {4, 3, 2, 1}, {1, 2, 2, 1}, 4},
                        {{2, PipelineSchedule::gpipe}, {4, 4}, {1, 1}, 4},
                        {{2, PipelineSchedule::interleaved, 2}, {5, 3}, {2, 2}, 5}};
  for (const Case& c : cases) {
    SCOPED_TRACE(c.layout.name());
    run_thread_ranks(c.layout.pp, {60}, [&](Communicator& world) {
      const RankGroups groups(world, plan_of(c.layout), pipeline_model());
      const PipelineOptions o = options_of(groups);
      std::size_t arena = 0;
      for (const StageRange& range : pipeline_parts(o)) {
        arena = std::max(arena, bytes_of_part(o, range));
      }
      const auto stage = std::size_t(world.rank());
      EXPECT_EQ(Pipeline::bytes(o), c.slots[stage] * (arena + stream) + 2 * stream);
      EXPECT_EQ(Pipeline::exchange_bytes(o), c.outgoing[stage] * c.messages * stream);
    });
  }
}

TEST(Pipeline, HasTheWholeModelOnOneRankAlone) {
  for (const PipelineLayout& l :
       {PipelineLayout{1}, {2}, {1, PipelineSchedule::one_f_one_b, 1, 2}}) {
    SCOPED_TRACE(l.name());
    run_thread_ranks(l.pp * l.tp, {60}, [&](Communicator& world) {
      const PipelineRank rank(world, l);
      EXPECT_EQ(rank.pipeline.whole_model() != nullptr, world.size() == 1);
    });
  }
}

TEST(Pipeline, AStepMayHaveFewerMicroBatches) {
  run_thread_ranks(2, {60}, [](Communicator& world) {
    PipelineRank rank(world, {2, PipelineSchedule::gpipe});
    const std::vector<SampleBatch> all = samples();
    const std::vector<MicroBatch> batches = batches_of(all);
    for (const std::size_t count : {4, 1, 3, 4}) {
      std::ranges::fill(rank.losses, -1.0f);
      rank.step(std::span(batches).first(count));
      const auto written = std::ranges::count_if(rank.losses, [](float x) { return x >= 0; });
      EXPECT_EQ(written, rank.groups.on_last_stage()
                             ? std::ssize(rank.losses) * std::int64_t(count) / 4
                             : 0);
    }
  });
}

TEST(Pipeline, RefusesMoreMicroBatchesInFlightThanPlanned) {
  const PipelineLayout l{2, PipelineSchedule::gpipe};
  EXPECT_THAT(test::runtime_error_of([&] {
                run_thread_ranks(2, {60}, [&](Communicator& world) {
                  PipelineRank rank(world, l);
                  std::vector<SampleBatch> all = samples();
                  all.emplace_back(4);
                  rank.losses.resize(all.size() * SampleBatch::n);
                  rank.step(batches_of(all));
                });
              }),
              testing::HasSubstr("more micro-batches in flight than the 4 that were planned"));
}

// The operations that ran, with the shapes of their tensors.
class OperationSet final : public OperationObserver {
 public:
  void observe(Context& context, const Operation& operation) override {
    std::string text = operation.name + (operation.in_place ? " in place" : "");
    for (const Tensor& x : operation.tensors) text += " " + to_string(x.shape);
    all.insert(text);
    operation.run(context);
  }
  std::set<std::string> all;
};

TEST(Pipeline, AWarmUpRunsTheOperationsOfStepsAndForwards) {
  for (const PipelineLayout& l : {PipelineLayout{1}, {2}, {2, PipelineSchedule::interleaved, 2}}) {
    SCOPED_TRACE(l.name());
    run_thread_ranks(l.pp, {60}, [&](Communicator& world) {
      PipelineRank rank(world, l);
      const std::vector<SampleBatch> all = samples();
      const std::vector<MicroBatch> batches = batches_of(all);
      const std::vector<std::int32_t> rows{3, 5};
      std::vector<float> losses(SampleBatch::n), values(2 * 50);
      const Tensor logits(values.data(), DType::f32, {2, 50});
      OperationSet warm_up, real;
      rank.context.observer = &warm_up;
      rank.pipeline.warm_up(rank.context, std::span(batches).first(2), rank.tensor(losses));
      rank.pipeline.warm_up_logits(rank.context, batches[0], rows, logits);
      rank.context.observer = &real;
      rank.parameters.begin_gradients(rank.context);
      rank.step(batches);
      rank.pipeline.evaluate(rank.context, batches[0], rank.tensor(losses));
      rank.pipeline.next_logits(rank.context, batches[0], rows, logits);
      rank.context.observer = nullptr;
      EXPECT_GT(real.all.size(), 15u);
      for (const std::string& operation : real.all) {
        if (operation.starts_with("fill ")) continue;  // of gradients
        EXPECT_TRUE(warm_up.all.contains(operation)) << operation;
      }
    });
  }
}

}  // namespace
}  // namespace fathom
