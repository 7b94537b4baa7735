// Moves weights that are read in the pages of a file into memory of their own while a model
// generates. A file's pages are of 4 KiB: a token takes about a sixth longer from them than from
// pages of 2 MiB, but copying all weights first would hold up the first token
// (docs/performance.md).
#pragma once

#include <cstddef>
#include <vector>

#include "core/buffer.h"
#include "model/parameters.h"

namespace fathom::infer {

class WeightCopy {
 public:
  // Nothing may compute with the parameters, which outlive this object, while it is made, advances
  // or ends.
  explicit WeightCopy(ParameterStore& parameters);
  // The parameters are in the file again.
  ~WeightCopy();
  WeightCopy(const WeightCopy&) = delete;
  WeightCopy& operator=(const WeightCopy&) = delete;

  // Moves the next share of the weights, one of `shares`. Nothing once all have been moved.
  void advance(int shares);

 private:
  struct Moved {
    Parameter* parameter;
    Tensor in_file;
  };
  void move(Parameter& parameter);

  ParameterStore& parameters_;
  std::size_t next_ = 0;  // of parameters_
  Arena memory_;          // for all of them: in one piece, so that its pages are large
  std::vector<Moved> moved_;
};

}  // namespace fathom::infer
