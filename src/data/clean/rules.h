// What filters measure. Each rule is one pure function of a document, named as its reason for
// dropping one; a filter keeps a document whose measure lies between a minimum and a maximum, the
// bounds among them. Public implementations of a rule differ; `definition` says in a sentence what
// this one measures, and `fathom data clean --rules` prints all of them.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "data/clean/text_facts.h"

namespace fathom::clean {

// `part` as a share of `whole`; 0 of nothing.
inline double ratio(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

struct Rule {
  std::string_view name, definition;
  double (*measure)(const TextFacts& facts);
};

// Rae et al., "Scaling Language Models: Methods, Analysis & Insights from Training Gopher"
// (arXiv 2112.11446), table A1 and section A.1.1; Penedo et al., "The FineWeb Datasets"
// (arXiv 2406.17557), section 3.6; Raffel et al. (arXiv 1910.10683), section 2.2, for C4; those
// on Chinese characters: MAP-Neo (arXiv 2405.19327) and ChineseWebText (arXiv 2311.01149).
std::span<const Rule> quality_rules();
std::span<const Rule> repetition_rules();

// Null when no rule has the name.
const Rule* find_rule(std::string_view name);

}  // namespace fathom::clean
