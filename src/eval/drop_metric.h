// The scores of DROP (Dua et al., 2019): exact match and F1 over bags of words, after numbers, articles
// and punctuation are made alike, as lm-evaluation-harness has them.
#pragma once

#include <string>
#include <vector>

namespace fathom::eval {

struct DropScore {
  double exact = 0, f1 = 0;  // 0 to 1; f1 is rounded to hundredths
};

// The best exact match and the best F1 of one answered text over all right answers, each a list of
// texts that belong together. The text is aligned with the one of them that it fits best.
DropScore best_drop_score(const std::string& answer, const std::vector<std::vector<std::string>>& golds);

// Small letters, without punctuation and articles; numbers as decimals. For tests.
std::string normal_drop_text(const std::string& text);

}  // namespace fathom::eval
