// Which stages of `data run` are to run, and why. Pure: what is on the disk comes in as values.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "data/chain/config.h"
#include "data/chain/stamp.h"

namespace fathom::chain {

enum class Action {
  keep,     // its output holds
  make,     // there is none
  go_on,    // it was stopped, and the parts that it has written hold
  replace,  // its output is of another config or of other input
};

// What is known of a stage before it is planned.
struct StageFacts {
  Stage stage;
  std::string config;               // checksum of its own config
  std::string files;                // what its config names besides: text of their sizes and times
  std::optional<StageStamp> stamp;  // of its last run
  std::string missing;              // a file of the stamp's that is not as it was; empty: none
  bool folder_is_empty = true;      // or absent
  std::vector<std::string> sources = {};  // their names in this stage
};

struct PlannedStage {
  Stage stage;
  Action action;
  std::string reason;         // "done", "its config changed"
  std::string config, input;  // for its stamp

  std::string identity() const;
};

// Parts of the chain that are asked for.
struct Range {
  std::optional<Stage> from;   // this stage and all after it are made again
  std::optional<Stage> until;  // the last one
};

// Whether a stage of the range reads the sources: none before Range::from makes text of them.
bool reads_sources(const std::vector<Stage>& stages, const Range& range);

// `stages`: in their order. `sources`: a checksum of what the first one reads; empty when
// reads_sources() is false: they need not exist. Throws an input Error for a range that names a
// stage which is left out, for stages before Range::from without a whole output of their config and
// input, and for a folder that holds files of others.
std::vector<PlannedStage> plan_stages(const std::vector<StageFacts>& stages,
                                      const std::string& sources, const Range& range);

// "dedup: its config changed; replaces corpus/dedup"
std::string line_of(const PlannedStage& planned, const std::string& folder);

}  // namespace fathom::chain
