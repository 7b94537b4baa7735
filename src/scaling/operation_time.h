// The time of each operation of a training step on a card, from its profile: products and attention
// by their size, all others by the bytes that they move.
#pragma once

#include <array>
#include <map>

#include "core/observer.h"
#include "model/config.h"
#include "scaling/card_profile.h"
#include "scaling/product_law.h"

namespace fathom::scaling {

class OperationTime {
 public:
  explicit OperationTime(const CardProfile& card);

  // Seconds of a call inside a step of `model`, from the end of the operation before.
  double seconds(const Operation& operation, const ModelConfig& model) const;
  // Whether it is a matrix product, which the card's power limits.
  static bool is_product(const Operation& operation) {
    return operation.name.starts_with("linear");
  }
  // Of an operation that memory bounds and that has no share of its own.
  double seconds_moving(double bytes) const;

 private:
  enum Product : std::uint8_t { forward, input, weight };
  double product_seconds(Product kind, const ProductSize& size) const;
  double share_of_copy(const std::string& name) const;

  CardProfile card_;
  std::array<std::map<ProductSize, double>, 3> measured_;  // seconds, by Product
  std::vector<ProductLaw> laws_;
};

}  // namespace fathom::scaling
