#include "scaling/card_profile.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <array>
#include <tuple>

#include "core/error.h"
#include "io/temp_dir.h"
#include "measure/cost.h"
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

// Every figure that a card has is checked under its own key.
TEST(CardProfile, EveryFigureIsChecked) {
  const auto with = [](const std::string& table, const std::string& line) {
    return error_of("like = \"h200\"\n" + (table.empty() ? "" : "[" + table + "]\n") + line + "\n");
  };
  for (const auto& [table, key] : {std::pair{"", "memory_gib"},
                                   {"", "peak_tflops"},
                                   {"", "copy_tbs"},
                                   {"products", "in_step"},
                                   {"products", "most_gain"},
                                   {"attention", "forward_tflops"},
                                   {"attention", "backward_tflops"},
                                   {"copy_shares", "add_rmsnorm"},
                                   {"copy_shares", "adamw"},
                                   {"copy_shares", "other"},
                                   {"peer", "bandwidth"},
                                   {"nccl", "bandwidth"},
                                   {"network", "bandwidth"}}) {
    const std::string name = *table == '\0' ? key : fmt::format("{}.{}", table, key);
    for (const char* value : {"0.0", "-1.0", "inf", "nan"}) {
      EXPECT_THAT(
          with(table, fmt::format("{} = {}", key, value)),
          testing::ContainsRegex(": " + name + " is .*: a profile needs a positive number"));
    }
    EXPECT_EQ(with(table, fmt::format("{} = 1e-3", key)), "no error") << name;
  }
  for (const auto& [table, key] : {std::pair{"", "start"},
                                   {"", "spread"},
                                   {"products", "idle_gain"},
                                   {"attention", "forward_start"},
                                   {"attention", "backward_start"},
                                   {"peer", "latency"},
                                   {"peer", "latency_per_rank"},
                                   {"nccl", "latency"},
                                   {"nccl", "latency_per_rank"},
                                   {"network", "latency"},
                                   {"network", "latency_per_rank"}}) {
    const std::string name = *table == '\0' ? key : fmt::format("{}.{}", table, key);
    for (const char* value : {"-1e-9", "inf", "nan"}) {
      EXPECT_THAT(with(table, fmt::format("{} = {}", key, value)),
                  testing::ContainsRegex(": " + name + " is .*: use 0 or more"));
    }
    EXPECT_EQ(with(table, fmt::format("{} = 0.0", key)), "no error") << name;
  }
  for (const char* link : {"peer", "nccl", "network"}) {
    for (const char* value : {"1.0", "-0.01", "nan"}) {
      EXPECT_THAT(
          with(link, fmt::format("contention = {}", value)),
          testing::ContainsRegex(std::string(": ") + link + ".contention is .*: use a share"));
    }
    EXPECT_EQ(with(link, "contention = 0.99"), "no error");
    EXPECT_EQ(with(link, "contention = 0.0"), "no error");
  }
  for (const char* rows :
       {"[]", "[1.0, 1.0, 1.0, 1.0, 1.0]", "[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]"}) {
    EXPECT_THAT(with("products", fmt::format("measured = {}", rows)), HasSubstr("use rows of 6"));
  }
  EXPECT_EQ(with("products", "measured = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]"), "no error");
  EXPECT_THAT(with("products", "measured = [1.0, 1.0, 1.0, 1.0, 0.0, 1.0]"),
              HasSubstr("a number of products.measured is 0"));
}

