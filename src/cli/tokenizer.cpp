// fathom tokenizer train, encode and decode.
#include "tokenizer/tokenizer.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>

#include "cli/commands.h"
#include "cli/data_crew.h"
#include "core/config.h"
#include "core/error.h"
#include "core/log.h"
#include "core/parallel.h"
#include "core/progress.h"
#include "io/atomic_file.h"
#include "io/json_object.h"
#include "io/line_reader.h"
#include "io/output_path.h"
#include "text/document.h"
#include "tokenizer/trainer.h"

namespace fathom::cli {
namespace {

struct TrainFlags {
  std::vector<std::string> inputs, overrides, special;
  std::string out = "tokenizer.json", like;
  std::optional<std::int64_t> vocab_size, pad_to_multiple;
  int threads = 0;
};

// A first argument that ends in .toml is the config; all others are text files.
TokenizerTrainConfig train_config(const TrainFlags& flags) {
  TokenizerTrainConfig config;
  std::vector<std::string> files = flags.inputs;
  if (!files.empty() && files[0].ends_with(".toml")) {
    read_config(ConfigTable::load(files[0], flags.overrides), config);
    files.erase(files.begin());
  } else if (!flags.overrides.empty()) {
    read_config(ConfigTable::parse("", "--set", flags.overrides), config);
  }
  if (!files.empty()) config.files = files;
  if (flags.vocab_size) config.vocab_size = *flags.vocab_size;
  if (flags.pad_to_multiple) config.pad_to_multiple = *flags.pad_to_multiple;
  if (!flags.special.empty()) config.special_tokens = flags.special;
  if (!flags.like.empty()) config.like = flags.like;
  return config;
}

void train(const TrainFlags& flags) {
  if (flags.threads > 0) set_num_threads(flags.threads);
  require_writable_file(flags.out);
  const TokenizerTrainResult result = train_tokenizer(train_config(flags));
  result.tokenizer.save(flags.out);
  std::fputs(result.report.c_str(), stderr);
  log::info("{}: {} tokens, trained in {:.2f} s", flags.out, result.tokenizer.vocab_size(),
            result.seconds);
}

void add_tokenizer_train(CLI::App& parent) {
  auto flags = std::make_shared<TrainFlags>();
  CLI::App* app = parent.add_subcommand("train", "Train a tokenizer on text files");
  app->add_option(
         "inputs", flags->inputs,
         "text or JSON lines files, also compressed, or Parquet; directories; or CONFIG.toml "
         "first")
      ->type_name("PATH");
  app->add_option("--out", flags->out, "where to write tokenizer.json")
      ->type_name("FILE")
      ->capture_default_str();
  app->add_option("--vocab-size", flags->vocab_size, "ordinary tokens, the 256 bytes included");
  app->add_option("--pad-to-multiple", flags->pad_to_multiple,
                  "reserved tokens fill the vocabulary up to a multiple of this");
  app->add_option("--special", flags->special, "names of the special tokens");
  app->add_option("--like", flags->like, "tokenizer.json whose normalizer and splitting are used")
      ->type_name("FILE");
  app->add_option("--set", flags->overrides, "key=value: override a key of the config")
      ->type_name("KEY=VALUE");
  app->add_option("--threads", flags->threads, "threads to use; all cores by default")
      ->check(CLI::Range(0, 4096));
  app->footer(
      "Example: fathom tokenizer train english.txt chinese.jsonl.zst --vocab-size 32000 "
      "--out tokenizer.json");
  app->callback([flags] { run_data_ranks([&](DataCrew&) { train(*flags); }); });
}

struct CodecFlags {
  std::string tokenizer, out = "-", field = "text";
  std::vector<std::string> files;
  bool whole = false, jsonl = false, special = false, plain = false, stats = false;
  int threads = 0, repeat = 1;
};

// Standard output, or a file that appears when it is complete.
class Output {
 public:
  explicit Output(const std::string& path) {
    if (path != "-") file_.emplace(path);
  }
  void write(std::string_view text) {
    if (file_) return file_->write(text);
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) {
      fail_runtime("cannot write to standard output");
    }
  }
  void finish() {
    if (file_) return file_->commit();
    if (std::fflush(stdout) != 0) fail_runtime("cannot write to standard output");
  }

