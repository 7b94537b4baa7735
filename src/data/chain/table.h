// The table at the end of `data run`.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "data/chain/config.h"
#include "data/chain/stamp.h"

namespace fathom::chain {

// Documents, bytes and tokens by stage and source: first what was read, then what each stage kept;
// with the stages' times. For people.
std::string summary(const std::vector<std::pair<Stage, StageStamp>>& stages);

}  // namespace fathom::chain
