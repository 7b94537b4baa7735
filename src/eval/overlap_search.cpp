#include "eval/overlap_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/error.h"
#include "core/log.h"
#include "core/progress.h"
#include "data/prepared.h"
#include "eval/prompts.h"
#include "eval/samples.h"
#include "eval/scores.h"
#include "io/input_files.h"
#include "text/utf8.h"
#include "tokenizer/tokenizer.h"

namespace fathom::eval {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::size_t most_documents = 20;  // of an item, that are kept

std::string text_of(const Item& item) {
  if (!item.document.empty()) return item.document;
  if (!item.pairs.empty()) {
    const TextPair& right = item.pairs[static_cast<std::size_t>(std::max<std::int64_t>(item.gold, 0))];
    return right.context + " " + right.continuation;
  }
  std::string text = item.prompt;
  if (!item.golds.empty()) text += " " + item.golds[0];
  return text;
}

// The items of all tasks, and where each was found.
class Search {
 public:
  Search(const std::vector<TaskConfig>& tasks, const std::string& data, const OverlapRule& rule) : index_(rule) {
    for (TaskConfig task : tasks) {
      task.shots.count = 0;
      task.prompt.description.clear();
      overlaps_.push_back({task, {}});
      for (const Item& item : load_items(task, data)) {
        places_.emplace_back(overlaps_.size() - 1, overlaps_.back().items.size());
        overlaps_.back().items.emplace_back();
        index_.add(text_of(item));
      }
    }
    index_.leave_out_common();
    for (std::size_t i = 0; i < places_.size(); ++i) item(i).runs = index_.runs(static_cast<std::int64_t>(i));
  }

  void take(std::string_view document, const std::string& where) {
    ++documents_;
    for (const OverlapIndex::Found& found : index_.search(document)) {
      auto& kept = item(static_cast<std::size_t>(found.item)).documents;
      std::string beginning(document.substr(0, 200));
      utf8::replace_invalid(beginning);
      kept.push_back({where, found.runs, std::move(beginning)});
      std::ranges::stable_sort(kept, std::greater(), &ItemOverlap::Document::runs);
      if (kept.size() > most_documents) kept.pop_back();
    }
  }
  std::int64_t documents() const { return documents_; }
  std::vector<TaskOverlap> result() { return std::move(overlaps_); }

