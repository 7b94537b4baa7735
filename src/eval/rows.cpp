#include "eval/rows.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "align/jinja/template.h"
#include "core/error.h"
#include "eval/csv.h"
#include "eval/pattern.h"
#include "eval/row_template.h"
#include "eval/zip.h"
#include "io/input_files.h"
#include "io/line_reader.h"
#include "text/json_field.h"
#include "text/parquet.h"
#include "text/utf8.h"

namespace fathom::eval {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// A file, or a member of a .zip file, before its rows are known.
struct Source {
  std::string name;     // for messages
  std::string path;     // of Parquet, which is not read as text
  std::string content;  // of all others
  std::string subset;
  DataFormat format;
  bool parquet = false;
};

// The name without the ending of a packed file.
std::string unpacked_name(std::string name) {
  for (const char* ending : {".gz", ".zst", ".xz", ".bz2"}) {
    if (name.ends_with(ending)) return name.substr(0, name.size() - std::string_view(ending).size());
  }
  return name;
}

DataFormat format_of(const std::string& name, DataFormat wanted) {
  if (wanted != DataFormat::automatic) return wanted;
  const std::string plain = unpacked_name(name);
  if (plain.ends_with(".csv")) return DataFormat::csv;
  if (plain.ends_with(".tsv")) return DataFormat::tsv;
  if (plain.ends_with(".txt") || plain.ends_with(".lst")) return DataFormat::text;
  return DataFormat::json;
}

// The files and members that a task names.
class SourceReader {
 public:
  SourceReader(const DataConfig& data, const std::string& directory, const std::string& owner)
      : data_(data), directory_(directory), owner_(owner) {
    if (!data.names.empty()) names_.emplace(data.names, owner + ": names", true);
  }

  std::vector<Source> read() {
    std::vector<std::string> entries;
    for (const std::string& file : data_.files) entries.push_back((fs::path(directory_) / file).string());
    for (const std::string& path : find_input_files(entries, owner_).paths) read_file(path);
    if (sources_.empty()) {
      fail_input("{}: no file below {} has a name that matches '{}'", owner_, directory_, data_.names);
    }
    return std::move(sources_);
  }

 private:
  // Whether the name is wanted, and its subset.
  bool matches(const std::string& name, std::string& subset) const {
    if (!names_) return true;
    const auto match = names_->find(name);
    if (!match) return false;
    if (const auto group = names_->group("subset")) subset = match->groups[*group].value_or("");
    return true;
  }

  void read_file(const std::string& path) {
    if (path.ends_with(".zip")) return read_members(path);
    Source source{path, path, "", "", format_of(path, data_.format)};
    if (!matches(fs::path(path).lexically_relative(directory_).string(), source.subset)) return;
    source.parquet = path.ends_with(".parquet");
    if (!source.parquet) source.content = read_text(path);
    sources_.push_back(std::move(source));
  }

  void read_members(const std::string& path) {
    std::string subset;
    read_zip(path, [&](const std::string& name) { return matches(name, subset); },
             [&](const std::string& name, std::string content) {
               Source source{path + ":" + name, "", std::move(content), "", format_of(name, data_.format)};
               matches(name, source.subset);
               sources_.push_back(std::move(source));
             });
  }

  const DataConfig& data_;
  const std::string& directory_;
  const std::string& owner_;
  std::optional<Pattern> names_;
  std::vector<Source> sources_;
};

Json parse_json(std::string_view text, const std::string& where) {
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) fail_input("{}: is not JSON", where);
  return json;
}

class RowReader {
 public:
  RowReader(const DataConfig& data, const std::string& owner) : data_(data) {
    if (!data.rows.empty()) rows_.emplace(JinjaTemplate::parse(data.rows, owner + ": rows"));
  }

  void read(const Source& source) {
    source_ = &source;
    if (const std::size_t valid = utf8::valid_prefix(source.content); valid < source.content.size()) {
      fail_input("{}: is not UTF-8 at its byte {}: convert it", source.name, valid);
    }
    if (source.parquet) return read_parquet();
    switch (source.format) {
      case DataFormat::csv:
        return read_table(TableReader::Kind::csv);
      case DataFormat::tsv:
        return read_table(TableReader::Kind::tsv);
      case DataFormat::text:
        return take_value(Json{{"text", source.content}}, source.name);
      default:
        return read_json();
    }
  }
  std::vector<Row> take() { return std::move(out_); }

