// Every collective on tensors of several sizes and types, against the result worked
// out by hand: run by thread ranks and by ranks under mpirun alike.
#pragma once

#include <string>

#include "comm/communicator.h"
#include "core/error.h"

namespace fathom {

// Differs by rank and place, and its sums round.
inline float sample(int rank, std::int64_t i) {
  return 0.1f * static_cast<float>((rank + 1) * (i % 101 + 1)) +
         1e-3f * static_cast<float>(i % 7 - 3);
}

template <class T>
std::vector<T> samples(int rank, std::int64_t count) {
  std::vector<T> values;
  for (std::int64_t i = 0; i < count; ++i) values.push_back(static_cast<T>(sample(rank, i)));
  return values;
}

template <class T>
Tensor view(std::vector<T>& values) {
  return Tensor(values.data(), dtype_of<T>, {static_cast<std::int64_t>(values.size())});
}

// Values [begin, begin + count) of the sum over all ranks, in the order of the ranks.
template <class T>
std::vector<T> sums(int ranks, std::int64_t begin, std::int64_t count) {
  std::vector<T> result;
  for (std::int64_t i = begin; i < begin + count; ++i) {
    float sum = 0;
    for (int r = 0; r < ranks; ++r) {
      const auto value = static_cast<float>(static_cast<T>(sample(r, i)));
      sum = r == 0 ? value : sum + value;
    }
    result.push_back(static_cast<T>(sum));
  }
  return result;
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

// Empty, or what is wrong.
template <class T>
std::string check_sums(Communicator& group, std::int64_t part) {
  Context context(cpu_device, 0);
  const int ranks = group.size(), rank = group.rank();
  const std::int64_t count = part * ranks;

  std::vector<T> all = samples<T>(rank, count);
  group.all_reduce(context, view(all));
  if (!same_bits(all, sums<T>(ranks, 0, count))) return fmt::format("all_reduce of {}", count);

  // In place, as ZeRO-1 does.
  std::vector<T> from = samples<T>(rank, count);
  group.reduce_scatter(context, view(from), view(from).slice(rank * part, part));
  std::vector<T> expected = samples<T>(rank, count);
  const std::vector<T> mine = sums<T>(ranks, rank * part, part);
  std::copy(mine.begin(), mine.end(), expected.begin() + rank * part);
  if (!same_bits(from, expected)) return fmt::format("reduce_scatter of {}", count);

  // To the front of the same memory, as the boundaries do.
  from = samples<T>(rank, count);
  group.reduce_scatter(context, view(from), view(from).slice(0, part));
  from.resize(static_cast<std::size_t>(part));
  if (!same_bits(from, mine)) return fmt::format("reduce_scatter to the front of {}", count);

  group.all_gather(context, view(from), view(all));
  if (!same_bits(all, sums<T>(ranks, 0, count))) return fmt::format("all_gather of {}", count);

  std::vector<T> told = samples<T>(rank, part);
  group.broadcast(context, view(told), ranks - 1);
  if (!same_bits(told, samples<T>(ranks - 1, part))) return fmt::format("broadcast of {}", part);
  return {};
}

inline std::string check_messages(Communicator& group) {
  Context context(cpu_device, 0);
  const int next = (group.rank() + 1) % group.size();
  const int previous = (group.rank() + group.size() - 1) % group.size();
  std::vector<float> a = samples<float>(group.rank(), 10), b = samples<float>(group.rank(), 20);
  group.send(context, view(a), next, 0);
  group.send(context, view(b), next, 7);
  a.assign(10, 0.0f);
  b.assign(20, 0.0f);
  // Taken in another order than sent: the tags tell them apart.
  group.receive(context, view(b), previous, 7);
  group.receive(context, view(a), previous, 0);
  if (!same_bits(a, samples<float>(previous, 10)) || !same_bits(b, samples<float>(previous, 20))) {
    return "send and receive";
  }
  return {};
}

inline std::string check_host_values(Communicator& group) {
  Context context(cpu_device, 0);
  std::int32_t value = group.rank();
  const Tensor one(&value, DType::i32, {1});
  group.all_reduce(context, one, Reduction::max);
  if (value != group.size() - 1) return "all_reduce of a maximum";
  group.barrier();
  const std::vector<std::string> texts =
      gather_texts(group, std::string(static_cast<std::size_t>(group.rank()), 'x'));
  for (int r = 0; r < group.size(); ++r) {
    if (texts[static_cast<std::size_t>(r)].size() != static_cast<std::size_t>(r)) {
      return "gather_texts";
    }
  }
  return {};
}

inline std::string check_collectives(Communicator& group) {
  for (const std::int64_t part : {1, 37, 4099}) {
    for (const std::string& wrong :
         {check_sums<float>(group, part), check_sums<bfloat16>(group, part)}) {
      if (!wrong.empty()) return wrong;
    }
  }
  const std::string wrong = check_host_values(group);
  return wrong.empty() && group.size() > 1 ? check_messages(group) : wrong;
}

}  // namespace fathom
