#include "text/html/render.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "text/ascii.h"
#include "text/html/tables.h"

namespace fathom::html {
namespace {

using enum Tag;

// Items deeper than this are indented no further, so that the text stays about as long as the page.
constexpr std::size_t max_indent = 8;

bool begins_one_line(Tag tag) {
  return tag == li || tag == tr || tag == dd || tag == dt || tag == tbody || tag == thead ||
         tag == tfoot;
}

class Renderer {
 public:
  Renderer(const PageFacts& page, std::uint32_t root)
      : page_(page), tree_(page.tree()), data_cells_(data_cells(page)) {
    for (std::uint32_t i = root; i < tree_[root].end; ++i) {
      while (!open_.empty() && tree_[open_.back()].end <= i) leave();
      if (page_[i].dropped) {
        i = tree_[i].end - 1;
      } else if (tree_[i].tag == pre && page_[i].all.text == 0) {
        space_around(i);
        i = tree_[i].end - 1;
      } else {
        enter(i);
      }
    }
    while (!open_.empty()) leave();
  }

  std::string take() {
    while (!out_.empty() && ascii::is_blank(out_.back())) out_.pop_back();
    return std::move(out_);
  }

 private:
  void enter(std::uint32_t node) {
    const Tag tag = tree_[node].tag;
    if (tag == text) return add_text(tree_.text(tree_[node]));
    if (tag == br || tag == hr) return break_line(tag);
    space_around(node);
    if (data_cells_[node]) begin_cell(node);
    if (in_cell_ == 0) begin_block(tag);
    codes_ += tag == pre;
    items_ += tag == li;
    in_cell_ += data_cells_[node];
    open_.push_back(node);
  }

  void leave() {
    const std::uint32_t node = open_.back();
    const Tag tag = tree_[node].tag;
    open_.pop_back();
    codes_ -= tag == pre;
    items_ -= tag == li;
    in_cell_ -= data_cells_[node];
    if (tag == pre && codes_ == 0 && in_cell_ == 0) end_code();
    if (is_heading(tag) || tag == li) prefix_.clear();  // of one without text
    space_around(node);
  }

  void begin_block(Tag tag) {
    if (is_heading(tag)) {
      const auto level = static_cast<std::size_t>(tag) - static_cast<std::size_t>(h1) + 1;
      prefix_ = std::string(level, '#') + " ";
    }
    if (tag == tr) empty_cells_ = 0;
    if (tag == li) prefix_ = std::string(2 * std::min(items_, max_indent), ' ') + "- ";
    if (tag == pre && codes_ == 0) {
      begin_text();
      out_ += "```\n";
    }
  }

  void end_code() {
    while (out_.ends_with('\n')) out_.pop_back();
    out_ += "\n```";
  }

  void begin_cell(std::uint32_t node) {
    if (page_[node].all.text == 0) {
      ++empty_cells_;
      return;
    }
    wanted_space_ = true;
    begin_text();
    for (; empty_cells_ > 0; --empty_cells_) out_ += "| ";
    out_ += "| ";
  }

  void break_line(Tag tag) {
    if (in_cell_ > 0) {
      wanted_space_ = true;
    } else if (codes_ > 0) {
      out_ += '\n';
    } else {
      want_lines(tag == hr ? 2 : 1);
    }
  }

  void space_around(std::uint32_t node) {
    const Tag tag = tree_[node].tag;
    if (!is_block(tag)) return;
    if (in_cell_ > 0 || data_cells_[node]) {
      wanted_space_ = true;
    } else {
      want_lines(items_ > 0 || codes_ > 0 || begins_one_line(tag) ? 1 : 2);
    }
  }

  // What follows begins a line, behind an empty one when `lines` is 2.
  void want_lines(std::size_t lines) { wanted_lines_ = std::max(wanted_lines_, lines); }

  // Writes the wanted blanks and what begins a line.
  void begin_text() {
    if (wanted_lines_ > 0 && !out_.empty()) {
      while (out_.ends_with(' ')) out_.pop_back();
      const std::size_t ends = out_.ends_with("\n\n") ? 2 : out_.ends_with('\n') ? 1 : 0;
      if (ends < wanted_lines_) out_.append(wanted_lines_ - ends, '\n');
    }
    if (wanted_space_ && !out_.empty() && !ascii::is_blank(out_.back())) out_ += ' ';
    wanted_lines_ = 0;
    wanted_space_ = false;
    out_ += std::exchange(prefix_, {});
  }

  void add_text(std::string_view text) {
    if (codes_ > 0 && in_cell_ == 0) {
      begin_text();
      out_ += text;
      return;
    }
    while (!text.empty()) {
      const auto begin = std::ranges::find_if_not(text, ascii::is_blank);
      if (begin != text.begin()) wanted_space_ = true;
      text.remove_prefix(static_cast<std::size_t>(begin - text.begin()));
      if (text.empty()) return;
      begin_text();
      const auto end = std::ranges::find_if(text, ascii::is_blank);
      const auto length = static_cast<std::size_t>(end - text.begin());
      out_ += text.substr(0, length);
      text.remove_prefix(length);
    }
  }

  const PageFacts& page_;
  const Tree& tree_;
  const std::vector<bool> data_cells_;
  std::vector<std::uint32_t> open_;
  std::string out_, prefix_;
  std::size_t wanted_lines_ = 0;
  bool wanted_space_ = false;
  std::size_t empty_cells_ = 0;                      // of the row, since the last with text
  std::size_t codes_ = 0, items_ = 0, in_cell_ = 0;  // open elements of these kinds
};

}  // namespace

std::string render(const PageFacts& page, std::uint32_t root) {
  return Renderer(page, root).take();
}

std::string collapsed(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (!ascii::is_blank(c)) {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  if (out.ends_with(' ')) out.pop_back();
  return out;
}

}  // namespace fathom::html