 private:
  std::string where(std::int64_t line) const { return fmt::format("{}:{}", source_->name, line); }

  void add(Json fields, std::string place) {
    if (!fields.is_object()) fail_input("{}: a row must be an object", place);
    out_.push_back({std::make_shared<Json>(std::move(fields)), std::move(place), source_->subset});
  }

  // A value of a file: a row, or by the template several.
  void take_value(const Json& value, const std::string& place) {
    if (!rows_) return add(value, place);
    const RenderedText rendered = rows_->render(Json{{"value", value}});
    std::string_view left = rendered.text;
    while (!left.empty()) {
      const std::size_t end = std::min(left.find('\n'), left.size());
      const std::string_view line = left.substr(0, end);
      left.remove_prefix(std::min(end + 1, left.size()));
      if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
      add(parse_json(line, place + ": a line that 'rows' makes"), place);
    }
  }

  // Values one after another, such as JSON lines, or the elements of one array.
  void read_json() {
    const std::string_view text = source_->content;
    std::int64_t line = 1;
    for (std::size_t at = 0; at < text.size();) {
      if (std::string_view(" \t\r\n").find(text[at]) != std::string_view::npos) {
        line += text[at++] == '\n';
        continue;
      }
      const std::size_t length = json_value_end(text.substr(at));
      if (length == std::string_view::npos || length == 0) fail_input("{}: is not JSON", where(line));
      const std::string_view value = text.substr(at, length);
      const Json json = parse_json(value, where(line));
      if (json.is_array()) {
        for (const Json& element : json) take_value(element, where(line));
      } else {
        take_value(json, where(line));
      }
      line += std::ranges::count(value, '\n');
      at += length;
    }
  }

  void read_table(TableReader::Kind kind) {
    TableReader reader(source_->content, kind, source_->name);
    std::vector<std::string> columns = data_.columns;
    if (columns.empty()) {
      const auto header = reader.next();
      if (!header) return;
      columns = *header;
    }
    while (const auto row = reader.next()) {
      if (row->size() != columns.size()) {
        fail_input("{}: the row has {} columns, not {}", where(reader.line()), row->size(), columns.size());
      }
      Json fields;
      for (std::size_t i = 0; i < columns.size(); ++i) fields[columns[i]] = (*row)[i];
      add(std::move(fields), where(reader.line()));
    }
  }

  void read_parquet() {
    const auto reader = open_parquet(source_->path);
    std::string json;
    for (std::int64_t number = 1; reader->next(json); ++number) {
      take_value(parse_json(json, where(number)), where(number));
    }
  }

  const DataConfig& data_;
  std::optional<JinjaTemplate> rows_;
  const Source* source_ = nullptr;
  std::vector<Row> out_;
};

void add_labels(std::vector<Row>& rows, const std::string& path) {
  const std::string text = read_text(path);
  std::string_view left = text;
  std::size_t count = 0;
  while (!left.empty()) {
    const std::size_t end = std::min(left.find('\n'), left.size());
    std::string_view line = left.substr(0, end);
    left.remove_prefix(std::min(end + 1, left.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (count < rows.size()) (*rows[count].fields)["label"] = line;
    ++count;
  }
  if (count != rows.size()) fail_input("{}: has {} lines for {} rows", path, count, rows.size());
}

// Several rows often share a file.
void attach_files(std::vector<Row>& rows, const std::string& path_template, const std::string& directory,
                  const std::string& owner) {
  const TextTemplate path_of(path_template, owner + ": attached");
  std::map<std::string, std::string> texts;
  for (Row& row : rows) {
    const std::string path = (fs::path(directory) / path_of.render(row)).string();
    const auto [entry, is_new] = texts.try_emplace(path);
    if (is_new) entry->second = with_location(row.where, [&] { return read_text(path); });
    (*row.fields)["attached"] = entry->second;
  }
}

}  // namespace

std::vector<Row> read_rows(const DataConfig& data, const std::string& directory,
                           const std::string& owner) {
  RowReader reader(data, owner);
  for (const Source& source : SourceReader(data, directory, owner).read()) reader.read(source);
  std::vector<Row> rows = reader.take();
  if (rows.empty()) fail_input("{}: its files hold no rows", owner);
  if (!data.labels.empty()) add_labels(rows, (fs::path(directory) / data.labels).string());
  if (!data.attached.empty()) attach_files(rows, data.attached, directory, owner);
  return rows;
}

}  // namespace fathom::eval
