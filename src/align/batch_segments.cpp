#include "align/batch_segments.h"

namespace fathom {
namespace {

constexpr std::int32_t padding_token = 0;

}  // namespace

void end_segment(std::int64_t tokens, Batch& batch) {
  for (std::int32_t i = 0; i < tokens; ++i) batch.positions.push_back(i);
  batch.cu_seqlens.push_back(static_cast<std::int32_t>(batch.inputs.size()));
}

void append_padding(std::int64_t tokens, Batch& batch) {
  if (tokens == 0) return;
  batch.num_padding += tokens;
  batch.inputs.insert(batch.inputs.end(), static_cast<std::size_t>(tokens), padding_token);
  batch.targets.insert(batch.targets.end(), static_cast<std::size_t>(tokens), no_target);
  end_segment(tokens, batch);
}

}  // namespace fathom
