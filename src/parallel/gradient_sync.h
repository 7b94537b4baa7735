// GradientSync: the communication before and after the optimizer. Gradients are summed where
// several ranks have a part of them. Under ZeRO-1 (Rajbhandari et al., 2020) each data-parallel
// rank gets the sums of its share of the parameters alone and updates that share; then the weights
// are gathered again.
//
// With overlap it happens beside the computing: a bucket's gradients are summed as soon as
// the last backward of the step has passed its layers, and its weights are gathered while
// the next forward comes to them. Without, the same collectives run in the same order.
//
// Parameters and gradients are one vector each (ParameterStore), cut into buckets; in
// each, every data-parallel rank owns one of as many equal runs.
#pragma once

#include <memory>
#include <vector>

#include "comm/comm_queue.h"
#include "model/layer_observer.h"
#include "model/parameters.h"
#include "parallel/rank_groups.h"

namespace fathom {

// A box of a global parameter that this rank's optimizer updates: contiguous, from
// `first` on in the flat vectors.
struct OwnedSlice {
  std::size_t parameter = 0;  // in ParameterStore::all()
  std::vector<std::int64_t> offset;
  Shape shape;
  std::int64_t first = 0;
  // Of the ranks that hold a copy one counts it in the norm and writes it to
  // checkpoints.
  bool primary = true;
};

class GradientSync final : public LayerObserver {
 public:
  // Both outlive this. `bucket_elements`: 0 for a 32nd of them all, but at least a million:
  // each bucket costs the latency of a collective, and the last one of a step is not hidden.
  // Without other replicas there is one bucket. Collective.
  GradientSync(ParameterStore& parameters, const RankGroups& ranks, Device device,
               std::int64_t bucket_elements = 0);
  ~GradientSync() override;

  // Bytes of the device that the groups of its own take to exchange gradients and weights, also of
  // one on the meta device.
  std::size_t exchange_bytes(Device device) const;

  // The slices that the rank's optimizer updates, in the order of the flat vectors.
  std::vector<OwnedSlice> owned() const;
  // LayerObserver: told by each forward, and by the last backward of a step.
  void before_forward(Context& context, std::int64_t layer) override;
  void after_backward(Context& context, std::int64_t layer) override;
  // Gradients become the sums over all ranks, where this rank owns them: those of layers
  // that after_backward() has not announced begin now, and all are waited for.
  void reduce(Context& context);
  // Gathers the weights of all ranks' shares, after an update or a load. before_forward() waits for
  // those of its layer, wait_for_weights() for all.
  void gather_weights(Context& context);
  void wait_for_weights(Context& context);
  // As Communicator::cancel(), in the groups of its own.
  void cancel();

 private:
  struct Bucket {
    std::int64_t first, count;
    std::vector<std::int64_t> layers;     // that have parameters in it
    std::vector<std::int64_t> waits_for;  // of them, in this step
    CommQueue::Ticket gathered = 0;
  };
  struct Capacities {
    CollectiveCapacity data, tensor, same_key_heads, tied_embedding;
  };
  Capacities capacities() const;
  void start_step();
  void reduce_layer(Context& context, std::int64_t layer);
  void reduce_bucket(Context& context, const Bucket& bucket);
  std::int64_t share_first(const Bucket& bucket) const;
  std::int64_t share_count(const Bucket& bucket) const;
  void reduce_copies(Context& context, const Parameter& parameter);
  bool primary_copy(const ParameterSpec& spec) const;

  ParameterStore& parameters_;
  const RankGroups& ranks_;
  std::vector<Bucket> buckets_;
  // Their own communicators, for they run beside the groups that the layers use. Null on a single
  // rank, and on the meta device unless the ranks' groups are planned ones (comm/planned_group.h).
  std::unique_ptr<Communicator> data_, tensor_, same_key_heads_, tied_embedding_;
  std::vector<std::int64_t> layers_;  // of this rank's parameters
  std::vector<std::int64_t> left_;    // of them, not announced in this step
  CommQueue queue_;                   // the last member: its work ends first
};

}  // namespace fathom
