// What is in files of text: `data stats` and `data sample`.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "data/config.h"
#include "text/document.h"

namespace fathom {

struct TextStatistics {
  std::int64_t documents = 0, bytes = 0, characters = 0;
  std::int64_t words = 0, ideographs = 0;  // tokens of scripts with and without blanks
  // [i]: documents of 2^i to 2^(i+1) - 1 bytes.
  std::vector<std::int64_t> sizes;

  void add(std::string_view text);
  void add(const TextStatistics& other);
  // Bytes below which a share of the documents is, within a factor of 2.
  std::int64_t size_at(double share) const;
};

struct CorpusStatistics {
  std::map<std::string, TextStatistics> languages;  // by code of text/language.h
  DocumentCounts counts;
  TextStatistics all() const;
};

// Reads the source on `threads` threads (0: one a core). Throws the Errors of reading.
CorpusStatistics corpus_statistics(const TextSourceConfig& source, int threads = 0);

struct DocumentSample {
  std::vector<std::string> lines;  // rows of JSON (data/json_lines.h)
  DocumentCounts counts;           // of all documents read
};

// `count` documents drawn at random, in the order of reading;
// all when there are fewer. A draw depends on the seed and the documents' places alone.
DocumentSample sample_documents(const TextSourceConfig& source, std::int64_t count,
                                std::uint64_t seed, int threads = 0);

}  // namespace fathom
