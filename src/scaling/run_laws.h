// Learning rate and batch of a run of `fathom train` by laws (`laws` in its config).
#pragma once

#include <span>
#include <string>

#include "train/config.h"

namespace fathom::scaling {

// load_train_config(), and by the laws that the config's `laws` names, if any, schedule.peak and
// train.global_batch where the config leaves them out, for the budget C = M · train.tokens. The
// result has no `laws`: a run's own config records the values. Throws an input Error when the
// config has laws but no train.tokens.
TrainConfig load_config_by_laws(const std::string& path, std::span<const std::string> overrides,
                                const std::string& resume);

}  // namespace fathom::scaling
