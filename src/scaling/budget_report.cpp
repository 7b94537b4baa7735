#include "scaling/budget_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/progress.h"
#include "scaling/flops.h"
#include "scaling/number_text.h"

namespace fathom::scaling {
namespace {

using Json = nlohmann::ordered_json;

std::string line(const char* what, const std::string& value) {
  return fmt::format("{:<22}{}\n", what, value);
}

std::string head_text(double compute, const Laws& laws) {
  return line("laws", fmt::format("{}: {}", laws.source, laws.data)) +
         line("budget C", power_text(compute) + " FLOPs");
}

std::string hyperparameters_text(const Hyperparameters& h, std::int64_t sequence_length) {
  return line("peak learning rate",
              power_text(h.learning_rate) + interval_text(h.learning_rate_interval)) +
         line("batch", fmt::format("{} tokens, {} sequences of {}{}", human_count(h.batch_tokens),
                                   h.batch_sequences(sequence_length), sequence_length,
                                   interval_text(h.batch_interval)));
}

Json budget_laws_json(const Laws& laws) {
  return {{"source", laws.source}, {"data", laws.data}};
}

Json interval_json(const std::optional<Interval>& interval) {
  return interval ? Json{interval->low, interval->high} : Json();
}

Json hyperparameters_json(const Hyperparameters& h, std::int64_t sequence_length) {
  return {{"learning_rate", h.learning_rate},
          {"learning_rate_interval", interval_json(h.learning_rate_interval)},
          {"batch_tokens", h.batch_tokens},
          {"batch_interval", interval_json(h.batch_interval)},
          {"batch_sequences", h.batch_sequences(sequence_length)}};
}

std::string shape_text(const ModelConfig& m) {
  return fmt::format("{} layers of width {}, {} heads of {}, {} key heads, MLP {}", m.num_layers,
                     m.hidden_size, m.num_heads, m.head_dim, m.num_kv_heads, m.intermediate_size);
}

std::int64_t steps_of(const Allocation& a) {
  const std::int64_t step = a.batch_sequences * a.sequence_length;
  return (a.tokens + step - 1) / step;
}

}  // namespace

std::string to_text(const HyperparameterReport& report, const Laws& laws) {
  return head_text(report.compute, laws) +
         hyperparameters_text(report.values, report.sequence_length);
}

Json to_json(const HyperparameterReport& report, const Laws& laws) {
  Json json{{"laws", budget_laws_json(laws)},
            {"compute", report.compute},
            {"sequence_length", report.sequence_length}};
  json.update(hyperparameters_json(report.values, report.sequence_length));
  return json;
}

std::string to_text(const Allocation& a, const Laws& laws) {
  std::string text = head_text(a.compute, laws);
  text += line("M_opt", power_text(a.optimal_model_flops) + " FLOPs a token" +
                            interval_text(a.model_flops_interval));
  text +=
      line("D_opt", power_text(a.optimal_tokens) + " tokens" + interval_text(a.tokens_interval));
  text += line("model", shape_text(a.model));
  text += line("M of the model",
               fmt::format("{} FLOPs a token at sequences of {}, {:+.1f} % from M_opt",
                           power_text(a.model_flops), a.sequence_length,
                           100 * (a.model_flops / a.optimal_model_flops - 1)));
  text += line("parameters", human_count(scale_of(a.model, a.sequence_length).non_embedding) +
                                 " besides embedding and head");
  text += line("training tokens", fmt::format("{}, so that M · D = C", a.tokens));
  text += hyperparameters_text(a.hyperparameters, a.sequence_length);
  return text + line("batch of the run",
                     fmt::format("{} sequences, {} steps", a.batch_sequences, steps_of(a)));
}

Json to_json(const Allocation& a, const Laws& laws) {
  const ModelConfig& m = a.model;
  return {{"laws", budget_laws_json(laws)},
          {"compute", a.compute},
          {"sequence_length", a.sequence_length},
          {"optimal_model_flops", a.optimal_model_flops},
          {"optimal_model_flops_interval", interval_json(a.model_flops_interval)},
          {"optimal_tokens", a.optimal_tokens},
          {"optimal_tokens_interval", interval_json(a.tokens_interval)},
          {"model",
           {{"num_layers", m.num_layers},
            {"hidden_size", m.hidden_size},
            {"num_heads", m.num_heads},
            {"num_kv_heads", m.num_kv_heads},
            {"head_dim", m.head_dim},
            {"intermediate_size", m.intermediate_size}}},
          {"model_flops", a.model_flops},
          {"tokens", a.tokens},
          {"law", hyperparameters_json(a.hyperparameters, a.sequence_length)},
          {"global_batch", a.batch_sequences},
          {"steps", steps_of(a)}};
}

}  // namespace fathom::scaling
