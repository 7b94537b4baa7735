// fathom data stats and data sample: what is in files of text.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/data_crew.h"
#include "core/enum_names.h"
#include "core/error.h"
#include "data/stats.h"

namespace fathom::cli {
namespace {

struct StatisticsArguments {
  TextSourceConfig source;
  std::string format = "auto", content = "text";
  std::int64_t count = 10;
  std::uint64_t seed = 0;
  bool json = false;
};

TextSourceConfig source_of(const StatisticsArguments& arguments) {
  TextSourceConfig source = arguments.source;
  const auto format = enum_of<TextFormat>(arguments.format);
  if (!format) fail_input("--format: '{}' is no format", arguments.format);
  source.format = *format;
  const auto content = enum_of<TextContent>(arguments.content);
  if (!content) fail_input("--content: '{}' is neither text nor html", arguments.content);
  source.content = *content;
  source.name = "text";
  return source;
}

void print_row(const std::string& name, const TextStatistics& s) {
  fmt::print("{:<10} {:>11} {:>14} {:>14} {:>12} {:>12} {:>9} {:>9}\n", name, s.documents, s.bytes,
             s.characters, s.words, s.ideographs, s.size_at(0.5), s.size_at(0.99));
}

nlohmann::ordered_json json_of(const TextStatistics& s) {
  return {{"documents", s.documents},   {"bytes", s.bytes},
          {"characters", s.characters}, {"words", s.words},
          {"ideographs", s.ideographs}, {"documents_by_bytes_log2", s.sizes}};
}

void print_statistics(const StatisticsArguments& arguments) {
  const CorpusStatistics statistics = corpus_statistics(source_of(arguments));
  if (arguments.json) {
    nlohmann::ordered_json json = {{"all", json_of(statistics.all())}};
    for (const auto& [language, s] : statistics.languages) json["languages"][language] = json_of(s);
    fmt::print("{}\n", json.dump(1));
    return;
  }
  fmt::print("{:<10} {:>11} {:>14} {:>14} {:>12} {:>12} {:>9} {:>9}\n", "language", "documents",
             "bytes", "characters", "words", "ideographs", "50 % <", "99 % <");
  for (const auto& [language, s] : statistics.languages) print_row(language, s);
  print_row("all", statistics.all());
  if (statistics.counts.empty_documents > 0) {
    fmt::print("{} empty documents are left out\n", statistics.counts.empty_documents);
  }
  for (const std::string& line : lines_about(statistics.counts)) fmt::print("{}\n", line);
}

void print_sample(const StatisticsArguments& arguments) {
  const DocumentSample found = sample_documents(source_of(arguments), arguments.count, arguments.seed);
  for (const std::string& line : found.lines) fmt::print("{}", line);
  for (const std::string& line : lines_about(found.counts)) fmt::print(stderr, "{}\n", line);
}

std::shared_ptr<StatisticsArguments> add_text_options(CLI::App& command) {
  const auto arguments = std::make_shared<StatisticsArguments>();
  command.add_option("paths", arguments->source.paths, "files, directories or patterns")
      ->type_name("PATH")
      ->required();
  command.add_option(
      "--format", arguments->format,
      "how files are cut into documents: auto, text, lines, jsonl, separated, parquet, warc");
  command.add_option("--content", arguments->content,
                     "what the documents are: text, or html (web pages: their main text)");
  command.add_option("--field", arguments->source.field,
                     "jsonl, parquet: the key or column of the text");
  command.add_option("--separator", arguments->source.separator,
                     "separated: the line between documents; empty: a blank line");
  command.add_flag("--skip-broken-lines", arguments->source.skip_broken_lines,
                   "count broken JSON lines instead of failing");
  return arguments;
}

}  // namespace

void add_data_stats(CLI::App& data) {
  CLI::App* stats = data.add_subcommand("stats", "Count documents, words and languages of text");
  const auto arguments = add_text_options(*stats);
  stats->add_flag("--json", arguments->json, "write JSON");
  stats->footer("Example: fathom data stats cleaned/texts");
  stats->callback(
      [arguments] { run_data_ranks([&](DataCrew&) { print_statistics(*arguments); }); });

  CLI::App* sample =
      data.add_subcommand("sample", "Write documents drawn at random, as JSON lines");
  const auto drawn = add_text_options(*sample);
  sample->add_option("--count", drawn->count, "documents")->capture_default_str();
  sample->add_option("--seed", drawn->seed, "another seed draws others")->capture_default_str();
  sample->footer("Example: fathom data sample cleaned/texts --count 20 --seed 1 | less");
  sample->callback([drawn] { run_data_ranks([&](DataCrew&) { print_sample(*drawn); }); });
}

}  // namespace fathom::cli
