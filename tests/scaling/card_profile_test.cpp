#include "scaling/card_profile.h"

#include <gmock/gmock.h>

#include "core/error.h"
#include "io/temp_dir.h"
#include "scaling/measured_profile.h"
#include "scaling/operation_time.h"
#include "scaling/planned.h"

namespace fathom::test {
namespace {

using namespace scaling;
using testing::HasSubstr;

std::string error_of(const std::string& text) {
  TempDir dir;
  write_file(dir / "card.toml", text);
  try {
    load_card(dir / "card.toml");
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(CardProfile, EmbeddedCardsAreComplete) {
  for (const std::string_view name : card_names()) {
    const CardProfile card = load_card(std::string(name));
    EXPECT_FALSE(card.name.empty());
    EXPECT_GT(card.products.measured.size(), 6) << name;
  }
  EXPECT_EQ(load_card("h800").copy_tbs, load_card("h100").copy_tbs);
  EXPECT_LT(load_card("h800").nccl.bandwidth, load_card("h100").nccl.bandwidth / 2);
}

TEST(CardProfile, MayBeLikeAnother) {
  TempDir dir;
  write_file(dir / "card.toml", "like = \"h200\"\nname = \"mine\"\n[network]\nbandwidth = 1e9\n");
  const CardProfile card = load_card(dir / "card.toml"), h200 = load_card("h200");
  EXPECT_EQ(card.name, "mine");
  EXPECT_EQ(card.network.bandwidth, 1e9);
  EXPECT_EQ(card.network.latency, h200.network.latency);
  EXPECT_EQ(card.products.measured, h200.products.measured);
}

TEST(CardProfile, WhatIsMissingOrImpossibleIsNamed) {
  EXPECT_THAT(error_of("name = \"x\"\n"), HasSubstr("memory_gib is 0"));
  EXPECT_THAT(error_of("like = \"h200\"\n[nccl]\nbandwidth = -1\n"),
              HasSubstr("nccl.bandwidth is -1"));
  EXPECT_THAT(error_of("like = \"h200\"\n[peer]\ncontention = 1.0\n"),
              HasSubstr("peer.contention is 1"));
  EXPECT_THAT(error_of("like = \"h200\"\n[products]\nmeasured = [1.0, 2.0]\n"),
              HasSubstr("rows of 6"));
  EXPECT_THAT(error_of("like = \"h200\"\n[attention]\nforward_start = -1.0\n"),
              HasSubstr("attention.forward_start is -1"));
  EXPECT_THAT(error_of("like = \"h200\"\n[copy_shares]\nrope = 0.0\n"),
              HasSubstr("copy_shares.rope is 0"));
  EXPECT_THAT(error_of("like = \"h300\"\n"), HasSubstr("h300"));
  EXPECT_THAT(error_of("like = \"h200\"\nrate = 1\n"), HasSubstr("rate"));
  EXPECT_THROW(load_card("h300"), Error);
}

// One operation as an observer sees it.
Operation operation(const std::string& name, std::vector<Tensor> tensors, bool in_place = false) {
  return {name, std::move(tensors), in_place, {}};
}
Tensor planned(Shape shape, DType dtype = DType::bf16) {
  return {nullptr, dtype, shape, meta_device};
}

TEST(OperationTime, TakesAMeasuredProductsOwnTime) {
  CardProfile card = load_card("h200");
  card.start = 0;
  card.products.in_step = 0.8;
  card.products.measured = {4096, 2048, 8192, 500, 400, 200, 8192, 8192, 8192, 600, 600, 600};
  const OperationTime time(card);
  const ModelConfig model = model_7b();
  const Tensor x = planned({4096, 2048}), w = planned({8192, 2048}), y = planned({4096, 8192});
  const double flops = 2.0 * 4096 * 2048 * 8192;
  EXPECT_NEAR(time.seconds(operation("linear", {x, w, y}), model), flops / (0.8 * 500e12), 1e-12);
  EXPECT_NEAR(time.seconds(operation("linear_backward_input", {y, w, x}), model),
              flops / (0.8 * 400e12), 1e-12);
  const Tensor dw = planned({8192, 2048}, DType::f32);
  EXPECT_NEAR(time.seconds(operation("linear_backward_weight", {y, x, dw}), model),
              flops / (0.8 * 200e12), 1e-12);
}

TEST(OperationTime, OfOtherProductsFollowsTheLaw) {
  const OperationTime time(load_card("h200"));
  const auto rate = [&](std::int64_t tokens) {
    const Operation product = operation(
        "linear", {planned({tokens, 4096}), planned({4096, 4096}), planned({tokens, 4096})});
    return 2.0 * static_cast<double>(tokens) * 4096 * 4096 / time.seconds(product, model_7b());
  };
  EXPECT_GT(rate(6000), 600e12);
  EXPECT_LT(rate(6000), 720e12);
  EXPECT_LT(rate(256), rate(1500));
  EXPECT_LT(rate(1500), rate(6000));
}

TEST(OperationTime, OfWhatMemoryBoundsIsItsBytesByItsShareOfACopy) {
  CardProfile card = load_card("h200");
  card.start = 0;
  card.copy_tbs = 4;
  card.copy_shares.swiglu = 0.5;
  card.copy_shares.other = 0.25;
  const OperationTime time(card);
  const Tensor in = planned({1000, 2000}), out = planned({1000, 1000});
  EXPECT_NEAR(time.seconds(operation("swiglu", {in, out}), model_7b()), 6e6 / 2e12, 1e-15);
  EXPECT_NEAR(time.seconds(operation("add", {in, out}), model_7b()), 6e6 / 1e12, 1e-15);
  EXPECT_NEAR(time.seconds_moving(6e6), 6e6 / 1e12, 1e-15);
}

measure::OperationRow row(const std::string& name, const std::string& shape, measure::Bound bound,
                          double seconds, double flops, double bytes) {
  measure::OperationRow row;
  row.name = name;
  row.shape = shape;
  row.bound = bound;
  row.count = 2;
  row.seconds = seconds;
  row.flops = flops;
  row.bytes = bytes;
  return row;
}

measure::BenchResult bench_result() {
  using measure::Bound;
  measure::BenchResult result;
  result.ceilings.copy = 4e12;
  result.peak = 900e12;
  result.times.gaps = 10e-6;
  result.times.operations = {
      row("qkv", "4096 x 2048 x 6144", Bound::products, 1e-3, 6e11, 0),
      row("qkv dgrad", "4096 x 2048 x 6144", Bound::products, 1e-3, 5e11, 0),
      row("qkv wgrad", "4096 x 2048 x 6144", Bound::products, 1e-3, 4e11, 0),
      row("attention", "4096 x 16/16 x 128, T 4096", Bound::products, 1e-3, 3e11, 0),
      row("rope", "[4096, 4096]", Bound::memory, 1e-3, 0, 2e9)};
  return result;
}

TEST(MeasuredProfile, HasTheRatesOfTheStepAndTheLinksOfAnother) {
  const CardProfile h100 = load_card("h100");
  const CardProfile card = measured_profile(bench_result(), h100);
  EXPECT_THAT(card.products.measured, testing::ElementsAre(4096, 2048, 6144, 600, 500, 400));
  EXPECT_EQ(card.products.in_step, 1);
  EXPECT_DOUBLE_EQ(card.attention.forward_tflops, 300);
  EXPECT_EQ(card.attention.forward_start, 0);
  EXPECT_DOUBLE_EQ(card.copy_shares.rope, 0.5);
  EXPECT_EQ(card.copy_shares.swiglu, h100.copy_shares.swiglu);
  EXPECT_DOUBLE_EQ(card.copy_tbs, 4);
  EXPECT_DOUBLE_EQ(card.start, 1e-6);
  EXPECT_EQ(card.nccl.bandwidth, h100.nccl.bandwidth);
  EXPECT_THROW(measured_profile({}, h100), Error);
}

TEST(MeasuredProfile, ReadsBack) {
  TempDir dir;
  const CardProfile card = measured_profile(bench_result(), load_card("h100"));
  write_file(dir / "card.toml", profile_text(card, "h100"));
  const CardProfile again = load_card(dir / "card.toml");
  EXPECT_EQ(again.products.measured, card.products.measured);
  EXPECT_EQ(again.network.bandwidth, card.network.bandwidth);
  EXPECT_EQ(again.name, card.name);
}

}  // namespace
}  // namespace fathom::test
