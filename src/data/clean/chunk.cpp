#include "data/clean/chunk.h"

#include <cmath>

#include "core/error.h"
#include "data/json_lines.h"
#include "io/json_object.h"
#include "io/zstd_frame.h"

namespace fathom::clean {
namespace {

// The scores as members of a row: `, "quality": 0.8312`.
std::string members_of(const std::vector<Score>& scores) {
  std::string members;
  for (const Score& score : scores) members += fmt::format(", \"{}\": {}", score.name, score.value);
  return members;
}

std::string joined(const std::string& first, const std::string& more) {
  return first.empty() && more.starts_with(", ") ? more.substr(2) : first + more;
}

// `bucket`: its name; empty when there are none.
std::string kept_line(const Document& document, const std::string& field, const Cleaned& cleaned,
                      const std::string& bucket) {
  const bool named = document.metadata.find("\"language\"") != std::string::npos;
  std::string more = members_of(cleaned.scores);
  if (!bucket.empty()) more += ", \"bucket\": " + json_quoted(bucket);
  const std::string added =
      joined(named ? "" : "\"language\": " + json_quoted(cleaned.language), more);
  return cleaned.text == document.text ? json_line(document, added)
                                       : json_line_with_text(document, field, cleaned.text, added);
}

// What a sample shows: what is written of a kept document, and of a dropped one what was read, but
// for personal data.
std::string sample_of(const Document& document, const Cleaned& cleaned, const CleanConfig& config) {
  if (cleaned.reason == kept_reason) return cleaned.text;
  MaskedCounts not_counted{};
  return masked(document.text, config.personal, not_counted);
}

void count(Counts& counts, const Document& document, const Cleaned& cleaned,
           const CleanConfig& config) {
  counts.add(cleaned.language, cleaned.reason, document, cleaned.measure,
             [&] { return sample_of(document, cleaned, config); });
  for (const std::string& task : cleaned.contaminations) ++counts.cut_passages[task];
  counts.add_edits(cleaned.text != document.text, cleaned.dropped_lines);
  counts.repairs += cleaned.repairs;
  counts.add_masked(cleaned.masked);
  for (const Score& score : cleaned.scores) counts.scores[score.name].add(score.value);
}

}  // namespace

ChunkCleaner::Judged ChunkCleaner::judge(DocumentChunk&& chunk) const {
  Judged judged{std::move(chunk), {}, {}};
  for (const Document& document : judged.chunk.documents) {
    judged.cleaned.push_back(judge_document(document.text, config_, judges_.filters,
                                            judges_.benchmarks, judges_.classifiers));
  }
  if (judges_.scorer) return judged;
  Judged done;  // without the texts, which would wait for their turn
  done.done = write(judged);
  return done;
}

CleanedChunk ChunkCleaner::finish(Judged&& judged) const {
  if (judges_.scorer) {
    score_texts(judged);
    judged.done = write(judged);
  }
  return std::move(*judged.done);
}

void ChunkCleaner::score_texts(Judged& judged) const {
  const PerplexityConfig& bounds = config_.perplexity;
  std::vector<std::size_t> scored;
  std::vector<std::string_view> texts;
  for (std::size_t i = 0; i < judged.cleaned.size(); ++i) {
    const Cleaned& cleaned = judged.cleaned[i];
    if (cleaned.reason != kept_reason || !is_scored(cleaned.language, bounds.languages)) continue;
    scored.push_back(i);
    texts.push_back(cleaned.text);
  }
  if (texts.empty()) return;
  const std::vector<double> results = judges_.scorer->bits_per_byte(texts);
  require(results.size() == texts.size(), "{} scores of {} texts", results.size(), texts.size());
  for (std::size_t i = 0; i < scored.size(); ++i) {
    Cleaned& cleaned = judged.cleaned[scored[i]];
    require(std::isfinite(results[i]), "{}: {} gives {} bits per byte",
            judged.chunk.documents[scored[i]].source, bounds.model, results[i]);
    const double score = rounded_score(results[i]);
    cleaned.scores.push_back({std::string(bits_per_byte_name), score});
    if (is_within(score, bounds.min, bounds.max)) continue;
    cleaned.reason = bits_per_byte_name;
    cleaned.measure = score;
  }
}

CleanedChunk ChunkCleaner::write(Judged& judged) const {
  const std::vector<std::string> buckets = bucket_names(config_.buckets);
  CleanedChunk out{std::vector<std::string>(buckets.size()), {}, Counts(config_.samples)};
  out.counts.add_read(judged.chunk.counts);
  for (std::size_t i = 0; i < judged.cleaned.size(); ++i) {
    const Document& document = judged.chunk.documents[i];
    Cleaned& cleaned = judged.cleaned[i];
    mask_document(cleaned, config_.personal);
    count(out.counts, document, cleaned, config_);
    if (cleaned.reason == kept_reason) {
      const std::size_t bucket = bucket_of(cleaned.scores, config_.buckets);
      out.kept[bucket] += kept_line(document, source_.field, cleaned, buckets[bucket]);
    } else if (config_.write_dropped) {
      out.dropped += json_line(document, fmt::format("\"reason\": \"{}\"{}", cleaned.reason,
                                                     members_of(cleaned.scores)));
    }
  }
  for (std::string& kept : out.kept) {
    if (!kept.empty()) kept = zstd_frame(kept);
  }
  if (!out.dropped.empty()) out.dropped = zstd_frame(out.dropped);
  return out;
}

}  // namespace fathom::clean
