#include "text/page_documents.h"

#include <array>
#include <utility>

#include "io/json_object.h"
#include "io/line_reader.h"
#include "text/document_field.h"
#include "text/http_response.h"
#include "text/web_page.h"

namespace fathom {
namespace {

void count_refused(PageProblem problem, const RawDocument& raw, std::size_t bytes,
                   DocumentCounts& counts) {
  RefusedPages& refused = counts.refused_pages[static_cast<std::size_t>(problem)];
  ++refused.pages;
  refused.bytes += static_cast<std::int64_t>(bytes);
  if (refused.first.empty()) refused.first = raw.where();
}

void count_replaced(std::size_t bytes, const RawDocument& raw, DocumentCounts& counts) {
  if (bytes == 0) return;
  ++counts.repaired_documents;
  counts.replaced_bytes += static_cast<std::int64_t>(bytes);
  if (counts.first_repaired.empty()) counts.first_repaired = raw.where();
}

// The row with the page's text in place of the page, and its title when the row has none.
std::string row_of(const RawDocument& raw, const JsonField& field, const WebPage& page) {
  std::string row = raw.content;
  row.replace(field.begin, field.end - field.begin, json_quoted(page.text));
  constexpr std::string_view key = "title";
  const std::string keys[] = {std::string(key)};
  if (find_json_text(raw.content, keys).found != JsonField::Found::absent) return row;
  row.resize(row.find_last_of('}'));
  return row + ", \"title\": " + json_quoted(page.title) + "}";
}

std::string row_of(const std::string& field, const WebPage& page, const std::string& members) {
  return "{" + json_quoted(field) + ": " + json_quoted(page.text) +
         ", \"title\": " + json_quoted(page.title) + ", " + members + "}";
}

}  // namespace

std::string read_page_bytes(ByteReader& bytes) {
  std::string page(64 << 10, '\0');
  std::size_t size = 0;
  while (const std::size_t got = read_fully(bytes, std::span(page).subspan(size))) {
    size += got;
    if (size < page.size() || size > max_page_bytes) break;
    page.resize(2 * size);
  }
  page.resize(size);
  return page;
}

std::optional<Document> read_page_document(RawDocument&& raw, const DocumentOptions& options,
                                           DocumentCounts& counts) {
  std::optional<JsonField> field;
  if (raw.json) {
    field = find_field(raw, options, counts);
    if (!field) return std::nullopt;
  }
  ++counts.pages;
  WebPage page;
  page.problem = raw.problem;
  if (page.problem == PageProblem::none) {
    page = raw.response ? read_response(raw.content)
           : field      ? read_page_text(field->text)
                        : read_page(raw.content);
  }
  if (page.problem != PageProblem::none) {
    count_refused(page.problem, raw, field ? field->text.size() : raw.content.size(), counts);
    return std::nullopt;
  }
  count_replaced(page.replaced, raw, counts);
  Document document;
  document.source = raw.where();
  if (field && field->found == JsonField::Found::text) {
    document.metadata = row_of(raw, *field, page);
  } else {
    const std::string members =
        raw.response ? raw.members : "\"source\": " + json_quoted(document.source);
    document.metadata = row_of(options.fields.front(), page, members);
  }
  document.text = std::move(page.text);
  return document;
}

}  // namespace fathom
