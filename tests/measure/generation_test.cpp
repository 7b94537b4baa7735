// What `fathom bench generate` counts of a small model's run, and its table by hand.
#include "measure/generation.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "core/parallel.h"

namespace fathom::measure {
namespace {

using testing::HasSubstr;

ModelConfig generated_model(bool tied) {
  ModelConfig model;
  model.num_layers = 1;
  model.hidden_size = 32;
  model.num_heads = 4;
  model.num_kv_heads = 2;
  model.intermediate_size = 64;
  model.vocab_size = 320;
  model.max_position = 64;
  model.tie_embeddings = tied;
  return resolve(model);
}

// Three requests, of which two run at a time.
GenerationLoad small_load() {
  GenerationLoad load;
  load.sequences = 2;
  load.requests = 3;
  load.prompt_least = load.prompt_most = 5;
  load.new_tokens = 4;
  return load;
}

std::size_t parameters_of(const ModelConfig& model) {
  std::size_t elements = 0;
  for (const ParameterSpec& spec : parameter_table(model)) {
    elements += static_cast<std::size_t>(spec.shape.elements());
  }
  return elements;
}

GenerationBench measured(bool tied, MatrixStorage storage, const GenerationLoad& load) {
  set_num_threads(1);
  return measure_generation(generated_model(tied), DType::f32, storage, cpu_device,
                            std::span(&load, 1), 2);
}

// A step looks up a few rows of the embedding, and reads all of it where it is the head too.
TEST(MeasureGeneration, CountsTheWeightsThatAStepReads) {
  const std::size_t embedding = std::size_t{320} * 32;
  const GenerationBench own_head = measured(false, MatrixStorage::dtype, small_load());
  EXPECT_EQ(own_head.weight_bytes, 4 * (parameters_of(own_head.model) - embedding));
  const GenerationBench tied = measured(true, MatrixStorage::dtype, small_load());
  EXPECT_EQ(tied.weight_bytes, 4 * parameters_of(tied.model));
  EXPECT_EQ(parameters_of(own_head.model), parameters_of(tied.model) + embedding);
  EXPECT_EQ(own_head.token_bytes, std::size_t{2} * 2 * 8 * 4) << "keys and values of two heads";
  EXPECT_GT(own_head.copy, 0);
}

TEST(MeasureGeneration, CountsTheTokensOfTheLastTurn) {
  GenerationLoad load = small_load();
  load.prompt_most = 9;
  const GenerationBench bench = measured(false, MatrixStorage::int8, load);
  EXPECT_LT(bench.weight_bytes, 2 * parameters_of(bench.model));
  ASSERT_EQ(bench.results.size(), 1u);
  const GenerationTimes& times = bench.results[0].times;
  EXPECT_EQ(times.generated, 3 * 4);
  EXPECT_GE(times.prompt_tokens, 3 * 5);
  EXPECT_LE(times.prompt_tokens, 3 * 9);
  // Two of them draw four tokens together, and the third draws its own alone.
  EXPECT_EQ(times.steps, 8);
  EXPECT_EQ(times.generating_steps, 3) << "their first step also reads the prompts";
  EXPECT_GT(times.generating, 0);
  EXPECT_GT(times.all, times.generating);
}

// Both lengths come, of which the deciding numbers are always the same.
TEST(MeasureGeneration, DrawsPromptsFromTheShortestToTheLongest) {
  GenerationLoad load = small_load();
  load.requests = 12;
  load.prompt_most = 6;
  const std::int64_t tokens = measured(true, MatrixStorage::dtype, load).results.at(0).times.prompt_tokens;
  EXPECT_GT(tokens, 12 * 5);
  EXPECT_LT(tokens, 12 * 6);
}

// 0.5 s a step of 2 sequences, and what the bytes of one take is 0.125 s.
GenerationBench bench_by_hand() {
  GenerationBench bench;
  bench.model = generated_model(false);
  bench.dtype = DType::bf16;
  bench.device = cpu_device;
  bench.copy = 8e9;
  bench.weight_bytes = 600'000'000;
  bench.token_bytes = 4'000'000;
  GenerationResult result;
  result.load.sequences = 4;
  result.load.requests = 2;
  result.load.prompt_least = result.load.prompt_most = 40;
  result.load.new_tokens = 20;
  result.times = {8, 5, 24, 10, 40, 80};
  bench.results.push_back(result);
  return bench;
}

TEST(MeasureGeneration, AStepTakesAtLeastTheTimeOfItsBytes) {
  GenerationBench bench = bench_by_hand();
  // 50 tokens of each of 2 sequences are in the cache on average.
  EXPECT_DOUBLE_EQ(least_step_seconds(bench, bench.results[0]), (6e8 + 2 * 50 * 4e6) / 8e9);
  bench.results[0].load.requests = 9;
  EXPECT_DOUBLE_EQ(least_step_seconds(bench, bench.results[0]), (6e8 + 4 * 50 * 4e6) / 8e9);
}

TEST(MeasureGeneration, JsonHasItsFigures) {
  const GenerationBench bench = bench_by_hand();
  const nlohmann::ordered_json json = to_json(bench);
  EXPECT_EQ(json["dtype"], "bf16");
  EXPECT_EQ(json["weights"], "dtype");
  EXPECT_EQ(json["batch_invariant"], false);
  EXPECT_EQ(json["weight_bytes"], 600'000'000);
  EXPECT_EQ(json["cache_bytes_per_token"], 4'000'000);
  const auto& load = json["loads"].at(0);
  EXPECT_EQ(load["sequences"], 4);
  EXPECT_EQ(load["requests"], 2);
  EXPECT_EQ(load["seconds"], 8.0);
  EXPECT_EQ(load["tokens_per_second"], 5.0) << "40 tokens in 8 s";
  EXPECT_EQ(load["generating_tokens_per_second"], 4.0) << "two in each of 10 steps in 5 s";
  EXPECT_DOUBLE_EQ(load["prompt_tokens_per_second"], 80.0 / 3);
  EXPECT_EQ(load["step_seconds"], 0.5);
  EXPECT_DOUBLE_EQ(load["share_of_memory_rate"], 0.25);
}

// Where the reading of some overlaps the generating of others, its time is not known.
TEST(MeasureGeneration, ReadingIsTimedWhereAllRequestsAreAlike) {
  const auto reading = [](auto&& change) {
    GenerationBench bench = bench_by_hand();
    change(bench.results[0].load);
    return to_json(bench)["loads"].at(0)["prompt_tokens_per_second"].get<double>();
  };
  EXPECT_GT(reading([](GenerationLoad& load) { load.requests = 4; }), 0);
  EXPECT_EQ(reading([](GenerationLoad& load) { load.requests = 5; }), 0);
  EXPECT_EQ(reading([](GenerationLoad& load) { load.prompt_least = 39; }), 0);
  GenerationBench none = bench_by_hand();
  none.results[0].times = {};
  for (const char* key : {"tokens_per_second", "generating_tokens_per_second", "step_seconds",
                          "prompt_tokens_per_second", "share_of_memory_rate"}) {
    EXPECT_EQ(to_json(none)["loads"].at(0)[key], 0.0) << key;
  }
}

TEST(MeasureGeneration, TheTableHasARowForEachLoad) {
  GenerationBench bench = bench_by_hand();
  bench.results.push_back(bench.results[0]);
  bench.results[1].load.prompt_least = 10;
  const std::string text = to_text(bench);
  EXPECT_THAT(text, HasSubstr("bf16 on "));
  EXPECT_THAT(text, HasSubstr("a step reads 0.60 GB of weights and 3906 KiB of cache a token; a "
                              "copy moves 8 GB/s\n"));
  EXPECT_THAT(text, HasSubstr("        4        2        40    20          5           4        27 "
                              "  500.00   25.0%\n"));
  EXPECT_THAT(text, HasSubstr("        4        2     10:40    20          5           4         0 "
                              "  500.00"));
  EXPECT_THAT(text, testing::Not(HasSubstr("batch-invariant")));
  bench.storage = MatrixStorage::int8;
  bench.invariance = BatchInvariance::on;
  EXPECT_THAT(to_text(bench), HasSubstr("weights in int8, the rest in bf16, on "));
  EXPECT_THAT(to_text(bench), HasSubstr(", batch-invariant; a step"));
  EXPECT_EQ(to_json(bench)["weights"], "int8");
  EXPECT_EQ(to_json(bench)["batch_invariant"], true);
}

}  // namespace
}  // namespace fathom::measure
