// Data sets side by side: which of them deserves the bigger model. The report finds that the better
// the data, the more of a growing budget should go to the model (arXiv 2401.02954, section 3.3).
#pragma once

#include <span>
#include <string>
#include <vector>

#include "scaling/fit.h"

namespace fathom::scaling {

struct DataComparison {
  std::string larger, smaller;  // data sets, by the exponent of M_opt(C)
  double difference = 0;        // of the exponents, 0 or more
  Interval interval;            // 95 %, of the difference

  bool certain() const { return interval.low > 0; }
};

// All pairs of the data sets whose M_opt(C) was fitted.
std::vector<DataComparison> compare_data(std::span<const DatasetFit> fits);

// The comparison as a sentence.
std::string finding(const DataComparison& comparison);

}  // namespace fathom::scaling
