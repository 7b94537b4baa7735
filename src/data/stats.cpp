#include "data/stats.h"

#include <algorithm>
#include <bit>
#include <queue>

#include "core/error.h"
#include "core/log.h"
#include "core/parallel.h"
#include "core/philox.h"
#include "data/document_chunks.h"
#include "data/json_lines.h"
#include "data/parts.h"
#include "data/token_hashes.h"
#include "io/checksum.h"
#include "text/language.h"

namespace fathom {
namespace {

// The files of a source and their size.
std::vector<std::string> files_of(const TextSourceConfig& source, std::uint64_t& bytes) {
  std::vector<std::string> files;
  bytes = 0;
  for (const SourcePart& part : parts_of(source, 1 << 20)) {
    for (const PartFile& file : part.files) files.push_back(file.path);
    bytes += part.bytes();
  }
  return files;
}

// A document that may be drawn; those with the smallest ranks are.
struct Draw {
  std::uint64_t rank, order;
  std::string line;
  bool operator<(const Draw& other) const {
    return rank != other.rank ? rank < other.rank : order < other.order;
  }
};

}  // namespace

void TextStatistics::add(std::string_view text) {
  ++documents;
  bytes += static_cast<std::int64_t>(text.size());
  characters += std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; });
  for_each_token_hash(text, [&](std::uint64_t, bool ideograph, const char*, const char*) {
    ideograph ? ++ideographs : ++words;
  });
  const auto power =
      static_cast<std::size_t>(std::bit_width(std::max<std::size_t>(1, text.size())) - 1);
  if (sizes.size() <= power) sizes.resize(power + 1);
  ++sizes[power];
}

void TextStatistics::add(const TextStatistics& other) {
  documents += other.documents;
  bytes += other.bytes;
  characters += other.characters;
  words += other.words;
  ideographs += other.ideographs;
  if (sizes.size() < other.sizes.size()) sizes.resize(other.sizes.size());
  for (std::size_t i = 0; i < other.sizes.size(); ++i) sizes[i] += other.sizes[i];
}

std::int64_t TextStatistics::size_at(double share) const {
  double left = share * static_cast<double>(documents);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    left -= static_cast<double>(sizes[i]);
    if (left <= 0) return std::int64_t{1} << (i + 1);
  }
  return 0;
}

TextStatistics CorpusStatistics::all() const {
  TextStatistics sum;
  for (const auto& [language, statistics] : languages) sum.add(statistics);
  return sum;
}

CorpusStatistics corpus_statistics(const TextSourceConfig& source, int threads) {
  std::uint64_t bytes = 0;
  std::vector<std::string> files = files_of(source, bytes);
  CorpusStatistics sum;
  Progress progress("reading", bytes, Progress::Unit::bytes);
  for_each_chunk<CorpusStatistics>(
      source, std::move(files), threads > 0 ? threads : num_threads(), progress,
      [](DocumentChunk&& chunk) {
        CorpusStatistics part;
        part.counts = chunk.counts;
        for (const Document& document : chunk.documents) {
          part.languages[std::string(detect_language(document.text).code)].add(document.text);
        }
        return part;
      },
      [&](CorpusStatistics&& part) {
        for (const auto& [language, statistics] : part.languages) {
          sum.languages[language].add(statistics);
        }
        sum.counts.add(part.counts);
      });
  progress.finish();
  return sum;
}

DocumentSample sample_documents(const TextSourceConfig& source, std::int64_t count,
                                std::uint64_t seed, int threads) {
  if (count < 1) fail_input("count: {} is below 1", count);
  std::uint64_t bytes = 0;
  std::vector<std::string> files = files_of(source, bytes);
  const Philox random{seed, stream_of("sample", 6)};
  std::priority_queue<Draw> drawn;  // the largest rank on top
  std::uint64_t order = 0;
  DocumentSample sample;
  Progress progress("reading", bytes, Progress::Unit::bytes);
  for_each_chunk<DocumentChunk>(
      source, std::move(files), threads > 0 ? threads : num_threads(), progress,
      [](DocumentChunk&& chunk) { return std::move(chunk); },
      [&](DocumentChunk&& chunk) {
        sample.counts.add(chunk.counts);
        for (const Document& document : chunk.documents) {
          const std::uint64_t rank = random.bits(checksum_of(document.source));
          ++order;
          const bool full = static_cast<std::int64_t>(drawn.size()) == count;
          if (full && rank >= drawn.top().rank) continue;
          if (full) drawn.pop();
          drawn.push({rank, order, json_line(document)});
        }
      });
  progress.finish();
  std::vector<Draw> draws;
  for (; !drawn.empty(); drawn.pop()) draws.push_back(drawn.top());
  std::ranges::sort(draws, {}, &Draw::order);
  for (Draw& draw : draws) sample.lines.push_back(std::move(draw.line));
  return sample;
}

}  // namespace fathom
