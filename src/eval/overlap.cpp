#include "eval/overlap.h"

#include <utf8proc.h>

#include <algorithm>
#include <map>

#include "core/error.h"
#include "io/checksum.h"
#include "text/utf8.h"

namespace fathom::eval {
namespace {

bool is_letter(char32_t c) {
  const utf8proc_category_t category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO);
}

// Characters of writing without blanks between words.
bool stands_alone(char32_t c) {
  return (c >= 0x3040 && c <= 0x30FF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x4E00 && c <= 0x9FFF) ||
         (c >= 0xAC00 && c <= 0xD7A3) || (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x20000 && c <= 0x3134F);
}

std::uint64_t mixed(std::uint64_t hash, std::uint64_t unit) {
  hash ^= unit + 0x9E3779B97F4A7C15U + (hash << 6) + (hash >> 2);
  hash ^= hash >> 31;
  return hash * 0xBF58476D1CE4E5B9U;
}

std::uint64_t hash_of(const std::uint64_t* units, std::int64_t length) {
  auto hash = static_cast<std::uint64_t>(length);
  for (std::int64_t i = 0; i < length; ++i) hash = mixed(hash, units[i]);
  return hash;
}

}  // namespace

std::vector<std::uint64_t> text_units(std::string_view bytes) {
  std::string text(bytes);  // decoded tokens may be cut within a character
  utf8::replace_invalid(text);
  std::vector<std::uint64_t> units;
  std::string word;
  const auto end_word = [&] {
    if (!word.empty()) units.push_back(checksum_of(word));
    word.clear();
  };
  for (const char* p = text.data(); p < text.data() + text.size();) {
    const char32_t c = utf8::next(p);
    if (!is_letter(c)) {
      // An apostrophe belongs to its word, which has none then.
      if (c != '\'' && c != 0x2019) end_word();
      continue;
    }
    if (stands_alone(c)) end_word();
    utf8::append(word, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
    if (stands_alone(c)) end_word();
  }
  end_word();
  return units;
}

std::int64_t OverlapIndex::add(std::string_view text) {
  const std::vector<std::uint64_t> units = text_units(text);
  const auto item = static_cast<std::int32_t>(runs_.size());
  runs_.push_back(0);
  const std::int64_t length = std::min(rule_.length, std::ssize(units));
  if (length < rule_.shortest) return item;
  if (!std::ranges::binary_search(lengths_, length)) lengths_.insert(std::ranges::upper_bound(lengths_, length), length);
  for (std::int64_t i = 0; i + length <= std::ssize(units); ++i) {
    std::vector<std::int32_t>& owners = owners_[hash_of(units.data() + i, length)];
    if (!owners.empty() && owners.back() == item) continue;
    owners.push_back(item);
    ++runs_.back();
  }
  return item;
}

void OverlapIndex::leave_out_common() {
  const std::size_t most = std::max<std::size_t>(2, runs_.size() / 10);
  std::erase_if(owners_, [&](const auto& entry) {
    if (entry.second.size() <= most) return false;
    for (const std::int32_t item : entry.second) --runs_[static_cast<std::size_t>(item)];
    return true;
  });
}

std::vector<OverlapIndex::Found> OverlapIndex::search(std::string_view document) const {
  const std::vector<std::uint64_t> units = text_units(document);
  std::vector<std::uint64_t> hits;
  for (const std::int64_t length : lengths_) {
    for (std::int64_t i = 0; i + length <= std::ssize(units); ++i) {
      const std::uint64_t hash = hash_of(units.data() + i, length);
      if (owners_.contains(hash)) hits.push_back(hash);
    }
  }
  std::ranges::sort(hits);
  hits.erase(std::ranges::unique(hits).begin(), hits.end());
  std::map<std::int64_t, std::int64_t> runs;
  for (const std::uint64_t hash : hits) {
    for (const std::int32_t item : owners_.at(hash)) ++runs[item];
  }
  std::vector<Found> found;
  for (const auto& [item, count] : runs) found.push_back({item, count});
  return found;
}

}  // namespace fathom::eval
