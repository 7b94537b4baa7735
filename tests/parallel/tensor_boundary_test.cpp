// The sharded stage against the whole one: losses and every parameter's gradient, put
// together from the ranks' parts.
#include "parallel/tensor_boundary.h"

#include <gtest/gtest.h>

#include <map>
#include <mutex>

#include "comm/forwarding_communicator.h"
#include "comm/thread_ranks.h"
#include "core/error.h"
#include "core/observer.h"
#include "core/parallel.h"
#include "model/shard.h"
#include "ops/elementwise.h"
#include "parallel/sequence_boundary.h"
#include "parallel/small_model.h"

namespace fathom {
namespace {

using test::SampleBatch;

struct BoundaryResult {
  std::vector<float> losses, evaluated, logits;
  std::map<std::string, std::vector<float>> gradients;  // global
};

// Adds the boxes of the rank's gradients to the global ones. Where all ranks hold a box,
// partial gradients are summed, and whole ones are taken from the first.
void collect(const ParameterStore& parameters, bool sequence_parallel, BoundaryResult& result) {
  for (const Parameter& p : parameters.all()) {
    auto& global = result.gradients[p.spec.name];
    global.resize(static_cast<std::size_t>(p.spec.shape.elements()));
    const float* local = p.gradient.as<float>();
    for (const ShardBox& box : shard_boxes(p.spec, parameters.shard())) {
      const bool partial = sequence_parallel && p.spec.gradient_is_partial;
      const bool shared_head = p.spec.split_dim == 0;
      if (!box.primary && !partial && !shared_head) continue;
      const std::int64_t columns = box.shape[-1];
      const std::int64_t rows = box.shape.elements() / columns;
      const std::int64_t first_row = box.offset.size() > 1 ? box.offset[0] : 0;
      const std::int64_t first_column = box.offset.back();
      for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t c = 0; c < columns; ++c) {
          const auto at = (first_row + r) * p.spec.shape[-1] + first_column + c;
          global[static_cast<std::size_t>(at)] += local[(box.local + r) * columns + c];
        }
      }
    }
  }
}

// A group whose begun sums are added as late as they may be, as between GPUs: the others' parts
// are taken at once, this rank's own where it lies when the sum is needed.
class LateSums final : public test::ForwardingCommunicator {
 public:
  using ForwardingCommunicator::ForwardingCommunicator;
  int added() const { return added_; }  // of the begun sums
  std::function<void(Context&)> begin_reduce_scatter(Context& context, Tensor from,
                                                     Tensor to) override {
    const auto all = std::make_shared<std::vector<float>>(
        static_cast<std::size_t>(from.elements() * group_.size()));
    group_.all_gather(context, from, Tensor(all->data(), DType::f32, {std::ssize(*all)}));
    return [this, all, from, to](Context&) {
      ++added_;
      const std::int64_t count = to.elements(), offset = group_.rank() * count;
      for (std::int64_t i = 0; i < count; ++i) {
        float sum = 0;
        for (int r = 0; r < group_.size(); ++r) {
          sum += r == group_.rank()
                     ? from.as<float>()[offset + i]
                     : (*all)[static_cast<std::size_t>(r * from.elements() + offset + i)];
        }
        to.as<float>()[i] = sum;
      }
    };
  }

 private:
  int added_ = 0;
};

// Logits of tokens out of order, as every rank gets them.
std::vector<float> logits_of(const Stage& stage, Context& context, const SampleBatch& tokens,
                             Boundary* boundary) {
  const std::vector<std::int32_t> rows{SampleBatch::n - 1, 0, 13};
  const std::int64_t vocabulary = stage.config().vocab_size;
  const std::size_t planned = Stage::logits_bytes(stage.config(), stage.range(), DType::f32,
                                                  SampleBatch::n, std::ssize(rows), boundary);
  Arena arena(cpu_device, planned);
  std::vector<float> logits(rows.size() * static_cast<std::size_t>(vocabulary));
  stage.logits(context, tokens.batch(), arena, rows,
               Tensor(logits.data(), DType::f32, {std::ssize(rows), vocabulary}));
  EXPECT_EQ(arena.peak(), planned);
  return logits;
}

enum class Sums { at_once, late };

