#include "scaling/allocation.h"

#include <algorithm>
#include <cmath>

#include "io/json_object.h"
#include "scaling/flops.h"
#include "scaling/shape.h"

namespace fathom::scaling {

namespace {

std::int64_t whole_tokens(double tokens, const Laws& laws) {
  constexpr double max_tokens = 1e18;
  if (!(tokens <= max_tokens)) {
    fail_input(
        "{}: its laws give {:.3g} training tokens: the budget is too far from what they were "
        "fitted to",
        laws.source, tokens);
  }
  return std::max<std::int64_t>(1, std::llround(tokens));
}

}  // namespace

Allocation allocate(const Laws& laws, double compute, std::int64_t sequence_length) {
  Allocation a;
  a.compute = compute;
  a.sequence_length = sequence_length;
  a.hyperparameters = hyperparameters(laws, compute);
  const PowerLaw& model = require_law(laws.model_flops, "model_flops", laws);
  a.optimal_model_flops = model.at(compute);
  a.model_flops_interval = model.interval_at(compute);
  a.optimal_tokens = compute / a.optimal_model_flops;
  if (laws.tokens) {
    a.optimal_tokens = laws.tokens->at(compute);
    a.tokens_interval = laws.tokens->interval_at(compute);
  }
  a.model = shape_for(a.optimal_model_flops, sequence_length);
  a.model_flops = model_flops(a.model, sequence_length);
  a.tokens = whole_tokens(compute / a.model_flops, laws);
  a.batch_sequences = round_batch(a.hyperparameters.batch_sequences(sequence_length));
  return a;
}

std::string train_config_text(const Allocation& a, const Laws& laws, const std::string& data,
                              const std::string& output) {
  const ModelConfig& m = a.model;
  std::string text = fmt::format(
      "# {:.4g} FLOPs, spent by the laws of {} ({}):\n"
      "# M_opt {:.4g} FLOPs a token, D_opt {:.4g} tokens. This shape has M = {:.4g}, and\n"
      "# M · train.tokens is the budget.\n",
      a.compute, laws.source, laws.data, a.optimal_model_flops, a.optimal_tokens, a.model_flops);
  text += fmt::format("output = {}\n\n", json_quoted(output));
  text += fmt::format(
      "[model]\nnum_layers = {}\nhidden_size = {}\nnum_heads = {}\nnum_kv_heads = {}\n"
      "intermediate_size = {}\nmax_position = {}\n\n",
      m.num_layers, m.hidden_size, m.num_heads, m.num_kv_heads, m.intermediate_size,
      m.max_position);
  text += fmt::format("[data]\ndirectory = {}\n\n", json_quoted(data));
  text += fmt::format(
      "[train]\nsequence_length = {}\nglobal_batch = {}  # the law: {}\ntokens = {}\n\n",
      a.sequence_length, a.batch_sequences, a.hyperparameters.batch_sequences(a.sequence_length),
      a.tokens);
  text += fmt::format("[schedule]\npeak = {:.3g}\n", a.hyperparameters.learning_rate);
  return text;
}

}  // namespace fathom::scaling
