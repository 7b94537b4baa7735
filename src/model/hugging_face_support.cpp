#include "model/hugging_face_support.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "core/error.h"

namespace fathom {
namespace {

struct Architecture {
  std::string_view type, name;
};
// Both are the same mathematics and the same tensors; Mistral's window is checked below.
constexpr Architecture supported[] = {{"llama", "LlamaForCausalLM"},
                                      {"mistral", "MistralForCausalLM"}};

// How well-known architectures differ from ours, for the message.
constexpr struct {
  std::string_view type, difference;
} others[] = {
    {"qwen2", "its queries, keys and values have biases"},
    {"qwen3", "it normalises queries and keys"},
    {"phi", "it has biases, LayerNorm and partial rotary embeddings"},
    {"phi3",
     "it stores queries, keys and values as one matrix and may scale its rotary embeddings"},
    {"gemma", "it scales its embeddings and uses GELU"},
    {"gemma2", "it caps its logits and uses GELU and a sliding window"},
    {"gemma3_text", "it normalises queries and keys and uses GELU and a sliding window"},
    {"mixtral", "it has experts"},
    {"deepseek_v2", "it has experts and latent attention"},
    {"deepseek_v3", "it has experts and latent attention"},
};

// Keys that must be absent, null, false, 0 or empty, and what any other value asks for.
constexpr struct {
  const char *key, *feature;
} must_be_off[] = {
    {"attention_bias", "biases in attention"},
    {"attention_out_bias", "biases in attention"},
    {"qkv_bias", "biases in attention"},
    {"use_qkv_bias", "biases in attention"},
    {"mlp_bias", "biases in the MLP"},
    {"bias", "biases"},
    {"use_bias", "biases"},
    {"quantization_config", "quantized weights"},
    {"attn_logit_softcapping", "capped attention scores"},
    {"final_logit_softcapping", "capped logits"},
    {"clip_qkv", "clipped queries, keys and values"},
    {"attention_multiplier", "another scale of attention scores"},
    {"query_pre_attn_scalar", "another scale of attention scores"},
    {"scale_depth", "scaled residuals"},
    {"dim_model_base", "scaled logits"},
    {"qk_layernorm", "normalised queries and keys"},
    {"use_qk_norm", "normalised queries and keys"},
    {"qk_norm", "normalised queries and keys"},
    {"no_rope_layers", "layers without rotary embeddings"},
    {"no_rope_layer_interval", "layers without rotary embeddings"},
    {"alibi", "position biases"},
    {"parallel_attn", "attention beside the MLP"},
    {"use_parallel_residual", "attention beside the MLP"},
    {"add_cross_attention", "cross-attention"},
    {"num_experts", "experts"},
    {"num_local_experts", "experts"},
    {"n_routed_experts", "experts"},
};

// Keys that must be absent, null or 1.
constexpr struct {
  const char *key, *feature;
} must_be_one[] = {
    {"partial_rotary_factor", "rotary embeddings of a part of each head"},
    {"rotary_pct", "rotary embeddings of a part of each head"},
    {"embedding_multiplier", "scaled embeddings"},
    {"scale_emb", "scaled embeddings"},
    {"residual_multiplier", "scaled residuals"},
    {"logits_scaling", "scaled logits"},
    {"logit_scale", "scaled logits"},
    {"lm_head_multiplier", "scaled logits"},
};

[[noreturn]] void refuse(const JsonObject& json, std::string_view key, std::string_view feature) {
  fail_input("{}: '{}' is {}, which asks for {}: Fathom's model has none", json.source(), key,
             json.shown(key), feature);
}

bool is_off(const std::string& json_text) {
  constexpr std::array<std::string_view, 6> off = {"false", "0", "0.0", "\"\"", "[]", "{}"};
  return std::ranges::find(off, json_text) != off.end();
}

void check_architecture(const JsonObject& json) {
  const std::string type = json.text("model_type");
  const auto names =
      json.has("architectures") ? json.texts("architectures") : std::vector<std::string>();
  const bool known = std::ranges::any_of(supported, [&](const Architecture& architecture) {
    return type == architecture.type &&
           (names.empty() || std::ranges::find(names, architecture.name) != names.end());
  });
  if (known) return;
  const auto other =
      std::ranges::find_if(others, [&](const auto& candidate) { return candidate.type == type; });
  fail_input(
      "{}: 'model_type' is {} and 'architectures' {}: only llama (LlamaForCausalLM) and mistral "
      "(MistralForCausalLM) open{}{}",
      json.source(), json.shown("model_type"), json.shown("architectures"),
      other == std::end(others) ? "" : "; ",
      other == std::end(others) ? "" : fmt::format("{} differs: {}", type, other->difference));
}

void check_activation(const JsonObject& json) {
  for (const char* key : {"hidden_act", "hidden_activation"}) {
    const std::string activation = json.find_text(key).value_or("silu");
    if (activation != "silu" && activation != "swish") {
      fail_input("{}: '{}' is '{}', but Fathom's model has silu", json.source(), key, activation);
    }
  }
}

// A window as long as the longest context hides nothing.
void check_window(const JsonObject& json) {
  const bool windowed = json.find_boolean("use_sliding_window").value_or(true);
  const bool mistral = json.text("model_type") == "mistral";
  const auto keys = json.keys();
  const bool given = std::ranges::find(keys, "sliding_window") != keys.end();
  if (mistral && !given) {
    fail_input(
        "{}: 'sliding_window' is missing, which means 4096 for mistral: Fathom's model has "
        "none; add \"sliding_window\": null if the model was trained without",
        json.source());
  }
  const auto window = json.find_integer("sliding_window");
  if (windowed && window && *window < json.find_integer("max_position_embeddings").value_or(2048)) {
    refuse(json, "sliding_window", "attention to the last tokens alone");
  }
  if (!json.has("layer_types")) return;
  for (const std::string& type : json.texts("layer_types")) {
    if (type != "full_attention") refuse(json, "layer_types", "layers of different kinds");
  }
}

// Of `rope_scaling` (transformers 4) or `rope_parameters` (5).
void check_rope(const JsonObject& json, const char* key) {
  const auto rope = json.find_object(key);
  if (!rope) return;
  const auto type =
      rope->find_text("rope_type").value_or(rope->find_text("type").value_or("default"));
  const bool scales_by_one = type == "linear" && rope->find_number("factor").value_or(0) == 1;
  if (type != "default" && !scales_by_one) {
    fail_input("{}: '{}' asks for rope type '{}', but Fathom's model has only 'default'",
               json.source(), key, type);
  }
  if (rope->find_number("partial_rotary_factor").value_or(1) != 1) {
    fail_input("{}: 'partial_rotary_factor' is not 1: Fathom's model rotates whole heads",
               json.source());
  }
  for (const char* layers : {"full_attention", "sliding_attention"}) {
    if (rope->has(layers)) refuse(json, key, "rotary embeddings that differ by layer");
  }
}

}  // namespace

void require_supported(const JsonObject& json) {
  check_architecture(json);
  check_activation(json);
  check_window(json);
  for (const char* key : {"rope_scaling", "rope_parameters"}) check_rope(json, key);
  for (const auto& [key, feature] : must_be_off) {
    if (json.has(key) && !is_off(json.shown(key))) refuse(json, key, feature);
  }
  for (const auto& [key, feature] : must_be_one) {
    if (json.find_number(key).value_or(1) != 1) refuse(json, key, feature);
  }
}

}  // namespace fathom
