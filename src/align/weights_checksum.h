// Which weights a model has.
#pragma once

#include <string>

namespace fathom {

// A checksum, as text, of the files of weights at `path`: a Hugging Face directory, a checkpoint,
// or a run's newest one. Of checkpoints it is made of their manifest; a directory's files are read.
// Throws an input Error when there are none.
std::string weights_checksum(const std::string& path);

}  // namespace fathom
