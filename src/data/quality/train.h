// `data quality train`: trains a classifier that tells wanted documents from others.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/quality/accuracy.h"
#include "data/quality/train_config.h"
#include "text/document.h"

namespace fathom::quality {

struct TrainReport {
  struct Class {
    std::string label;
    std::int64_t training = 0, held_out = 0;  // documents
  };
  std::vector<Class> classes;
  std::int64_t repeated = 0;  // documents of the same words as another one of the class, left out
  Accuracy accuracy;          // of the first class among all, on the held-out documents
  DocumentCounts read;
};

// Writes config.output, a fastText model with notes (model_file.h), whole or not at all; files of
// the size of all text lie beside it meanwhile. With training_threads = 1 the model depends on the
// documents, but not their order, and the config. Throws an input Error before any work for a
// config that cannot be carried out, and for a class without documents; a runtime Error when
// training diverges or the disk is full.
TrainReport train_classifier(const TrainConfig& config);

// Tables for people.
std::string summary(const TrainReport& report);

}  // namespace fathom::quality