BoundaryResult run(const ModelConfig& config, Recompute recompute, int tp, bool sequence_parallel,
                   std::int64_t pieces = 1, Sums sums = Sums::at_once) {
  BoundaryResult result;
  std::mutex mutex;
  run_thread_ranks(tp, {60}, [&](Communicator& group) {
    set_num_threads(1);
    TensorBoundary tensor(group, config.vocab_size);
    const auto beside = group.split(0, "beside");
    LateSums late(*beside);
    SequenceBoundary sequence(group,
                              sums == Sums::late ? static_cast<Communicator&>(late) : *beside,
                              config.vocab_size, pieces, Overlap::on);
    TensorBoundary* boundary = tp == 1 ? nullptr : sequence_parallel ? &sequence : &tensor;
    const TensorShard shard{group.rank(), group.size()};
    Context context(cpu_device);
    const SampleBatch tokens;
    const StageRange all = whole_model(config);
    const StageOptions options{recompute, 7};
    ParameterStore parameters(stage_parameters(config, all), DType::f32, Gradients::f32, cpu_device,
                              shard);
    for (Parameter& p : parameters.all()) initialize(context, p, shard, config.init_std, 5);
    Stage stage(config, all, parameters, options, cpu_device, boundary);
    const std::size_t planned =
        Stage::activation_bytes(config, all, options, DType::f32, SampleBatch::n, boundary);
    Activations activations(Arena(cpu_device, planned));
    std::vector<float> losses(SampleBatch::n), evaluated(SampleBatch::n);
    const Tensor loss(losses.data(), DType::f32, {SampleBatch::n}), none;
    stage.forward(context, tokens.batch(), none, activations, none, 0.1f, loss);
    stage.backward(context, tokens.batch(), activations, none, none);
    EXPECT_EQ(activations.arena.peak(), planned);
    Arena arena(cpu_device,
                Stage::forward_bytes(config, all, options, DType::f32, SampleBatch::n, boundary));
    stage.evaluate(context, tokens.batch(), arena,
                   Tensor(evaluated.data(), DType::f32, {SampleBatch::n}));
    const std::vector<float> logits = logits_of(stage, context, tokens, boundary);
    const std::lock_guard lock(mutex);
    if (result.losses.empty()) {
      result.losses = losses;
      result.evaluated = evaluated;
      result.logits = logits;
    }
    EXPECT_EQ(losses, result.losses);
    EXPECT_EQ(logits, result.logits);
    collect(parameters, sequence_parallel, result);
  });
  return result;
}

struct Case {
  std::int64_t kv_heads, vocabulary;
  bool tied;
};

TEST(TensorBoundary, ShardedEqualsWholeOverAllLayouts) {
  // 8 ranks do not divide 50 and 53.
  for (const Case& c : {Case{8, 48, false}, Case{2, 50, false}, Case{2, 53, true}}) {
    const ModelConfig config = test::small_model(2, c.kv_heads, c.vocabulary, c.tied);
    const BoundaryResult whole = run(config, Recompute::selective, 1, false);
    for (const int tp : {2, 4, 8}) {
      for (const bool sequence_parallel : {false, true}) {
        for (const Recompute recompute : {Recompute::none, Recompute::selective, Recompute::full}) {
          SCOPED_TRACE(fmt::format("tp {}, sequence parallel {}, recompute {}, kv heads {}", tp,
                                   sequence_parallel, int(recompute), c.kv_heads));
          const BoundaryResult split = run(config, recompute, tp, sequence_parallel);
          EXPECT_LT(test::relative_error(split.losses, whole.losses), 1e-5);
          EXPECT_LT(test::relative_error(split.evaluated, whole.evaluated), 1e-5);
          EXPECT_LT(test::relative_error(split.logits, whole.logits), 1e-5);
          for (const auto& [name, values] : whole.gradients) {
            EXPECT_LT(test::relative_error(split.gradients.at(name), values), 1e-5) << name;
          }
        }
      }
    }
  }
}

