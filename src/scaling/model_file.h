// The model that a person names on the command line.
#pragma once

#include <string>

#include "model/config.h"

namespace fathom::scaling {

// The model of `path`: a TOML file with a [model] table, such as configs/models/*.toml or a config
// of `fathom train`; a Hugging Face directory; a run or a checkpoint. Resolved, but that vocab_size
// may be 0 where a TOML file leaves it to the tokenizer. Throws an input Error that names the file.
ModelConfig load_model(const std::string& path);

// The same; refuses a model without vocab_size.
ModelConfig load_whole_model(const std::string& path);

}  // namespace fathom::scaling
