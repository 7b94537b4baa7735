// Preference pairs of random tokens and mixed lengths.
#pragma once

#include <memory>
#include <random>
#include <vector>

#include "align/example_set.h"

namespace fathom::test {

// Prompts of 1 to 12 tokens, answers of 1 to 14, out of [0, vocabulary).
inline std::shared_ptr<PreferenceSet> random_pairs(int count, int vocabulary, unsigned seed) {
  std::mt19937 random(seed);
  const auto number = [&](unsigned first, unsigned last) {
    return static_cast<std::int32_t>(first + random() % (last - first + 1));
  };
  const auto text = [&](std::int32_t length) {
    std::vector<std::int32_t> tokens;
    for (std::int32_t i = 0; i < length; ++i) {
      tokens.push_back(number(0, static_cast<unsigned>(vocabulary) - 1));
    }
    return tokens;
  };
  auto set = std::make_shared<PreferenceSet>();
  for (int i = 0; i < count; ++i) {
    const auto prompt = text(number(1, 12)), chosen = text(number(1, 14));
    const auto rejected = text(number(1, 14));
    set->add({prompt, chosen, rejected});
  }
  return set;
}

}  // namespace fathom::test
