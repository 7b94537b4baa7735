#include "data/prepared.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "core/error.h"
#include "core/parallel.h"
#include "data/mix_phases.h"

namespace fathom {

namespace {

// Divides the shards among the processes that share their verification.
class Verifier {
 public:
  Verifier(Verify verify, const VerifyShare& share) : verify_(verify), share_(share) {}

  // Compares the content of this process's share, on all threads.
  void verify(const std::vector<Shard>& shards) {
    if (verify_ == Verify::structure) return;
    std::vector<const Shard*> mine;
    for (const Shard& shard : shards) {
      if (seen_++ % share_.shares == share_.index) mine.push_back(&shard);
    }
    parallel_for(std::ssize(mine), 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        if (share_.between) share_.between();
        mine[static_cast<std::size_t>(i)]->verify_content();
      }
    });
  }

 private:
  Verify verify_;
  const VerifyShare& share_;
  int seen_ = 0;
};

TokenStream open_stream(const std::string& directory, const Manifest& manifest,
                        const SourceEntry& source, Split split, Verifier& verifier) {
  std::vector<Shard> shards;
  for (const ShardEntry& entry : source.shards[static_cast<int>(split)]) {
    Shard shard(directory + "/" + entry.file);
    const ShardInfo expected{source.name, manifest.tokenizer_hash, manifest.vocab_size,
                             manifest.eos};
    if (shard.info() != expected || shard.counts() != entry.counts ||
        shard.checksum() != entry.checksum) {
      fail_input("{}: not the shard that {}/manifest.json describes; prepare the data again",
                 shard.path(), directory);
    }
    shards.push_back(std::move(shard));
  }
  verifier.verify(shards);
  return TokenStream(std::move(shards));
}

void check_weight(const PreparedSource& source) {
  if (!std::isfinite(source.weight) || source.weight < 0) {
    fail_input("data.sources: source '{}' has the weight {}; it must be 0 or more", source.name,
               source.weight);
  }
}

void check_max_epochs(const std::string& key, const std::optional<double>& limit) {
  if (limit && !(*limit > 0)) fail_input("{} is {}: use a number above 0", key, *limit);
}

// Phases and limits know sources by their names.
void check_names(const PreparedData& data, const DataConfig& config) {
  if (config.phases.empty() && !has_max_epochs(config)) return;
  std::set<std::string> names;
  for (const PreparedSource& source : data.sources) {
    if (names.insert(source.name).second) continue;
    fail_input(
        "data.sources: two are named '{}', which data.phases and max_epochs could not tell apart: "
        "prepare one of them under another name",
        source.name);
  }
}

// Moves the source `wanted.name` out of `from` and gives it the wanted weight.
PreparedSource take_source(PreparedData& from, const DataSourceConfig& wanted) {
  std::vector<std::string> names;
  for (PreparedSource& source : from.sources) {
    if (source.name == wanted.name) {
      PreparedSource taken = std::move(source);
      source.name.clear();  // so that naming it twice fails
      taken.weight = wanted.weight.value_or(taken.weight);
      return taken;
    }
    names.push_back(source.name);
  }
  fail_input("data.sources: {} has no source '{}', or it is listed twice; it has {}",
             from.directory, wanted.name, fmt::join(names, ", "));
}

}  // namespace

PreparedData open_prepared(const std::string& directory, Verify verify, const VerifyShare& share) {
  Verifier verifier(verify, share);
  const Manifest manifest = read_manifest(directory);
  PreparedData data{manifest.tokenizer_hash, manifest.vocab_size, manifest.eos, {}, directory};
  for (const SourceEntry& entry : manifest.sources) {
    data.sources.push_back({entry.name, entry.weight,
                            open_stream(directory, manifest, entry, Split::train, verifier),
                            open_stream(directory, manifest, entry, Split::held_out, verifier)});
  }
  if (data.sources.empty()) fail_input("{}: holds no sources; prepare the data again", directory);
  return data;
}

PreparedData open_prepared(const DataConfig& config, const VerifyShare& share) {
  const Verify verify = config.verify ? Verify::content : Verify::structure;
  PreparedData data;
  if (config.sources.empty()) {
    if (config.directory.empty()) {
      fail_input("data.directory: missing; name the directory that `fathom data prepare` made");
    }
    data = open_prepared(config.directory, verify, share);
  } else {
    std::map<std::string, PreparedData> directories;
    for (const DataSourceConfig& wanted : config.sources) {
      const std::string directory = wanted.directory.empty() ? config.directory : wanted.directory;
      if (directory.empty()) {
        fail_input("data.sources: source '{}' has no directory, and data.directory is not set",
                   wanted.name);
      }
      auto opened = directories.find(directory);
      if (opened == directories.end()) {
        opened = directories.emplace(directory, open_prepared(directory, verify, share)).first;
      }
      const PreparedData& from = opened->second;
      if (data.sources.empty()) {
        data = {from.tokenizer_hash, from.vocab_size, from.eos, {}, directory};
      } else if (from.tokenizer_hash != data.tokenizer_hash) {
        fail_input("{}: prepared with another tokenizer than {}; prepare both with the same one",
                   directory, data.directory);
      }
      data.sources.push_back(take_source(opened->second, wanted));
    }
  }
  for (const PreparedSource& source : data.sources) check_weight(source);
  // What these cannot be is refused before any work.
  check_names(data, config);
  phase_weights(data, config.phases);
  check_max_epochs("data.max_epochs", config.max_epochs);
  for (const DataSourceConfig& source : config.sources) {
    check_max_epochs(fmt::format("data.sources: max_epochs of '{}'", source.name),
                     source.max_epochs);
  }
  return data;
}

void PreparedData::check_tokenizer(std::uint64_t hash, const std::string& tokenizer_path) const {
  if (hash == tokenizer_hash) return;
  fail_input(
      "{}: prepared with another tokenizer (hash {}) than {} (hash {}); prepare the data "
      "again with it, or use {}/tokenizer.json",
      directory, checksum_text(tokenizer_hash), tokenizer_path, checksum_text(hash), directory);
}

}  // namespace fathom
