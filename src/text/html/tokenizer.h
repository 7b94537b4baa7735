// Cuts HTML into tags and text by the rules of the WHATWG's HTML standard (section 13.2.5), as far
// as extraction needs them. No input is an error.
#pragma once

#include <cstddef>
#include <string_view>

#include "text/html/tags.h"

namespace fathom::html {

// Values as they are in the page, character references not decoded. Empty when absent.
struct Attributes {
  std::string_view classes, id, role, itemprop, itemtype, style, name, property, content, charset,
      http_equiv;
  bool hidden = false;  // the attribute `hidden`, or aria-hidden="true"
  bool link = false;    // `href`, other than to a place in the same page

  bool empty() const;
};

// XHTML, other than HTML, ends <script/> and the like at once.
enum class Syntax { html, xhtml };

struct Token {
  enum class Kind { open, close, text, end } kind = Kind::end;
  Tag tag = Tag::other;
  std::string_view name;  // of open and close
  Attributes attributes;  // of open
  std::string_view text;  // of text, character references not decoded
  bool decode = true;     // of text: whether it may hold character references
  bool empty = false;     // of open: neither content nor an end tag follows
};

class Tokenizer {
 public:
  // `html` must outlive the tokenizer and its tokens.
  // A page with <?xml ...?> is XHTML.
  explicit Tokenizer(std::string_view html, Syntax syntax = Syntax::html);

  // Kind::end at the end. After the open tag of raw text, and of an <svg> that has an end, its
  // characters are one token of text, and then its close tag follows, which may be missing at the
  // end of the page.
  Token next();

 private:
  bool starts_markup(std::size_t at) const;
  Token text();
  Token raw_text();
  void begin_content(Token& token, bool self_closing);
  bool markup(Token& token);
  void skip_comment();
  void attribute(Attributes& attributes);
  std::string_view tag_name();
  std::string_view value();
  void skip_blanks();

  std::string_view html_;
  Syntax syntax_;
  std::size_t last_svg_end_ = 0;  // 0 for none
  std::size_t at_ = 0;
  Tag raw_ = Tag::other;  // the raw text that has just been opened
};

}  // namespace fathom::html
