// The library that reads Parquet by Arrow; the only file that includes Arrow's headers. One thread
// decodes a few megabytes of rows at a time, so that files of any size fit in memory.
#include "text/parquet_module.h"

#include <arrow/array.h>
#include <arrow/extension_type.h>
#include <arrow/io/file.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/util/config.h>
#include <arrow/util/float16.h>
#include <fmt/format.h>
#include <parquet/arrow/reader.h>
#include <parquet/file_reader.h>

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "text/arrow/json_text.h"

namespace fathom {
namespace {

using arrow::Type;

// The value of a result, or Arrow's message as an exception, as parquet's own errors are.
template <class T>
T value_of(arrow::Result<T> result) {
  if (!result.ok()) throw std::runtime_error(result.status().message());
  return std::move(result).ValueUnsafe();
}
void check(const arrow::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.message());
}

// f(), with Arrow's exceptions as an input Error: "where: problem: Arrow's reason".
template <class F>
void with_reason(const std::string& where, const char* problem, F&& f) {
  try {
    f();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    const std::string_view what = error.what();
    fail_input("{}: {}: {:.200}; is the file damaged?", where, problem,
               what.substr(0, what.find('\n')));
  }
}

void write_value(const arrow::Array& array, std::int64_t row, std::string& json);

template <class Array>
const Array& as(const arrow::Array& array) {
  return static_cast<const Array&>(array);
}

template <class Array>
void write_integer(const arrow::Array& array, std::int64_t row, std::string& json) {
  fmt::format_to(std::back_inserter(json), "{}", as<Array>(array).Value(row));
}

template <class Array>
void write_list(const arrow::Array& array, std::int64_t row, std::string& json) {
  const Array& list = as<Array>(array);
  const arrow::Array& values = *list.values();
  const std::int64_t begin = list.value_offset(row), end = begin + list.value_length(row);
  json += '[';
  for (std::int64_t i = begin; i < end; ++i) {
    if (i > begin) json += ',';
    write_value(values, i, json);
  }
  json += ']';
}

void write_map(const arrow::MapArray& map, std::int64_t row, std::string& json) {
  const std::int64_t begin = map.value_offset(row), end = begin + map.value_length(row);
  json += '{';
  for (std::int64_t i = begin; i < end; ++i) {
    if (i > begin) json += ',';
    write_value(*map.keys(), i, json);
    json += ':';
    write_value(*map.items(), i, json);
  }
  json += '}';
}

void write_struct(const arrow::StructArray& parts, std::int64_t row, std::string& json) {
  json += '{';
  for (int i = 0; i < parts.num_fields(); ++i) {
    if (i > 0) json += ',';
    write_json_text(parts.type()->field(i)->name(), json);
    json += ':';
    write_value(*parts.field(i), row, json);
  }
  json += '}';
}

void write_value(const arrow::Array& array, std::int64_t row, std::string& json) {
  if (array.IsNull(row)) {
    json += "null";
    return;
  }
  switch (array.type_id()) {
    case Type::BOOL:
      json += as<arrow::BooleanArray>(array).Value(row) ? "true" : "false";
      return;
    case Type::INT8:
      return write_integer<arrow::Int8Array>(array, row, json);
    case Type::INT16:
      return write_integer<arrow::Int16Array>(array, row, json);
    case Type::INT32:
      return write_integer<arrow::Int32Array>(array, row, json);
    case Type::INT64:
      return write_integer<arrow::Int64Array>(array, row, json);
    case Type::UINT8:
      return write_integer<arrow::UInt8Array>(array, row, json);
    case Type::UINT16:
      return write_integer<arrow::UInt16Array>(array, row, json);
    case Type::UINT32:
      return write_integer<arrow::UInt32Array>(array, row, json);
    case Type::UINT64:
      return write_integer<arrow::UInt64Array>(array, row, json);
    case Type::HALF_FLOAT: {
      const auto bits = as<arrow::HalfFloatArray>(array).Value(row);
      return write_json_float(arrow::util::Float16::FromBits(bits).ToFloat(), json);
    }
    case Type::FLOAT:
      return write_json_float(as<arrow::FloatArray>(array).Value(row), json);
    case Type::DOUBLE:
      return write_json_float(as<arrow::DoubleArray>(array).Value(row), json);
    case Type::DECIMAL128:
      json += as<arrow::Decimal128Array>(array).FormatValue(row);
      return;
    case Type::DECIMAL256:
      json += as<arrow::Decimal256Array>(array).FormatValue(row);
      return;
    case Type::STRING:
      return write_json_text(as<arrow::StringArray>(array).GetView(row), json);
    case Type::LARGE_STRING:
      return write_json_text(as<arrow::LargeStringArray>(array).GetView(row), json);
    case Type::STRING_VIEW:
      return write_json_text(as<arrow::StringViewArray>(array).GetView(row), json);
    case Type::LIST:
      return write_list<arrow::ListArray>(array, row, json);
    case Type::LARGE_LIST:
      return write_list<arrow::LargeListArray>(array, row, json);
    case Type::FIXED_SIZE_LIST:
      return write_list<arrow::FixedSizeListArray>(array, row, json);
    case Type::LIST_VIEW:
      return write_list<arrow::ListViewArray>(array, row, json);
    case Type::LARGE_LIST_VIEW:
      return write_list<arrow::LargeListViewArray>(array, row, json);
    case Type::MAP:
      return write_map(as<arrow::MapArray>(array), row, json);
    case Type::STRUCT:
      return write_struct(as<arrow::StructArray>(array), row, json);
    case Type::DICTIONARY: {
      const auto& dictionary = as<arrow::DictionaryArray>(array);
      return write_value(*dictionary.dictionary(), dictionary.GetValueIndex(row), json);
    }
    case Type::EXTENSION:
      return write_value(*as<arrow::ExtensionArray>(array).storage(), row, json);
    default:  // dates, times and durations
      return write_json_text(value_of(array.GetScalar(row))->ToString(), json);
  }
}

bool is_text(const arrow::DataType& type) {
  return type.id() == Type::STRING || type.id() == Type::LARGE_STRING ||
         type.id() == Type::STRING_VIEW;
}

// Refuses a column, or the part of it that `column` names, which JSON has no form for.
void check_type(const std::string& path, const std::string& column, const arrow::DataType& type) {
  const auto refuse = [&](const char* what) {
    fail_input(
        "{}: the column '{}' holds {}, which JSON has no form for; write the file without it", path,
        column, what);
  };
  switch (type.id()) {
    case Type::BINARY:
    case Type::LARGE_BINARY:
    case Type::BINARY_VIEW:
    case Type::FIXED_SIZE_BINARY:
      return refuse("binary data");
    case Type::DICTIONARY:
      return check_type(path, column,
                        *static_cast<const arrow::DictionaryType&>(type).value_type());
    case Type::EXTENSION:
      return check_type(path, column,
                        *static_cast<const arrow::ExtensionType&>(type).storage_type());
    case Type::MAP: {
      const auto& map = static_cast<const arrow::MapType&>(type);
      if (!is_text(*map.key_type())) refuse("a map whose keys are no texts");
      return check_type(path, column, *map.item_type());
    }
    case Type::STRUCT:
      for (const auto& field : type.fields()) {
        check_type(path, column + "." + field->name(), *field->type());
      }
      return;
    default:  // of lists, the type of their elements
      for (const auto& field : type.fields()) check_type(path, column, *field->type());
  }
}

// The leaves (columns of nested types have several) of the columns named, or of all.
std::vector<int> leaves_of(const parquet::SchemaDescriptor& schema, const std::string& path,
                           std::span<const std::string> columns) {
  std::vector<int> leaves;
  std::vector<std::string> names;
  for (int i = 0; i < schema.num_columns(); ++i) {
    const std::string& name = schema.GetColumnRoot(i)->name();
    if (names.empty() || names.back() != name) names.push_back(name);
    if (columns.empty() || std::ranges::find(columns, name) != columns.end()) leaves.push_back(i);
  }
  if (leaves.empty()) {
    fail_input("{}: has no column {}; its columns are: {}", path,
               columns.empty() ? "at all" : fmt::format("'{}'", fmt::join(columns, "' or '")),
               names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", ")));
  }
  return leaves;
}

