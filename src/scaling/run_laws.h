// Learning rate, batch and predicted loss of a run of `fathom train` by laws (`laws` in its
// config).
#pragma once

#include <optional>
#include <span>
#include <string>

#include "scaling/laws.h"
#include "train/config.h"
#include "train/loss_forecast.h"

namespace fathom::scaling {

struct RunByLaws {
  TrainConfig config;  // without `laws`: a run's own config records the values
  std::optional<LossForecast> forecast;
};

// load_train_config(), and by the laws that the config's `laws` names, if any, schedule.peak and
// train.global_batch where the config leaves them out, for the budget C = M · train.tokens; and
// the forecast that their loss surface, if any, gives. Throws an input Error when the config has
// laws but no train.tokens.
RunByLaws load_config_by_laws(const std::string& path, std::span<const std::string> overrides,
                              const std::string& resume);

// The surface's loss for runs of a model of M = `model_flops` that end at up to `tokens` tokens.
// The band is the law's interval and, beside it, the scatter of the fitted runs about the surface.
// It begins at the fewest tokens of a fitted run; for a run that is far longer or not longer than
// that, at a hundredth or at half of its tokens. None when the laws have no surface, or a loss in
// another unit than a run has.
std::optional<LossForecast> loss_forecast(const Laws& laws, double model_flops, double tokens);

}  // namespace fathom::scaling