// Four pieces for four ranks each do not divide the 24 tokens, which then go in one.
TEST(SequenceBoundary, EqualsTheWholeInAnyNumberOfPieces) {
  const ModelConfig config = test::small_model(2, 2, 50, false);
  const BoundaryResult whole = run(config, Recompute::selective, 1, false);
  for (const auto& [tp, pieces] : {std::array{2, 1}, {2, 2}, {2, 4}, {4, 1}, {4, 2}, {4, 4}}) {
    for (const Recompute recompute : {Recompute::none, Recompute::selective, Recompute::full}) {
      for (const Sums sums : {Sums::at_once, Sums::late}) {
        SCOPED_TRACE(fmt::format("tp {}, {} pieces, recompute {}, sums {}", tp, pieces,
                                 int(recompute), int(sums)));
        const BoundaryResult split = run(config, recompute, tp, true, pieces, sums);
        EXPECT_LT(test::relative_error(split.losses, whole.losses), 1e-5);
        EXPECT_LT(test::relative_error(split.evaluated, whole.evaluated), 1e-5);
        EXPECT_LT(test::relative_error(split.logits, whole.logits), 1e-5);
        for (const auto& [name, values] : whole.gradients) {
          EXPECT_LT(test::relative_error(split.gradients.at(name), values), 1e-5) << name;
        }
      }
    }
  }
}

// This rank's tokens of the sum over the group of x wᵀ, by one collective.
std::vector<float> plain_sum(Communicator& group, Context& context, const Linear& linear, Tensor x,
                             std::int64_t pieces) {
  std::vector<float> all(static_cast<std::size_t>(x.rows() * linear.out_features()));
  const Tensor y(all.data(), DType::f32, {x.rows(), linear.out_features()});
  linear.forward(context, x, y);
  group.all_reduce(context, y);
  // Of each piece a rank holds an equal run.
  const auto run = std::ssize(all) / pieces / group.size();
  std::vector<float> held;
  for (std::int64_t piece = 0; piece < pieces; ++piece) {
    const auto first = all.begin() + (piece * group.size() + group.rank()) * run;
    held.insert(held.end(), first, first + run);
  }
  return held;
}

// Two sums and two arrivals are under way at once, and are ended in the other order.
TEST(SequenceBoundary, WhatIsUnderWayIsKnownByItsHandle) {
  const ModelConfig config = test::small_model(1, 8, 48, false);
  constexpr std::int64_t pieces = 2, rows = SampleBatch::n;
  run_thread_ranks(2, {60}, [&](Communicator& group) {
    set_num_threads(1);
    const auto beside = group.split(0, "beside");
    LateSums late(*beside);
    SequenceBoundary boundary(group, late, config.vocab_size, pieces, Overlap::on);
    Context context(cpu_device);
    ParameterStore parameters(stage_parameters(config, whole_model(config)), DType::f32,
                              Gradients::f32, cpu_device, boundary.shard());
    for (Parameter& p : parameters.all()) initialize(context, p, boundary.shard(), 0.2, 5);
    const Linear out(parameters.at("layers.0.attention.output.weight"));
    const Linear in(parameters.at("layers.0.attention.qkv.weight"));
    Arena arena(cpu_device, 1 << 20);
    const auto normal = [&](Shape shape, std::uint64_t seed) {
      const Tensor x = arena.take(DType::f32, shape);
      ops::NormalFill fill;
      fill.seed = seed;
      fill.global_columns = x.cols();
      ops::fill_normal(context, x, fill);
      return x;
    };
    const Tensor x1 = normal({rows, config.hidden_size / 2}, 1 + std::uint64_t(group.rank()));
    const Tensor x2 = normal({rows, config.hidden_size / 2}, 3 + std::uint64_t(group.rank()));
    const Tensor y1 = arena.take(DType::f32, {rows, config.hidden_size});
    const Tensor y2 = arena.take(DType::f32, {rows, config.hidden_size});
    const Leaving first = boundary.row_linear(context, x1, out, y1);
    const Leaving second = boundary.row_linear(context, x2, out, y2);
    const Tensor sum2 = boundary.end_leave(context, second);
    require(late.added() == pieces, "{} sums were added for one", late.added());
    const Tensor sum1 = boundary.end_leave(context, first);
    require(late.added() == 2 * pieces, "{} sums were added for two", late.added());
    const auto values = [](Tensor x) {
      return std::vector<float>(x.as<float>(), x.as<float>() + x.elements());
    };
    EXPECT_LT(test::relative_error(values(sum1), plain_sum(group, context, out, x1, pieces)), 1e-6);
    EXPECT_LT(test::relative_error(values(sum2), plain_sum(group, context, out, x2, pieces)), 1e-6);

    const Tensor z1 = arena.take(DType::f32, {rows, in.out_features()});
    const Tensor z2 = arena.take(DType::f32, {rows, in.out_features()});
    const Tensor whole1 = boundary.enter(context, arena, sum1);
    const Tensor whole2 = boundary.enter(context, arena, sum2);
    const Entering arrival1 = boundary.begin_enter(context, arena, sum1);
    const Entering arrival2 = boundary.begin_enter(context, arena, sum2);
    boundary.column_linear(context, arrival2, in, z2);
    boundary.column_linear(context, arrival1, in, z1);
    EXPECT_EQ(values(arrival1.tensor), values(whole1));
    EXPECT_EQ(values(arrival2.tensor), values(whole2));
    const Tensor expected = arena.take(DType::f32, z1.shape);
    in.forward(context, whole1, expected);
    EXPECT_LT(test::relative_error(values(z1), values(expected)), 1e-6);
    in.forward(context, whole2, expected);
    EXPECT_LT(test::relative_error(values(z2), values(expected)), 1e-6);
  });
}

