// How well scores tell wanted documents from others.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace fathom::quality {

struct Judged {
  double score = 0;
  bool wanted = false;
};

// What a threshold keeps: the documents whose score is not below it.
struct KeptShare {
  double threshold = 0;
  double precision = 0;    // share of wanted ones among those kept; 0 when none is kept
  double recall = 0;       // share of the wanted ones that is kept
  double others_kept = 0;  // share of the others that is kept
};

struct Accuracy {
  std::int64_t wanted = 0, others = 0;
  // Area under the ROC curve: the probability that a wanted document scores higher than another
  // one, where equal scores count half (Hanley and McNeil, 1982). 0.5 without documents of both.
  double auc = 0.5;
  std::vector<KeptShare> thresholds;
};

// By the thresholds in their order. Pure.
Accuracy accuracy_of(std::span<const Judged> documents, std::span<const double> thresholds);

// A table for people.
std::string table_of(const Accuracy& accuracy);

}  // namespace fathom::quality
