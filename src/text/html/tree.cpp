#include "text/html/tree.h"

#include <algorithm>
#include <array>
#include <utility>

#include "text/ascii.h"
#include "text/html/implied_ends.h"
#include "text/html/references.h"

namespace fathom::html {
namespace {

using enum Tag;

constexpr std::uint16_t max_depth = 256;
// A page of a few megabytes has some 50000 nodes; each takes 200 bytes.
constexpr std::size_t max_nodes = 1'000'000;
// An end tag looks for its element among so many open ones, so that a page of open tags alone does
// not take quadratic time.
constexpr std::size_t max_search = 512;
// Open elements beyond so many are no longer noted.
constexpr std::size_t max_open = 100'000;

}  // namespace

class TreeBuilder {
 public:
  TreeBuilder(std::string_view html, Syntax syntax, Tree& tree)
      : tokenizer_(html, syntax), tree_(tree) {}

  void build() {
    tree_.nodes_.push_back({});
    tree_.nodes_[0].tag = html;
    push({html, 0, {}});
    for (Token token = tokenizer_.next(); token.kind != Token::Kind::end;
         token = tokenizer_.next()) {
      if (token.kind == Token::Kind::text) add_text(token);
      if (token.kind == Token::Kind::open) open(token);
      if (token.kind == Token::Kind::close) close(token);
    }
    pop_to(0);
  }

 private:
  struct Open {
    Tag tag;
    std::uint32_t node;  // for an element that is too deep the one that has its content
    std::string_view name;
  };

  static bool is_same(const Open& open, const Token& token) {
    if (is_heading(open.tag) && is_heading(token.tag)) return true;
    return open.tag == token.tag &&
           (token.tag != other || ascii::equal_ignoring_case(open.name, token.name));
  }

  // How many elements are open that may be of this tag: headings share a count, and of the tags
  // that are not listed those whose names have one hash.
  std::uint32_t& open_like(Tag tag, std::string_view name) {
    constexpr std::size_t listed = 256;
    if (tag != other) return open_counts_[static_cast<std::size_t>(is_heading(tag) ? h1 : tag)];
    std::size_t hash = name.size();
    for (const char c : name) hash = hash * 31 + static_cast<unsigned char>(ascii::small(c));
    return open_counts_[listed + hash % (open_counts_.size() - listed)];
  }

  void push(const Open& open) {
    open_.push_back(open);
    ++open_like(open.tag, open.name);
  }

  // <b>, <span> and the like, whose end tags do not close a block in them; a name with a hyphen is
  // an element of the page's own, which may hold anything.
  static bool is_formatting(const Token& token) {
    return !is_block(token.tag) && !is_invisible(token.tag) &&
           token.name.find('-') == std::string_view::npos;
  }

  std::size_t lowest_searched() const {
    return open_.size() > max_search ? open_.size() - max_search : 1;
  }

  std::uint32_t text_size() const { return static_cast<std::uint32_t>(tree_.text_.size()); }

  // Closes the open elements from `index` on.
  void pop_to(std::size_t index) {
    while (open_.size() > index) {
      const Open last = open_.back();
      open_.pop_back();
      --open_like(last.tag, last.name);
      if (!open_.empty() && open_.back().node == last.node) continue;
      Node& node = tree_.nodes_[last.node];
      node.end = static_cast<std::uint32_t>(tree_.nodes_.size());
      node.text_end = text_size();
    }
  }

  std::uint32_t add_node(Tag tag, const Attributes& attributes) {
    const std::uint32_t parent = open_.back().node;
    Node node;
    node.tag = tag;
    node.parent = parent;
    node.depth = static_cast<std::uint16_t>(tree_.nodes_[parent].depth + 1);
    node.text_begin = node.text_end = text_size();
    if (!attributes.empty()) {
      node.attributes = static_cast<std::uint32_t>(tree_.attributes_.size());
      tree_.attributes_.push_back(attributes);
    }
    tree_.nodes_.push_back(node);
    const auto index = static_cast<std::uint32_t>(tree_.nodes_.size() - 1);
    tree_.nodes_[index].end = index + 1;
    return index;
  }

