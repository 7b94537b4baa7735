// What models cost: the report's table, and counts by hand.
#include "scaling/flops.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/progress.h"
#include "io/temp_dir.h"
#include "learn/learner.h"
#include "scaling/flops_report.h"
#include "scaling/model_file.h"

namespace fathom::scaling {
namespace {

ModelConfig report_model(std::int64_t layers, std::int64_t width) {
  ModelConfig m;
  m.num_layers = layers;
  m.hidden_size = width;
  m.num_heads = width / 64;
  m.vocab_size = 102400;
  return resolve(m);
}

// Grouped key heads, an MLP and heads of widths of their own.
ModelConfig odd_model() {
  ModelConfig m;
  m.num_layers = 3;
  m.hidden_size = 40;
  m.num_heads = 6;
  m.num_kv_heads = 2;
  m.head_dim = 8;
  m.intermediate_size = 100;
  m.vocab_size = 300;
  m.max_position = 64;
  return resolve(m);
}

// arXiv 2401.02954, table 3, to the printed digits.
TEST(Flops, ReproducesTheTableOfTheReport) {
  struct Row {
    std::int64_t layers, width;
    const char *n1, *n2, *m, *n1_ratio, *n2_ratio;
  };
  for (const Row& row : {Row{8, 512, "25.2M", "77.6M", "352M", "0.43", "1.32"},
                         {12, 768, "84.9M", "164M", "963M", "0.53", "1.02"},
                         {24, 1024, "302M", "407M", "3.02B", "0.60", "0.81"},
                         {24, 2048, "1.21B", "1.42B", "9.66B", "0.75", "0.88"},
                         {32, 4096, "6.44B", "6.86B", "45.1B", "0.86", "0.91"},
                         {40, 5120, "12.6B", "13.1B", "85.6B", "0.88", "0.92"},
                         {80, 8192, "64.4B", "65.3B", "419B", "0.92", "0.94"}}) {
    const ModelScale scale = scale_of(report_model(row.layers, row.width), 4096);
    EXPECT_EQ(human_count(scale.non_embedding), row.n1);
    EXPECT_EQ(human_count(scale.with_vocabulary), row.n2);
    EXPECT_EQ(human_count(scale.model_flops), row.m);
    EXPECT_EQ(fmt::format("{:.2f}", scale.non_embedding_ratio()), row.n1_ratio) << row.m;
    EXPECT_EQ(fmt::format("{:.2f}", scale.with_vocabulary_ratio()), row.n2_ratio) << row.m;
  }
}

TEST(Flops, CountsParametersOfGroupedHeadsAndTheMlpAsTheyAre) {
  const ParameterCounts counts = parameters_of(odd_model());
  EXPECT_EQ(counts.embedding, 300 * 40);
  EXPECT_EQ(counts.attention, 3 * (40 * (48 + 2 * 16) + 48 * 40));
  EXPECT_EQ(counts.mlp, 3 * 3 * 40 * 100);
  EXPECT_EQ(counts.norms, 7 * 40);
  EXPECT_EQ(counts.head, 300 * 40);
  EXPECT_EQ(counts.total(), count_parameters(odd_model()));
}

TEST(Flops, ATiedHeadHasNoWeightsButItsProducts) {
  ModelConfig model = odd_model();
  model.tie_embeddings = true;
  EXPECT_EQ(parameters_of(model).head, 0);
  EXPECT_EQ(parameters_of(model).total(), count_parameters(model));
  EXPECT_EQ(flops_of(model, 64).head, 6.0 * 300 * 40);
}

TEST(Flops, AreSixAWeightAndAttentionWithAndWithoutItsUpperHalf) {
  const TokenFlops flops = flops_of(odd_model(), 64);
  EXPECT_EQ(flops.attention_weights, 6.0 * 3 * (40 * 80 + 48 * 40));
  EXPECT_EQ(flops.attention_square, 12.0 * 3 * 48 * 64);
  EXPECT_EQ(flops.mlp, 6.0 * 36000);
  EXPECT_EQ(flops.head, 6.0 * 12000);
  EXPECT_EQ(flops.full(), 92160 + 110592 + 216000 + 72000);
  EXPECT_EQ(flops.causal(), train_flops_per_token(odd_model(), 64));
}

// A model with MHA and an MLP of exactly 8/3·d is what M assumes.
TEST(Flops, WithoutTheHeadAreMWhereTheModelIsAsMAssumes) {
  const ModelConfig model = report_model(12, 768);
  const TokenFlops flops = flops_of(model, 4096);
  EXPECT_EQ(flops.full() - flops.head, model_flops(model, 4096));
}

TEST(Flops, MemoryIsThatOfTheLearner) {
  const ModelConfig model = odd_model();
  const TrainingMemory memory = training_memory(model, 64);
  const auto parameters = static_cast<std::size_t>(count_parameters(model));
  EXPECT_GE(memory.weights, 2 * parameters);
  EXPECT_LT(memory.weights, 2 * parameters + 2 * 128 * 30);  // padding
  EXPECT_EQ(memory.gradients, 2 * memory.weights);
  EXPECT_EQ(memory.masters, memory.weights);
  EXPECT_EQ(memory.moments, 4 * memory.weights);
  EXPECT_GT(memory.activations_none, memory.activations_selective);
  EXPECT_GT(memory.activations_selective, memory.activations_full);
  EXPECT_GT(memory.activations_full, 0u);
  EXPECT_EQ(memory.total_selective(),
            8 * memory.weights + memory.activations_selective + memory.other);
}

TEST(Flops, ASequenceMayBeLongerThanTheModelsContext) {
  EXPECT_GT(training_memory(odd_model(), 512).activations_none,
            training_memory(odd_model(), 64).activations_none);
}

TEST(Flops, ReportsNameEachPart) {
  const std::string text = flops_text(odd_model(), 64);
  const nlohmann::ordered_json json = flops_json(odd_model(), 64);
  EXPECT_NE(
      text.find(
          "N1, non-embedding parameters        12·L·d²                     57.6k   6·N1/M 0.79"),
      std::string::npos)
      << text;
  EXPECT_EQ(json["scale"]["model_flops"], 72.0 * 3 * 1600 + 12.0 * 3 * 40 * 64);
  EXPECT_EQ(json["parameters"]["total"], count_parameters(odd_model()));
  EXPECT_EQ(json["flops_per_token"]["causal"], train_flops_per_token(odd_model(), 64));
  const TrainingMemory memory = training_memory(odd_model(), 64);
  EXPECT_EQ(json["training_bytes"]["moments"], memory.moments);
  for (const auto& [what, bytes] : std::vector<std::pair<std::string, std::size_t>>{
           {"weights", memory.weights},
           {"gradients (f32)", memory.gradients},
           {"rest of the f32 masters", memory.masters},
           {"moments (f32)", memory.moments},
           {"activations, recompute none", memory.activations_none},
           {"activations, recompute selective", memory.activations_selective},
           {"activations, recompute full", memory.activations_full},
           {"other", memory.other},
           {"total, recompute selective", memory.total_selective()}}) {
    const std::string line =
        fmt::format("  {:<36}{:>9}\n", what, human_bytes(static_cast<double>(bytes)));
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
}

// Of a model whose parts all differ.
TEST(Flops, ReportsHaveEachFigureInItsLineAndUnderItsKey) {
  const std::string text = flops_text(odd_model(), 64);
  for (const char* line :
       {"3 layers of width 40, 6 heads of 8, 2 key heads, MLP 100, vocabulary 300; sequences of 64 "
        "tokens\n",
        "  M, non-embedding FLOPs a token      72·L·d² + 12·L·d·T           438k\n",
        "  N2, with the vocabulary             N1 + V·d                    69.6k   6·N2/M 0.95\n",
        "  embedding                               12.0k   15.9 %\n",
        "  attention                               15.4k   20.3 %\n",
        "  MLP                                     36.0k   47.6 %\n",
        "  norms                                     280    0.4 %\n",
        "  head                                    12.0k   15.9 %\n",
        "  total                                   75.6k  100.0 %\n",
        "  attention's weights                     92.2k   21.2 %           92.2k\n",
        "  attention                               55.3k   12.7 %            111k\n",
        "  MLP                                      216k   49.6 %            216k\n",
        "  head                                    72.0k   16.5 %           72.0k\n",
        "  total without the head                   363k   83.5 %            419k\n",
        "  total                                    435k  100.0 %            491k\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
  const nlohmann::ordered_json json = flops_json(odd_model(), 64);
  EXPECT_EQ(json.at("model").dump(),
            R"({"num_layers":3,"hidden_size":40,"num_heads":6,"num_kv_heads":2,"head_dim":8,)"
            R"("intermediate_size":100,"vocab_size":300,"tie_embeddings":false})");
  EXPECT_EQ(json.at("sequence_length"), 64);
  EXPECT_EQ(json.at("parameters").dump(),
            R"({"embedding":12000,"attention":15360,"mlp":36000,"norms":280,"head":12000,)"
            R"("total":75640})");
  EXPECT_EQ(json.at("flops_per_token").dump(),
            R"({"attention_weights":92160.0,"attention_square":110592.0,"mlp":216000.0,)"
            R"("head":72000.0,"causal":435456.0,"full":490752.0})");
  EXPECT_EQ(json.at("scale").at("n1"), 57600);
  EXPECT_EQ(json.at("scale").at("n2"), 69600);
  EXPECT_NEAR(json.at("scale").at("n1_ratio").get<double>(), 6 * 57600 / 437760.0, 1e-12);
  EXPECT_NEAR(json.at("scale").at("n2_ratio").get<double>(), 6 * 69600 / 437760.0, 1e-12);
  const TrainingMemory memory = training_memory(odd_model(), 64);
  const nlohmann::ordered_json& bytes = json.at("training_bytes");
  EXPECT_EQ(bytes.at("weights"), memory.weights);
  EXPECT_EQ(bytes.at("gradients"), memory.gradients);
  EXPECT_EQ(bytes.at("masters"), memory.masters);
  EXPECT_EQ(bytes.at("activations").at("none"), memory.activations_none);
  EXPECT_EQ(bytes.at("activations").at("selective"), memory.activations_selective);
  EXPECT_EQ(bytes.at("activations").at("full"), memory.activations_full);
  EXPECT_EQ(bytes.at("other"), memory.other);
  EXPECT_EQ(bytes.at("total_selective"), memory.total_selective());
}

TEST(ModelFile, ReadsTheModelsOfTheRepository) {
  const std::string models = FATHOM_SOURCE_DIR "/configs/models/";
  const ModelConfig model = load_whole_model(models + "deepseek-llm-67b.toml");
  EXPECT_EQ(model.num_kv_heads, 8);
  EXPECT_EQ(model.head_dim, 128);
  EXPECT_EQ(human_count(static_cast<double>(parameters_of(model).total())), "67.4B");
}

TEST(ModelFile, AModelWithoutVocabularyHasItsShapeAlone) {
  const std::string path = FATHOM_SOURCE_DIR "/configs/bilingual-150m/train.toml";
  const ModelConfig model = load_model(path);
  EXPECT_EQ(model.vocab_size, 0);
  EXPECT_EQ(model.intermediate_size, 2048);
  EXPECT_EQ(test::input_error_of([&] { load_whole_model(path); }),
            path + ": model.vocab_size is missing, and no tokenizer gives it here: set it");
}

}  // namespace
}  // namespace fathom::scaling
