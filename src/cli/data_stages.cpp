#include "cli/data_stages.h"

#include <memory>
#include <optional>

#include "cli/benchmark_texts.h"
#include "cli/text_scorer.h"
#include "core/log.h"
#include "tokenizer/tokenizer.h"

namespace fathom::cli {

clean::CleanReport run_clean(const clean::CleanConfig& config, std::int64_t documents) {
  clean::check_config(config);  // before the benchmarks and the model are read by it
  std::optional<clean::Contamination> benchmarks;
  if (!config.contamination.tasks.empty()) {
    benchmarks.emplace(load_benchmarks(config.contamination));
  }
  const clean::Contamination* search = benchmarks ? &*benchmarks : nullptr;
  std::unique_ptr<clean::TextScorer> scorer;
  if (!config.perplexity.model.empty()) scorer = open_text_scorer(config.perplexity);
  return documents > 0 ? clean::try_out(config, documents, search, scorer.get())
                       : clean::clean_data(config, search, scorer.get());
}

PrepareReport run_prepare(const PrepareConfig& config, Overwrite overwrite) {
  const Tokenizer tokenizer = Tokenizer::load(config.tokenizer);
  PrepareReport report = prepare_data(
      config, make_encoder(tokenizer, config.tokenizer, config.end_of_document), overwrite);
  for (const SourceEntry& source : report.manifest.sources) {
    if (config.held_out_fraction > 0 && source.counts(Split::held_out).documents == 0) {
      log::warning(
          "source '{}': none of its {} documents was held out to validate on: raise "
          "held_out_fraction, or cut files into more documents (format = \"lines\" or "
          "\"separated\")",
          source.name, source.counts(Split::train).documents);
    }
  }
  return report;
}

}  // namespace fathom::cli
