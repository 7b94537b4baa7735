// The profile of a card: what `fathom plan` knows of a GPU and its links, as TOML. configs/cards/
// has four, each of whose figures says where it is from; `fathom bench gpu --profile FILE` measures
// one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"

namespace fathom::scaling {

// Matrix products of bf16 with f32 sums. A row of `measured` is six numbers: tokens, in, out (of
// x [tokens, in] and w [out, in]), then TFLOP/s of y = x wᵀ, dx = dy w and dw += dyᵀ x. Products
// that were not measured follow the law of those that were (scaling/product_law.h).
struct ProductRates {
  std::vector<double> measured;
  double in_step = 1;
  double idle_gain = 0, most_gain = 1;
};
template <class Visitor>
void visit_fields(ProductRates& c, Visitor&& field) {
  field("measured", c.measured, "tokens, in, out, then TFLOP/s of forward, dx and dw; repeated");
  field("in_step", c.in_step,
        "their speed in a step by the measured one: other operations leave the card cooler");
  field("idle_gain", c.idle_gain,
        "of a rank that waits for a share w of the time they are (1 - w)^-idle_gain as fast ...");
  field("most_gain", c.most_gain, "... but at most so much: a card at its power limit");
}

// seconds = start + flops / rate, of causal attention's own FLOPs.
struct AttentionRates {
  double forward_tflops = 0, backward_tflops = 0;
  double forward_start = 0, backward_start = 0;
};
template <class Visitor>
void visit_fields(AttentionRates& c, Visitor&& field) {
  field("forward_tflops", c.forward_tflops, "rate of large calls");
  field("backward_tflops", c.backward_tflops, "");
  field("forward_start", c.forward_start, "seconds that each call takes besides");
  field("backward_start", c.backward_start, "");
}

// Operations that memory bounds: shares of the rate of a copy.
struct CopyShares {
  double add_rmsnorm = 1, add_rmsnorm_backward = 1, rope = 1, swiglu = 1, swiglu_backward = 1,
         cross_entropy = 1, adamw = 1, add_sum_of_squares = 1, other = 1;
};
template <class Visitor>
void visit_fields(CopyShares& c, Visitor&& field) {
  field("add_rmsnorm", c.add_rmsnorm, "");
  field("add_rmsnorm_backward", c.add_rmsnorm_backward, "");
  field("rope", c.rope, "");
  field("swiglu", c.swiglu, "");
  field("swiglu_backward", c.swiglu_backward, "");
  field("cross_entropy", c.cross_entropy, "");
  field("adamw", c.adamw, "");
  field("add_sum_of_squares", c.add_sum_of_squares, "");
  field("other", c.other, "all that have no share of their own");
}

// A way between GPUs. A collective of n ranks of which each receives `bytes` takes
//   latency + (n − 2) · latency_per_rank + bytes / bandwidth
struct LinkProfile {
  double latency = 0, latency_per_rank = 0;  // seconds
  double bandwidth = 0;                      // bytes/s that a GPU receives
  double contention = 0;
};
template <class Visitor>
void visit_fields(LinkProfile& c, Visitor&& field) {
  field("latency", c.latency, "seconds of a collective of two ranks, or of a message");
  field("latency_per_rank", c.latency_per_rank, "seconds more for each further rank");
  field("bandwidth", c.bandwidth, "bytes/s that a GPU receives");
  field("contention", c.contention, "share of its speed that computing loses meanwhile");
}

struct CardProfile {
  std::string like;
  std::string name;
  double memory_gib = 0;
  double peak_tflops = 0;
  double copy_tbs = 0;
  double start = 0;
  double spread = 0;
  ProductRates products;
  AttentionRates attention;
  CopyShares copy_shares;
  LinkProfile peer, nccl, network;
};
template <class Visitor>
void visit_fields(CardProfile& c, Visitor&& field) {
  field("like", c.like, "card or profile whose figures stand where this one has none");
  field("name", c.name, "");
  field("memory_gib", c.memory_gib, "that a run may take, in GiB");
  field("peak_tflops", c.peak_tflops, "the maker's dense bf16 TFLOP/s, of which MFU is the share");
  field("copy_tbs", c.copy_tbs, "rate of a copy in TB/s, read and written");
  field("start", c.start, "seconds between two operations");
  field("spread", c.spread, "standard deviation of the speeds of cards, by their mean");
  field("products", c.products, "");
  field("attention", c.attention, "");
  field("copy_shares", c.copy_shares, "");
  field("peer", c.peer, "inside a node, GPUs of one process that read each other's memory");
  field("nccl", c.nccl, "inside a node, by NCCL");
  field("network", c.network, "between nodes; bytes/s that a GPU's own adapter receives");
}

// "h100", "h200", "h800" or "a100", which the binary holds, or a TOML file. Throws an input Error
// that names the key of a figure that is missing or impossible.
CardProfile load_card(const std::string& name_or_path);
std::vector<std::string_view> card_names();

}  // namespace fathom::scaling
