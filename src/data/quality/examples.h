// Documents of several classes as the lines that fastText learns from, in an order drawn by a seed.
// Internal to quality.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/atomic_file.h"

namespace fathom::quality {

struct ExampleCounts {
  std::vector<std::int64_t> training, held_out;  // by class
  std::int64_t words = 0;                        // of the training lines, as fastText counts them
  std::int64_t repeated = 0;  // documents of the same words as another one of the class, left out
};

// Sorts more text than memory holds: lines lie in files by the first bits of their keys, and one
// file is sorted at a time.
class Examples {
 public:
  // `directory` is for files of about the size of all text.
  Examples(std::string directory, std::vector<std::string> labels, std::uint64_t seed);

  // The document's place in the order, and whether it is held out, depend on its words and the seed
  // alone; documents of the same words are on the same side.
  struct Line {
    std::uint64_t key = 0;
    std::string text;  // without the label
  };
  Line line_of(std::string_view document) const;            // any thread may call it
  void add(std::size_t number_of_class, const Line& line);  // unless it has no word

  // Writes "__label__good words ..." to the two files. `limit`: of each class at most; 0: all.
  // Call it once, after the last add().
  ExampleCounts write(const std::string& training, const std::string& held_out,
                      double held_out_fraction, std::int64_t limit);

 private:
  static constexpr std::size_t pieces = 64;
  std::string path_of(std::size_t piece) const;

  std::string directory_;
  std::vector<std::string> labels_;
  std::uint64_t seed_;
  std::array<std::optional<FileWriter>, pieces> files_;
};

}  // namespace fathom::quality