// The operations of a pass with the shapes of their tensors, in their order.
class OperationList final : public OperationObserver {
 public:
  void observe(Context& context, const Operation& operation) override {
    std::string text = operation.name;
    for (const Tensor& x : operation.tensors) {
      text +=
          x ? fmt::format(" {}{}/{}", name_of(x.dtype), to_string(x.shape), x.row_stride) : " -";
    }
    list.push_back(text);
    operation.run(context);
  }
  std::vector<std::string> list;
};

std::vector<std::string> operations_on(Device device, const ModelConfig& config,
                                       Recompute recompute, Boundary& boundary) {
  const StageOptions options{recompute, 7};
  const StageRange all = whole_model(config);
  ParameterStore parameters(stage_parameters(config, all), DType::f32, Gradients::f32, device,
                            boundary.shard());
  Stage stage(config, all, parameters, options, device, &boundary);
  Context context(device);
  for (Parameter& p : parameters.all()) initialize(context, p, boundary.shard(), 0.2, 5);
  const SampleBatch tokens;
  MicroBatch batch = tokens.batch();
  for (Tensor* x :
       {&batch.ids, &batch.targets, &batch.tokens.positions, &batch.tokens.segments.offsets}) {
    x->device = device;
  }
  const Buffer memory(device, SampleBatch::n * sizeof(float));
  const Tensor losses = memory.tensor(DType::f32, {SampleBatch::n}), none;
  const bool planned = device.type == DeviceType::meta;
  Activations activations(planned ? Arena::measuring() : Arena(device, 1 << 20));
  OperationList operations;
  context.observer = &operations;
  parameters.begin_gradients(context);
  stage.forward(context, batch, none, activations, none, 0.1f, losses);
  stage.backward(context, batch, activations, none, none);
  stage.evaluate(context, batch, activations.arena, losses);
  return operations.list;
}

// What is planned on the meta device is what a device runs, in pieces too.
TEST(SequenceBoundary, TheMetaDeviceRunsTheSameOperations) {
  const ModelConfig config = test::small_model(2, 2, 50, false);
  for (const std::int64_t pieces : {1, 2}) {
    for (const Recompute recompute : {Recompute::none, Recompute::selective, Recompute::full}) {
      run_thread_ranks(2, {60}, [&](Communicator& group) {
        set_num_threads(1);
        const auto beside = group.split(0, "beside");
        SequenceBoundary boundary(group, *beside, config.vocab_size, pieces, Overlap::on);
        const auto planned = operations_on(meta_device, config, recompute, boundary);
        const auto run = operations_on(cpu_device, config, recompute, boundary);
        EXPECT_GT(run.size(), 50u);
        EXPECT_EQ(planned, run) << pieces << " pieces, recompute " << int(recompute);
      });
    }
  }
}

}  // namespace
}  // namespace fathom