  void add_text(Token token) {
    if (tree_.nodes_.size() >= max_nodes) return;
    const Tag within = open_.back().tag;
    if ((is_raw_text(within) || within == svg) && within != title && within != xmp) return;
    if (std::exchange(code_begins_, false)) {  // the line break behind <pre> is none of its text
      if (token.text.starts_with('\r')) token.text.remove_prefix(1);
      if (token.text.starts_with('\n')) token.text.remove_prefix(1);
    }
    const std::uint32_t node = add_node(text, {});
    const std::size_t begin = tree_.text_.size();
    if (token.decode) {
      append_decoded(token.text, tree_.text_);
    } else {
      tree_.text_ += token.text;
    }
    make_spaces(tree_.text_, begin);
    tree_.nodes_[node].text_end = text_size();
  }

  // Closes what a start tag ends without an end tag: the last item, cell, paragraph.
  void end_implied(Tag opened) {
    if (is_block(opened) && !is_table_part(opened)) close_paragraph();
    if (opened == table) close_paragraph();
    if (is_heading(opened) && is_heading(open_.back().tag)) pop_to(open_.size() - 1);
    const std::size_t lowest = lowest_searched();
    std::size_t ended = open_.size();
    if (!ends_open(opened, opened) && !is_table_part(opened)) return;
    for (std::size_t i = open_.size(); i-- > lowest && !stops_search(opened, open_[i].tag);) {
      if (!ends_open(opened, open_[i].tag)) continue;
      ended = i;
      if (opened == li || opened == a || opened == dd || opened == dt) break;
    }
    pop_to(ended);
  }

  void close_paragraph() {
    const std::size_t lowest = lowest_searched();
    for (std::size_t i = open_.size(); i-- > lowest && !is_scope(open_[i].tag);) {
      if (open_[i].tag == p) return pop_to(i);
      if (is_block(open_[i].tag)) return;  // an open paragraph would have ended at its start
    }
  }

  // An <a> in another one shows that the end tag of that is missing: what is in it is no link.
  void unlink_around() {
    if (open_like(a, {}) == 0) return;
    const std::size_t lowest = lowest_searched();
    for (std::size_t i = open_.size(); i-- > lowest;) {
      if (open_[i].tag != a) continue;
      tree_.attributes_[tree_.nodes_[open_[i].node].attributes].link = false;
      return;
    }
  }

  void open(const Token& token) {
    if (token.tag == html || token.tag == head) return;
    if (token.tag == body) return open_body(token);
    end_implied(token.tag);
    if (token.tag == a) unlink_around();
    if (tree_.nodes_[open_.back().node].depth == max_depth || tree_.nodes_.size() >= max_nodes) {
      const bool noted = !token.empty && open_.size() < max_open;
      if (noted) push({token.tag, open_.back().node, token.name});
      return;
    }
    const std::uint32_t node = add_node(token.tag, token.attributes);
    if (!token.empty) push({token.tag, node, token.name});
    code_begins_ = token.tag == pre;
  }

  // Attributes of the body go to the root, which stands for it.
  void open_body(const Token& token) {
    if (tree_.nodes_[0].attributes != 0 || token.attributes.empty()) return;
    tree_.nodes_[0].attributes = static_cast<std::uint32_t>(tree_.attributes_.size());
    tree_.attributes_.push_back(token.attributes);
  }

  void close(const Token& token) {
    const Tag tag = token.tag;
    code_begins_ = false;
    if (tag == html || tag == body || tag == head || is_void(tag)) return;
    if (open_like(tag, token.name) == 0) return;
    const std::size_t lowest = lowest_searched();
    for (std::size_t i = open_.size(); i-- > lowest;) {
      if (is_same(open_[i], token)) return pop_to(i);
      const Tag open = open_[i].tag;
      if (is_table_part(tag) ? open == table : is_scope(open)) return;
      if (is_block(open) && is_formatting(token)) return;
    }
  }

  Tokenizer tokenizer_;
  Tree& tree_;
  std::vector<Open> open_;
  std::array<std::uint32_t, 1024> open_counts_{};  // see open_like()
  bool code_begins_ = false;                       // the last token is <pre>
};

Tree::Tree(std::string_view html, Syntax syntax) {
  TreeBuilder(html, syntax, *this).build();
}

}  // namespace fathom::html
