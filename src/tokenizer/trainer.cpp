#include "tokenizer/trainer.h"

#include <algorithm>
#include <chrono>
#include <mutex>

#include "core/error.h"
#include "core/log.h"
#include "core/parallel.h"
#include "core/progress.h"
#include "io/input_files.h"
#include "io/line_reader.h"
#include "text/text_blocks.h"
#include "tokenizer/compression_report.h"
#include "tokenizer/impl.h"
#include "tokenizer/merge_learner.h"
#include "tokenizer/piece_counter.h"
#include "tokenizer/pre_tokenizer.h"

namespace fathom {
namespace {

using namespace tokenizer;

TokenizerSpec empty_spec(const TokenizerTrainConfig& config) {
  TokenizerSpec spec;
  if (config.like.empty()) {
    spec.pre_tokenizers = default_pre_tokenizers();
  } else {
    const std::string text = read_text(config.like);
    TokenizerSpec like = read_spec(text, config.like);
    spec.normalizers = std::move(like.normalizers);
    spec.pre_tokenizers = std::move(like.pre_tokenizers);
    if (spec.pre_tokenizers.empty() ||
        spec.pre_tokenizers.back().kind != PreTokenizerStep::Kind::byte_level) {
      fail_input("{}: pre_tokenizer: training needs one that ends in ByteLevel", config.like);
    }
  }
  spec.post_processors.emplace_back();
  spec.post_processors[0].trim_offsets = false;
  spec.decoders.emplace_back();
  return spec;
}

class Counting final : public PreTokenizer::Sink {
 public:
  explicit Counting(PieceCounter& counter) : counter_(counter) {}
  void piece(std::string_view text) override { counter_.add(text); }

