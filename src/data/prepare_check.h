// The checks of the data commands before any work. Internal to data.
#pragma once

#include <set>
#include <string>

#include "data/config.h"
#include "data/prepare.h"
#include "io/input_files.h"

namespace fathom {

// Throws an input Error that names the key for a value out of range.
void check_prepare_config(const PrepareConfig& config);

// Adds the name of a source to those before it. Throws an input Error when it cannot be part of a
// file's name, or is there already.
void check_source_name(const std::string& name, std::set<std::string>& names);

// Throws an input Error when `output` exists and may not be overwritten, or was not made
// by `data prepare`: it holds files, but no manifest.json.
void check_output(const std::string& output, Overwrite overwrite);

// Throws an input Error when a file of the source lies in `output`, or `output` lies in a
// directory that the source reads whole. Links are followed.
void check_apart(const std::string& output, const InputFiles& files, const std::string& source);

}  // namespace fathom