 private:
  std::optional<AtomicFile> file_;
};

DocumentOptions document_options(const CodecFlags& flags) {
  DocumentOptions options;
  options.format = flags.jsonl ? TextFormat::jsonl : TextFormat::automatic;
  options.otherwise = flags.whole ? TextFormat::text : TextFormat::lines;
  options.fields = {flags.field};
  options.keep_empty_lines = true;  // a line of ids for each line of text
  options.invalid_utf8 = InvalidUtf8::keep;
  return options;
}

// Reads the documents of the files in order: lines, records, or whole files.
class Documents {
 public:
  explicit Documents(const CodecFlags& flags)
      : options_(document_options(flags)), reader_(files_of(flags), options_) {}
  // The next documents, about 16 MB at most; empty at the end.
  std::vector<Document> next_batch() {
    std::vector<Document> batch;
    std::size_t bytes = 0;
    for (RawDocument raw; bytes < (16u << 20) && reader_.next(raw); raw = {}) {
      DocumentCounts counts;  // stays zero: nothing is skipped, nothing repaired
      auto document = read_document(std::move(raw), options_, counts);
      bytes += document->text.size() + 16;
      batch.push_back(std::move(*document));
    }
    return batch;
  }

 private:
  static std::vector<std::string> files_of(const CodecFlags& flags) {
    if (flags.files.empty()) return {"/dev/stdin"};
    return flags.files;
  }

