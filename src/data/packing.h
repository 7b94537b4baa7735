// Packing: which texts share a row of a batch, so that little of it is padding.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace fathom {

// Divides texts of these lengths over rows of `capacity` tokens by best fit decreasing: from the
// longest text to the shortest, equal ones by their number, each goes into the fullest row that has
// room for it, of equally full ones the newest, or opens a new row. Returns the numbers of the
// texts of each row, in the order in which rows were opened and texts were added; of every text
// exactly once. n log n time. Lengths are from 1 to `capacity`.
std::vector<std::vector<std::int64_t>> pack_best_fit(std::span<const std::int64_t> lengths,
                                                     std::int64_t capacity);

}  // namespace fathom
