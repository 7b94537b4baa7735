// The config of `data quality train`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/config.h"

namespace fathom::quality {

struct TrainConfig {
  std::string output;
  double held_out_fraction = 0.1;
  std::int64_t documents = 0;
  std::int64_t epochs = 5;
  double learning_rate = 0.1;
  std::int64_t dim = 32;
  std::int64_t word_ngrams = 2;
  std::int64_t buckets = 1'000'000;
  std::int64_t min_count = 5;
  std::int64_t seed = 0;
  std::int64_t threads = 0;
  std::int64_t training_threads = 1;
  std::vector<TextSourceConfig> classes;
};
template <class Visitor>
void visit_fields(TrainConfig& c, Visitor&& field) {
  field("output", c.output, "file of the model to make");
  field("held_out_fraction", c.held_out_fraction,
        "share of the documents that the model is tested on");
  field("documents", c.documents, "of each class at most, drawn by the seed; 0: all");
  field("epochs", c.epochs, "how often the documents are read");
  field("learning_rate", c.learning_rate, "at the start; it falls to 0");
  field("dim", c.dim, "numbers for a word");
  field("word_ngrams", c.word_ngrams, "longest sequence of words that has numbers of its own");
  field("buckets", c.buckets, "rows for sequences of words, which are hashed to them");
  field("min_count", c.min_count, "words that are rarer have no row");
  field("seed", c.seed, "of the draw, the held-out documents and the model's first numbers");
  field("threads", c.threads, "for reading; 0: one per core; the model does not depend on it");
  field("training_threads", c.training_threads,
        "more than 1: faster, and each run gives another model, for the threads race");
  field("classes", c.classes,
        "[[classes]]: at least two; the first holds the wanted documents; the name is the label");
}

// Throws an input Error that names the key of a value that cannot be used.
void check_config(const TrainConfig& config);

}  // namespace fathom::quality