// How many rows to decode at a time: about 4 MB of the longest rows.
std::int64_t rows_of_batch(const parquet::FileMetaData& metadata) {
  constexpr std::int64_t max_bytes = 4 << 20;
  std::int64_t rows = 1024;
  for (int i = 0; i < metadata.num_row_groups(); ++i) {
    const auto group = metadata.RowGroup(i);
    if (group->num_rows() <= 0) continue;
    const std::int64_t row_bytes = group->total_byte_size() / group->num_rows();
    rows = std::min(rows, max_bytes / std::max<std::int64_t>(1, row_bytes));
  }
  return std::max<std::int64_t>(1, rows);
}

class ArrowReader : public ParquetReader {
 public:
  ArrowReader(const std::string& path, std::span<const std::string> columns) : path_(path) {
    with_reason(path_, "cannot be read as Parquet", [&] { open(columns); });
  }

  bool next(std::string& json) override {
    while (!batch_ || row_ == batch_->num_rows()) {
      if (!read_batch()) return false;
    }
    json = '{';
    for (int i = 0; i < batch_->num_columns(); ++i) {
      if (i > 0) json += ',';
      write_json_text(batch_->column_name(i), json);
      json += ':';
      write_value(*columns_[static_cast<std::size_t>(i)], row_, json);
    }
    json += '}';
    ++row_;
    ++rows_;
    return true;
  }

