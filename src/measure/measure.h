// What `fathom bench` measures: whole training steps, the operations inside them, and
// what the device gives at most.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "core/context.h"
#include "measure/trace.h"
#include "model/block.h"
#include "model/config.h"

namespace fathom::measure {

// The step that is measured.
struct StepShape {
  ModelConfig model;  // resolved
  Device device;
  DType dtype = DType::f32;
  Products products = Products::dtype;
  std::int64_t sequences = 8, sequence_length = 512;
  std::int64_t micro_batch = 8;  // sequences; divides `sequences`
  Recompute recompute = Recompute::none;
  std::int64_t logits_chunk = 1024;
  // Lengths of texts that the sequences are packed with, attention inside each, as fine-tuning
  // does; empty: every sequence is one text.
  std::vector<std::int64_t> text_lengths;
  // Preference training: of the texts of a micro-batch each two in turn are a pair, whose weights
  // follow from its losses within the step.
  bool pairs = false;
  std::int64_t tokens() const { return sequences * sequence_length; }
  std::int64_t micro_batches() const { return sequences / micro_batch; }
};

// The lengths of each sequence's texts: of all rows that best-fit packing makes of text_lengths,
// again and again where they are too few, so many as the step has sequences, evenly spread. What a
// sequence has left is padding. Throws an input Error for a length that does not fit.
std::vector<std::vector<std::int64_t>> packed_texts(const StepShape& shape);
// Tokens of a step that are not padding.
std::int64_t text_tokens(const StepShape& shape);

// How many steps to measure, and what to do before and between them.
struct Effort {
  int steps = 5;
  double heat_seconds = 0;  // of steps before the first that counts; two at least
  bool operations = true;   // time them too, in steps of their own between the others
};

struct StepTimes {
  std::vector<double> steps;             // seconds of whole steps: forward, backward, norm, AdamW
  std::vector<double> forwards;          // of the same batches, evaluated; with pairs
  std::vector<double> unpaired;          // of steps whose weights are there before; with pairs
  std::vector<double> traced;            // of those in which the operations were timed
  std::vector<OperationRow> operations;  // ceilings of the matrix products are set
  double gaps = 0;                       // seconds of a step between its operations
};

// Bytes of the device that measure_steps takes, with what its libraries do.
std::size_t step_bytes(const StepShape& shape);

// Runs the trainer's own Learner on random tokens. All memory is free again afterwards.
StepTimes measure_steps(const StepShape& shape, const Effort& effort);

// Seconds of one call, run again and again for about `budget` seconds, as a hot device
// does it: the best of the means of three stretches.
double sustained_seconds(Context& context, double budget, const std::function<void()>& call);

struct Ceilings {
  double gemm_f32 = 0, gemm_bf16 = 0;  // FLOP/s of a large square product
  double copy = 0;                     // bytes/s, read and written
  double gemm(DType dtype) const {
    switch (dtype) {
      case DType::f32:
        return gemm_f32;
      case DType::bf16:
        return gemm_bf16;
      case DType::i32:
      case DType::u32:
      case DType::u16:
      case DType::u8:
        break;
    }
    fail_not_floating(dtype);
  }
};
// Bytes/s of a copy, read and written.
double measure_copy(Device device);
// `heat_seconds` of products come first.
Ceilings measure_ceilings(Device device, double heat_seconds);

}  // namespace fathom::measure
