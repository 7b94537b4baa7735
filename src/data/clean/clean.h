// `data clean`: normalises documents, tells their languages, and drops those that filters do not
// let pass.
//
//   OUTPUT/texts/<source>-<part>.jsonl.zst    what is kept: rows as they were read, with "language"
//                                             and scores; with [buckets] a file for each bucket,
//                                             <source>-<part>.<bucket>.jsonl.zst
//   OUTPUT/dropped/<source>-<part>.jsonl.zst  what is dropped, with "reason"; if wanted
//   OUTPUT/parts/<source>-<part>.json         counts and samples of a part; written last
//   OUTPUT/clean.json                         those of all
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/clean/config.h"
#include "data/clean/counts.h"
#include "data/clean/text_scorer.h"
#include "data/sharing.h"
#include "io/output_path.h"

namespace fathom::clean {

// What becomes of one document.
struct Cleaned {
  std::string text;  // after normalising and dropping lines
  std::string language;
  // The name of a rule or a score, "language", "empty" or "contaminated:<task>"; kept_reason when it
  // is kept.
  std::string reason;
  double measure = 0;  // of the rule, or the score
  std::int64_t dropped_lines = 0;
  std::vector<std::string> contaminations;  // the tasks of passages that were cut
  std::int64_t repairs = 0;                 // of mojibake
  MaskedCounts masked{};                    // of a document that is kept
  std::vector<Score> scores;                // of one that passed the filters
};
// `benchmarks`: null or what a document should not hold; searched in documents that pass the
// filters. A document of which passages are cut is filtered again. What passes is classified. Pure.
// Any thread may call it. Personal data is not masked yet.
Cleaned judge_document(std::string_view text, const CleanConfig& config,
                       std::span<const Filter> filters, const Contamination* benchmarks = nullptr,
                       std::span<const LoadedClassifier> classifiers = {});
// Masks personal data in a document that is kept: last, so that all others measure the text as it
// was written.
void mask_document(Cleaned& cleaned, const PersonalConfig& personal);
// Both, one after the other.
Cleaned clean_document(std::string_view text, const CleanConfig& config,
                       std::span<const Filter> filters, const Contamination* benchmarks = nullptr,
                       std::span<const LoadedClassifier> classifiers = {});

// Names of all files in an output of these sources, those of a call that was stopped among them.
OwnFiles clean_files(std::span<const std::string> sources);

struct CleanReport {
  std::vector<std::pair<std::string, Counts>> sources;  // by name, in their order
};

// Cleans all parts that are not done yet, so that work which was stopped goes on. The outputs do
// not depend on the number of threads. Before any work throws an input Error for a config that
// cannot be carried out, an output made with another config, and a disk with less space free than
// the sources take.
// `scorer`: of config.perplexity; null when that names no model.
// Processes may share the parts (data/sharing.h); then each returns when all are done, and a
// helper's report is empty. The output has the same bytes.
CleanReport clean_data(const CleanConfig& config, const Contamination* benchmarks = nullptr,
                       TextScorer* scorer = nullptr, const Sharing<CleanConfig>& sharing = {});

// The counts of the first `documents` of each source, without output.
CleanReport try_out(const CleanConfig& config, std::int64_t documents,
                    const Contamination* benchmarks = nullptr, TextScorer* scorer = nullptr);

// Tables for people. The samples are the first lines of texts, of kept ones as they are written;
// personal data is masked in all of them when the config says so.
std::string summary(const CleanReport& report);
std::string samples_text(const CleanReport& report);

}  // namespace fathom::clean
