// Small corpora for tests of `data dedup`, and what it made of them.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "core/philox.h"
#include "data/dedup/config.h"
#include "io/line_reader.h"
#include "io/temp_dir.h"
#include "text/utf8.h"

namespace fathom::dedup {

// Text number `n`: words or Chinese characters at random, of which `edits` are others.
inline std::string text_of(std::uint64_t n, int length, int edits = 0, bool chinese = false) {
  const Philox random{n, 1}, other{n, 2};
  std::string text;
  for (int i = 0; i < length; ++i) {
    const bool edited = edits > 0 && i % (length / edits) == length / edits / 2;
    const std::uint64_t bits = edited ? other.bits(i) : random.bits(i);
    if (chinese) {
      utf8::append(text, static_cast<char32_t>(0x4e00 + bits % 5000));
      if (i % 20 == 19) text += "。";
    } else {
      text += "w" + std::to_string(bits % 50000) + (i % 12 == 11 ? ". " : " ");
    }
  }
  return text;
}

inline std::string line_of(const std::string& text, int quality = 0) {
  return nlohmann::json{{"text", text}, {"quality", quality}}.dump() + "\n";
}

inline TextSourceConfig source(const test::TempDir& dir, const std::string& name,
                               const std::string& lines) {
  test::write_file(dir / (name + ".jsonl"), lines);
  TextSourceConfig source;
  source.name = name;
  source.paths = {dir / (name + ".jsonl")};
  return source;
}

inline DedupConfig config_of(const test::TempDir& dir, std::vector<TextSourceConfig> sources,
                             const std::string& output = "out") {
  DedupConfig config;
  config.output = dir / output;
  config.sources = std::move(sources);
  config.threads = 2;
  return config;
}

inline std::vector<std::string> lines_of(const std::string& path) {
  std::istringstream in(read_text(path));
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// The texts of a source's first part.
inline std::vector<std::string> texts_of(const DedupConfig& config, const std::string& name) {
  std::vector<std::string> texts;
  for (const std::string& line : lines_of(config.output + "/texts/" + name + "-00000.jsonl.zst")) {
    texts.push_back(nlohmann::json::parse(line).at("text"));
  }
  return texts;
}

inline std::map<std::string, std::string> outputs_of(const DedupConfig& config) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(config.output)) {
    const std::string name = std::filesystem::relative(entry.path(), config.output);
    if (entry.is_regular_file() && !name.starts_with("index") && !name.starts_with(".")) {
      files[name] = test::read_file(entry.path());
    }
  }
  return files;
}

}  // namespace fathom::dedup
