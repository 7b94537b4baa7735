// Conversations of random tokens and lengths, for tests.
#pragma once

#include <memory>
#include <random>

#include "align/example_set.h"

namespace fathom::test {

// Of 1 to `longest` inputs each, about a third of whose tokens are learned, and the last one.
inline std::shared_ptr<const ExampleSet> random_examples(std::int64_t count, std::int32_t longest,
                                                         unsigned seed = 1,
                                                         std::int32_t vocabulary = 50) {
  std::mt19937 random(seed);
  auto examples = std::make_shared<ExampleSet>();
  for (std::int64_t i = 0; i < count; ++i) {
    std::vector<std::int32_t> tokens(2 + random() % static_cast<unsigned>(longest));
    std::vector<std::uint8_t> learned(tokens.size());
    for (std::size_t t = 0; t < tokens.size(); ++t) {
      tokens[t] = static_cast<std::int32_t>(1 + random() % static_cast<unsigned>(vocabulary - 1));
      learned[t] = random() % 3 == 0;
    }
    learned.back() = 1;
    examples->add({tokens, learned});
  }
  return examples;
}

}  // namespace fathom::test
