// Wanted and other documents in English and Chinese for the tests of classifiers.
#pragma once

#include <fmt/core.h>

#include <array>
#include <nlohmann/json.hpp>
#include <string>

#include "data/quality/train.h"
#include "io/temp_dir.h"
#include "text/utf8.h"

namespace fathom::test {

// Word `n` of an invented vocabulary, in Latin letters or in two Han characters.
inline std::string name_of(int n) {
  return fmt::format("{}{}",
                     std::array{"ka", "lo", "mi", "ru", "te"}[static_cast<std::size_t>(n % 5)],
                     std::array{"na", "so", "vi", "du"}[static_cast<std::size_t>(n / 5 % 4)]);
}
inline std::string chinese_name_of(int n) {
  std::string name;
  utf8::append(name, static_cast<char32_t>(0x5100 + n % 20));
  utf8::append(name, static_cast<char32_t>(0x5200 + n / 3 % 20));
  return name;
}

// Every other one is Chinese; no two below 80 are of the same words.
inline std::string wanted_text(int n) {
  if (n % 2 == 0) {
    return fmt::format("The river {} was first described in {} by scholars of {}, who measured it.",
                       name_of(n / 2), 1600 + n, name_of(n / 40 + 3));
  }
  return fmt::format("{}河于{}年由{}学院的学者首次描述，他们测量并证明了它。", chinese_name_of(n),
                     1600 + n, chinese_name_of(n / 7));
}

inline std::string other_text(int n) {
  if (n % 2 == 0) {
    return fmt::format("BUY cheap {} now!!! Click here, {} items of {} on SALE, free shipping $$$",
                       name_of(n / 2), n + 7, name_of(n / 40 + 3));
  }
  return fmt::format("特价{}！！！立即点击购买，{}件{}清仓，全国包邮！", chinese_name_of(n), n + 7,
                     chinese_name_of(n / 7));
}

// A class of `count` documents in `files` files of JSON lines.
template <class Text>
TextSourceConfig quality_class(const TempDir& dir, const std::string& name, int count, int files,
                               Text text) {
  TextSourceConfig source;
  source.name = name;
  for (int f = 0; f < files; ++f) {
    std::string lines;
    for (int i = f; i < count; i += files) lines += nlohmann::json{{"text", text(i)}}.dump() + "\n";
    source.paths.push_back(dir / fmt::format("{}-{}.jsonl", name, f));
    write_file(source.paths.back(), lines);
  }
  return source;
}

// Trains in a few milliseconds.
inline quality::TrainConfig quality_config(const TempDir& dir) {
  quality::TrainConfig config;
  config.output = dir / "quality.bin";
  config.held_out_fraction = 0.25;
  config.dim = 4;
  config.buckets = 50;
  config.min_count = 1;
  config.epochs = 20;
  config.learning_rate = 0.5;
  config.threads = 2;
  config.classes = {quality_class(dir, "good", 80, 3, wanted_text),
                    quality_class(dir, "bad", 80, 3, other_text)};
  return config;
}

}  // namespace fathom::test
