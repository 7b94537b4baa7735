#include "align/sft_data.h"

#include <algorithm>
#include <numeric>

#include "core/error.h"
#include "core/log.h"
#include "core/philox.h"

namespace fathom {
namespace {

std::vector<std::int64_t> numbers_to(std::int64_t count) {
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

SftRows rows_of(const SftConfig& config) {
  const LoopConfig& loop = config.train.loop;
  SftRows rows;
  rows.sequence_length = loop.sequence_length;
  rows.packing = config.data.packing;
  rows.seed = static_cast<std::uint64_t>(config.seed);
  rows.step = loop.global_batch;
  // Ranks of a tensor group share a batch's tokens evenly.
  const std::int64_t share = config.parallel.tp * config.parallel.sequence_pieces;
  // A GPU chooses its algorithms for each length: about 16 of them cost little padding.
  const std::int64_t multiple = std::max<std::int64_t>(64, rows.sequence_length / 16);
  rows.length_multiple = (multiple + share - 1) / share * share;
  return rows;
}

// Learned tokens must have one before them; a template that begins with the answer gives none.
bool learns(const Example& example) {
  for (std::size_t i = 1; i < example.learned.size(); ++i) {
    if (example.learned[i]) return true;
  }
  return false;
}

class ConversationReader {
 public:
  ConversationReader(const SftConfig& config, const BaseModel& model, bool logs)
      : config_(config), model_(model), logs_(logs) {
    options_.chat = chat_options(config);
    options_.context = config.train.loop.sequence_length;
    options_.too_long = config.data.too_long;
    options_.bad_rows = config.data.bad_rows;
    options_.multiple_choice = config.data.multiple_choice;
    if (!config.validation.paths.empty()) {
      auto held_out = std::make_shared<ExampleSet>();
      add(config.validation.paths, *held_out);
      held_out_ = source_of(std::move(held_out), {}, {});
    }
  }

  SftStageData stage(std::size_t number) const {
    auto examples = std::make_shared<ExampleSet>(), held_out = std::make_shared<ExampleSet>();
    std::vector<std::int64_t> counts;
    std::vector<double> weights;
    std::int64_t index = 0;
    for (const SftSetConfig& set : config_.stages[number].data) {
      ExampleSet read;
      add(set.paths, read);
      const std::int64_t before = examples->size();
      for (std::int64_t i = 0; i < read.size(); ++i) {
        const bool apart = !held_out_ && is_held_out(number, index);
        ++index;
        (apart ? held_out : examples)->add(read[i]);
      }
      counts.push_back(examples->size() - before);
      weights.push_back(set.weight);
    }
    if (examples->size() == 0) {
      fail_input("stage {}: validation.share holds all its conversations out", number + 1);
    }
    if (logs_ && config_.validation.share > 0 && !held_out_ && held_out->size() == 0) {
      log::warning("stage {}: too few conversations: validation.share holds none out", number + 1);
    }
    SftStageData data;
    data.held_out = held_out_;
    if (!data.held_out && held_out->size() > 0) data.held_out = source_of(held_out, {}, {});
    data.source = source_of(examples, counts, weights);
    if (logs_) tell(number, data);
    return data;
  }

 private:
  void add(const std::vector<std::string>& paths, ExampleSet& examples) const {
    ExampleSet all;
    const ChatStatistics statistics =
        read_examples(paths, model_.chat, model_.tokenizer, options_, all);
    std::int64_t without = 0;
    for (std::int64_t i = 0; i < all.size(); ++i) {
      if (learns(all[i])) {
        examples.add(all[i]);
      } else {
        ++without;
      }
    }
    if (!logs_) return;
    for (const std::string& line : lines_about(statistics)) log::warning("{}", line);
    if (without > 0) log::warning("{} conversations without a learned token left out", without);
  }

  bool is_held_out(std::size_t stage, std::int64_t number) const {
    constexpr char name[] = "sft held out";
    const Philox random{static_cast<std::uint64_t>(config_.seed),
                        stream_of(name, sizeof(name) - 1) + stage};
    const std::uint64_t bits = random.bits(static_cast<std::uint64_t>(number)) >> 11;
    return static_cast<double>(bits) * 0x1p-53 < config_.validation.share;
  }

  // Without counts each of the examples once.
  std::shared_ptr<const SftSource> source_of(std::shared_ptr<const ExampleSet> examples,
                                             std::span<const std::int64_t> counts,
                                             std::span<const double> weights) const {
    const SftRows rows = rows_of(config_);
    const std::vector<std::int64_t> numbers = counts.empty()
                                                  ? numbers_to(examples->size())
                                                  : repeat_by_weight(counts, weights, rows.seed);
    return std::make_shared<const SftSource>(std::move(examples), numbers, rows);
  }

  void tell(std::size_t number, const SftStageData& data) const {
    const ExampleSet& examples = data.source->examples();
    log::info("stage {}: {} conversations of {} tokens, {} of them learned; {} rows an epoch",
              number + 1, examples.size(), examples.num_tokens(), examples.num_targets(),
              data.source->num_rows());
  }

  const SftConfig& config_;
  const BaseModel& model_;
  bool logs_;
  ChatDataOptions options_;
  std::shared_ptr<const SftSource> held_out_;
};

}  // namespace

ChatOptions chat_options(const SftConfig& config) {
  ChatOptions options;
  options.system = config.model.system_prompt;
  options.system_text = config.model.system_text;
  options.learned = config.data.learned;
  options.now = parse_date(config.model.date);
  return options;
}

SftData read_sft_data(const SftConfig& config, bool logs) {
  SftData data{open_base_model(config.model.from, config.model.chat_template), {}};
  const ConversationReader reader(config, data.model, logs);
  for (std::size_t stage = 0; stage < config.stages.size(); ++stage) {
    data.stages.push_back(reader.stage(stage));
  }
  return data;
}

}  // namespace fathom
