#include "data/clean/counts.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/enum_names.h"
#include "io/checksum.h"
#include "io/json_object.h"
#include "text/utf8.h"

namespace fathom::clean {
namespace {

constexpr std::size_t sample_bytes = 1000;

std::string beginning_of(std::string_view text) {
  text = text.substr(0, sample_bytes);
  return std::string(text.substr(0, text.size() - utf8::incomplete_suffix(text)));
}

}  // namespace

void Counts::add(const std::string& language, const std::string& reason, const Document& document,
                 double measure, const std::function<std::string()>& sample) {
  Tally& tally = tallies[{language, reason}];
  ++tally.documents;
  tally.bytes += static_cast<std::int64_t>(document.text.size());
  if (max_samples_ == 0) return;
  const std::uint64_t rank = checksum_of(document.source);
  const std::vector<Sample>& held = samples[reason];
  if (static_cast<std::int64_t>(held.size()) == max_samples_ && rank >= held.back().rank) return;
  add_sample(reason, {rank, document.source, measure, beginning_of(sample())});
}

void Counts::add_read(const DocumentCounts& counts) {
  DocumentCounts rest = counts;
  for (std::size_t i = 0; i < page_problems; ++i) {
    const RefusedPages& refused = std::exchange(rest.refused_pages[i], {});
    if (refused.pages == 0) continue;
    const std::string reason(enum_name(static_cast<PageProblem>(i)));
    Tally& tally = tallies[{"-", reason}];
    tally.documents += refused.pages;
    tally.bytes += refused.bytes;
    if (max_samples_ > 0) add_sample(reason, {checksum_of(refused.first), refused.first, 0, ""});
  }
  read.add(rest);
}

void Counts::add_sample(const std::string& reason, Sample sample) {
  std::vector<Sample>& held = samples[reason];
  const auto at = std::ranges::upper_bound(held, sample.rank, {}, &Sample::rank);
  held.insert(at, std::move(sample));
  if (static_cast<std::int64_t>(held.size()) > max_samples_) held.pop_back();
}

void Counts::add(const Counts& later) {
  for (const auto& [key, tally] : later.tallies) {
    tallies[key].documents += tally.documents;
    tallies[key].bytes += tally.bytes;
  }
  for (const auto& [reason, list] : later.samples) {
    for (const Sample& sample : list) add_sample(reason, sample);
  }
  for (const auto& [task, passages] : later.cut_passages) cut_passages[task] += passages;
  read.add(later.read);
  changed_documents += later.changed_documents;
  dropped_lines += later.dropped_lines;
  repairs += later.repairs;
  add_masked(later.masked);
  for (const auto& [name, histogram] : later.scores) scores[name].add(histogram);
}

std::string Counts::to_json(const std::string& stamp) const {
  nlohmann::ordered_json json;
  json["version"] = 1;
  json["config"] = stamp;
  json["counts"] = nlohmann::json::array();
  for (const auto& [key, tally] : tallies) {
    json["counts"].push_back({{"language", key.first},
                              {"reason", key.second},
                              {"documents", tally.documents},
                              {"bytes", tally.bytes}});
  }
  json["cut_passages"] = nlohmann::json::object();
  for (const auto& [task, passages] : cut_passages) json["cut_passages"][task] = passages;
  json["changed_documents"] = changed_documents;
  json["dropped_lines"] = dropped_lines;
  json["repairs"] = repairs;
  const auto kinds = enum_names(PersonalKind{});
  for (std::size_t i = 0; i < kinds.size(); ++i) json["masked"][std::string(kinds[i])] = masked[i];
  json["read"] = {{"broken_lines", read.broken_lines},
                  {"first_broken", read.first_broken},
                  {"empty_documents", read.empty_documents},
                  {"repaired_documents", read.repaired_documents},
                  {"replaced_bytes", read.replaced_bytes},
                  {"first_repaired", read.first_repaired},
                  {"pages", read.pages}};
  for (const auto& [name, histogram] : scores) {
    for (const auto& [hundredths, documents] : histogram.documents) {
      json["scores"].push_back(
          {{"score", name}, {"hundredths", hundredths}, {"documents", documents}});
    }
  }
  json["samples"] = nlohmann::json::array();
  for (const auto& [reason, list] : samples) {
    for (const Sample& sample : list) {
      json["samples"].push_back({{"reason", reason},
                                 {"document", sample.document},
                                 {"rank", sample.rank},
                                 {"measure", sample.measure},
                                 {"text", sample.text}});
    }
  }
  return json.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

Counts Counts::load(const std::string& path, std::int64_t max_samples) {
  const JsonObject json = JsonObject::load(path);
  Counts counts(max_samples);
  for (const JsonObject& row : json.objects("counts")) {
    counts.tallies[{row.text("language"), row.text("reason")}] = {row.integer("documents"),
                                                                  row.integer("bytes")};
  }
  const JsonObject cut = json.object("cut_passages");
  for (const std::string& task : cut.keys()) counts.cut_passages[task] = cut.integer(task);
  counts.changed_documents = json.integer("changed_documents");
  counts.dropped_lines = json.integer("dropped_lines");
  counts.repairs = json.find_integer("repairs").value_or(0);  // absent in older files
  if (const auto masked = json.find_object("masked")) {
    const auto kinds = enum_names(PersonalKind{});
    for (std::size_t i = 0; i < kinds.size(); ++i) counts.masked[i] = masked->integer(kinds[i]);
  }
  const JsonObject read = json.object("read");
  counts.read.broken_lines = read.integer("broken_lines");
  counts.read.first_broken = read.text("first_broken");
  counts.read.empty_documents = read.integer("empty_documents");
  counts.read.repaired_documents = read.integer("repaired_documents");
  counts.read.replaced_bytes = read.integer("replaced_bytes");
  counts.read.first_repaired = read.text("first_repaired");
  counts.read.pages = read.find_integer("pages").value_or(0);  // absent in older files
  if (json.has("scores")) {  // absent without scores
    for (const JsonObject& row : json.objects("scores")) {
      counts.scores[row.text("score")].documents[row.integer("hundredths")] =
          row.integer("documents");
    }
  }
  for (const JsonObject& row : json.objects("samples")) {
    counts.add_sample(row.text("reason"),
                      {row.unsigned_integer("rank"), row.text("document"),
                       row.find_number("measure").value_or(0), row.text("text")});
  }
  return counts;
}

}  // namespace fathom::clean
