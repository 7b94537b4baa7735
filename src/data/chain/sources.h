// The sources of `data run` on their way through the stages.
#pragma once

#include <string>
#include <vector>

#include "data/chain/config.h"
#include "data/chain/stamp.h"

namespace fathom::chain {

// Stages before `data prepare` read what a source holds out whole (held_out_paths) as a source of
// this name, so that both stay apart.
std::string held_out_name(const std::string& source);

// The names under which a stage has the sources: those held out whole among them, where it makes
// text; none for the tokenizer.
std::vector<std::string> source_names(const std::vector<SourceConfig>& sources, Stage stage);

// The key of the source's texts in rows that a stage writes of them.
std::string text_field_of(const TextSourceConfig& source);

// The sources for a stage that makes text of text, those held out whole among them. `output`: of
// the stage. Throws the Errors of find_source_files().
std::vector<TextSourceConfig> text_sources(const std::vector<SourceConfig>& sources,
                                           const std::string& output);

// The files of all sources, without those held out whole. Throws the Errors of find_source_files().
std::vector<std::string> training_files(const std::vector<SourceConfig>& sources,
                                        const std::string& output);

// `sources` as the stage after `stage` reads them: what `stage` wrote to `folder`, with the names,
// weights and fields that they had.
std::vector<SourceConfig> carried(std::vector<SourceConfig> sources, const StageOutput& stage,
                                  const std::string& folder);

// Paths, sizes and times of change of the files. Directories count with all that is in them.
std::string text_of_files(const std::vector<std::string>& paths, std::string_view owner);

struct SourcesOnDisk {
  std::string checksum;  // of the files' names, sizes and times, and of how they are read
  std::uint64_t bytes = 0;
};
// Throws an input Error that names the source for one without files to read, and for files in
// `output`, or around it.
SourcesOnDisk find_sources(const std::vector<SourceConfig>& sources, const std::string& output);

}  // namespace fathom::chain