// Each like the one before it: the ninth in a row is taken for one of a circle.
TEST(CardProfile, MayBeLikeOneThatIsLikeAnother) {
  TempDir dir;
  const auto file = [&](int number) { return dir / fmt::format("{}.toml", number); };
  write_file(file(0), "like = \"h200\"\nname = \"first\"\nspread = 0.25\n");
  for (int i = 1; i <= 8; ++i) write_file(file(i), "like = \"" + file(i - 1) + "\"\n");
  EXPECT_EQ(load_card(file(7)).name, "first");
  EXPECT_EQ(load_card(file(7)).spread, 0.25);
  EXPECT_EQ(load_card(file(7)).like, "");
  const auto refusal = [](const std::string& path) {
    return input_error_of([&] { load_card(path); });
  };
  EXPECT_THAT(refusal(file(8)), HasSubstr("profiles that are like each other in a circle"));
  write_file(file(0), "like = \"" + file(1) + "\"\n");
  EXPECT_THAT(refusal(file(0)), HasSubstr("profiles that are like each other in a circle"));
  EXPECT_THAT(refusal("h300"), HasSubstr("no file 'h300': use h100, h200, h800, a100, or"));
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

// Of a layer that widens and one that narrows, each of the three products has its own rate.
TEST(OperationTime, DistinguishesALayerFromItsTranspose) {
  CardProfile card = load_card("h200");
  card.start = 1e-6;
  card.products.in_step = 1;
  card.products.measured = {4096, 2048, 8192, 500, 400, 200, 4096, 8192, 2048, 300, 250, 125};
  const OperationTime time(card);
  const ModelConfig model = model_7b();
  const double flops = 2.0 * 4096 * 2048 * 8192;
  for (const auto& [in, out, rates] :
       {std::tuple{2048, 8192, std::array{500, 400, 200}}, {8192, 2048, {300, 250, 125}}}) {
    const Tensor x = planned({4096, in}), w = planned({out, in}), y = planned({4096, out});
    const auto seconds = [&](double rate) { return 1e-6 + flops / (rate * 1e12); };
    EXPECT_NEAR(time.seconds(operation("linear", {x, w, y}), model), seconds(rates[0]), 1e-12);
    EXPECT_NEAR(time.seconds(operation("linear_backward_input", {y, w, x}), model),
                seconds(rates[1]), 1e-12);
    EXPECT_NEAR(time.seconds(operation("linear_backward_weight", {y, x, w}), model),
                seconds(rates[2]), 1e-12);
  }
  EXPECT_TRUE(OperationTime::is_product(operation("linear", {})));
  EXPECT_TRUE(OperationTime::is_product(operation("linear_backward_weight", {})));
  EXPECT_FALSE(OperationTime::is_product(operation("attention", {})));
}

// 4096 tokens of one segment, 4096 wide: on average half of it, in two products and in five.
TEST(OperationTime, OfAttentionIsItsOwnStartAndItsRate) {
  CardProfile card = load_card("h200");
  card.start = 1e-6;
  card.attention = {400, 320, 3e-6, 5e-6};
  const OperationTime time(card);
  const ModelConfig model = model_7b();
  const Tensor q = planned({4096, 4096}), offsets = planned({2}, DType::i32);
  const std::vector<Tensor> forward{q, q, q, offsets, q, planned({4096, 32}, DType::f32)};
  const measure::OperationCost cost = measure::cost_of(operation("attention", forward), model);
  EXPECT_NEAR(time.seconds(operation("attention", forward), model),
              1e-6 + 3e-6 + cost.flops / 400e12, 1e-12);
  std::vector<Tensor> backward{q, q, q, q, planned({4096, 32}, DType::f32), q, offsets, q, q, q};
  const Operation back = operation("attention_backward", backward);
  EXPECT_NEAR(time.seconds(back, model), 1e-6 + 5e-6 + measure::cost_of(back, model).flops / 320e12,
              1e-12);
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

// What the step measured replaces the other card's figures, the start of each call with its rate.
TEST(MeasuredProfile, HasAttentionsBothDirections) {
  CardProfile like = load_card("h100");
  like.attention = {1, 2, 3e-6, 4e-6};
  measure::BenchResult result = bench_result();
  EXPECT_EQ(measured_profile(result, like).attention.backward_tflops, 2);
  EXPECT_EQ(measured_profile(result, like).attention.backward_start, 4e-6) << "not measured";
  result.times.operations.push_back(row("attention_backward", "4096 x 16/16 x 128, T 4096",
                                        measure::Bound::products, 2e-3, 5e11, 0));
  const CardProfile card = measured_profile(result, like);
  EXPECT_DOUBLE_EQ(card.attention.forward_tflops, 300);
  EXPECT_EQ(card.attention.forward_start, 0);
  EXPECT_DOUBLE_EQ(card.attention.backward_tflops, 250);
  EXPECT_EQ(card.attention.backward_start, 0);
  EXPECT_DOUBLE_EQ(card.start, 10e-6 / 12) << "six operations of two calls each";
  EXPECT_DOUBLE_EQ(card.peak_tflops, 900);
  EXPECT_EQ(card.memory_gib, like.memory_gib);
  result.peak = 0;
  EXPECT_EQ(measured_profile(result, like).peak_tflops, like.peak_tflops);
}

// A size of which one of the three was not measured says too little, and so does another shape.
TEST(MeasuredProfile, HasTheSizesThatWereMeasuredInFull) {
  using measure::Bound;
  measure::BenchResult result = bench_result();
  const auto add = [&](const char* name, const char* shape, Bound bound = Bound::products) {
    result.times.operations.push_back(row(name, shape, bound, 1e-3, 1e11, 1));
  };
  for (const char* name : {"down", "down dgrad", "down wgrad"}) add(name, "1024 x 64 x 32");
  for (const char* name : {"head", "head wgrad"}) add(name, "1024 x 64 x 128");
  for (const char* name : {"out", "out dgrad", "out wgrad"}) add(name, "1024 x 64 x 96 of 8");
  for (const char* name : {"up", "up dgrad", "up wgrad"}) add(name, "9 x 9 x 9", Bound::memory);
  EXPECT_THAT(measured_profile(result, load_card("h100")).products.measured,
              testing::ElementsAre(1024, 64, 32, 100, 100, 100, 4096, 2048, 6144, 600, 500, 400));
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
