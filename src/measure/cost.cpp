#include "measure/cost.h"

#include <fmt/format.h>

namespace fathom::measure {
namespace {

double bytes_of(const Tensor& tensor) {
  return tensor ? static_cast<double>(tensor.bytes()) : 0;
}

double bytes_of(const std::vector<Tensor>& tensors) {
  double sum = 0;
  for (const Tensor& tensor : tensors) sum += bytes_of(tensor);
  return sum;
}

// The name of the model's matrix that has the shape of this weight [out, in].
std::string layer_of(const Shape& weight, const ModelConfig& c) {
  const std::int64_t d = c.hidden_size, f = c.intermediate_size;
  if (weight == Shape{c.query_width() + 2 * c.kv_width(), d}) return "qkv";
  if (weight == Shape{d, c.query_width()}) return "output";
  if (weight == Shape{2 * f, d}) return "gate_up";
  if (weight == Shape{d, f}) return "down";
  if (weight == Shape{c.vocab_size, d}) return "head";
  return "product";
}

OperationCost product(const char* role, const Tensor& weight, std::int64_t tokens,
                      const Operation& operation, const ModelConfig& model) {
  OperationCost cost;
  const std::int64_t out = weight.shape[0], in = weight.shape[1];
  cost.name = layer_of(weight.shape, model) + role;
  cost.shape = fmt::format("{} x {} x {}", tokens, in, out);
  cost.bound = Bound::products;
  cost.flops = 2.0 * static_cast<double>(tokens) * static_cast<double>(in * out);
  cost.bytes = bytes_of(operation.tensors);
  if (operation.in_place) cost.bytes += bytes_of(operation.tensors.back());
  return cost;
}

// x [n, k], w [m, k] and y [n, m], of which w, its transpose or y has the shape of the layer's weight.
OperationCost fp8_product(const Operation& operation, const ModelConfig& model) {
  const Tensor &x = operation.tensors[0], &w = operation.tensors[1], &y = operation.tensors[2];
  if (operation.name == "linear_fp8") return product("", w, x.rows(), operation, model);
  if (operation.name == "linear_fp8_backward_weight") {
    return product(" wgrad", y, x.cols(), operation, model);
  }
  Tensor weight = w;
  weight.shape = {w.shape[1], w.shape[0]};
  return product(" dgrad", weight, x.rows(), operation, model);
}

// q [n, heads · head_dim] attends to on average half of its segment: two products
// forward, five backward.
OperationCost attention(const Operation& operation, const Tensor& q, const Tensor& offsets,
                        double products, const ModelConfig& model) {
  OperationCost cost;
  const auto n = static_cast<double>(q.rows()), width = static_cast<double>(q.cols());
  const double length = n / static_cast<double>(offsets.elements() - 1);
  cost.name = operation.name;
  cost.shape = fmt::format("{} x {}/{} x {}, T {}", q.rows(), model.num_heads, model.num_kv_heads,
                           model.head_dim, length);
  cost.bound = Bound::products;
  cost.flops = products * n * length * width;
  cost.bytes = bytes_of(operation.tensors);
  return cost;
}

// Bytes moved: each argument once, but for the operations listed here.
double moved_bytes(const Operation& operation) {
  const std::vector<Tensor>& t = operation.tensors;
  const double once = bytes_of(t);
  const std::string& name = operation.name;
  if (operation.bytes > 0) return operation.bytes;
  if (name == "rope" || name == "cross_entropy") return once + bytes_of(t[0]);  // in place
  if (name == "add_rmsnorm_backward" && operation.in_place) return once + bytes_of(t[4]);
  if (name == "embedding") return bytes_of(t[0]) + 2 * bytes_of(t[2]);  // of the table, its rows
  if (name == "embedding_backward") {
    return bytes_of(t[0]) + bytes_of(t[1]) + 2 * 4 * static_cast<double>(t[1].elements());
  }
  if (name == "adamw") return 2 * once - bytes_of(t[0]);  // all but the gradient change
  return once;
}

}  // namespace

OperationCost cost_of(const Operation& operation, const ModelConfig& model) {
  const std::vector<Tensor>& t = operation.tensors;
  if (operation.name == "linear") return product("", t[1], t[0].rows(), operation, model);
  if (operation.name == "linear_backward_input") {
    return product(" dgrad", t[1], t[0].rows(), operation, model);
  }
  if (operation.name == "linear_backward_weight") {
    return product(" wgrad", t[2], t[0].rows(), operation, model);
  }
  if (operation.name.starts_with("linear_fp8")) return fp8_product(operation, model);
  if (operation.name == "attention") return attention(operation, t[0], t[3], 2, model);
  if (operation.name == "attention_backward") return attention(operation, t[1], t[6], 5, model);
  OperationCost cost;
  cost.name = operation.name;
  if (!t.empty()) cost.shape = to_string(t[0].shape);
  cost.bytes = moved_bytes(operation);
  return cost;
}

}  // namespace fathom::measure
