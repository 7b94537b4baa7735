#include "data/prepare.h"

#include <algorithm>
#include <filesystem>

#include "core/error.h"
#include "core/log.h"
#include "core/parallel.h"
#include "core/philox.h"
#include "core/progress.h"
#include "data/document_chunks.h"
#include "data/parts.h"
#include "data/prepare_check.h"
#include "data/prepare_split.h"
#include "data/source_files.h"
#include "io/atomic_directory.h"
#include "io/atomic_file.h"
#include "tokenizer/tokenizer.h"

namespace fathom {

namespace {

namespace fs = std::filesystem;

// Bytes of input for one of output, at most: a token takes 2 bytes or 4, and has rarely more than 8
// of text; the rest is what rows hold besides the text.
constexpr std::uint64_t least_input_per_output = 8;

struct EncodedDocument {
  std::vector<std::int32_t> ids;
  std::int64_t text_bytes;
  bool held_out;
};
struct EncodedChunk {
  std::vector<EncodedDocument> documents;
  DocumentCounts counts;
};

// False for a document that the tokenizer cannot encode, when such documents are skipped.
bool encode_document(const Document& document, const DocumentEncoder& encoder,
                     const SourceConfig& source, std::vector<std::int32_t>& ids) {
  try {
    with_location(document.source, [&] { encoder.encode(document.text, ids); });
    return true;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::input) throw;
    if (source.skip_broken_lines) return false;
    fail_input("{}; mend the document or set skip_broken_lines = true for source '{}'",
               error.what(), source.name);
  }
}

EncodedChunk encode_chunk(const DocumentChunk& chunk, const DocumentEncoder& encoder,
                          const SourceConfig& source, std::uint64_t seed, double fraction) {
  EncodedChunk out{{}, chunk.counts};
  out.documents.reserve(chunk.documents.size());
  for (const Document& document : chunk.documents) {
    std::vector<std::int32_t> ids;
    if (!encode_document(document, encoder, source, ids)) {
      out.counts.add_unencoded(1, document.source);
      continue;
    }
    out.documents.push_back({std::move(ids), static_cast<std::int64_t>(document.text.size()),
                             is_held_out(document.text, seed, fraction)});
  }
  return out;
}

// Writes one source's files as shards in `directory`.
class SourcePreparation {
 public:
  SourcePreparation(const PrepareConfig& config, const SourceConfig& source,
                    const DocumentEncoder& encoder, SourceFiles files)
      : config_(config), source_(source), encoder_(encoder), files_(std::move(files)) {}

  SourceEntry run(const std::string& directory, Progress& progress, DocumentCounts& report) {
    const ShardInfo info{source_.name, encoder_.hash, encoder_.vocab_size, encoder_.eos};
    SplitWriter train(directory, Split::train, info, config_.shard_tokens);
    SplitWriter held_out(directory, Split::held_out, info, config_.shard_tokens);
    const auto read = [&](std::vector<std::string> files, double fraction) {
      const int threads = config_.threads > 0 ? static_cast<int>(config_.threads) : num_threads();
      for_each_chunk<EncodedChunk>(
          source_, std::move(files), threads, progress,
          [&](DocumentChunk&& chunk) {
            return encode_chunk(chunk, encoder_, source_, static_cast<std::uint64_t>(config_.seed),
                                fraction);
          },
          [&](EncodedChunk&& chunk) {
            report.add(chunk.counts);
            for (const EncodedDocument& document : chunk.documents) {
              (document.held_out ? held_out : train)
                  .add_document(document.ids, document.text_bytes);
            }
          });
    };
    const double share = held_out_share();
    read(std::move(files_.read), share);
    read(std::move(files_.held_out), 1);
    return {source_.name, source_.weight, {train.finish(), held_out.finish()}};
  }

 private:
  // Of the documents of `files_.read`.
  double held_out_share() const {
    if (!files_.held_out.empty()) return 0;
    if (!config_.held_out_bytes) return config_.held_out_fraction;
    const double bytes = std::max<double>(1.0, static_cast<double>(total_bytes(files_.read)));
    return std::min(config_.held_out_fraction, static_cast<double>(*config_.held_out_bytes) / bytes);
  }

  const PrepareConfig& config_;
  const SourceConfig& source_;
  const DocumentEncoder& encoder_;
  SourceFiles files_;
};

std::string names_of(const Tokenizer& tokenizer, const std::vector<std::int32_t>& ids) {
  std::string names;
  for (const std::int32_t id : ids) {
    names += fmt::format("{}'{}'", names.empty() ? "" : ", ", tokenizer.id_to_token(id));
  }
  return names;
}

std::int32_t find_end_of_document(const Tokenizer& tokenizer, const std::string& path,
                                  const std::string& name) {
  const std::vector<std::int32_t> candidates = tokenizer.eos_candidates();
  if (!name.empty()) {
    if (const auto id = tokenizer.token_to_id(name)) return *id;
    fail_input("end_of_document: {} has no token '{}'{}", path, name,
               candidates.empty() ? "" : "; likely ones are " + names_of(tokenizer, candidates));
  }
  if (candidates.empty()) {
    fail_input(
        "{}: this tokenizer has no end-of-document token with a usual name (such as </s>), and "
        "the data need one; set end_of_document to its name",
        path);
  }
  if (candidates.size() > 1) {
    fail_input("{}: several tokens may end a document: {}; set end_of_document to one of them",
               path, names_of(tokenizer, candidates));
  }
  return candidates[0];
}

}  // namespace

