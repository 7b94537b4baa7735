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

  bool empty() const;
};

struct Token {
  enum class Kind { open, close, text, end } kind = Kind::end;
  Tag tag = Tag::other;
  std::string_view name;      // of open and close
  Attributes attributes;      // of open
  std::string_view text;      // of text, character references not decoded
  bool decode = true;         // of text: whether it may hold character references
  bool self_closing = false;  // of open: <.../>
};

class Tokenizer {
 public:
  // `html` must outlive the tokenizer and its tokens.
  explicit Tokenizer(std::string_view html) : html_(html) {}

  // Kind::end at the end. After the open tag of raw text its characters are one token of text, and
  // then its close tag follows, which may be missing at the end of the page.
  Token next();

 private:
  bool starts_markup(std::size_t at) const;
  Token text();
  Token raw_text();
  bool markup(Token& token);
  void skip_comment();
  void attribute(Attributes& attributes);
  std::string_view tag_name();
  std::string_view value();
  void skip_blanks();

  std::string_view html_;
  std::size_t at_ = 0;
  Tag raw_ = Tag::other;  // the raw text that has just been opened
};

}  // namespace fathom::html
