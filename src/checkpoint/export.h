// A checkpoint's model as a Hugging Face directory. Ranks write its files beside each other.
#pragma once

#include <string>

#include "checkpoint/checkpoint.h"
#include "comm/communicator.h"
#include "model/hugging_face.h"

namespace fathom {

// Reads weights of the checkpoint, which, as `ranks`, must outlive the reader. Any rank may read.
WeightReader weights_in(const Checkpoint& checkpoint, Communicator& ranks);

// Writes the model of `config` with the checkpoint's weights into `directory`, as save_model()
// does: complete or not there, the same bytes on any number of ranks. Each rank reads, verifies
// and writes its share of the weights' files; the first rank writes the other files and commits. An
// error on one rank is thrown on all. Collective.
void export_model(const Checkpoint& checkpoint, const std::string& directory,
                  const ModelConfig& config, const SaveModelOptions& options, Communicator& ranks);

}  // namespace fathom
