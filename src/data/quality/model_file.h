// A file of a fastText model, and the lines that Fathom writes behind it.
//
// fastText reads a file without checking it: of one that is cut short it reads on for ever, and
// numbers that do not fit together lead it outside its memory. So a file is walked through first,
// by its format of version 11 and 12 (https://github.com/facebookresearch/fastText, saveModel).
//
// A model that Fathom trained is a fastText model with lines of text behind it, which other tools
// do not read:
//
//   fathom quality
//   words 1
//   wanted good
#pragma once

#include <string>

namespace fathom::quality {

struct ModelFile {
  // Version of the rule by which documents were cut into words (words.h); 0 for the model of
  // another tool.
  int words = 0;
  std::string wanted;  // the label of wanted documents; empty for the model of another tool
};

// Throws an input Error that names the file when it cannot be read, is no fastText model, is
// damaged or cut short, has no labels, or was made by a later Fathom.
ModelFile check_model_file(const std::string& path);

// What follows the model in a file that Fathom writes.
std::string model_notes(const std::string& wanted);

}  // namespace fathom::quality