  std::uint64_t file_position() const override {
    if (rows_ == total_rows_) return file_bytes_;
    return static_cast<std::uint64_t>(static_cast<double>(file_bytes_) *
                                      static_cast<double>(rows_) /
                                      static_cast<double>(total_rows_));
  }

 private:
  void open(std::span<const std::string> columns) {
    auto file = value_of(arrow::io::ReadableFile::Open(path_));
    file_bytes_ = static_cast<std::uint64_t>(value_of(file->GetSize()));
    parquet::ReaderProperties properties;
    properties.enable_buffered_stream();  // pages, not whole columns of a row group
    properties.set_page_checksum_verification(true);
    parquet::ArrowReaderProperties arrow_properties;
    arrow_properties.set_pre_buffer(false);
    parquet::arrow::FileReaderBuilder builder;
    check(builder.Open(std::move(file), properties));
    builder.properties(arrow_properties);
    reader_ = value_of(builder.Build());
    const auto metadata = reader_->parquet_reader()->metadata();
    total_rows_ = metadata->num_rows();
    reader_->set_batch_size(rows_of_batch(*metadata));
    std::vector<int> groups(static_cast<std::size_t>(metadata->num_row_groups()));
    std::iota(groups.begin(), groups.end(), 0);
    batches_ = value_of(
        reader_->GetRecordBatchReader(groups, leaves_of(*metadata->schema(), path_, columns)));
    for (const auto& field : batches_->schema()->fields()) {
      check_type(path_, field->name(), *field->type());
    }
  }

  // False at the end of the file.
  bool read_batch() {
    with_reason(
        fmt::format("{}:{}", path_, rows_ + 1), "the rows from here on cannot be read", [&] {
          check(batches_->ReadNext(&batch_));
          if (batch_) columns_ = batch_->columns();
          if (!batch_ && rows_ != total_rows_) {
            throw std::runtime_error(fmt::format("there are none, and should be {}", total_rows_));
          }
        });
    row_ = 0;
    return batch_ != nullptr;
  }

  std::string path_;
  std::unique_ptr<parquet::arrow::FileReader> reader_;
  std::unique_ptr<arrow::RecordBatchReader> batches_;
  std::shared_ptr<arrow::RecordBatch> batch_;
  std::vector<std::shared_ptr<arrow::Array>> columns_;  // of the batch
  std::int64_t row_ = 0;                                // in the batch, the next
  std::int64_t rows_ = 0, total_rows_ = 0;              // of the file: given out, all
  std::uint64_t file_bytes_ = 0;
};

std::unique_ptr<ParquetReader> open_file(const std::string& path,
                                         std::span<const std::string> columns) {
  return std::make_unique<ArrowReader>(path, columns);
}

}  // namespace
}  // namespace fathom

extern "C" __attribute__((visibility("default")))
const fathom::ParquetModule fathom_parquet_module = {ARROW_VERSION_STRING, fathom::open_file};
