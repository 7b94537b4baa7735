// RankGroups: a rank's place in the layout and its communicator for each axis. The learner and the
// trainer hold it. A single rank has groups of one, whose communication does nothing.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "comm/communicator.h"
#include "parallel/rank_layout.h"
#include "parallel/tensor_boundary.h"

namespace fathom {

// Of the groups that the collectives of a step go through, but for GradientSync's own.
struct GroupCapacities {
  CollectiveCapacity world, tensor, beside_products, pipeline;
};

class RankGroups {
 public:
  // `world` outlives this. Collective.
  RankGroups(Communicator& world, const ParallelPlan& plan, const ModelConfig& model);

  const ParallelPlan& plan() const { return plan_; }
  const RankPlace& place() const { return place_; }
  Communicator& world() const { return world_; }
  Communicator& tensor() const { return *tensor_; }      // ranks by tp
  Communicator& data() const { return *data_; }          // by dp
  Communicator& pipeline() const { return *pipeline_; }  // by pp
  // Ranks of the tensor group that hold the same key heads; null when it is one.
  Communicator* same_key_heads() const { return same_key_heads_.get(); }
  // First and last stage when both hold the tied embedding; null on other ranks.
  Communicator* tied_embedding() const { return tied_embedding_.get(); }

  // As Communicator::connect(), in each of these groups, and the bytes of the device that it
  // takes in all of them.
  void connect(Device device, const GroupCapacities& capacities) const;
  std::size_t exchange_bytes(Device device, const GroupCapacities& capacities) const;
  // As Communicator::cancel(), in all groups. When this returns, the boundary's thread beside the
  // computing has ended.
  void cancel() const;

  Boundary* boundary() const { return boundary_.get(); }  // null: no tensor parallelism
  // The same shapes by this rank alone, with nothing exchanged.
  Boundary* echo_boundary() const { return echo_boundary_.get(); }
  TensorShard shard() const { return {place_.tp, plan_.layout.tp}; }
  bool first() const { return world_.rank() == 0; }
  bool alone() const { return world_.size() == 1; }
  bool on_first_stage() const { return place_.pp == 0; }
  bool on_last_stage() const { return place_.pp == plan_.layout.pp - 1; }
  // Of each replica the one rank that tells the others what the last stage alone knows.
  bool tells_losses() const { return on_last_stage() && place_.tp == 0; }

 private:
  using Connection = std::pair<Communicator*, CollectiveCapacity>;
  std::vector<Connection> connections(const GroupCapacities& capacities) const;

  Communicator& world_;
  ParallelPlan plan_;
  RankPlace place_;
  std::unique_ptr<Communicator> tensor_, data_, pipeline_, same_key_heads_, tied_embedding_;
  std::unique_ptr<Communicator> beside_products_;  // of the tensor group; the boundary's
  std::unique_ptr<Communicator> echo_;             // of the tensor group
  std::unique_ptr<TensorBoundary> boundary_, echo_boundary_;
};

// The groups of the only rank, with their world.
struct OneRank {
  explicit OneRank(const ModelConfig& model);

  std::unique_ptr<Communicator> world;
  RankGroups groups;
};

}  // namespace fathom
