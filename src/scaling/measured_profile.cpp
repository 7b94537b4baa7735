#include "scaling/measured_profile.h"

#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <map>

#include "core/device.h"
#include "core/error.h"

namespace fathom::scaling {
namespace {

using measure::OperationRow;
using Size = std::array<std::int64_t, 3>;  // tokens, in, out

// Which of a row's three rates the name of a product's operation says.
std::size_t product_of(const std::string& name) {
  if (name.ends_with(" dgrad")) return 1;
  return name.ends_with(" wgrad") ? 2 : 0;
}

// Of "8192 x 4096 x 22016"; false for other operations.
bool read_size(const std::string& shape, Size& size) {
  long long tokens = 0, in = 0, out = 0;
  char rest = 0;
  if (std::sscanf(shape.c_str(), "%lld x %lld x %lld%c", &tokens, &in, &out, &rest) != 3) {
    return false;
  }
  size = {tokens, in, out};
  return true;
}

// Only sizes of which all three products were measured.
std::vector<double> product_numbers(const std::vector<OperationRow>& rows) {
  std::map<Size, std::array<double, 3>> rates;
  for (const OperationRow& row : rows) {
    Size size;
    if (row.bound != measure::Bound::products || !read_size(row.shape, size)) continue;
    rates[size][product_of(row.name)] = row.flops / row.seconds / 1e12;
  }
  std::vector<double> numbers;
  for (const auto& [size, tflops] : rates) {
    if (tflops[0] == 0 || tflops[1] == 0 || tflops[2] == 0) continue;
    for (const std::int64_t dimension : size) numbers.push_back(static_cast<double>(dimension));
    numbers.insert(numbers.end(), tflops.begin(), tflops.end());
  }
  return numbers;
}

}  // namespace

CardProfile measured_profile(const measure::BenchResult& result, const CardProfile& like) {
  const std::vector<OperationRow>& rows = result.times.operations;
  CardProfile card = like;
  card.name = device_name(result.shape.device);
  card.peak_tflops = result.peak > 0 ? result.peak / 1e12 : like.peak_tflops;
  card.copy_tbs = result.ceilings.copy / 1e12;
  card.products = {product_numbers(rows), 1};
  if (card.products.measured.empty()) {
    fail_input("a profile needs the times of a step's operations: leave --brief out");
  }
  double calls = 0;
  for (const OperationRow& row : rows) {
    calls += static_cast<double>(row.count);
    const double tflops = row.flops / row.seconds / 1e12;
    if (row.name == "attention") {
      card.attention.forward_tflops = tflops;
      card.attention.forward_start = 0;
    }
    if (row.name == "attention_backward") {
      card.attention.backward_tflops = tflops;
      card.attention.backward_start = 0;
    }
    visit_fields(card.copy_shares, [&](const char* key, double& share, const char*) {
      if (row.name == key) share = row.bytes / row.seconds / result.ceilings.copy;
    });
  }
  card.start = result.times.gaps / calls;
  return card;
}

std::string profile_text(CardProfile profile, const std::string& like) {
  return fmt::format(
             "# Measured by `fathom bench gpu --profile`: rates inside a training step. Links and\n"
             "# memory_gib are those of \"{}\" and were not measured.\n",
             like) +
         config_to_toml(profile);
}

}  // namespace fathom::scaling