bool is_held_out(std::string_view text, std::uint64_t seed, double fraction) {
  return Philox{seed, stream_of("held-out", 8)}.uniform(checksum_of(text)) < fraction;
}

DocumentEncoder make_encoder(const Tokenizer& tokenizer, const std::string& path,
                             const std::string& end_of_document) {
  const std::int32_t eos = find_end_of_document(tokenizer, path, end_of_document);
  return {tokenizer.vocab_size(), eos, tokenizer.hash(), tokenizer.to_json(),
          [tokenizer](std::string_view text, std::vector<std::int32_t>& ids) {
            tokenizer.encode_to(text, encode_plain, ids);
          }};
}

OwnFiles prepared_files() {
  return {"manifest.json", "tokenizer.json", "train/*.tokens", "held_out/*.tokens"};
}

OwnFiles prepared_files(std::span<const std::string> sources) {
  OwnFiles files = {"manifest.json", "tokenizer.json"};
  for (const std::string& part : part_patterns(sources)) {
    files.insert(files.end(), {"train/" + part + ".tokens", "held_out/" + part + ".tokens"});
  }
  return files;
}

PrepareReport prepare_data(const PrepareConfig& config, const DocumentEncoder& encoder,
                           Overwrite overwrite) {
  check_prepare_config(config);
  check_output(config.output, overwrite);
  std::vector<SourceFiles> files;
  std::uint64_t bytes = 0;
  for (const SourceConfig& source : config.sources) {
    files.push_back(find_source_files(source, config.output));
    bytes += total_bytes(files.back().read) + total_bytes(files.back().held_out);
  }
  require_free_disk(config.output, bytes / least_input_per_output, "the token shards");
  PrepareReport report{
      {encoder.hash, encoder.vocab_size, encoder.eos, config.seed, config.held_out_fraction, {}},
      std::vector<DocumentCounts>(config.sources.size())};
  AtomicDirectory output = overwrite == Overwrite::yes
                               ? AtomicDirectory(config.output, prepared_files())
                               : AtomicDirectory(config.output);
  for (const Split split : all_splits) fs::create_directory(output.file(name_of(split)));
  Progress progress("preparing", bytes, Progress::Unit::bytes);
  for (std::size_t i = 0; i < config.sources.size(); ++i) {
    const SourceConfig& source = config.sources[i];
    report.manifest.sources.push_back(
        SourcePreparation(config, source, encoder, std::move(files[i]))
            .run(output.temporary(), progress, report.sources[i]));
    if (report.manifest.sources.back().counts(Split::train).documents == 0) {
      fail_input(
          "source '{}': no documents for training ({} empty, {} broken, {} that the tokenizer "
          "cannot encode); check its paths, held_out_paths and held_out_fraction",
          source.name, report.sources[i].empty_documents, report.sources[i].broken_lines,
          report.sources[i].unencoded_documents);
    }
  }
  if (!encoder.tokenizer_json.empty()) {
    write_file_atomically(output.file("tokenizer.json"), encoder.tokenizer_json);
  }
  write_file_atomically(output.file("manifest.json"), manifest_text(report.manifest));
  output.commit();
  progress.finish();
  return report;
}

std::string summary(const PrepareReport& report) {
  std::string text = fmt::format("{:<20} {:<9} {:>12} {:>16} {:>16} {:>12}\n", "source", "split",
                                 "documents", "bytes", "tokens", "bytes/token");
  const auto row = [&](const std::string& name, Split split, const ShardCounts& counts) {
    const double ratio = counts.tokens == 0 ? 0.0
                                            : static_cast<double>(counts.text_bytes) /
                                                  static_cast<double>(counts.tokens);
    text += fmt::format("{:<20} {:<9} {:>12} {:>16} {:>16} {:>12.3f}\n", name, name_of(split),
                        counts.documents, counts.text_bytes, counts.tokens, ratio);
  };
  ShardCounts totals[2];
  for (std::size_t i = 0; i < report.manifest.sources.size(); ++i) {
    const SourceEntry& source = report.manifest.sources[i];
    for (const Split split : all_splits) {
      row(source.name, split, source.counts(split));
      totals[static_cast<int>(split)] += source.counts(split);
    }
    const DocumentCounts& counts = report.sources[i];
    if (counts.empty_documents > 0) {
      text += fmt::format("{:<20} {} empty documents are left out\n", source.name,
                          counts.empty_documents);
    }
    for (const std::string& line : lines_about(counts)) {
      text += fmt::format("{:<20} {}\n", source.name, line);
    }
  }
  for (const Split split : all_splits) row("all", split, totals[static_cast<int>(split)]);
  return text;
}

}  // namespace fathom