  DocumentOptions options_;
  DocumentReader reader_;
};

struct Totals {
  std::uint64_t documents = 0, bytes = 0, tokens = 0;
  double seconds = 0;
};

// Encodes a batch on all threads, and measures the best time of --repeat passes.
std::vector<std::vector<std::int32_t>> encode_batch(const Tokenizer& tokenizer,
                                                    const CodecFlags& flags,
                                                    const std::vector<Document>& batch,
                                                    Totals& totals) {
  const EncodeOptions options{flags.special ? Template::apply : Template::skip,
                              flags.plain ? SpecialText::as_text : SpecialText::parse};
  std::vector<std::vector<std::int32_t>> ids(batch.size());
  double best = 1e30;
  for (int pass = 0; pass < std::max(flags.repeat, 1); ++pass) {
    const auto start = std::chrono::steady_clock::now();
    parallel_for(static_cast<std::int64_t>(batch.size()), 64, [&](auto begin, auto end) {
      for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
        ids[i] = with_location(batch[i].source,
                               [&] { return tokenizer.encode(batch[i].text, options); });
      }
    });
    best = std::min(
        best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  totals.seconds += best;
  totals.documents += batch.size();
  for (std::size_t i = 0; i < batch.size(); ++i) {
    totals.bytes += batch[i].text.size();
    totals.tokens += ids[i].size();
  }
  return ids;
}

void append_ids(std::string& out, const std::vector<std::int32_t>& ids, bool json) {
  char digits[16];
  if (json) out += '[';
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (i > 0) out += json ? ',' : ' ';
    out.append(digits, std::to_chars(digits, digits + sizeof digits, ids[i]).ptr);
  }
  out += json ? "]\n" : "\n";
}

void encode(const CodecFlags& flags) {
  if (flags.threads > 0) set_num_threads(flags.threads);
  const Tokenizer tokenizer = Tokenizer::load(flags.tokenizer);
  Documents documents(flags);
  Output output(flags.out);
  Totals totals;
  for (auto batch = documents.next_batch(); !batch.empty(); batch = documents.next_batch()) {
    std::string text;
    for (const auto& ids : encode_batch(tokenizer, flags, batch, totals)) {
      append_ids(text, ids, flags.jsonl);
    }
    output.write(text);
  }
  output.finish();
  if (!flags.stats) return;
  const double tokens = static_cast<double>(std::max<std::uint64_t>(totals.tokens, 1));
  log::info("{} documents, {} bytes, {} tokens, {:.3f} bytes per token, {:.4f} s, {:.1f} MB/s",
            totals.documents, totals.bytes, totals.tokens,
            static_cast<double>(totals.bytes) / tokens, totals.seconds,
            static_cast<double>(totals.bytes) / 1e6 / std::max(totals.seconds, 1e-9));
}

// "1 2 3" or "[1, 2, 3]".
std::vector<std::int32_t> parse_ids(std::string_view line) {
  std::vector<std::int32_t> ids;
  const char* p = line.data();
  const char* const end = p + line.size();
  while (p < end) {
    if (std::string_view(" \t\r,[]").find(*p) != std::string_view::npos) {
      ++p;
      continue;
    }
    std::int32_t id = 0;
    const auto [after, problem] = std::from_chars(p, end, id);
    if (problem != std::errc()) {
      fail_input("'{}' is not a token id; write numbers separated by spaces, or a JSON array",
                 line.substr(static_cast<std::size_t>(p - line.data()), 20));
    }
    ids.push_back(id);
    p = after;
  }
  return ids;
}

void decode(const CodecFlags& flags) {
  const Tokenizer tokenizer = Tokenizer::load(flags.tokenizer);
  auto files = flags.files;
  if (files.empty()) files.push_back("/dev/stdin");
  Output output(flags.out);
  for (const auto& file : files) {
    LineReader lines(file);
    for (std::string line; lines.next(line);) {
      const std::string where = fmt::format("{}:{}", file, lines.line_number());
      std::string text = with_location(where, [&] {
        return tokenizer.decode(parse_ids(line),
                                flags.special ? SpecialTokens::keep : SpecialTokens::skip);
      });
      if (flags.jsonl) text = json_quoted(text);
      if (!flags.whole) text += '\n';
      output.write(text);
    }
  }
  output.finish();
}

void add_codec_flags(CLI::App& app, CodecFlags& flags) {
  app.add_option("tokenizer", flags.tokenizer, "tokenizer.json")->type_name("FILE")->required();
  app.add_option("files", flags.files, "files to read; standard input when there are none")
      ->type_name("FILE");
  app.add_option("--out", flags.out, "file to write, - for standard output")
      ->type_name("FILE")
      ->capture_default_str();
}

void add_tokenizer_encode(CLI::App& parent) {
  auto flags = std::make_shared<CodecFlags>();
  CLI::App* app =
      parent.add_subcommand("encode", "Convert text to token ids, one line per document");
  add_codec_flags(*app, *flags);
  app->add_flag("--whole", flags->whole, "each file is one document, instead of each line");
  app->add_flag("--jsonl", flags->jsonl, "read JSONL or Parquet records, write JSON arrays");
  app->add_option("--text-field", flags->field, "key or column of a record's text")
      ->capture_default_str();
  app->add_flag("--add-special", flags->special,
                "add the special tokens of the post-processor's template");
  app->add_flag("--plain", flags->plain, "encode the text of special tokens as plain text");
  app->add_flag("--stats", flags->stats, "print totals and speed at the end");
  app->add_option("--repeat", flags->repeat, "encode this many times and report the best time");
  app->add_option("--threads", flags->threads, "threads to use; all cores by default")
      ->check(CLI::Range(0, 4096));
  app->footer("Example: fathom tokenizer encode tokenizer.json notes.txt --stats > notes.ids");
  app->callback([flags] { encode(*flags); });
}

void add_tokenizer_decode(CLI::App& parent) {
  auto flags = std::make_shared<CodecFlags>();
  CLI::App* app = parent.add_subcommand("decode", "Convert lines of token ids to text");
  add_codec_flags(*app, *flags);
  app->add_flag("--whole", flags->whole, "write only the bytes, without line ends");
  app->add_flag("--jsonl", flags->jsonl, "write each text as a JSON string");
  app->add_flag("--keep-special", flags->special, "write special tokens too");
  app->footer("Example: fathom tokenizer decode tokenizer.json notes.ids");
  app->callback([flags] { decode(*flags); });
}

}  // namespace

void add_tokenizer(CLI::App& app) {
  CLI::App* tokenizer =
      app.add_subcommand("tokenizer", "Train a tokenizer; convert text to token ids and back");
  tokenizer->require_subcommand(1);
  tokenizer->footer("Example: fathom tokenizer train corpus.txt --vocab-size 8000");
  add_tokenizer_train(*tokenizer);
  add_tokenizer_encode(*tokenizer);
  add_tokenizer_decode(*tokenizer);
}

}  // namespace fathom::cli
