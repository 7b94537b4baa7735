#include "text/html/tables.h"

#include <algorithm>

#include "text/html/thresholds.h"

namespace fathom::html {
namespace {

struct Table {
  std::uint32_t max_row = 0;  // cells with text
  bool layout = false;
};

bool is_cell(Tag tag) {
  return tag == Tag::td || tag == Tag::th;
}

}  // namespace

std::vector<bool> data_cells(const PageFacts& page) {
  const Tree& tree = page.tree();
  std::vector<std::uint32_t> table_of(page.size(), 0);  // the innermost around a node
  std::vector<std::uint32_t> cells(page.size(), 0);     // of a row: with text
  std::vector<Table> tables(page.size());
  for (std::uint32_t i = 1; i < page.size(); ++i) {
    const Tag tag = tree[i].tag;
    const std::uint32_t around = table_of[tree[i].parent];
    table_of[i] = tag == Tag::table ? i : around;
    if (tag == Tag::table) tables[around].layout = true;
    if (!is_cell(tag) || page[i].dropped) continue;
    Table& table = tables[around];
    if (page[i].good > max_cell) table.layout = true;
    if (page[i].all.text > 0) table.max_row = std::max(table.max_row, ++cells[tree[i].parent]);
  }
  std::vector<bool> found(page.size());
  for (std::uint32_t i = 1; i < page.size(); ++i) {
    const Table& table = tables[table_of[i]];
    found[i] = is_cell(tree[i].tag) && table_of[i] != 0 && !table.layout && table.max_row > 1;
  }
  return found;
}

}  // namespace fathom::html
