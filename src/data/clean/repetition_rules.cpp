#include <algorithm>
#include <array>
#include <bit>

#include "data/clean/rules.h"
#include "io/checksum.h"

namespace fathom::clean {
namespace {

// Counts of hashes, with open addressing.
class HashCounts {
 public:
  explicit HashCounts(std::size_t elements)
      : slots_(std::bit_ceil(std::max<std::size_t>(16, 2 * elements))), mask_(slots_.size() - 1) {}

  // How often the hash was there before, and adds one.
  std::uint32_t add(std::uint64_t hash) { return slot(hash).count++; }
  std::uint32_t count(std::uint64_t hash) { return slot(hash).count; }

 private:
  struct Slot {
    std::uint64_t hash = 0;
    std::uint32_t count = 0;
  };
  Slot& slot(std::uint64_t hash) {
    std::size_t at = hash & mask_;
    while (slots_[at].count != 0 && slots_[at].hash != hash) at = (at + 1) & mask_;
    slots_[at].hash = hash;
    return slots_[at];
  }

  std::vector<Slot> slots_;
  std::size_t mask_;
};

struct Repeated {
  std::uint64_t elements = 0, characters = 0, of = 0;  // of: all elements
};

// Elements that are equal to an earlier one. Blank lines are left out.
Repeated repeated(const std::vector<Line>& elements) {
  HashCounts counts(elements.size());
  Repeated result;
  for (const Line& element : elements) {
    if (element.text.empty()) continue;
    ++result.of;
    if (counts.add(checksum_of(element.text)) == 0) continue;
    ++result.elements;
    result.characters += element.characters;
  }
  return result;
}

double repeated_lines(const TextFacts& f) {
  const Repeated r = repeated(f.lines);
  return ratio(r.elements, r.of);
}
double repeated_line_characters(const TextFacts& f) {
  return ratio(repeated(f.lines).characters, f.characters);
}
double repeated_paragraphs(const TextFacts& f) {
  const Repeated r = repeated(f.paragraphs);
  return ratio(r.elements, r.of);
}
double repeated_paragraph_characters(const TextFacts& f) {
  return ratio(repeated(f.paragraphs).characters, f.characters);
}

// Hashes and lengths of all sequences of n tokens.
class NGrams {
 public:
  NGrams(const TextFacts& f, std::size_t n) : f_(f), n_(n) {
    for (std::size_t i = 0; i < n; ++i) power_ *= token_hash_base;
  }
  std::size_t size() const { return f_.tokens.size() >= n_ ? f_.tokens.size() - n_ + 1 : 0; }
  std::uint64_t hash(std::size_t i) const {
    const std::uint64_t sum = f_.hashes_before[i + n_] - f_.hashes_before[i] * power_;
    return (sum ^ sum >> 31) * token_hash_base;
  }
  std::uint64_t characters(std::size_t i) const {
    return f_.characters_before[i + n_] - f_.characters_before[i];
  }

 private:
  const TextFacts& f_;
  std::size_t n_;
  std::uint64_t power_ = 1;
};

template <std::size_t N>
double top_ngram(const TextFacts& f) {
  const NGrams grams(f, N);
  HashCounts counts(grams.size());
  std::uint32_t most = 0;
  for (std::size_t i = 0; i < grams.size(); ++i) {
    most = std::max(most, counts.add(grams.hash(i)) + 1);
  }
  for (std::size_t i = 0; i < grams.size(); ++i) {
    if (counts.count(grams.hash(i)) != most) continue;
    return ratio((grams.characters(i) + N - 1) * most, f.characters);
  }
  return 0;
}

template <std::size_t N>
double repeated_ngrams(const TextFacts& f) {
  const NGrams grams(f, N);
  HashCounts seen(grams.size());
  std::uint64_t characters = 0;
  for (std::size_t i = 0; i < grams.size();) {
    if (seen.count(grams.hash(i)) > 0) {
      characters += grams.characters(i);
      i += N;
    } else {
      seen.add(grams.hash(i));
      ++i;
    }
  }
  return ratio(characters, f.characters);
}

constexpr std::string_view top =
    "Characters of the most frequent sequence of so many tokens, with a blank between them, times "
    "its number, over all characters.";
constexpr std::string_view again =
    "Characters of sequences of so many tokens that were there before, read from left to right and "
    "passed over as they are found, over all characters.";

constexpr std::array all_repetition_rules = {
    Rule{"repeated_lines", "Share of the lines that are equal to an earlier one.", repeated_lines},
    Rule{"repeated_line_characters", "Their characters, over all characters.",
         repeated_line_characters},
    Rule{"repeated_paragraphs", "Share of the paragraphs that are equal to an earlier one.",
         repeated_paragraphs},
    Rule{"repeated_paragraph_characters", "Their characters, over all characters.",
         repeated_paragraph_characters},
    Rule{"top_2_gram", top, top_ngram<2>},
    Rule{"top_3_gram", top, top_ngram<3>},
    Rule{"top_4_gram", top, top_ngram<4>},
    Rule{"top_5_gram", top, top_ngram<5>},
    Rule{"top_6_gram", top, top_ngram<6>},
    Rule{"repeated_5_grams", again, repeated_ngrams<5>},
    Rule{"repeated_6_grams", again, repeated_ngrams<6>},
    Rule{"repeated_7_grams", again, repeated_ngrams<7>},
    Rule{"repeated_8_grams", again, repeated_ngrams<8>},
    Rule{"repeated_9_grams", again, repeated_ngrams<9>},
    Rule{"repeated_10_grams", again, repeated_ngrams<10>},
    Rule{"repeated_11_grams", again, repeated_ngrams<11>},
    Rule{"repeated_13_grams", again, repeated_ngrams<13>},
    Rule{"repeated_14_grams", again, repeated_ngrams<14>},
    Rule{"repeated_16_grams", again, repeated_ngrams<16>},
};

}  // namespace

std::span<const Rule> repetition_rules() {
  return all_repetition_rules;
}

const Rule* find_rule(std::string_view name) {
  for (const std::span<const Rule> list : {quality_rules(), repetition_rules()}) {
    const auto found = std::ranges::find(list, name, &Rule::name);
    if (found != list.end()) return &*found;
  }
  return nullptr;
}

}  // namespace fathom::clean
