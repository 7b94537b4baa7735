// The stages of data as `data clean`, `data prepare` and `data run` call them: with the benchmarks,
// the model and the tokenizer that their configs name.
#pragma once

#include <cstdint>
#include <string>

#include "data/chain/config.h"
#include "data/clean/clean.h"
#include "data/prepare.h"

namespace fathom::cli {

clean::CleanReport run_clean(const clean::CleanConfig& config,
                             const Sharing<clean::CleanConfig>& sharing = {});
// Of each source only so many documents are judged, and nothing is written.
clean::CleanReport try_clean(const clean::CleanConfig& config, std::int64_t documents);

// Makes parts of `stage` as a helper (data/sharing.h), until all are made; `config`: its TOML.
void help_stage(chain::Stage stage, const std::string& config);

// Warns of sources of which nothing is held out.
PrepareReport run_prepare(const PrepareConfig& config, Overwrite overwrite);

}  // namespace fathom::cli
