// Our half of the comparison with transformers, driven by
// tests/golden/check_transformers.py:
//
//   transformers_exchange make OUT              random models, each with expected.json
//   transformers_exchange expect DIRECTORY ID.. expected.json for an existing model
//   transformers_exchange check DIRECTORY       computes what its expected.json says
//
// expected.json: the ids of a prompt, the logits of its last token, and the 64
// tokens that follow greedily. `check` ends with exit code 1 when a logit is off
// by more than 1e-4 of the largest, or a token differs.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "infer/engine.h"
#include "model/hugging_face.h"

namespace {

using namespace fathom;
using Tokens = std::vector<std::int32_t>;
using Json = nlohmann::json;

constexpr std::int64_t num_greedy = 64;

struct Model {
  ModelConfig config;
  Context context{cpu_device};
  ParameterStore parameters;
  Stage stage;

  explicit Model(const ModelConfig& c)
      : config(c),
        parameters(parameter_table(c), DType::f32, Gradients::none, cpu_device),
        stage(c, whole_model(c), parameters, {}, cpu_device) {}

  std::vector<float> last_logits(Tokens ids) {
    const auto n = static_cast<std::int64_t>(ids.size());
    Tokens positions(ids.size()), offsets{0, static_cast<std::int32_t>(n)};
    for (std::size_t i = 0; i < ids.size(); ++i) positions[i] = static_cast<std::int32_t>(i);
    MicroBatch batch;
    batch.ids = Tensor(ids.data(), DType::i32, {n});
    batch.tokens.positions = Tensor(positions.data(), DType::i32, {n});
    batch.tokens.segments = {Tensor(offsets.data(), DType::i32, {2}), n};
    Arena arena(cpu_device, Stage::forward_bytes(config, whole_model(config), {}, DType::f32, n));
    std::vector<float> logits(static_cast<std::size_t>(config.vocab_size));
    const std::int32_t row[] = {static_cast<std::int32_t>(n - 1)};
    stage.logits(context, batch, arena, row,
                 Tensor(logits.data(), DType::f32, {1, config.vocab_size}));
    return logits;
  }

  // Through the engine: paged cache and all.
  Tokens greedy(const Tokens& ids) {
    infer::Engine engine(stage, context, {});
    infer::Request request;
    request.prompt = ids;
    request.max_tokens = num_greedy;
    request.sampling.temperature = 0;
    engine.submit(request);
    Tokens tokens;
    while (!engine.idle()) {
      for (const infer::GeneratedToken& token : engine.step()) tokens.push_back(token.drawn.token);
    }
    return tokens;
  }
};

void write_expected(Model& model, const Tokens& ids, const std::string& directory) {
  const Json json{{"ids", ids}, {"logits", model.last_logits(ids)}, {"greedy", model.greedy(ids)}};
  std::ofstream(directory + "/expected.json") << json.dump();
}

void make(const std::string& out) {
  for (const int kv_heads : {4, 2}) {
    for (const bool tied : {false, true}) {
      for (const std::uint64_t shard : {std::uint64_t{5'000'000'000}, std::uint64_t{200'000}}) {
        ModelConfig config;
        config.num_layers = 3;
        config.hidden_size = 64;
        config.num_heads = 4;
        config.num_kv_heads = kv_heads;
        config.intermediate_size = 176;
        config.vocab_size = 300;
        config.max_position = 256;
        config.init_std = 0.2;
        config.tie_embeddings = tied;
        Model model(resolve(config));
        for (Parameter& p : model.parameters.all()) {
          initialize(model.context, p.spec, model.config.init_std, 1, p.weight);
        }
        const std::string directory =
            fmt::format("{}/{}-{}-{}", out, kv_heads == 4 ? "mha" : "gqa", tied ? "tied" : "untied",
                        shard > 1'000'000'000 ? "single" : "sharded");
        SaveModelOptions options;
        options.dtype = DType::f32;
        options.max_shard_bytes = shard;
        options.replace = true;
        save_model(directory, model.config, weights_of(model.parameters, model.context), options);
        write_expected(model, {1, 5, 42, 17, 299, 3}, directory);
      }
    }
  }
}

Model load(const std::string& directory) {
  Model model(load_model_config(directory));
  load_weights(directory, model.parameters, model.context);
  return model;
}

bool check(const std::string& directory) {
  std::ifstream file(directory + "/expected.json");
  if (!file) fail_input("{}: has no expected.json", directory);
  const Json expected = Json::parse(file);
  Model model = load(directory);
  const auto ids = expected.at("ids").get<Tokens>();
  const auto wanted = expected.at("logits").get<std::vector<float>>();
  const std::vector<float> logits = model.last_logits(ids);
  if (wanted.size() != logits.size()) fail_input("{}: has other logits", directory);
  float worst = 0, largest = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    worst = std::max(worst, std::abs(logits[i] - wanted[i]));
    largest = std::max(largest, std::abs(wanted[i]));
  }
  const bool same = model.greedy(ids) == expected.at("greedy").get<Tokens>();
  const bool good = same && worst <= 1e-4f * largest;
  fmt::print("{} {}: logits off by {:.1e} of up to {:.1f}, greedy tokens {}\n",
             good ? "ok  " : "FAIL", directory, worst, largest, same ? "the same" : "differ");
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::string command = argc > 2 ? argv[1] : "";
    if (command == "make") {
      make(argv[2]);
    } else if (command == "check") {
      return check(argv[2]) ? 0 : 1;
    } else if (command == "expect") {
      Tokens ids;
      for (int i = 3; i < argc; ++i) ids.push_back(std::atoi(argv[i]));
      Model model = load(argv[2]);
      write_expected(model, ids, argv[2]);
    } else {
      fail_input("usage: transformers_exchange make|check|expect DIRECTORY [ID ...]");
    }
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 2;
  }
}
