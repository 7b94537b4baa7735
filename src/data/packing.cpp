#include "data/packing.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "core/error.h"

namespace fathom {
namespace {

std::vector<std::int64_t> longest_first(std::span<const std::int64_t> lengths) {
  std::vector<std::int64_t> order(lengths.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater(),
                           [&](std::int64_t i) { return lengths[static_cast<std::size_t>(i)]; });
  return order;
}

}  // namespace

std::vector<std::vector<std::int64_t>> pack_best_fit(std::span<const std::int64_t> lengths,
                                                     std::int64_t capacity) {
  std::vector<std::vector<std::int64_t>> rows;
  std::map<std::int64_t, std::vector<std::size_t>> by_room;  // rows by the tokens left in them
  for (const std::int64_t text : longest_first(lengths)) {
    const std::int64_t length = lengths[static_cast<std::size_t>(text)];
    require(length >= 1 && length <= capacity, "a text of {} tokens in rows of {}", length,
            capacity);
    const auto found = by_room.lower_bound(length);
    std::int64_t room = capacity;
    std::size_t row = rows.size();
    if (found == by_room.end()) {
      rows.emplace_back();
    } else {
      room = found->first;
      row = found->second.back();
      found->second.pop_back();
      if (found->second.empty()) by_room.erase(found);
    }
    rows[row].push_back(text);
    if (room > length) by_room[room - length].push_back(row);
  }
  return rows;
}

}  // namespace fathom
