#include "parallel/rank_groups.h"

#include "comm/world_of_one.h"
#include "core/error.h"
#include "parallel/sequence_boundary.h"

namespace fathom {

RankGroups::RankGroups(Communicator& world, const ParallelPlan& plan, const ModelConfig& model)
    : world_(world), plan_(plan), place_(plan.layout.place_of(world.rank())) {
  const RankLayout& layout = plan_.layout;
  require(layout.world() == world.size(), "a layout of {} ranks in a world of {}", layout.world(),
          world.size());
  world.name_ranks(layout.names());
  tensor_ = world.split(place_.pp * layout.dp + place_.dp, "tensor");
  data_ = world.split(place_.pp * layout.tp + place_.tp, "data");
  pipeline_ = world.split(place_.dp * layout.tp + place_.tp, "pipeline");
  if (model.num_kv_heads < layout.tp) {
    const auto replicas = static_cast<int>(layout.tp / model.num_kv_heads);
    same_key_heads_ = tensor_->split(place_.tp / replicas, "same key heads");
  }
  if (model.tie_embeddings && layout.pp > 1) {
    const bool holds = on_first_stage() || on_last_stage();
    tied_embedding_ = pipeline_->split(holds ? 0 : 1, "tied embedding");
    if (!holds) tied_embedding_.reset();
  }
  if (plan_.sequence_parallel) {
    beside_products_ = tensor_->split(0, "tensor, beside the products");
    boundary_ = std::make_unique<SequenceBoundary>(*tensor_, *beside_products_, model.vocab_size,
                                                   plan_.sequence_pieces,
                                                   plan_.overlap ? Overlap::on : Overlap::off);
  } else if (layout.tp > 1) {
    boundary_ = std::make_unique<TensorBoundary>(*tensor_, model.vocab_size);
  }
}

OneRank::OneRank(const ModelConfig& model)
    : world(world_of_one()), groups(*world, one_rank_plan(model), model) {}

void RankGroups::connect(Device device) const {
  for (Communicator* const group :
       {&world_, tensor_.get(), pipeline_.get(), beside_products_.get()}) {
    if (group) group->connect(device);
  }
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
