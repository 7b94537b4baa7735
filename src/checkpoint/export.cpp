#include "checkpoint/export.h"

#include <algorithm>

#include "checkpoint/ranks.h"
#include "core/log.h"
#include "io/atomic_directory.h"

namespace fathom {
namespace {

// The indices of the shards that rank `rank` of `ranks` writes: largest first, each to the rank
// that has least to write.
std::vector<std::size_t> share_of(const std::vector<SafetensorsShard>& shards, int rank,
                                  int ranks) {
  std::vector<std::size_t> order, mine;
  for (std::size_t i = 0; i < shards.size(); ++i) order.push_back(i);
  std::ranges::stable_sort(order, std::ranges::greater(),
                           [&](std::size_t i) { return shards[i].bytes; });
  std::vector<std::uint64_t> bytes(static_cast<std::size_t>(ranks), 0);
  for (const std::size_t i : order) {
    const auto least = std::ranges::min_element(bytes);
    if (least - bytes.begin() == rank) mine.push_back(i);
    *least += shards[i].bytes;
  }
  return mine;
}

}  // namespace

// A bf16 weight is its f32 master rounded, so that its remainder is read for f32 alone.
WeightReader weights_in(const Checkpoint& checkpoint, Communicator& ranks) {
  return [&checkpoint, &ranks](const ParameterSpec& spec, std::int64_t first_row, Tensor rows) {
    ranks.throw_if_failed();
    Context host(cpu_device, 0);
    std::vector<std::int64_t> offset(static_cast<std::size_t>(spec.shape.rank()), 0);
    offset.front() = first_row;
    if (rows.dtype == DType::f32) {
      checkpoint.load_weights(host, spec.name, offset, rows, Tensor{});
    } else {
      checkpoint.load_slice(host, StateKind::weight, spec.name, offset, rows);
    }
  };
}

void export_model(const Checkpoint& checkpoint, const std::string& directory,
                  const ModelConfig& config, const SaveModelOptions& options, Communicator& ranks) {
  const TransferRate rate;
  const bool first = ranks.rank() == 0;
  const ModelFiles files(config, options);
  std::optional<AtomicDirectory> target;
  const std::string place =
      all_or_none(ranks, [&]() -> std::string {
        if (!first) return {};
        target.emplace(options.replace ? AtomicDirectory(directory, model_files())
                                       : AtomicDirectory(directory));
        return target->temporary();
      }).front();
  std::uint64_t bytes = 0;
  all_or_none(ranks, [&]() -> std::string {
    const WeightReader weights = weights_in(checkpoint, ranks);
    for (const std::size_t i : share_of(files.shards(), ranks.rank(), ranks.size())) {
      files.write_shard(place, i, weights);
      bytes += files.shards()[i].bytes;
    }
    return {};
  });
  all_or_none(ranks, [&]() -> std::string {
    if (!first) return {};
    files.write_others(place);
    target->commit();
    return {};
  });
  const std::string text = rate.text("model", ranks, bytes);
  if (first) log::info("wrote {}", text);
}

}  // namespace fathom
