#include "scaling/flops_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/progress.h"
#include "scaling/flops.h"

namespace fathom::scaling {
namespace {

using Json = nlohmann::ordered_json;

std::string scale_text(const ModelScale& scale) {
  const auto line = [](const char* what, const char* formula, double value) {
    return fmt::format("  {:<36}{:<24}{:>9}", what, formula, human_count(value));
  };
  std::string text = "scale, as the report measures it\n";
  text += line("M, non-embedding FLOPs a token", "72·L·d² + 12·L·d·T", scale.model_flops) + "\n";
  text += line("N1, non-embedding parameters", "12·L·d²", scale.non_embedding);
  text += fmt::format("   6·N1/M {:.2f}\n", scale.non_embedding_ratio());
  text += line("N2, with the vocabulary", "N1 + V·d", scale.with_vocabulary);
  return text + fmt::format("   6·N2/M {:.2f}\n", scale.with_vocabulary_ratio());
}

std::string parameters_text(const ParameterCounts& counts) {
  std::string text = fmt::format("\n{:<38}{:>9}{:>9}\n", "parameters", "", "share");
  const auto line = [&](const char* what, std::int64_t value) {
    text += fmt::format("  {:<36}{:>9}{:>7.1f} %\n", what, human_count(static_cast<double>(value)),
                        100 * static_cast<double>(value) / static_cast<double>(counts.total()));
  };
  line("embedding", counts.embedding);
  line("attention", counts.attention);
  line("MLP", counts.mlp);
  line("norms", counts.norms);
  line("head", counts.head);
  line("total", counts.total());
  return text;
}

std::string token_flops_text(const TokenFlops& flops) {
  std::string text = fmt::format("\n{:<38}{:>9}{:>9}{:>16}\n", "training FLOPs a token", "causal",
                                 "share", "whole square");
  const auto line = [&](const char* what, double causal, double full) {
    text += fmt::format("  {:<36}{:>9}{:>7.1f} %{:>16}\n", what, human_count(causal),
                        100 * causal / flops.causal(), human_count(full));
  };
  line("attention's weights", flops.attention_weights, flops.attention_weights);
  line("attention", flops.attention_square / 2, flops.attention_square);
  line("MLP", flops.mlp, flops.mlp);
  line("head", flops.head, flops.head);
  line("total without the head", flops.causal() - flops.head, flops.full() - flops.head);
  line("total", flops.causal(), flops.full());
  return text;
}

std::string memory_text(const TrainingMemory& memory, std::int64_t sequence_length) {
  std::string text = fmt::format(
      "\nmemory of training on one device in bf16, {} tokens at a time\n", sequence_length);
  const auto line = [&](const char* what, std::size_t bytes) {
    text += fmt::format("  {:<36}{:>9}\n", what, human_bytes(static_cast<double>(bytes)));
  };
  line("weights", memory.weights);
  line("gradients (f32)", memory.gradients);
  line("rest of the f32 masters", memory.masters);
  line("moments (f32)", memory.moments);
  line("activations, recompute none", memory.activations_none);
  line("activations, recompute selective", memory.activations_selective);
  line("activations, recompute full", memory.activations_full);
  line("other", memory.other);
  line("total, recompute selective", memory.total_selective());
  return text;
}

}  // namespace

std::string flops_text(const ModelConfig& m, std::int64_t sequence_length) {
  std::string text = fmt::format(
      "{} layers of width {}, {} heads of {}, {} key heads, MLP {}, vocabulary {}; sequences of "
      "{} tokens\n\n",
      m.num_layers, m.hidden_size, m.num_heads, m.head_dim, m.num_kv_heads, m.intermediate_size,
      m.vocab_size, sequence_length);
  return text + scale_text(scale_of(m, sequence_length)) + parameters_text(parameters_of(m)) +
         token_flops_text(flops_of(m, sequence_length)) +
         memory_text(training_memory(m, sequence_length), sequence_length);
}

Json flops_json(const ModelConfig& m, std::int64_t sequence_length) {
  const ModelScale scale = scale_of(m, sequence_length);
  const ParameterCounts counts = parameters_of(m);
  const TokenFlops flops = flops_of(m, sequence_length);
  const TrainingMemory memory = training_memory(m, sequence_length);
  Json json;
  json["model"] = {{"num_layers", m.num_layers}, {"hidden_size", m.hidden_size},
                   {"num_heads", m.num_heads},   {"num_kv_heads", m.num_kv_heads},
                   {"head_dim", m.head_dim},     {"intermediate_size", m.intermediate_size},
                   {"vocab_size", m.vocab_size}, {"tie_embeddings", m.tie_embeddings}};
  json["sequence_length"] = sequence_length;
  json["scale"] = {{"model_flops", scale.model_flops},
                   {"n1", scale.non_embedding},
                   {"n2", scale.with_vocabulary},
                   {"n1_ratio", scale.non_embedding_ratio()},
                   {"n2_ratio", scale.with_vocabulary_ratio()}};
  json["parameters"] = {
      {"embedding", counts.embedding}, {"attention", counts.attention}, {"mlp", counts.mlp},
      {"norms", counts.norms},         {"head", counts.head},           {"total", counts.total()}};
  json["flops_per_token"] = {{"attention_weights", flops.attention_weights},
                             {"attention_square", flops.attention_square},
                             {"mlp", flops.mlp},
                             {"head", flops.head},
                             {"causal", flops.causal()},
                             {"full", flops.full()}};
  json["training_bytes"] = {{"weights", memory.weights},
                            {"gradients", memory.gradients},
                            {"masters", memory.masters},
                            {"moments", memory.moments},
                            {"activations",
                             {{"none", memory.activations_none},
                              {"selective", memory.activations_selective},
                              {"full", memory.activations_full}}},
                            {"other", memory.other},
                            {"total_selective", memory.total_selective()}};
  return json;
}

}  // namespace fathom::scaling
