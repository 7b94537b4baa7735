#include "data/dedup/minhash.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/error.h"
#include "core/philox.h"

namespace fathom::dedup {
namespace {

// Four vectors of eight hash functions go over all shingles together: their factors, addends and
// minima stay in registers.
typedef std::uint32_t Lanes __attribute__((vector_size(32)));
constexpr std::size_t lanes = 8, group = 4 * lanes;

Lanes load(const std::uint32_t* from) {
  Lanes value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

Lanes smaller(Lanes a, Lanes b) {
  return a < b ? a : b;
}

void group_minima(std::span<const std::uint32_t> shingles, const std::uint32_t* factors,
                  const std::uint32_t* addends, std::uint32_t* minima) {
  const Lanes a0 = load(factors), a1 = load(factors + lanes), a2 = load(factors + 2 * lanes),
              a3 = load(factors + 3 * lanes);
  const Lanes b0 = load(addends), b1 = load(addends + lanes), b2 = load(addends + 2 * lanes),
              b3 = load(addends + 3 * lanes);
  const Lanes most = Lanes{} - 1;
  Lanes m0 = most, m1 = most, m2 = most, m3 = most;
  for (const std::uint32_t x : shingles) {
    m0 = smaller(m0, x * a0 + b0);
    m1 = smaller(m1, x * a1 + b1);
    m2 = smaller(m2, x * a2 + b2);
    m3 = smaller(m3, x * a3 + b3);
  }
  std::memcpy(minima, &m0, sizeof m0);
  std::memcpy(minima + lanes, &m1, sizeof m1);
  std::memcpy(minima + 2 * lanes, &m2, sizeof m2);
  std::memcpy(minima + 3 * lanes, &m3, sizeof m3);
}

}  // namespace

double candidate_probability(double similarity, Banding banding) {
  const double band = std::pow(similarity, static_cast<double>(banding.rows));
  return 1 - std::pow(1 - band, static_cast<double>(banding.bands));
}

Banding choose_banding(const MinHashConfig& config) {
  if (config.bands > 0) return {config.bands, config.rows};
  Banding best;
  for (std::int64_t rows = 1; rows <= config.permutations; ++rows) {
    const Banding banding{config.permutations / rows, rows};
    if (candidate_probability(config.threshold, banding) >= config.recall) best = banding;
  }
  if (best.bands == 0) {
    fail_input("minhash.recall: {} at threshold {} is out of reach with {} permutations",
               config.recall, config.threshold, config.permutations);
  }
  return best;
}

MinHasher::MinHasher(std::int64_t permutations, std::uint64_t seed) {
  const Philox random{seed, stream_of("minhash", 7)};
  const auto padded = (static_cast<std::size_t>(permutations) + group - 1) / group * group;
  for (std::size_t i = 0; i < padded; ++i) {
    const std::uint64_t bits = random.bits(i);
    factors_.push_back(static_cast<std::uint32_t>(bits) | 1);  // odd: x -> a x + b is one to one
    addends_.push_back(static_cast<std::uint32_t>(bits >> 32));
  }
}

void MinHasher::minima(std::span<const std::uint32_t> shingles,
                       std::span<std::uint32_t> minima) const {
  for (std::size_t i = 0; i < minima.size(); i += group) {
    std::uint32_t values[group];
    group_minima(shingles, factors_.data() + i, addends_.data() + i, values);
    const std::size_t count = std::min(group, minima.size() - i);
    std::copy_n(values, count, minima.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

void band_keys(std::span<const std::uint32_t> minima, Banding banding,
               std::span<std::uint64_t> keys) {
  const auto rows = static_cast<std::size_t>(banding.rows);
  for (std::size_t band = 0; band < keys.size(); ++band) {
    std::uint64_t key = 0x9e3779b97f4a7c15u * (band + 1);
    for (const std::uint32_t minimum : minima.subspan(band * rows, rows)) {
      key = (key ^ minimum) * 0xff51afd7ed558ccdu;
      key ^= key >> 32;
    }
    keys[band] = key;
  }
}

}  // namespace fathom::dedup
