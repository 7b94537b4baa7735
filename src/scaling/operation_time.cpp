#include "scaling/operation_time.h"

#include <optional>

#include "measure/cost.h"

namespace fathom::scaling {
namespace {

constexpr double tera = 1e12;

// Sizes of the three products of a linear layer [in → out] over so many tokens.
ProductSize size_of(int kind, std::int64_t tokens, std::int64_t in, std::int64_t out) {
  if (kind == 0) return {tokens, out, in};  // y = x wᵀ
  if (kind == 1) return {tokens, in, out};  // dx = dy w
  return {out, in, tokens};                 // dw += dyᵀ x
}

struct ProductRow {
  std::int64_t tokens, in, out;
  double tflops[3];
};

std::vector<ProductRow> rows_of(const ProductRates& rates) {
  std::vector<ProductRow> rows;
  const std::vector<double>& numbers = rates.measured;
  for (std::size_t i = 0; i + 6 <= numbers.size(); i += 6) {
    const auto whole = [&](std::size_t k) { return static_cast<std::int64_t>(numbers[i + k]); };
    rows.push_back(
        {whole(0), whole(1), whole(2), {numbers[i + 3], numbers[i + 4], numbers[i + 5]}});
  }
  return rows;
}

}  // namespace

OperationTime::OperationTime(const CardProfile& card) : card_(card) {
  const std::vector<ProductRow> rows = rows_of(card.products);
  for (std::size_t kind = 0; kind < measured_.size(); ++kind) {
    std::vector<MeasuredProduct> points;
    for (const ProductRow& row : rows) {
      const ProductSize size = size_of(static_cast<int>(kind), row.tokens, row.in, row.out);
      const double rate = row.tflops[kind] * tera * card.products.in_step;
      points.push_back({size, size.flops() / rate});
      measured_[kind][size] = points.back().seconds;
    }
    laws_.emplace_back(points);
  }
}

double OperationTime::product_seconds(Product kind, const ProductSize& size) const {
  const auto& measured = measured_[kind];
  const auto found = measured.find(size);
  return found != measured.end() ? found->second : laws_[kind].seconds(size);
}

double OperationTime::share_of_copy(const std::string& name) const {
  std::optional<double> own;
  CopyShares shares = card_.copy_shares;
  visit_fields(shares, [&](const char* key, double& value, const char*) {
    if (name == key) own = value;
  });
  return own.value_or(shares.other);
}

double OperationTime::seconds_moving(double bytes) const {
  return card_.start + bytes / (card_.copy_tbs * tera * card_.copy_shares.other);
}

double OperationTime::seconds(const Operation& operation, const ModelConfig& model) const {
  const std::vector<Tensor>& t = operation.tensors;
  const std::string& name = operation.name;
  if (name == "linear") {
    const Shape& w = t[1].shape;
    return card_.start + product_seconds(forward, size_of(forward, t[0].rows(), w[1], w[0]));
  }
  if (name == "linear_backward_input") {
    const Shape& w = t[1].shape;
    return card_.start + product_seconds(input, size_of(input, t[0].rows(), w[1], w[0]));
  }
  if (name == "linear_backward_weight") {
    const Shape& w = t[2].shape;
    return card_.start + product_seconds(weight, size_of(weight, t[0].rows(), w[1], w[0]));
  }
  const measure::OperationCost cost = measure::cost_of(operation, model);
  const AttentionRates& attention = card_.attention;
  if (name == "attention") {
    return card_.start + attention.forward_start + cost.flops / (attention.forward_tflops * tera);
  }
  if (name == "attention_backward") {
    return card_.start + attention.backward_start + cost.flops / (attention.backward_tflops * tera);
  }
  return card_.start + cost.bytes / (card_.copy_tbs * tera * share_of_copy(name));
}

}  // namespace fathom::scaling
