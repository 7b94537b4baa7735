// The config of `data clean`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/clean/contamination.h"
#include "data/clean/filters.h"
#include "data/clean/personal.h"
#include "data/clean/scores.h"
#include "data/config.h"

namespace fathom::clean {

struct CleanConfig {
  std::string output;
  bool normalise = true;
  bool repair_mojibake = false;
  std::vector<std::string> languages;
  bool c4_lines = false;
  bool write_dropped = false;
  std::int64_t samples = 5;
  std::int64_t part_mb = 1024;
  std::int64_t threads = 0;
  ContaminationConfig contamination;
  PersonalConfig personal;
  std::vector<ClassifierConfig> classifiers;
  PerplexityConfig perplexity;
  BucketConfig buckets;
  std::vector<FilterConfig> filters;
  std::vector<TextSourceConfig> sources;
};
template <class Visitor>
void visit_fields(CleanConfig& c, Visitor&& field) {
  field("output", c.output, "directory for the documents that are kept, and the report");
  field("normalise", c.normalise, "NFC, line ends, no control and invisible characters");
  field("repair_mojibake", c.repair_mojibake,
        "repair UTF-8 that was read as windows-1252 or Latin-1, where it is unambiguous");
  field("languages", c.languages, "that are kept, as \"en\" and \"zh\"; empty: all");
  field("c4_lines", c.c4_lines,
        "drop lines by the rules of C4; in Chinese and Japanese by its counterpart's");
  field("write_dropped", c.write_dropped, "also write what is dropped, with the reason");
  field("samples", c.samples, "documents a reason in the report");
  field("part_mb", c.part_mb, "files are cleaned in parts of so many megabytes; a kill costs one");
  field("threads", c.threads, "0: one per core; the output does not depend on it");
  field("contamination", c.contamination, "");
  field("personal", c.personal, "");
  field("classifiers", c.classifiers, "[[classifiers]]: scores of fastText models");
  field("perplexity", c.perplexity, "");
  field("buckets", c.buckets, "");
  field("filters", c.filters, "without any: Gopher's and FineWeb's, and their like for Chinese");
  field("sources", c.sources, "");
}

// Throws an input Error that names the key for a value out of range, and for the sources.
void check_config(const CleanConfig& config);

}  // namespace fathom::clean
