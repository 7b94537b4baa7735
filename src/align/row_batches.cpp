#include "align/row_batches.h"

#include <algorithm>

#include "core/error.h"
#include "core/log.h"
#include "core/parallel.h"
#include "io/input_files.h"
#include "text/records.h"

namespace fathom {
namespace {

constexpr std::size_t batch_rows = 512;

struct RowResult {
  std::vector<EncodedExample> examples;
  std::string error;  // of a bad row
};

// Rows are encoded in any order; the first bad one is reported.
void encode_batch(const std::vector<JsonRecord>& records, std::vector<RowResult>& results,
                  const std::function<std::vector<EncodedExample>(const RowJson&)>& encode) {
  results.assign(records.size(), {});
  parallel_for(std::ssize(records), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      try {
        results[i].examples = encode(parse_row(records[i]));
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::input) throw;
        results[i].error = records[i].where() + ": " + error.what();
      }
    }
  });
}

void refuse_or_count(RowPolicy policy, const std::string& message, const char* remedy,
                     ChatStatistics::LeftOut& count) {
  if (policy == RowPolicy::refuse) fail_input("{}; {}", message, remedy);
  count.add(message);
}

// Whether the example is kept.
bool admit(const EncodedExample& example, const JsonRecord& record, const ChatDataOptions& options,
           ChatStatistics& statistics) {
  if (example.multiple_choice && options.multiple_choice == Exams::leave_out) {
    statistics.multiple_choice.add(record.where() + ": a multiple-choice question");
    return false;
  }
  statistics.lengths.push_back(static_cast<std::int32_t>(example.length()));
  if (options.context > 0 && example.length() > options.context) {
    refuse_or_count(options.too_long,
                    fmt::format("{}: {} tokens, more than the context of {}", record.where(),
                                example.length(), options.context),
                    "shorten it, or set data.too_long = \"leave_out\"", statistics.too_long);
    return false;
  }
  ++statistics.examples;
  statistics.turns += example.turns;
  statistics.answers += example.answers;
  statistics.tokens += std::ssize(example.tokens) + std::ssize(example.rejected);
  statistics.learned_tokens += example.learned_tokens;
  statistics.unended += !example.ends_turns;
  ++statistics.scripts[std::string(example.script)];
  if (!example.language.empty()) ++statistics.languages[std::string(example.language)];
  return true;
}

}  // namespace

void ChatStatistics::LeftOut::add(const std::string& message) {
  if (rows++ == 0) first = message;
}

std::int64_t ChatStatistics::length_at(double share) const {
  if (lengths.empty()) return 0;
  std::vector<std::int32_t> sorted = lengths;
  const auto index = static_cast<std::ptrdiff_t>(share * static_cast<double>(sorted.size() - 1));
  std::nth_element(sorted.begin(), sorted.begin() + index, sorted.end());
  return sorted[static_cast<std::size_t>(index)];
}

ChatStatistics read_rows(const std::vector<std::string>& paths, const ChatDataOptions& options,
                         const std::function<std::vector<EncodedExample>(const RowJson&)>& encode,
                         const std::function<void(const EncodedExample&)>& keep) {
  const InputFiles files = find_input_files(paths, "chat data");
  for (const std::string& note : files.notes) log::info("{}", note);
  RecordReader reader(files.paths);
  ChatStatistics statistics;
  std::vector<JsonRecord> records;
  std::vector<RowResult> results;
  const auto finish_batch = [&] {
    encode_batch(records, results, encode);
    for (std::size_t i = 0; i < records.size(); ++i) {
      ++statistics.rows;
      if (!results[i].error.empty()) {
        refuse_or_count(options.bad_rows, results[i].error,
                        "mend the row, or set data.bad_rows = \"leave_out\"", statistics.bad);
      }
      for (const EncodedExample& example : results[i].examples) {
        if (admit(example, records[i], options, statistics)) keep(example);
      }
    }
    records.clear();
  };
  for (JsonRecord record; reader.next(record);) {
    records.push_back(std::move(record));
    if (records.size() == batch_rows) finish_batch();
  }
  finish_batch();
  if (statistics.rows == 0) fail_input("{}: there are no rows", files.paths.at(0));
  return statistics;
}

}  // namespace fathom
