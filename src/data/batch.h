// A micro-batch on the host: B sequences of T tokens each, the input of the model.
#pragma once

#include <cstdint>
#include <vector>

namespace fathom {

// Position j of sequence b has index b * T + j in each of the flat vectors.
//
// Every token of the data is predicted from the one before it. The token before a
// document's first one is the end-of-document token of the document before, which
// therefore also marks a beginning. Attention is limited to segments: a segment is a
// sequence or, with attention inside documents, a document's part of a sequence, which
// begins with that end-of-document input. No target is lost to the masking.
struct Batch {
  std::int64_t sequences = 0;        // B
  std::int64_t sequence_length = 0;  // T
  std::int64_t first_sample = 0;     // global index of the first sequence

  std::vector<std::int32_t> inputs;      // [B * T] token ids
  std::vector<std::int32_t> targets;     // [B * T] next ids; -1 where there is none (padding)
  std::vector<float> loss_weights;       // [B * T] weight of each target's loss; empty: all 1
  std::vector<std::int32_t> positions;   // [B * T] distance from the segment's start
  std::vector<std::int32_t> cu_seqlens;  // [segments + 1] offsets of the segments: 0, ..., B * T
  std::vector<std::int32_t> sources;     // [B] index of the source; -1 for a padding sequence
  std::int64_t num_targets = 0;          // targets that are not -1
  std::int64_t num_padding = 0;          // tokens that only fill rows up
};

enum class AttentionSpan { sequence, document };

}  // namespace fathom
