// Tables as text: comma- or tab-separated values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::eval {

// Cuts a table into rows. CSV as in RFC 4180: fields may stand in quotes, in which a doubled quote is
// one, and commas and line ends are text; lines end with \n or \r\n. TSV has no quotes.
class TableReader {
 public:
  enum class Kind { csv, tsv };
  // `source` begins every message. The text must outlive the reader.
  TableReader(std::string_view text, Kind kind, std::string source);

  // The next row that is not an empty line; nullopt at the end. Throws an input Error with the line
  // for a quote that is not closed or text behind a closed one.
  std::optional<std::vector<std::string>> next();
  std::int64_t line() const { return row_line_; }  // on which that row began, from 1

 private:
  std::string read_quoted();
  std::string read_plain();

  std::string_view text_;
  char separator_;
  bool quotes_;
  std::string source_;
  std::size_t at_ = 0;
  std::int64_t line_ = 1, row_line_ = 1;
};

}  // namespace fathom::eval