 private:
  PieceCounter& counter_;
};

// Counts the pieces of all files in rounds: in a counter per thread, which are then added
// to the table. A round is so short that its counters take no more memory than the table
// even if hardly any piece repeats, and its end depends on the text alone.
PieceTable count_pieces(const TokenizerTrainConfig& config, const Tokenizer::Impl& splitter) {
  const auto max_memory = static_cast<std::size_t>(config.memory_mb) << 20;
  const std::size_t round_bytes = max_memory / 64;
  const InputFiles files = find_input_files(config.files, "files");
  for (const std::string& note : files.notes) log::warning("{}", note);
  TextBlocks blocks(files.paths, config.text_field);
  Progress progress("reading text", TextBlocks::total_size(files.paths), Progress::Unit::bytes);
  PieceTable table(max_memory);
  std::uint64_t shown = 0;
  for (bool more = true; more;) {
    std::vector<PieceCounter> counters(static_cast<std::size_t>(num_threads()));
    std::mutex mutex;
    std::size_t taken = 0;
    const auto take = [&](TextBlock& block) {
      const std::lock_guard lock(mutex);
      const std::uint64_t now = blocks.position();
      if (now > shown) progress.advance(now - shown);
      shown = std::max(shown, now);
      if (taken >= round_bytes || !more) return false;
      more = blocks.cut(block);
      if (more) taken += block.bytes;
      return more;
    };
    on_each_thread([&](int thread, int) {
      Counting sink(counters[static_cast<std::size_t>(thread)]);
      Workspace workspace(splitter.pre_tokenizer);
      for (TextBlock block; take(block);) {
        for (const Document& document : blocks.read(std::move(block))) {
          with_location(document.source, [&] { splitter.pieces(document.text, workspace, sink); });
        }
      }
    });
    table.add(counters);
  }
  progress.finish();
  for (const std::string& line : lines_about(blocks.counts())) log::warning("files: {}", line);
  if (table.pruned_below() > 0) {
    log::warning("tokenizer train: pieces seen fewer than {} times were left out (memory_mb)",
                 table.pruned_below());
  }
  return table;
}

// Adds special tokens after the ordinary ones, then reserved ones up to a multiple.
void add_special_tokens(TokenizerSpec& spec, const TokenizerTrainConfig& config) {
  auto names = config.special_tokens;
  const auto multiple = static_cast<std::size_t>(config.pad_to_multiple);
  for (int i = 0; (spec.model.vocab.size() + names.size()) % multiple != 0; ++i) {
    std::string name = fmt::format("<｜reserved▁{}｜>", i);
    if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
  }
  for (const auto& name : names) {
    AddedToken token;
    token.id = static_cast<std::int32_t>(spec.model.vocab.size() + spec.added_tokens.size());
    token.content = name;
    token.special = true;
    if (std::ranges::find(spec.model.vocab, name) != spec.model.vocab.end()) {
      fail_input(
          "special_tokens: '{}' is already an ordinary token of the text; choose another name",
          name);
    }
    spec.added_tokens.push_back(std::move(token));
  }
}

}  // namespace

std::vector<std::string> default_special_tokens() {
  std::vector<std::string> names = {"<｜begin▁of▁sentence｜>",
                                    "<｜end▁of▁sentence｜>",
                                    "<｜▁pad▁｜>",
                                    "<｜System｜>",
                                    "<｜User｜>",
                                    "<｜Assistant｜>"};
  for (int i = 0; names.size() < 15; ++i) names.push_back(fmt::format("<｜spare▁{}｜>", i));
  return names;
}

void check_config(const TokenizerTrainConfig& config) {
  if (config.vocab_size < 256 || config.vocab_size > 1'000'000) {
    fail_input("vocab_size: {} is outside 256 (one per byte) to 1000000", config.vocab_size);
  }
  if (config.pad_to_multiple < 1 || config.pad_to_multiple > 65536) {
    fail_input("pad_to_multiple: {} is outside 1 to 65536", config.pad_to_multiple);
  }
  if (config.min_frequency < 1) fail_input("min_frequency: must be at least 1");
  constexpr std::int64_t most_mb = std::int64_t{1} << 40;  // its bytes fit into 64 bits
  if (config.memory_mb < 16 || config.memory_mb > most_mb) {
    fail_input("memory_mb: {} is outside 16 to {}", config.memory_mb, most_mb);
  }
  if (config.report_mb < 0 || config.report_mb > most_mb) {
    fail_input("report_mb: {} is outside 0 to {}", config.report_mb, most_mb);
  }
  auto names = config.special_tokens;
  std::ranges::sort(names);
  const auto twice = std::ranges::adjacent_find(names);
  if (twice != names.end()) fail_input("special_tokens: '{}' is named twice", *twice);
  if (!names.empty() && names[0].empty()) fail_input("special_tokens: one of them is empty");
}

TokenizerTrainResult train_tokenizer(const TokenizerTrainConfig& config) {
  check_config(config);
  const auto start = std::chrono::steady_clock::now();
  TokenizerSpec spec = empty_spec(config);
  const PieceTable pieces = count_pieces(config, Tokenizer::Impl(spec, "tokenizer train"));
  Progress progress("learning merges", static_cast<std::uint64_t>(config.vocab_size) - 256);
  spec.model = learn_merges(pieces.parts(), {static_cast<std::size_t>(config.vocab_size),
                                             static_cast<std::uint64_t>(config.min_frequency),
                                             [&] { progress.advance(1); }});
  progress.finish();
  if (spec.model.vocab.size() < static_cast<std::size_t>(config.vocab_size)) {
    log::warning("tokenizer train: the text gives {} ordinary tokens, not {}",
                 spec.model.vocab.size(), config.vocab_size);
  }
  add_special_tokens(spec, config);
  Tokenizer trained(std::make_shared<const Tokenizer::Impl>(std::move(spec), "tokenizer train"));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  std::string report = compression_report(trained, config);
  return {std::move(trained), std::move(report), seconds.count()};
}

}  // namespace fathom
