#include "tokenizer/compression_report.h"

#include <fmt/format.h>

#include <array>
#include <filesystem>

#include "io/input_files.h"
#include "text/text_blocks.h"
#include "text/utf8.h"

namespace fathom::tokenizer {
namespace {

enum class Language { cjk, latin, other };

bool is_cjk(char32_t c) {
  return (c >= 0x3040 && c <= 0x30ff) || (c >= 0x3400 && c <= 0x9fff) ||
         (c >= 0xac00 && c <= 0xd7a3) || (c >= 0xf900 && c <= 0xfaff) ||
         (c >= 0x20000 && c <= 0x3ffff);
}

Language language_of(std::string_view line) {
  const std::string_view valid = line.substr(0, utf8::valid_prefix(line));
  std::size_t characters = 0, cjk = 0, latin = 0;
  const char* p = valid.data();
  const char* const end = p + valid.size();
  while (p < end) {
    const char32_t c = utf8::next(p);
    ++characters;
    if (is_cjk(c)) ++cjk;
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == ' ') ++latin;
  }
  if (cjk * 10 >= characters * 3 && cjk > 0) return Language::cjk;
  return latin * 2 >= characters ? Language::latin : Language::other;
}

struct Tally {
  std::uint64_t bytes = 0, tokens = 0;
};

std::string row(std::string_view name, const Tally& tally) {
  if (tally.tokens == 0) return "";
  return fmt::format("  {:<40} {:>6.3f} bytes per token ({} bytes, {} tokens)\n", name,
                     static_cast<double>(tally.bytes) / static_cast<double>(tally.tokens),
                     tally.bytes, tally.tokens);
}

void count_lines(const Tokenizer& tokenizer, std::string_view text, Tally& file,
                 std::array<Tally, 3>& languages) {
  std::vector<std::int32_t> ids;
  while (!text.empty()) {
    const std::size_t newline = text.find('\n');
    const std::string_view line =
        text.substr(0, newline == std::string_view::npos ? newline : newline + 1);
    text.remove_prefix(line.size());
    ids.clear();
    tokenizer.encode_to(line, encode_plain, ids);
    for (Tally* tally : {&file, &languages[static_cast<std::size_t>(language_of(line))]}) {
      tally->bytes += line.size();
      tally->tokens += ids.size();
    }
  }
}

}  // namespace

std::string compression_report(const Tokenizer& tokenizer, const TokenizerTrainConfig& config) {
  std::array<Tally, 3> languages;
  std::string report = "compression by file or directory:\n";
  for (const auto& path : config.files) {
    Tally total;
    std::vector<std::string> files = find_input_files({&path, 1}, "files").paths;
    // A FIFO was read in training and cannot be read again.
    std::erase_if(files, [](const auto& file) { return !std::filesystem::is_regular_file(file); });
    TextBlocks blocks(std::move(files), config.text_field);
    const auto bound = static_cast<std::uint64_t>(config.report_mb) << 20;
    for (TextBlock block; total.bytes < bound && blocks.cut(block);) {
      for (const Document& document : blocks.read(std::move(block))) {
        count_lines(tokenizer, document.text, total, languages);
      }
    }
    report += row(path, total);
  }
  report += "compression by language of the line:\n";
  constexpr std::array<const char*, 3> names = {"CJK", "Latin", "other"};
  for (std::size_t i = 0; i < names.size(); ++i) report += row(names[i], languages[i]);
  return report;
}

}  // namespace fathom::tokenizer
