#include "align/likelihood_watch.h"

#include <fmt/format.h>

#include <algorithm>

namespace fathom {

std::string LikelihoodWatch::observe(double chosen, double rejected) {
  ++steps_;
  const double share = 1 / static_cast<double>(std::min(steps_, window));
  chosen_ += share * (chosen - chosen_);
  rejected_ += share * (rejected - rejected_);
  if (warned_ || steps_ < window || chosen_ > -fallen || rejected_ > -fallen) return "";
  warned_ = true;
  return fmt::format(
      "both likelihoods fall: against the reference a chosen answer has lost {:.1f} nats and a "
      "rejected one {:.1f}; a lower schedule.peak, a higher dpo.beta or an NLL term (dpo.nll) "
      "keeps "
      "the chosen ones likely",
      -chosen_, -rejected_);
}

}  // namespace fathom
