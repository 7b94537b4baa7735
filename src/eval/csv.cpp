#include "eval/csv.h"

#include "core/error.h"

namespace fathom::eval {
namespace {

bool ends_line(char c) {
  return c == '\n' || c == '\r';
}

}  // namespace

TableReader::TableReader(std::string_view text, Kind kind, std::string source)
    : text_(text),
      separator_(kind == Kind::csv ? ',' : '\t'),
      quotes_(kind == Kind::csv),
      source_(std::move(source)) {
  if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;
}

std::string TableReader::read_quoted() {
  std::string field;
  for (++at_; at_ < text_.size(); ++at_) {
    if (text_[at_] == '"') {
      if (at_ + 1 == text_.size() || text_[at_ + 1] != '"') {
        ++at_;
        if (at_ < text_.size() && text_[at_] != separator_ && !ends_line(text_[at_])) {
          fail_input("{}:{}: text stands behind a quoted field: double the quotes inside it",
                     source_, line_);
        }
        return field;
      }
      ++at_;
    }
    line_ += text_[at_] == '\n';
    field += text_[at_];
  }
  fail_input("{}:{}: the quote of this row's field is never closed", source_, row_line_);
}

std::string TableReader::read_plain() {
  const std::size_t begin = at_;
  while (at_ < text_.size() && text_[at_] != separator_ && !ends_line(text_[at_])) ++at_;
  return std::string(text_.substr(begin, at_ - begin));
}

std::optional<std::vector<std::string>> TableReader::next() {
  while (at_ < text_.size() && ends_line(text_[at_])) line_ += text_[at_++] == '\n';
  if (at_ == text_.size()) return std::nullopt;
  row_line_ = line_;
  std::vector<std::string> row;
  while (true) {
    const bool quoted = quotes_ && at_ < text_.size() && text_[at_] == '"';
    row.push_back(quoted ? read_quoted() : read_plain());
    if (at_ == text_.size() || text_[at_] != separator_) return row;
    ++at_;
  }
}

}  // namespace fathom::eval
