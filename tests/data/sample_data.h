// Small prepared data for the tests of this folder: each byte a token, 0 the end of
// a document.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/prepare.h"
#include "io/temp_dir.h"

namespace fathom::test {

inline DocumentEncoder byte_encoder(std::int64_t vocab_size = 256) {
  return {vocab_size, 0, 0x1234, "", [](std::string_view text, std::vector<std::int32_t>& ids) {
            for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
          }};
}

// Document `i` of a source: its own letters, of its own length, never empty.
inline std::string document(int i) {
  std::string text = std::to_string(i) + ":";
  for (int k = 0; k < i * 13 % 50; ++k) text += static_cast<char>('a' + (i + k * k) % 26);
  return text;
}

inline SourceConfig lines_source(const TempDir& dir, const std::string& name, int documents,
                                 double weight) {
  std::string text;
  for (int i = 0; i < documents; ++i) text += document(i) + "\n";
  write_file(dir / (name + ".txt"), text);
  SourceConfig source;
  source.name = name;
  source.paths = {dir / (name + ".txt")};
  source.format = TextFormat::lines;
  source.weight = weight;
  return source;
}

// Sources "a" (weight 3) and "b" (weight 1) in dir/out.
inline PrepareConfig sample_config(const TempDir& dir) {
  PrepareConfig config;
  config.output = dir / "out";
  config.held_out_fraction = 0.2;
  config.shard_tokens = 500;
  config.threads = 2;
  config.sources = {lines_source(dir, "a", 200, 3.0), lines_source(dir, "b", 90, 1.0)};
  return config;
}

inline std::shared_ptr<const PreparedData> sample_data(const TempDir& dir) {
  prepare_data(sample_config(dir), byte_encoder());
  return std::make_shared<const PreparedData>(open_prepared(dir / "out"));
}

}  // namespace fathom::test
