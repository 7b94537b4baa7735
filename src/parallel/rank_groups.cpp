#include "parallel/rank_groups.h"

#include "comm/echo_group.h"
#include "comm/world_of_one.h"
#include "core/error.h"
#include "parallel/sequence_boundary.h"

namespace fathom {

namespace {

// `beside`: as SequenceBoundary has it. Null without tensor parallelism.
std::unique_ptr<TensorBoundary> make_boundary(const ParallelPlan& plan, Communicator& tensor,
                                              Communicator* beside, std::int64_t vocab_size,
                                              Overlap overlap) {
  if (plan.sequence_parallel) {
    return std::make_unique<SequenceBoundary>(tensor, *beside, vocab_size, plan.sequence_pieces,
                                              overlap);
  }
  if (plan.layout.tp == 1) return nullptr;
  return std::make_unique<TensorBoundary>(tensor, vocab_size);
}

}  // namespace

RankGroups::RankGroups(Communicator& world, const ParallelPlan& plan, const ModelConfig& model)
    : world_(world),
      plan_(plan),
      place_(plan.layout.place_of(world.rank())),
      echo_(std::make_unique<EchoGroup>(place_.tp, plan.layout.tp)) {
  const RankLayout& layout = plan_.layout;
  require(layout.world() == world.size(), "a layout of {} ranks in a world of {}", layout.world(),
          world.size());
  if (!world.only_planned()) world.name_ranks(layout.names());  // of many layouts it takes long
  const int replica = layout.dp * layout.tp;                  // ranks of a stage
  const GroupPlace in_tensor{place_.tp, layout.tp, 1};
  tensor_ = world.split_at(place_.pp * layout.dp + place_.dp, "tensor", in_tensor);
  data_ =
      world.split_at(place_.pp * layout.tp + place_.tp, "data", {place_.dp, layout.dp, layout.tp});
  pipeline_ = world.split_at(place_.dp * layout.tp + place_.tp, "pipeline",
                             {place_.pp, layout.pp, replica});
  if (model.num_kv_heads < layout.tp) {
    const auto replicas = static_cast<int>(layout.tp / model.num_kv_heads);
    same_key_heads_ = tensor_->split_at(place_.tp / replicas, "same key heads",
                                        {place_.tp % replicas, replicas, 1});
  }
  if (model.tie_embeddings && layout.pp > 1) {
    const bool holds = on_first_stage() || on_last_stage();
    tied_embedding_ = pipeline_->split_at(holds ? 0 : 1, "tied embedding",
                                          {on_last_stage() ? 1 : 0, 2, (layout.pp - 1) * replica});
    if (!holds) tied_embedding_.reset();
  }
  if (plan_.sequence_parallel) {
    beside_products_ = tensor_->split_at(0, "tensor, beside the products", in_tensor);
  }
  boundary_ = make_boundary(plan_, *tensor_, beside_products_.get(), model.vocab_size,
                            plan_.overlap ? Overlap::on : Overlap::off);
  echo_boundary_ = make_boundary(plan_, *echo_, echo_.get(), model.vocab_size, Overlap::off);
}

OneRank::OneRank(const ModelConfig& model)
    : world(world_of_one()), groups(*world, one_rank_plan(model), model) {}

std::vector<RankGroups::Connection> RankGroups::connections(const GroupCapacities& c) const {
  std::vector<Connection> all{
      {&world_, c.world}, {tensor_.get(), c.tensor}, {pipeline_.get(), c.pipeline}};
  if (beside_products_) all.emplace_back(beside_products_.get(), c.beside_products);
  return all;
}

void RankGroups::connect(Device device, const GroupCapacities& capacities) const {
  for (const auto& [group, capacity] : connections(capacities)) group->connect(device, capacity);
}

std::size_t RankGroups::exchange_bytes(Device device, const GroupCapacities& capacities) const {
  std::size_t bytes = 0;
  for (const auto& [group, capacity] : connections(capacities)) {
    bytes += planned_bytes(*group, device, capacity);
  }
  return bytes;
}

void RankGroups::cancel() const {
  for (Communicator* const group :
       {&world_, tensor_.get(), data_.get(), pipeline_.get(), same_key_heads_.get(),
        tied_embedding_.get(), beside_products_.get()}) {
    if (group) group->cancel();
  }
  if (boundary_) boundary_->cancel();
}

}  // namespace fathom
