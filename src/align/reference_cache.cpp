#include "align/reference_cache.h"

#include <cstring>
#include <filesystem>
#include <unordered_map>

#include "core/error.h"
#include "io/checksum.h"
#include "io/safetensors.h"

namespace fathom {
namespace {

constexpr const char* format_name = "fathom reference log-probabilities 1";
constexpr const char* pairs_tensor = "pairs";
constexpr const char* log_probs_tensor = "log_probs";

std::uint64_t content_of(std::span<const std::uint64_t> hashes,
                         std::span<const PairLogProbs> values) {
  Checksum checksum;
  checksum.update(std::as_bytes(hashes));
  checksum.update(std::as_bytes(values));
  return checksum.value();
}

std::string stored(const SafetensorsFile& file, const char* name) {
  const auto found = file.metadata().find(name);
  return found == file.metadata().end() ? "" : found->second;
}

void require_same(const SafetensorsFile& file, const char* name, const std::string& now,
                  const char* whose) {
  const std::string then = stored(file, name);
  if (now.empty() || now == then) return;
  fail_input(
      "{0}: reference log-probabilities of {1} ({2} {3}; this run has {4}): name another file by "
      "dpo.reference, or remove this one to compute them again",
      file.path(), whose, name, then.empty() ? "none" : then, now);
}

template <class T>
std::vector<T> values_of(const StoredTensor& tensor) {
  std::vector<T> values(tensor.data.size() / sizeof(T));
  std::memcpy(values.data(), tensor.data.data(), values.size() * sizeof(T));
  return values;
}

}  // namespace

bool ReferenceCache::load(const std::string& path) {
  if (!std::filesystem::exists(path)) return false;
  const SafetensorsFile file(path);
  if (stored(file, "format") != format_name) {
    fail_input("{}: no file of reference log-probabilities: name another one by dpo.reference",
               path);
  }
  require_same(file, "weights", key_.weights, "another model");
  require_same(file, "tokenizer", key_.tokenizer, "another tokenizer");
  require_same(file, "chat_template", key_.chat_template, "another chat template");
  require_same(file, "dtype", key_.dtype, "another precision");
  hashes_ = values_of<std::uint64_t>(file.at(pairs_tensor));
  values_ = values_of<PairLogProbs>(file.at(log_probs_tensor));
  if (hashes_.size() != values_.size() ||
      stored(file, "content") != checksum_text(content_of(hashes_, values_))) {
    fail_input("{}: damaged: remove it to compute the reference log-probabilities again", path);
  }
  return true;
}

void ReferenceCache::save(const std::string& path) const {
  const auto count = std::ssize(hashes_);
  const SafetensorsMetadata metadata{
      {"format", format_name},       {"weights", key_.weights},
      {"tokenizer", key_.tokenizer}, {"chat_template", key_.chat_template},
      {"dtype", key_.dtype},         {"content", checksum_text(content_of(hashes_, values_))}};
  SafetensorsWriter writer(
      path,
      {{pairs_tensor, StoredType::u64, {count}}, {log_probs_tensor, StoredType::f32, {count, 2}}},
      metadata);
  writer.append(pairs_tensor, std::as_bytes(std::span(hashes_)));
  writer.append(log_probs_tensor, std::as_bytes(std::span(values_)));
  writer.finish();
}

void ReferenceCache::add(const PreferenceSet& pairs, std::span<const PairLogProbs> values) {
  require(std::ssize(values) == pairs.size(), "{} values of {} pairs", values.size(), pairs.size());
  for (std::int64_t i = 0; i < pairs.size(); ++i) hashes_.push_back(pairs.hash_of(i));
  values_.insert(values_.end(), values.begin(), values.end());
}

std::vector<PairLogProbs> ReferenceCache::find(const PreferenceSet& pairs, const std::string& name,
                                               const std::string& path) const {
  std::unordered_map<std::uint64_t, std::size_t> index;
  for (std::size_t i = 0; i < hashes_.size(); ++i) index.emplace(hashes_[i], i);
  std::vector<PairLogProbs> values;
  for (std::int64_t i = 0; i < pairs.size(); ++i) {
    const auto found = index.find(pairs.hash_of(i));
    if (found == index.end()) {
      fail_input(
          "{}: reference log-probabilities of other data: pair {} of the {} is not among them; "
          "name another file by dpo.reference, or remove this one to compute them again",
          path, i + 1, name);
    }
    values.push_back(values_[found->second]);
  }
  return values;
}

}  // namespace fathom
