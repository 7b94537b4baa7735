// What has to happen between the ranks before and after the optimizer: gradients are
// summed where several ranks have a part of them, and under ZeRO-1 (Rajbhandari et
// al., 2020) each data-parallel rank gets the sums of its share of the parameters
// alone, updates that, and the weights are gathered again.
//
// Parameters and gradients are one vector each (ParameterStore), cut into buckets; in
// each, every data-parallel rank owns one of as many equal runs.
#pragma once

#include <vector>

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

class GradientSync {
 public:
  // Both outlive this.
  GradientSync(ParameterStore& parameters, const RankGroups& ranks,
               std::int64_t bucket_elements = std::int64_t{1} << 22);

  // What the rank's optimizer works on, in the order of the flat vectors.
  std::vector<OwnedSlice> owned() const;
  // Gradients become the sums over all ranks, where this rank owns them.
  void reduce(Context& context);
  // Weights of all ranks' shares; after an update or a load.
  void gather_weights(Context& context);

 private:
  struct Bucket {
    std::int64_t first, count;
  };
  std::int64_t share_first(const Bucket& bucket) const;
  std::int64_t share_count(const Bucket& bucket) const;
  void reduce_copies(Context& context);
  bool primary_copy(const ParameterSpec& spec) const;

  ParameterStore& parameters_;
  const RankGroups& ranks_;
  std::vector<Bucket> buckets_;
};

}  // namespace fathom
