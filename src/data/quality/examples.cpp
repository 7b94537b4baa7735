#include "data/quality/examples.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "data/quality/words.h"
#include "io/checksum.h"
#include "io/line_reader.h"

namespace fathom::quality {
namespace {

constexpr std::size_t key_digits = 16;

// A line in a file of pieces: key, number of the class, text.
struct StoredLine {
  std::string_view key;
  std::size_t number_of_class = 0;
  std::string_view text;
};

StoredLine parse_line(std::string_view line) {
  StoredLine stored{line.substr(0, key_digits), 0, {}};
  line.remove_prefix(key_digits + 1);
  const std::size_t end = line.find(' ');
  std::from_chars(line.data(), line.data() + end, stored.number_of_class);
  stored.text = line.substr(end + 1);
  return stored;
}

// The order is by the upper half of the key, the side by the lower one.
bool is_held_out(std::string_view key, double fraction) {
  std::uint32_t low = 0;
  std::from_chars(key.data() + key_digits / 2, key.data() + key_digits, low, 16);
  return static_cast<double>(low) < fraction * 0x1p32;
}

std::vector<std::string> sorted_lines(const std::string& path) {
  std::vector<std::string> lines;
  LineReader reader(path);
  for (std::string line; reader.next(line);) lines.push_back(std::move(line));
  std::ranges::sort(lines);
  return lines;
}

// fastText counts the label, and the end of the line, with the words.
std::int64_t words_in(std::string_view text) {
  return (text.empty() ? 0 : std::ranges::count(text, ' ') + 1) + 2;
}

}  // namespace

Examples::Examples(std::string directory, std::vector<std::string> labels, std::uint64_t seed)
    : directory_(std::move(directory)), labels_(std::move(labels)), seed_(seed) {
  for (std::size_t i = 0; i < pieces; ++i) files_[i].emplace(path_of(i));
}

std::string Examples::path_of(std::size_t piece) const {
  return fmt::format("{}/piece-{:02}", directory_, piece);
}

Examples::Line Examples::line_of(std::string_view document) const {
  Line line{0, words_of(document)};
  Checksum key;
  key.update(fmt::format("{}\n", seed_));
  key.update(line.text);
  line.key = key.value();
  return line;
}

void Examples::add(std::size_t number_of_class, const Line& line) {
  if (line.text.empty()) return;
  const std::size_t piece = line.key / (std::uint64_t{1} << 58);
  static_assert(pieces == 64);
  files_[piece]->write(fmt::format("{:016x} {} {}\n", line.key, number_of_class, line.text));
}

ExampleCounts Examples::write(const std::string& training, const std::string& held_out,
                              double held_out_fraction, std::int64_t limit) {
  ExampleCounts counts;
  counts.training.resize(labels_.size());
  counts.held_out.resize(labels_.size());
  FileWriter training_file(training), held_out_file(held_out);
  for (std::size_t piece = 0; piece < pieces; ++piece) {
    files_[piece]->close(Flush::by_directory);
    std::string before;
    for (std::string& line : sorted_lines(path_of(piece))) {
      if (line == before) {
        ++counts.repeated;
        continue;
      }
      before = std::move(line);
      const StoredLine stored = parse_line(before);
      const std::size_t c = stored.number_of_class;
      if (limit > 0 && counts.training[c] + counts.held_out[c] == limit) continue;
      const bool held = is_held_out(stored.key, held_out_fraction);
      ++(held ? counts.held_out : counts.training)[c];
      if (!held) counts.words += words_in(stored.text);
      (held ? held_out_file : training_file)
          .write(fmt::format("__label__{} {}\n", labels_[c], stored.text));
    }
    std::filesystem::remove(path_of(piece));
  }
  training_file.close(Flush::by_directory);
  held_out_file.close(Flush::by_directory);
  return counts;
}

}  // namespace fathom::quality
