#include "model/gguf_tensors.h"

#include <string_view>

#include "core/error.h"

namespace fathom::gguf {
namespace {

constexpr struct {
  std::string_view hugging_face, ggml;
} names[] = {
    {"embed_tokens.weight", "token_embd.weight"},
    {"model.norm.weight", "output_norm.weight"},
    {"lm_head.weight", "output.weight"},
    {"input_layernorm.weight", "attn_norm.weight"},
    {"self_attn.q_proj.weight", "attn_q.weight"},
    {"self_attn.k_proj.weight", "attn_k.weight"},
    {"self_attn.v_proj.weight", "attn_v.weight"},
    {"self_attn.o_proj.weight", "attn_output.weight"},
    {"post_attention_layernorm.weight", "ffn_norm.weight"},
    {"mlp.gate_proj.weight", "ffn_gate.weight"},
    {"mlp.up_proj.weight", "ffn_up.weight"},
    {"mlp.down_proj.weight", "ffn_down.weight"},
};

// Width of the heads whose rows are interleaved; 0: the rows are in our order.
std::int64_t rotated_width(const ParameterSpec::HuggingFacePart& part) {
  const bool rotated = part.name.ends_with("q_proj.weight") || part.name.ends_with("k_proj.weight");
  return rotated ? part.rows / part.units : 0;
}

}  // namespace

std::string tensor_name(const ParameterSpec& spec, const ParameterSpec::HuggingFacePart& part) {
  for (const auto& name : names) {
    if (!part.name.ends_with(name.hugging_face)) continue;
    const bool in_block = part.name.find("layers.") != std::string::npos;
    return in_block ? fmt::format("blk.{}.{}", spec.layer, name.ggml) : std::string(name.ggml);
  }
  fail_runtime("{} has no name in GGUF", part.name);
}

bool reorders_rows(const ParameterSpec::HuggingFacePart& part) {
  return rotated_width(part) != 0;
}

std::int64_t stored_row(const ParameterSpec::HuggingFacePart& part, std::int64_t row) {
  const std::int64_t width = rotated_width(part);
  if (width == 0) return row;
  const std::int64_t head = row / width, i = row % width, half = width / 2;
  return head * width + (i < half ? 2 * i : 2 * (i - half) + 1);
}

std::int64_t own_row(const ParameterSpec::HuggingFacePart& part, std::int64_t row) {
  const std::int64_t width = rotated_width(part);
  if (width == 0) return row;
  const std::int64_t head = row / width, i = row % width, half = width / 2;
  return head * width + i / 2 + (i % 2) * half;
}

}  // namespace fathom::gguf
