#include "scaling/card_profile.h"

#include <fmt/ranges.h>

#include <cmath>
#include <filesystem>
#include <utility>

#include "core/error.h"
#include "scaling/embedded.h"

namespace fathom::scaling {
namespace {

struct EmbeddedCard {
  std::string_view name, text;
};

std::vector<EmbeddedCard> embedded_cards() {
  return {{"h100", embedded::card_h100},
          {"h200", embedded::card_h200},
          {"h800", embedded::card_h800},
          {"a100", embedded::card_a100}};
}

ConfigTable open_card(const std::string& name) {
  for (const EmbeddedCard& card : embedded_cards()) {
    if (card.name == name) return ConfigTable::parse(card.text, name);
  }
  std::error_code error;
  if (!std::filesystem::exists(name, error)) {
    fail_input(
        "--gpu: there is no card and no file '{}': use {}, or a profile that "
        "`fathom bench gpu --profile FILE` has written",
        name, fmt::join(card_names(), ", "));
  }
  return ConfigTable::load(name);
}

// Checks of a profile; messages begin with its file.
class Checker {
 public:
  explicit Checker(std::string source) : source_(std::move(source)) {}

  void positive(const std::string& key, double value) const {
    if (!(value > 0) || std::isinf(value)) {
      fail_input("{}: {} is {}: a profile needs a positive number", source_, key, value);
    }
  }
  void not_negative(const std::string& key, double value) const {
    if (!(value >= 0) || std::isinf(value)) {
      fail_input("{}: {} is {}: use 0 or more", source_, key, value);
    }
  }
  void link(const std::string& name, const LinkProfile& link) const {
    positive(name + ".bandwidth", link.bandwidth);
    not_negative(name + ".latency", link.latency);
    not_negative(name + ".latency_per_rank", link.latency_per_rank);
    if (!(link.contention >= 0 && link.contention < 1)) {
      fail_input("{}: {}.contention is {}: use a share from 0 up to but not including 1", source_,
                 name, link.contention);
    }
  }
  void products(const ProductRates& products) const {
    const std::vector<double>& numbers = products.measured;
    if (numbers.empty() || numbers.size() % row_numbers != 0) {
      fail_input("{}: products.measured has {} numbers: use rows of {}", source_, numbers.size(),
                 row_numbers);
    }
    for (const double number : numbers) positive("a number of products.measured", number);
    positive("products.in_step", products.in_step);
    not_negative("products.idle_gain", products.idle_gain);
    positive("products.most_gain", products.most_gain);
  }
  void attention(const AttentionRates& attention) const {
    positive("attention.forward_tflops", attention.forward_tflops);
    positive("attention.backward_tflops", attention.backward_tflops);
    not_negative("attention.forward_start", attention.forward_start);
    not_negative("attention.backward_start", attention.backward_start);
  }

 private:
  static constexpr std::size_t row_numbers = 6;
  std::string source_;
};

void check(const CardProfile& card, const std::string& source) {
  const Checker check(source);
  check.positive("memory_gib", card.memory_gib);
  check.positive("peak_tflops", card.peak_tflops);
  check.positive("copy_tbs", card.copy_tbs);
  check.not_negative("start", card.start);
  check.not_negative("spread", card.spread);
  check.products(card.products);
  check.attention(card.attention);
  CopyShares shares = card.copy_shares;
  visit_fields(shares, [&](const char* key, double& share, const char*) {
    check.positive(std::string("copy_shares.") + key, share);
  });
  check.link("peer", card.peer);
  check.link("nccl", card.nccl);
  check.link("network", card.network);
}

// A profile may be like another, which may be like a third, and so on.
CardProfile read_card(const std::string& name, int depth) {
  constexpr int most = 8;
  if (depth > most) fail_input("{}: profiles that are like each other in a circle", name);
  const ConfigTable table = open_card(name);
  std::string like;
  table.get("like", like);
  CardProfile card = like.empty() ? CardProfile{} : read_card(like, depth + 1);
  read_config(table, card);
  card.like.clear();
  return card;
}

}  // namespace

std::vector<std::string_view> card_names() {
  std::vector<std::string_view> names;
  for (const EmbeddedCard& card : embedded_cards()) names.push_back(card.name);
  return names;
}

CardProfile load_card(const std::string& name_or_path) {
  CardProfile card = read_card(name_or_path, 0);
  check(card, name_or_path);
  return card;
}

}  // namespace fathom::scaling
