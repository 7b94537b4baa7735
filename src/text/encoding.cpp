#include "text/encoding.h"

#include <array>
#include <cstddef>

#include "text/utf8.h"

namespace fathom {

namespace {

struct Utf8Tally {
  std::size_t beyond_ascii = 0, invalid = 0;
};

Utf8Tally tally_of(std::string_view sample) {
  Utf8Tally tally;
  for (const char c : sample) tally.beyond_ascii += static_cast<unsigned char>(c) >= 0x80;
  while (!sample.empty()) {
    sample.remove_prefix(utf8::valid_prefix(sample));
    const std::size_t invalid = utf8::invalid_prefix(sample);
    tally.invalid += invalid;
    sample.remove_prefix(invalid);
  }
  return tally;
}

bool clearly_not_utf8(std::string_view sample) {
  constexpr std::size_t few = 4;
  sample.remove_suffix(utf8::incomplete_suffix(sample));
  const Utf8Tally tally = tally_of(sample);
  return tally.invalid >= few && tally.invalid * 2 > tally.beyond_ascii &&
         tally.invalid * 200 > sample.size();
}

// Counts of the bytes beyond ASCII: two-byte characters of the East Asian encodings by
// their first byte, and single bytes with ASCII on both sides.
struct Pairs {
  std::array<std::size_t, 256> lead{};
  std::size_t pairs = 0, low_trail = 0, beyond_ascii = 0, isolated = 0, from_c0 = 0, from_e0 = 0;
};

Pairs pairs_of(std::string_view sample) {
  Pairs pairs;
  const auto at = [&](std::size_t i) {
    return i < sample.size() ? static_cast<unsigned char>(sample[i]) : 0u;
  };
  for (std::size_t i = 0; i < sample.size(); ++i) {
    if (at(i) < 0x80) continue;
    ++pairs.beyond_ascii;
    pairs.from_c0 += at(i) >= 0xc0;
    pairs.from_e0 += at(i) >= 0xe0;
    pairs.isolated += at(i + 1) < 0x80 && (i == 0 || at(i - 1) < 0x80);
  }
  for (std::size_t i = 0; i < sample.size(); ++i) {
    if (at(i) < 0x80 || at(i + 1) < 0x40) continue;
    ++pairs.lead[at(i)];
    ++pairs.pairs;
    pairs.low_trail += at(i + 1) < 0xa1;
    ++i;
  }
  return pairs;
}

std::size_t leads_between(const Pairs& pairs, unsigned low, unsigned high) {
  std::size_t sum = 0;
  for (unsigned lead = low; lead <= high; ++lead) sum += pairs.lead[lead];
  return sum;
}

}  // namespace

std::optional<std::string_view> likely_encoding(std::string_view sample) {
  if (!clearly_not_utf8(sample)) return std::nullopt;
  const Pairs pairs = pairs_of(sample);
  if (pairs.isolated * 10 > pairs.beyond_ascii * 7) return "WINDOWS-1252";
  const auto share = [&](unsigned low, unsigned high, std::size_t percent) {
    return leads_between(pairs, low, high) * 100 >= pairs.pairs * percent;
  };
  if (share(0x82, 0x83, 25)) return "SHIFT_JIS";  // kana
  if (pairs.low_trail * 4 > pairs.pairs && share(0xa4, 0xc6, 50)) return "BIG5";
  if (share(0xa4, 0xa5, 25)) return "EUC-JP";  // kana
  // Its letters begin at 0xc0; the lower-case ones, of which text has more, at 0xe0.
  const bool cyrillic = pairs.from_c0 * 100 >= pairs.beyond_ascii * 95;
  if (cyrillic && pairs.from_e0 * 2 > pairs.beyond_ascii) return "WINDOWS-1251";
  if (pairs.low_trail * 10 < pairs.pairs && share(0xb0, 0xc8, 95)) return "EUC-KR";
  return "GB18030";
}

}  // namespace fathom