 private:
  ItemOverlap& item(std::size_t number) {
    return overlaps_[places_[number].first].items[places_[number].second];
  }
  OverlapIndex index_;
  std::vector<std::pair<std::size_t, std::size_t>> places_;  // of the index's items: task, item
  std::vector<TaskOverlap> overlaps_;
  std::int64_t documents_ = 0;
};

void search_prepared(Search& search, const std::string& directory) {
  const PreparedData data = open_prepared(directory);
  const Tokenizer tokenizer = Tokenizer::load(directory + "/tokenizer.json");
  for (const PreparedSource& source : data.sources) {
    const TokenStream& stream = source.train;
    Progress progress(directory + "/" + source.name, static_cast<std::uint64_t>(stream.tokens()));
    constexpr std::int64_t block = 1 << 16;
    std::vector<std::int32_t> ids, document;
    std::int64_t number = 0;
    const auto end_document = [&] {
      search.take(tokenizer.decode(document), fmt::format("{}/{}, document {}", directory, source.name, ++number));
      document.clear();
    };
    for (std::int64_t begin = 0; begin < stream.tokens(); begin += block) {
      ids.resize(static_cast<std::size_t>(std::min(block, stream.tokens() - begin)));
      stream.read(begin, ids);
      for (const std::int32_t id : ids) {
        if (id != data.eos) {
          document.push_back(id);
          continue;
        }
        end_document();
      }
      progress.advance(ids.size());
    }
    if (!document.empty()) end_document();
    progress.finish();
  }
}

void search_files(Search& search, std::span<const std::string> paths, const DocumentOptions& options) {
  const InputFiles files = find_input_files(paths, "the paths to search");
  for (const std::string& note : files.notes) log::warning("{}", note);
  DocumentCounts counts;
  for (const std::string& path : files.paths) {
    const auto source = open_documents(path, options);
    Progress progress(path, fs::is_regular_file(path) ? fs::file_size(path) : 0, Progress::Unit::bytes);
    std::uint64_t at = 0;
    for (RawDocument raw; source->next(raw);) {
      if (const auto document = read_document(std::move(raw), options, counts)) search.take(document->text, document->source);
      progress.advance(source->file_position() - at);
      at = source->file_position();
    }
    progress.finish();
  }
  for (const std::string& line : lines_about(counts)) log::warning("{}", line);
}

void add_scores(std::string& table, const TaskOverlap& overlap, const std::string& path) {
  std::map<std::string, std::vector<Part>> found, clean;
  std::set<std::string> scores;
  for (const auto& [key, sample] : read_samples(path)) {
    const auto number = static_cast<std::size_t>(key.first);
    if (number >= overlap.items.size()) fail_input("{}: the task has no item {}", sample.where, key.first);
    for (const auto& [name, part] : sample.scores) {
      const std::string score = key.second == "none" ? name : name + "," + key.second;
      scores.insert(score);
      (overlap.items[number].documents.empty() ? clean : found)[score].push_back(part);
    }
  }
  const auto text = [](const std::string& score, const std::vector<Part>& parts) {
    if (parts.empty()) return std::string("-");
    const Estimate all = summarise(score, parts);
    return fmt::format("{:.4f} ± {:.4f} ({})", all.value, all.standard_error, parts.size());
  };
  for (const std::string& score : scores) {
    table += fmt::format("  {:<26} found {:<28} not found {}\n", score, text(score, found[score]), text(score, clean[score]));
  }
}

}  // namespace

std::vector<TaskOverlap> find_overlap(const std::vector<TaskConfig>& tasks, const std::string& data,
                                      std::span<const std::string> paths, const OverlapRule& rule,
                                      const DocumentOptions& documents) {
  if (rule.shortest < 1 || rule.length < rule.shortest) {
    fail_input("runs of {} units, and whole items of {}: use at least 1, and no fewer for runs", rule.length, rule.shortest);
  }
  Search search(tasks, data, rule);
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    if (fs::exists(fs::path(path) / "manifest.json")) {
      search_prepared(search, path);
    } else {
      files.push_back(path);
    }
  }
  if (!files.empty()) search_files(search, files, documents);
  log::info("{} documents searched", search.documents());
  return search.result();
}

std::string overlap_table(const std::vector<TaskOverlap>& overlaps, const std::string& samples) {
  std::map<std::string, std::string> files;
  if (!samples.empty()) files = samples_files(samples);
  std::string table = fmt::format("{:<24} {:>7} {:>7} {:>8}\n", "task", "items", "found", "share");
  for (const TaskOverlap& overlap : overlaps) {
    const auto found = std::ranges::count_if(overlap.items, [](const ItemOverlap& item) { return !item.documents.empty(); });
    table += fmt::format("{:<24} {:>7} {:>7} {:>7.2f}%\n", overlap.task.name, overlap.items.size(), found,
                         100.0 * static_cast<double>(found) / static_cast<double>(overlap.items.size()));
    if (const auto path = files.find(overlap.task.name); path != files.end()) add_scores(table, overlap, path->second);
  }
  return table;
}

std::string overlap_jsonl(const TaskOverlap& overlap) {
  std::string out;
  for (std::size_t i = 0; i < overlap.items.size(); ++i) {
    const ItemOverlap& item = overlap.items[i];
    if (item.documents.empty()) continue;
    Json line{{"doc_id", i}, {"runs", item.runs}, {"documents", Json::array()}};
    for (const ItemOverlap::Document& document : item.documents) {
      line["documents"].push_back({{"where", document.where}, {"runs", document.runs}, {"beginning", document.beginning}});
    }
    out += line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  }
  return out;
}

}  // namespace fathom::eval
