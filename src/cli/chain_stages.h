// The stages of `data run`: each called as its own command would call it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "cli/data_crew.h"
#include "data/chain/config.h"
#include "data/chain/stamp.h"
#include "io/output_path.h"

namespace fathom::cli {

// Names of all files in the stage's folder, made of these sources.
OwnFiles files_of(chain::Stage stage, std::span<const std::string> sources);

// Reads `sources` and writes the stage's folder; goes on with what a stopped call has left there. A
// report goes to standard error. Throws the Errors of the stage. The crew's other ranks help.
chain::StageOutput run_stage(const chain::ChainConfig& config, chain::Stage stage,
                             const std::vector<SourceConfig>& sources, DataCrew& crew);

}  // namespace fathom::cli
