// The table and the JSON of `fathom bench`, of figures that are easy to check by hand.
#include "measure/report.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "measure/save.h"

namespace fathom::measure {
namespace {

using testing::HasSubstr;
using testing::Not;

// A step of 0.5 s (the median), of which products take 0.3 s and a memory-bound operation 0.1.
BenchResult result() {
  BenchResult r;
  r.shape.model.num_layers = 1;
  r.shape.model.hidden_size = 64;
  r.shape.model.num_heads = 4;
  r.shape.model.num_kv_heads = 2;
  r.shape.model.intermediate_size = 160;
  r.shape.model.vocab_size = 320;
  r.shape.model = resolve(r.shape.model);
  r.shape.device = cpu_device;
  r.shape.dtype = DType::bf16;
  r.shape.sequences = 8;
  r.shape.sequence_length = 500;
  r.shape.micro_batch = 2;
  r.effort = {3, 1.0, true};
  r.times.steps = {0.9, 0.5, 0.1};
  r.times.traced = {0.625, 0.75, 0.5};
  r.times.gaps = 0.0125;
  r.ceilings = {2e9, 4e9, 1e10};
  r.peak = 1e10;
  OperationRow norm;
  norm.name = "add_rmsnorm";
  norm.shape = "[96, 64]";
  norm.count = 4;
  norm.seconds = 0.025;
  norm.bytes = 2e8;
  OperationRow product;
  product.name = "qkv";
  product.shape = "96 x 64 x 128";
  product.bound = Bound::products;
  product.count = 3;
  product.seconds = 0.1;
  product.ceiling_seconds = 0.08;
  product.flops = 2.5e12;
  product.bytes = 7;
  r.times.operations = {norm, product};
  return r;
}

std::vector<std::string> words(const std::string& text, const std::string& line_with) {
  const std::size_t at = text.find(line_with);
  if (at == std::string::npos) return {};
  std::istringstream line(text.substr(at, text.find('\n', at) - at));
  return {std::istream_iterator<std::string>(line), {}};
}

using testing::ElementsAre;

TEST(BenchReport, SaysWhatProductsAreIn) {
  BenchResult r = result();
  EXPECT_THAT(to_text(r), testing::HasSubstr("M parameters, bf16, 4000 tokens"));
  r.shape.products = Products::fp8;
  EXPECT_THAT(to_text(r), testing::HasSubstr("M parameters, bf16, products in fp8, 4000 tokens"));
}

TEST(BenchReport, CountsTheTextsOfPackedSequences) {
  BenchResult r = result();
  EXPECT_THAT(to_text(r), Not(HasSubstr("padding")));
  r.shape.text_lengths = {300, 150};
  const auto json = to_json(r);
  EXPECT_EQ(json["tokens"], 4000);
  EXPECT_EQ(json["text_tokens"], 8 * 450);
  EXPECT_EQ(json["step"]["text_tokens_per_second"], 8 * 450 / 0.5);
  const double flops = train_flops_per_token(r.shape.model, 300) * 300 +
                       train_flops_per_token(r.shape.model, 150) * 150;
  EXPECT_DOUBLE_EQ(json["step"]["flops"], 8 * flops);
  EXPECT_THAT(to_text(r), HasSubstr("8000 tokens/s (7200 without padding)"));
}

TEST(BenchReport, ARowHasItsTimeItsRateAndItsCeiling) {
  const std::string text = to_text(result());
  // us a call, ms, share of the step, rate, share of the ceiling, ms above it
  EXPECT_THAT(words(text, "qkv"),
              ElementsAre("qkv", "96", "x", "64", "x", "128", "3", "100000.0", "300.00", "60.0",
                          "25.00", "TFLOP/s", "80.0", "60.00"));
  // 2e8 bytes at 1e10 a second would take 0.02 s of the 0.025.
  EXPECT_THAT(words(text, "add_rmsnorm"),
              ElementsAre("add_rmsnorm", "[96,", "64]", "4", "25000.0", "100.00", "20.0", "8.0",
                          "GB/s", "80.0", "20.00"));
  EXPECT_LT(text.find("qkv"), text.find("add_rmsnorm")) << "most time first";
}

TEST(BenchReport, TheTableEndsWithSums) {
  const std::string text = to_text(result());
  EXPECT_THAT(words(text, "sum  "), ElementsAre("sum", "400.00", "80.0"));
  EXPECT_THAT(words(text, "between operations"), testing::Contains("12.50"));
  EXPECT_THAT(words(text, "between operations"), testing::Contains("2.5"));
  EXPECT_THAT(words(text, "whole step, operations"), testing::Contains("625.00"));
  EXPECT_THAT(words(text, "whole step  "), ElementsAre("whole", "step", "500.00", "100.0"));
  EXPECT_THAT(text, HasSubstr("the sum differs from the step by -20.00 %"));
}

TEST(BenchReport, TheHeadSaysSpeedAndShares) {
  BenchResult r = result();
  const double flops = train_flops_per_token(r.shape.model, 500) * 4000 / 0.5;
  r.peak = flops * 4;
  r.ceilings.gemm_bf16 = flops * 2;
  const std::string text = to_text(r);
  EXPECT_THAT(text, HasSubstr("4000 tokens a step in 4 micro-batches of 2 x 500"));
  EXPECT_THAT(text, HasSubstr("step 0.5000 s, 8000 tokens/s"));
  EXPECT_THAT(text, HasSubstr("25.0 % of"));
  EXPECT_THAT(text, HasSubstr("step at 50.0 % of that product"));
  EXPECT_THAT(text, HasSubstr("f32 2.0 GFLOP/s"));
  EXPECT_THAT(text, HasSubstr("copy 10.0 GB/s"));
  r.ceilings.gemm_f32 = 1e12;
  EXPECT_THAT(to_text(r), HasSubstr("f32 1.00 TFLOP/s"));
  r.peak = 0;
  r.times.operations.clear();
  EXPECT_THAT(to_text(r), Not(HasSubstr("25.0 %")));
  EXPECT_THAT(to_text(r), Not(HasSubstr("operation ")));
}

TEST(BenchReport, JsonHasTheSameFigures) {
  const BenchResult r = result();
  const nlohmann::ordered_json json = to_json(r);
  const double flops = train_flops_per_token(r.shape.model, 500) * 4000;
  EXPECT_EQ(json["tokens"], 4000);
  EXPECT_EQ(json["parameters"], count_parameters(r.shape.model));
  EXPECT_DOUBLE_EQ(json["step"]["seconds"], 0.5);
  EXPECT_DOUBLE_EQ(json["step"]["tokens_per_second"], 8000);
  EXPECT_DOUBLE_EQ(json["step"]["flops"], flops);
  EXPECT_DOUBLE_EQ(json["step"]["flops_per_second"], flops / 0.5);
  EXPECT_DOUBLE_EQ(json["step"]["share_of_gemm_peak"], flops / 0.5 / 4e9);
  EXPECT_DOUBLE_EQ(json["step"]["mfu"], flops / 0.5 / 1e10);
  EXPECT_DOUBLE_EQ(json["sum_of_operations_seconds"], 0.4);
  EXPECT_DOUBLE_EQ(json["between_operations_seconds"], 0.0125);
  EXPECT_DOUBLE_EQ(json["traced_step_seconds"], 0.625);
  ASSERT_EQ(json["operations"].size(), 2u);
  const auto& product = json["operations"][0];
  EXPECT_EQ(product["operation"], "qkv");
  EXPECT_EQ(product["bound"], "products");
  EXPECT_DOUBLE_EQ(product["flops_per_second"], 2.5e13);
  EXPECT_DOUBLE_EQ(product["bytes_per_second"], 70);
  EXPECT_DOUBLE_EQ(product["share_of_ceiling"], 0.8);
  EXPECT_DOUBLE_EQ(product["share_of_step"], 0.6);
  EXPECT_NEAR(product["seconds_above_ceiling"].get<double>(), 0.06, 1e-12);
  const auto& norm = json["operations"][1];
  EXPECT_EQ(norm["bound"], "memory");
  EXPECT_DOUBLE_EQ(norm["seconds"], 0.1);
  EXPECT_DOUBLE_EQ(norm["share_of_ceiling"], 0.8);
  BenchResult brief = r;
  brief.peak = 0;
  brief.times.operations.clear();
  EXPECT_FALSE(to_json(brief)["step"].contains("mfu"));
  EXPECT_FALSE(to_json(brief).contains("operations"));
}

// 4 steps of 2 s took 9 s beside a save: 1 s more, of the 300 between saves.
TEST(SaveReport, SaysWhatASaveCost) {
  SaveTimes times;
  times.host_bytes = 3'000'000'000;
  times.step = 2;
  times.steps_beside = 4;
  times.seconds_beside = 9;
  times.result.bytes = 8'000'000'000;
  times.result.write_seconds = 4;
  times.result.held_seconds = 0.25;
  EXPECT_DOUBLE_EQ(times.exposed(), 1);
  const std::string text = to_text(times);
  EXPECT_THAT(text, HasSubstr("step without a save  2.000 s"));
  EXPECT_THAT(text, HasSubstr("4 in 9.000 s"));
  EXPECT_THAT(text, HasSubstr("1.000 s, 0.333 % of the 300 s between saves; save() took 0.250"));
  EXPECT_THAT(text, HasSubstr("8.00 GB in 4.0 s, 2.00 GB/s"));
  EXPECT_THAT(text, HasSubstr("host memory          3.00 GB"));
}

}  // namespace
}  // namespace fathom::measure
