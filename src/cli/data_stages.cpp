#include "cli/data_stages.h"

#include <memory>
#include <optional>

#include "cli/benchmark_texts.h"
#include "cli/text_scorer.h"
#include "core/config.h"
#include "core/error.h"
#include "core/log.h"
#include "data/dedup/dedup.h"
#include "tokenizer/tokenizer.h"

namespace fathom::cli {

namespace {

// What `data clean` searches documents for, and scores them by.
struct CleanInputs {
  explicit CleanInputs(const clean::CleanConfig& config) {
    clean::check_config(config);  // before the benchmarks and the model are read by it
    if (!config.contamination.tasks.empty()) {
      benchmarks.emplace(load_benchmarks(config.contamination));
    }
    if (!config.perplexity.model.empty()) scorer = open_text_scorer(config.perplexity);
  }
  const clean::Contamination* search() const { return benchmarks ? &*benchmarks : nullptr; }

  std::optional<clean::Contamination> benchmarks;
  std::unique_ptr<clean::TextScorer> scorer;
};

template <class Config>
Config config_of(const std::string& text) {
  Config config;
  read_config(ConfigTable::parse(text, "the config of rank 0"), config);
  return config;
}

}  // namespace

clean::CleanReport run_clean(const clean::CleanConfig& config,
                             const Sharing<clean::CleanConfig>& sharing) {
  const CleanInputs inputs(config);
  return clean::clean_data(config, inputs.search(), inputs.scorer.get(), sharing);
}

clean::CleanReport try_clean(const clean::CleanConfig& config, std::int64_t documents) {
  const CleanInputs inputs(config);
  return clean::try_out(config, documents, inputs.search(), inputs.scorer.get());
}

void help_stage(chain::Stage stage, const std::string& config) {
  switch (stage) {
    case chain::Stage::clean:
      run_clean(config_of<clean::CleanConfig>(config), {Role::helper, {}});
      return;
    case chain::Stage::dedup:
      dedup::deduplicate(config_of<dedup::DedupConfig>(config), {Role::helper, {}});
      return;
    case chain::Stage::tokenizer:
    case chain::Stage::prepare:
      break;
  }
  fail_runtime("the parts of {} cannot be shared", enum_name(stage));
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
