// The [parallel] table of a run's config: how its ranks share the work.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "comm/communicator.h"
#include "parallel/pipeline_schedule.h"

namespace fathom {

struct ParallelConfig {
  std::int64_t pp = 1, dp = 0, tp = 1;
  bool sequence_parallel = false;
  std::int64_t sequence_pieces = 1;
  bool zero = true;
  bool overlap = true;
  PipelineSchedule schedule = PipelineSchedule::one_f_one_b;
  std::int64_t virtual_stages = 1;
  std::vector<std::int64_t> stage_layers;
  double timeout_seconds = 300;
  double disk_timeout_seconds = 1800;
  bool peer_memory = true;
};

// How ranks are started. Throws an input Error that names the key.
CommunicatorOptions communicator_options(const ParallelConfig& config);

template <class Visitor>
void visit_fields(ParallelConfig& c, Visitor&& field) {
  field("pp", c.pp, "pipeline stages");
  field("dp", c.dp, "data-parallel replicas; 0: as many as the ranks allow");
  field("tp", c.tp, "ranks that share each layer");
  field("sequence_parallel", c.sequence_parallel, "tp ranks share the residual stream's tokens");
  field("sequence_pieces", c.sequence_pieces,
        "of the tokens; more than 1: exchanged beside the products in forwards too");
  field("zero", c.zero, "replicas share the optimizer's state (ZeRO-1)");
  field("overlap", c.overlap, "communication runs beside the computing; the results are the same");
  field("schedule", c.schedule, "order of the pipeline's micro-batches");
  field("virtual_stages", c.virtual_stages, "parts of the model a stage holds (interleaved)");
  field("stage_layers", c.stage_layers, "blocks of each part; empty: balanced by FLOPs");
  field("timeout_seconds", c.timeout_seconds, "a rank that keeps others waiting longer has failed");
  field("disk_timeout_seconds", c.disk_timeout_seconds,
        "a rank's disk that takes longer for one call has failed; 0: no limit");
  field("peer_memory", c.peer_memory,
        "GPUs of one process read each other's memory, where they can, in place of NCCL");
}

}  // namespace fathom
