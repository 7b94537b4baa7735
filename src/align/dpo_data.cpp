#include "align/dpo_data.h"

#include "core/error.h"
#include "core/log.h"
#include "core/philox.h"

namespace fathom {
namespace {

class PreferenceReader {
 public:
  PreferenceReader(const DpoConfig& config, const BaseModel& model, bool logs)
      : config_(config), model_(model), logs_(logs) {
    options_.chat = chat_options(config);
    options_.context = config.train.sequence_length;
    options_.too_long = config.data.too_long;
    options_.bad_rows = config.data.bad_rows;
  }

  PreferenceSet read(const std::vector<std::string>& paths) const {
    PreferenceSet all, fitting;
    const ChatStatistics statistics = read_preferences(paths, model_.chat, model_.tokenizer,
                                                       options_, config_.data.rankings, all);
    for (std::int64_t i = 0; i < all.size(); ++i) {
      if (fits(all[i], i)) fitting.add(all[i]);
    }
    if (fitting.size() == 0) {
      fail_input("no pair fits into rows of {} tokens: raise train.sequence_length",
                 config_.train.sequence_length);
    }
    if (!logs_) return fitting;
    for (const std::string& line : lines_about(statistics)) log::warning("{}", line);
    if (fitting.size() < all.size()) {
      log::warning("{} pairs left out, which take more than {} tokens of a row",
                   all.size() - fitting.size(), config_.train.sequence_length);
    }
    return fitting;
  }

  std::shared_ptr<const PairSource> source_of(PreferenceSet pairs) const {
    return std::make_shared<const PairSource>(
        std::make_shared<const PreferenceSet>(std::move(pairs)), config_.train.sequence_length,
        static_cast<std::uint64_t>(config_.seed),
        config_.data.packing ? PairRows::packed : PairRows::one_pair);
  }

 private:
  // A row holds both answers, each with the prompt in front.
  bool fits(const PreferencePair& pair, std::int64_t index) const {
    const std::int64_t tokens = pair_row_tokens(pair), length = config_.train.sequence_length;
    if (tokens > length && config_.data.too_long == RowPolicy::refuse) {
      fail_input(
          "pair {} takes {} tokens of a row, the prompt twice, and rows have {}: raise "
          "train.sequence_length, or leave such pairs out with data.too_long = \"leave_out\"",
          index + 1, tokens, length);
    }
    return tokens <= length;
  }

  const DpoConfig& config_;
  const BaseModel& model_;
  bool logs_;
  ChatDataOptions options_;
};

bool is_held_out(const DpoConfig& config, std::int64_t pair) {
  constexpr char name[] = "dpo held out";
  const Philox random{static_cast<std::uint64_t>(config.seed), stream_of(name, sizeof(name) - 1)};
  return random.uniform(static_cast<std::uint64_t>(pair)) < config.validation.share;
}

void tell(const DpoData& data) {
  log::info(
      "{} pairs in {} rows of {} tokens{}", data.source->pairs().size(), data.source->rows(),
      data.source->sequence_length(),
      data.held_out ? fmt::format("; {} pairs are held out", data.held_out->pairs().size()) : "");
}

}  // namespace

ChatOptions chat_options(const DpoConfig& config) {
  ChatOptions options;
  options.system = config.model.system_prompt;
  options.system_text = config.model.system_text;
  options.now = parse_date(config.model.date);
  return options;
}

DpoData read_dpo_data(const DpoConfig& config, bool logs) {
  DpoData data{open_base_model(config.model.from, config.model.chat_template), {}, {}};
  const PreferenceReader reader(config, data.model, logs);
  PreferenceSet all = reader.read(config.data.paths), training, held_out;
  if (!config.validation.paths.empty()) {
    training = std::move(all);
    held_out = reader.read(config.validation.paths);
  } else {
    for (std::int64_t i = 0; i < all.size(); ++i) {
      (is_held_out(config, i) ? held_out : training).add(all[i]);
    }
  }
  if (training.size() == 0) fail_input("validation.share holds all pairs out");
  if (logs && config.validation.share > 0 && held_out.size() == 0) {
    log::warning("too few pairs: validation.share holds none out");
  }
  data.source = reader.source_of(std::move(training));
  if (held_out.size() > 0) data.held_out = reader.source_of(std::move(held_out));
  if (logs) tell(data);
  return data;
}

}  // namespace fathom
