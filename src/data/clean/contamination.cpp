#include "data/clean/contamination.h"

#include <algorithm>

#include "core/error.h"
#include "data/token_hashes.h"
#include "io/checksum.h"

namespace fathom::clean {
namespace {

constexpr std::uint64_t base = 0x9e3779b97f4a7c15u;

struct TokenPlace {
  std::uint64_t hash;
  bool ideograph;
  std::size_t begin, end;
};

std::vector<TokenPlace> tokens_of(std::string_view text) {
  std::vector<TokenPlace> tokens;
  for_each_token_hash(
      text, [&](std::uint64_t hash, bool ideograph, const char* begin, const char* end) {
        tokens.push_back({hash, ideograph, static_cast<std::size_t>(begin - text.data()),
                          static_cast<std::size_t>(end - text.data())});
      });
  return tokens;
}

}  // namespace

// f(hash, begin, end) for each sequence, in the order of their beginnings.
template <class F>
void Contamination::for_each_sequence(std::string_view text, F&& f) const {
  const std::vector<TokenPlace> tokens = tokens_of(text);
  std::vector<std::uint64_t> powers(static_cast<std::size_t>(std::max(words_, characters_)) + 1, 1);
  for (std::size_t i = 1; i < powers.size(); ++i) powers[i] = powers[i - 1] * base;
  const auto weight = [&](const TokenPlace& token) {
    return token.ideograph ? words_ : characters_;
  };
  const std::int64_t whole = words_ * characters_;
  std::int64_t sum = 0;
  std::uint64_t hash = 0;  // of the tokens from begin to end
  for (std::size_t begin = 0, end = 0; begin < tokens.size(); ++begin) {
    while (sum < whole && end < tokens.size()) {
      sum += weight(tokens[end]);
      hash = hash * base + tokens[end++].hash;
    }
    if (sum < whole) break;
    f(hash, tokens[begin].begin, tokens[end - 1].end);
    hash -= tokens[begin].hash * powers[end - begin - 1];
    sum -= weight(tokens[begin]);
  }
}

void Contamination::add(const std::string& task, std::string_view text) {
  if (tasks_.empty() || tasks_.back() != task) tasks_.push_back(task);
  const auto number = static_cast<std::uint32_t>(tasks_.size() - 1);
  bool any = false;
  for_each_sequence(text, [&](std::uint64_t hash, std::size_t, std::size_t) {
    sequences_.emplace(hash, number);
    any = true;
  });
  ++texts_;
  short_texts_ += !any;
}

std::uint64_t Contamination::checksum() const {
  std::uint64_t sum = 0;  // in no order, as the table has none
  for (const auto& [hash, task] : sequences_) {
    sum += checksum_of(fmt::format("{} {}", hash, tasks_[task]));
  }
  return sum;
}

std::vector<Passage> Contamination::find(std::string_view text) const {
  std::vector<Passage> passages;
  for_each_sequence(text, [&](std::uint64_t hash, std::size_t begin, std::size_t end) {
    const auto found = sequences_.find(hash);
    if (found == sequences_.end()) return;
    if (!passages.empty() && begin <= passages.back().end) {
      passages.back().end = std::max(passages.back().end, end);
    } else {
      passages.push_back({found->second, begin, end});
    }
  });
  return passages;
}

std::string without_passages(std::string_view text, const std::vector<Passage>& passages) {
  std::string out;
  std::size_t at = 0;
  for (const Passage& passage : passages) {
    const std::size_t before = text.rfind('\n', passage.begin);
    const std::size_t begin = before == std::string_view::npos ? 0 : before + 1;
    if (begin > at) out += text.substr(at, begin - at);
    const std::size_t after = text.find('\n', passage.end);
    at = std::max(at, after == std::string_view::npos ? text.size() : after + 1);
  }
  return out += text.substr(std::min(at, text.size()));
}

}  // namespace fathom::clean
