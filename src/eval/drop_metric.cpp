#include "eval/drop_metric.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <set>

#include "eval/pattern.h"
#include "eval/text_metrics.h"

namespace fathom::eval {
namespace {

using Bag = std::set<std::string>;

// What Python's float() takes: decimals, infinities and NaN, no hexadecimal digits.
bool is_number(const std::string& text) {
  const std::string plain = strip_blanks(text);
  if (plain.empty() || plain.find_first_of("xXpP(") != std::string::npos) return false;
  char* end = nullptr;
  std::strtod(plain.c_str(), &end);
  return end == plain.c_str() + plain.size();
}

std::vector<std::string> words_of(const std::string& text) {
  static const Pattern word("\\S+", "DROP");
  std::vector<std::string> words;
  for (const Pattern::Match& match : word.find_all(text)) words.push_back(*match.groups[0]);
  return words;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::string normal_token(std::string token) {
  static const Pattern article("\\b(a|an|the)\\b", "DROP");
  if (!is_number(token)) std::erase_if(token, is_punctuation);
  if (is_number(token)) token = fmt::format("{:#}", std::strtod(strip_blanks(token).c_str(), nullptr));
  return joined(words_of(article.replace(token, " ")));
}

// F1 of the words of an answer and of a right text; 0 when the right one has numbers and the answer
// has none of them.
double overlap(const Bag& answer, const Bag& right) {
  const bool needs_number = std::ranges::any_of(right, is_number);
  const bool has_number = std::ranges::any_of(right, [&](const std::string& w) { return is_number(w) && answer.contains(w); });
  if (needs_number && !has_number) return 0;
  const auto common = static_cast<double>(std::ranges::count_if(right, [&](const std::string& w) { return answer.contains(w); }));
  const double precision = answer.empty() ? 1 : common / static_cast<double>(answer.size());
  const double recall = right.empty() ? 1 : common / static_cast<double>(right.size());
  return precision + recall == 0 ? 0 : 2 * precision * recall / (precision + recall);
}

Bag bag_of(const std::string& normal) {
  const std::vector<std::string> words = words_of(normal);
  return Bag(words.begin(), words.end());
}

}  // namespace

std::string normal_drop_text(const std::string& text) {
  std::vector<std::string> tokens;
  const std::string small = small_letters(text);
  for (std::size_t at = 0; at <= small.size();) {
    const std::size_t end = std::min(small.find_first_of(" -", at), small.size());
    std::string token = normal_token(small.substr(at, end - at));
    if (!token.empty()) tokens.push_back(std::move(token));
    at = end + 1;
  }
  return joined(tokens);
}

DropScore best_drop_score(const std::string& answer, const std::vector<std::vector<std::string>>& golds) {
  const std::string given = normal_drop_text(answer);
  const Bag bag = bag_of(given);
  DropScore best;
  for (const std::vector<std::string>& gold : golds) {
    if (gold.empty() || strip_blanks(gold[0]).empty()) continue;
    double fit = 0;
    for (const std::string& text : gold) fit = std::max(fit, overlap(bag, bag_of(normal_drop_text(text))));
    const double f1 = std::nearbyint(fit / static_cast<double>(gold.size()) * 100) / 100;
    best.f1 = std::max(best.f1, f1);
    if (gold.size() == 1 && normal_drop_text(gold[0]) == given) best.exact = 1;
  }
  return best;
}

}  // namespace fathom::eval
